//! The smallest fleet that holds: nodes are added until every objective is met
//! on every seed, with the loss of one of them at the worst moment.

use thiserror::Error;

use crate::calibration::Calibration;
use crate::report::{ObjectiveReport, Report};
use crate::scenario::{Given, Objective, Target};
use crate::world::{WorldError, play};

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
}

/// Why nothing can be planned.
#[derive(Debug, Error)]
pub enum PlanError {
    /// Shedding everybody else would meet it.
    #[error("`{0}` says nothing of who is shed: add a bound on shed or on in_within")]
    Unbounded(String),
    /// There is nothing to search for.
    #[error("no objectives: name some, or put them into the scenario")]
    NoObjectives,
    /// One node is all there can be.
    #[error("an embedded store has one node: plan with store.kind = \"foundationdb\"")]
    Embedded,
    /// A world could not be played.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// What a fleet of so many nodes came to.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Nodes, the spare ones included.
    pub nodes: u64,
    /// Each objective on the seed on which it fared worst.
    pub worst: Vec<ObjectiveReport>,
    /// Answers that cannot be.
    pub wrong: u64,
    /// The greatest share of its cores that any node used in a second, in
    /// percent.
    pub busiest_percent: f64,
    /// The most cores that hashing used in a second, in all.
    pub hashing_cores: f64,
    /// The most commits and reads of the store in a second.
    pub store_per_s: (u64, u64),
    /// The most requests in a second.
    pub requests_per_s: u64,
    /// How many people were let in, in one night.
    pub entries: u64,
    /// How long the night was, in hours.
    pub hours: f64,
}

/// What came of the search.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The smallest fleet that holds, if any of those tried does.
    pub smallest: Option<Fleet>,
    /// The largest that does not.
    pub smaller: Option<Fleet>,
}

impl Fleet {
    /// Whether everything held on every seed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.wrong == 0 && self.worst.iter().all(|objective| objective.met)
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
    let fleet = |nodes: u64| -> Result<Fleet, PlanError> {
        let fleet = played(&given, calibration, ask, nodes)?;
        tried(&fleet);
        Ok(fleet)
    };
    let (mut smaller, mut nodes) = (None, 1 + u64::from(ask.spare));
    let mut smallest = loop {
        let one = fleet(nodes)?;
        if one.holds() {
            break one;
        }
        if nodes >= ask.most {
            return Ok(Plan {
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
    Ok(Plan {
        smallest: Some(smallest),
        smaller,
    })
}

/// Latency of whoever was served is worth nothing without who was not.
fn check(given: &Given) -> Result<(), PlanError> {
    let objectives = &given.scenario.objectives;
    if objectives.is_empty() {
        return Err(PlanError::NoObjectives);
    }
    if !given.scenario.has_many_nodes() {
        return Err(PlanError::Embedded);
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
    Ok(())
}

fn played(
    given: &Given,
    calibration: &Calibration,
    ask: &PlanAsk,
    nodes: u64,
) -> Result<Fleet, PlanError> {
    let mut night = given.clone();
    night.scenario.set_fleet(nodes, ask.spare);
    let mut fleet = Fleet {
        nodes,
        worst: Vec::new(),
        wrong: 0,
        busiest_percent: 0.0,
        hashing_cores: 0.0,
        store_per_s: (0, 0),
        requests_per_s: 0,
        entries: 0,
        hours: 0.0,
    };
    for seed in ask.from..ask.from + ask.seeds.max(1) {
        let played = play(&night, calibration, seed, &|_| {})?;
        let report = Report::of(&night, calibration, &played, 0.0);
        fleet.add(&report, night.scenario.cores());
        if !fleet.holds() {
            // One seed is enough.
            break;
        }
    }
    Ok(fleet)
}

impl Fleet {
    fn add(&mut self, report: &Report, cores: f64) {
        self.wrong += report.wrong;
        match self.worst.is_empty() {
            true => self.worst.clone_from(&report.objectives),
            false => {
                for (worst, here) in self.worst.iter_mut().zip(&report.objectives) {
                    let worse = match here.objective.contains('>') {
                        true => here.value < worst.value,
                        false => here.value > worst.value,
                    };
                    if worse {
                        *worst = here.clone();
                    }
                }
            }
        }
        for second in &report.seconds {
            let busiest = second
                .cores
                .iter()
                .fold(0.0f64, |most, used| used.max(most));
            self.busiest_percent = self.busiest_percent.max(busiest * 100.0 / cores);
            self.hashing_cores = self.hashing_cores.max(second.hashing_cores.iter().sum());
            self.store_per_s.0 = self.store_per_s.0.max(second.commits);
            self.store_per_s.1 = self.store_per_s.1.max(second.reads);
            let requests = second.classes.values().map(|moment| moment.attempts).sum();
            self.requests_per_s = self.requests_per_s.max(requests);
        }
        self.entries = report.people.wanted_in - report.people.never;
        self.hours = report.virtual_seconds / 3_600.0;
    }
}
