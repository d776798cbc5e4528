//! The smallest fleet that holds: nodes are added until every objective is met
//! on every seed, with the loss of one of them at the worst moment.

mod fleet;
mod page;

use serde::Serialize;
use thiserror::Error;

use crate::calibration::Calibration;
use crate::inputs::{Input, extrapolated, inputs};
use crate::report::{GivesOut, ObjectiveReport};
use crate::scenario::{Given, NODES_MAX, Objective, Target};
use crate::world::WorldError;
pub use fleet::{Fleet, Lost};
pub use page::plan_page;

/// Seeds beyond do not survive JSON.
const SEED_MAX: u64 = (1 << 53) - 1;

/// Rates are raised by so much at a time, up to so much in all, until it is
/// known this well how much the fleet bears.
const HEADROOM_STEP: f64 = 1.5;
const HEADROOM_MOST: f64 = 8.0;
const HEADROOM_NEAR: f64 = 1.08;

/// What is asked of a plan.
#[derive(Clone, Debug)]
pub struct PlanAsk {
    /// What must hold; the scenario's own when there are none.
    pub objectives: Vec<Objective>,
    /// How many seeds each fleet must hold on, from this one.
    pub seeds: u64,
    /// The first seed.
    pub from: u64,
    /// How many nodes may be lost at the worst moment.
    pub spare: u32,
    /// The most nodes that are tried.
    pub most: u64,
    /// Cores of a node that are tried; the scenario's own when there are none.
    pub cores: Vec<u64>,
    /// Threads of a node that hash which are tried; one for each core, or the
    /// scenario's own, when there are none.
    pub hashing_threads: Vec<u64>,
}

/// Why nothing can be planned.
#[derive(Debug, Error)]
pub enum PlanError {
    /// Shedding all others would meet it.
    #[error("`{0}` says nothing of who is shed: add a bound on shed or on in_within")]
    Unbounded(String),
    /// There is nothing to search for.
    #[error("no objectives: name some, or put them into the scenario")]
    NoObjectives,
    /// One node is all there can be.
    #[error("an embedded store has one node: plan with store.kind = \"foundationdb\"")]
    Embedded,
    /// Its bounds on guessing are judged where there is one node.
    #[error("spray: it is played on one node, which is nothing to plan")]
    Sprayed,
    /// Nothing in the scenario does what one speaks of.
    #[error("{0}")]
    Unasked(String),
    /// No fleet that may be tried has a node that something befalls.
    #[error(
        "fault: it befalls nodes that no fleet of fewer than {needed} has, and at most {most} are tried"
    )]
    Missing {
        /// The fewest nodes at the beginning that have it.
        needed: u64,
        /// The most that are tried.
        most: u64,
    },
    /// Something that was asked for lies outside of its range.
    #[error("{0}")]
    Range(&'static str),
    /// A world could not be played.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// A plan, what it is about, and what makes it again. Names and units of its
/// fields are stable.
#[derive(Clone, Debug, Serialize)]
pub struct PlanReport {
    /// The scenario's name.
    pub scenario: String,
    /// What it is about.
    pub about: String,
    /// On how many seeds each fleet had to hold.
    pub seeds: u64,
    /// The first of them.
    pub from: u64,
    /// The line that makes it again.
    pub again: String,
    /// The outcome of the search.
    pub plan: Plan,
}

/// The outcome of the search.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The smallest fleet that holds, if any of those tried does.
    pub smallest: Option<Fleet>,
    /// The largest that does not.
    pub smaller: Option<Fleet>,
    /// How much more the smallest bears.
    pub headroom: Option<Headroom>,
    /// What all of it stands on.
    pub inputs: Vec<Input>,
    /// Why it lies outside of what was compared with a real node.
    pub extrapolated: Vec<String>,
}

/// How much more than the night's rates a fleet bears.
#[derive(Clone, Debug, Serialize)]
pub struct Headroom {
    /// So many times the night's rates still held.
    pub times: f64,
    /// What broke at the least that did not; nothing when all that was tried
    /// held.
    pub breaks: Vec<ObjectiveReport>,
    /// What gave out first when it did.
    pub gives_out: Option<GivesOut>,
}

impl PlanAsk {
    fn check(&self) -> Result<(), PlanError> {
        let threads = |counts: &[u64]| counts.iter().all(|count| (1..=1_024).contains(count));
        let from = self.from <= SEED_MAX;
        let ranges = [
            ((1..=10_000).contains(&self.seeds), "seeds: from 1 to 10000"),
            (from, "seed: from 0 to 9007199254740991"),
            (
                (1..=NODES_MAX).contains(&self.most),
                "most: from 1 to 1024 nodes",
            ),
            (
                u64::from(self.spare) < self.most,
                "spare: fewer than the most nodes that are tried",
            ),
            (threads(&self.cores), "cores: each from 1 to 1024"),
            (
                threads(&self.hashing_threads),
                "hashing threads: each from 1 to 1024",
            ),
        ];
        match ranges.into_iter().find(|(holds, _)| !holds) {
            Some((_, range)) => Err(PlanError::Range(range)),
            None => Ok(()),
        }
    }
}

/// Searches. `tried` is told of each fleet.
///
/// # Errors
/// [`PlanError`].
pub fn plan(
    given: &Given,
    calibration: &Calibration,
    ask: &PlanAsk,
    tried: &dyn Fn(&Fleet),
) -> Result<Plan, PlanError> {
    let mut given = given.clone();
    if !ask.objectives.is_empty() {
        given.scenario.objectives.clone_from(&ask.objectives);
    }
    check(&given)?;
    ask.check()?;
    let (needed, most) = (given.scenario.least_nodes(), ask.most);
    if needed > most {
        return Err(PlanError::Missing { needed, most });
    }
    let mut best: Option<Search> = None;
    for shape in shapes(&given, ask) {
        given.scenario.set_shape(shape.cores, shape.hashing_threads);
        let here = smallest(&given, calibration, ask, tried)?;
        if best.as_ref().is_none_or(|best| here.price() < best.price()) {
            best = Some(here);
        }
    }
    let Search { smallest, smaller } = best.ok_or(PlanError::NoObjectives)?;
    let mut night = given.clone();
    if let Some(fleet) = smallest.as_ref().or(smaller.as_ref()) {
        let lost: Vec<u32> = fleet.lost.iter().map(|lost| lost.node).collect();
        night.scenario.set_fleet(fleet.nodes, &lost);
        night.scenario.set_shape(fleet.cores, fleet.hashing_threads);
    }
    let fleet = smallest.as_ref();
    let headroom = fleet.map(|fleet| headroom(&given, calibration, ask, fleet));
    Ok(Plan {
        headroom: headroom.transpose()?,
        inputs: inputs(&night, calibration),
        extrapolated: extrapolated(&night, calibration),
        smallest,
        smaller,
    })
}

/// The outcome of the search with nodes of one shape.
struct Search {
    smallest: Option<Fleet>,
    smaller: Option<Fleet>,
}

impl Search {
    /// Whatever holds is cheaper than what does not.
    fn price(&self) -> (f64, u64) {
        let smallest = self.smallest.as_ref();
        smallest.map_or((f64::INFINITY, u64::MAX), Fleet::price)
    }
}

/// What one node is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NodeShape {
    cores: u64,
    hashing_threads: u64,
}

/// Every number of cores with every number of threads that hash on them.
fn shapes(given: &Given, ask: &PlanAsk) -> Vec<NodeShape> {
    let nodes = &given.scenario.nodes;
    let cores = match ask.cores.as_slice() {
        [] => vec![nodes.cores.0],
        cores => cores.to_vec(),
    };
    let mut shapes = Vec::new();
    for cores in cores {
        let usual = nodes.hashing_threads.map_or(cores, |threads| threads.0);
        let threads = match ask.hashing_threads.as_slice() {
            [] => vec![usual],
            threads => threads.to_vec(),
        };
        shapes.extend(threads.into_iter().map(|hashing_threads| NodeShape {
            cores,
            hashing_threads,
        }));
    }
    shapes
}

/// Doubles the nodes until they hold, then halves the gap. A fleet without a node
/// that something befalls would be spared that, so none is tried.
fn smallest(
    given: &Given,
    calibration: &Calibration,
    ask: &PlanAsk,
    tried: &dyn Fn(&Fleet),
) -> Result<Search, PlanError> {
    let fleet = |nodes: u64| -> Result<Fleet, PlanError> {
        let fleet = Fleet::play(given, calibration, ask, nodes, 1.0)?;
        tried(&fleet);
        Ok(fleet)
    };
    let (mut smaller, mut nodes) = (
        None,
        given.scenario.least_nodes().max(1 + u64::from(ask.spare)),
    );
    let mut smallest = loop {
        let one = fleet(nodes)?;
        if one.holds() {
            break one;
        }
        if nodes >= ask.most {
            return Ok(Search {
                smallest: None,
                smaller: Some(one),
            });
        }
        smaller = Some(one);
        nodes = (nodes * 2).min(ask.most);
    };
    while let Some(too_few) = &smaller
        && smallest.nodes - too_few.nodes > 1
    {
        let between = fleet(too_few.nodes.midpoint(smallest.nodes))?;
        match between.holds() {
            true => smallest = between,
            false => smaller = Some(between),
        }
    }
    Ok(Search {
        smallest: Some(smallest),
        smaller,
    })
}

/// Rates are raised until the fleet does not hold any more, then the gap is
/// halved.
fn headroom(
    given: &Given,
    calibration: &Calibration,
    ask: &PlanAsk,
    fleet: &Fleet,
) -> Result<Headroom, PlanError> {
    let mut given = given.clone();
    given.scenario.set_shape(fleet.cores, fleet.hashing_threads);
    let at = |times: f64| Fleet::play(&given, calibration, ask, fleet.nodes, times);
    let (mut held, mut broke) = (1.0, None);
    while broke.is_none() && held < HEADROOM_MOST {
        let one = at(held * HEADROOM_STEP)?;
        match one.holds() {
            true => held *= HEADROOM_STEP,
            false => broke = Some((held * HEADROOM_STEP, one)),
        }
    }
    while let Some((too_much, _)) = &broke
        && too_much / held > HEADROOM_NEAR
    {
        let middle = f64::midpoint(held, *too_much);
        let one = at(middle)?;
        match one.holds() {
            true => held = middle,
            false => broke = Some((middle, one)),
        }
    }
    Ok(Headroom {
        times: held,
        breaks: broke
            .as_ref()
            .map_or_else(Vec::new, |(_, fleet)| fleet.broken()),
        gives_out: broke.and_then(|(_, fleet)| fleet.gives_out),
    })
}

/// Latency of the calls that were served is worth nothing without those that
/// were not.
fn check(given: &Given) -> Result<(), PlanError> {
    let objectives = &given.scenario.objectives;
    if objectives.is_empty() {
        return Err(PlanError::NoObjectives);
    }
    if !given.scenario.has_many_nodes() {
        return Err(PlanError::Embedded);
    }
    if !given.scenario.spray.is_empty() {
        return Err(PlanError::Sprayed);
    }
    let bounds_people = |one: &Objective| matches!(one.target, Target::InWithin(_));
    for objective in objectives {
        let Target::Latency(class, _) = objective.target else {
            continue;
        };
        let bounds_shed = |one: &Objective| one.target == Target::Shed(class);
        let bounded = objectives
            .iter()
            .any(|one| bounds_shed(one) || bounds_people(one));
        if !bounded {
            return Err(PlanError::Unbounded(objective.to_string()));
        }
    }
    let asked = given.scenario.check_objectives(objectives);
    asked.map_err(PlanError::Unasked)
}
