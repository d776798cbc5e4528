//! One fleet, and the results of its nights.

use serde::Serialize;
use tidegate_cluster::{NodeId, owner_among};
use tidegate_storage_api::Slot;

use super::{PlanAsk, PlanError};
use crate::calibration::Calibration;
use crate::report::{GivesOut, ObjectiveReport, Report};
use crate::scenario::{Given, Prices};
use crate::world::play;

/// The result of a fleet of so many nodes.
#[derive(Clone, Debug, Serialize)]
pub struct Fleet {
    /// Nodes when the night begins, the spare ones included.
    pub nodes: u64,
    /// Nodes that come during the night.
    pub added: u64,
    /// Cores of each.
    pub cores: u64,
    /// Threads of each that hash.
    pub hashing_threads: u64,
    /// The nodes that were lost at the worst moment.
    pub lost: Vec<Lost>,
    /// Each objective on the seed on which it fared worst.
    pub worst: Vec<ObjectiveReport>,
    /// Answers that cannot be.
    pub wrong: u64,
    /// The greatest share of its cores that any node used in a second, in
    /// percent.
    pub busiest_percent: f64,
    /// The most cores that hashing used in a second, in all.
    pub hashing_cores: f64,
    /// The most commits of the store in a second.
    pub commits_per_s: u64,
    /// The most reads of the store in a second.
    pub reads_per_s: u64,
    /// The most requests in a second.
    pub requests_per_s: u64,
    /// How many people were let in, in one night.
    pub entries: u64,
    /// How long the night was, in hours.
    pub hours: f64,
    /// What gave out first on the seed that did not hold, or on the last.
    pub gives_out: Option<GivesOut>,
    /// What it costs an hour at the scenario's prices, if it names any.
    pub cost_per_hour: Option<f64>,
    /// What the night cost at the scenario's prices, if it names any.
    pub cost: Option<f64>,
}

/// A node that was lost, and of how many people's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// Its number.
    pub node: u32,
    /// Slots that were its own, of 4,096.
    pub slots: usize,
}

/// The nodes that serve most people, the greatest first.
fn greatest(nodes: u64, count: u32) -> Vec<Lost> {
    let live: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    let owners: Vec<_> = Slot::all().map(|slot| owner_among(slot, &live)).collect();
    let mut all: Vec<Lost> = live
        .iter()
        .map(|id| Lost {
            node: u32::try_from(id.0).unwrap_or(u32::MAX),
            slots: owners.iter().filter(|owner| **owner == Some(*id)).count(),
        })
        .collect();
    all.sort_by_key(|lost| (std::cmp::Reverse(lost.slots), lost.node));
    all.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    all
}

impl Fleet {
    /// Plays its night on every seed, until one does not hold.
    pub(super) fn play(
        given: &Given,
        calibration: &Calibration,
        ask: &PlanAsk,
        nodes: u64,
        times: f64,
    ) -> Result<Fleet, PlanError> {
        let mut night = given.clone();
        let lost = greatest(nodes, ask.spare);
        let numbers: Vec<u32> = lost.iter().map(|lost| lost.node).collect();
        night.scenario.set_fleet(nodes, &numbers);
        night.scenario.curve.times(times);
        let mut fleet = Fleet {
            nodes,
            added: night.scenario.added(),
            cores: night.scenario.nodes.cores.0,
            hashing_threads: night.scenario.nodes.hashing_threads().0,
            lost,
            worst: Vec::new(),
            wrong: 0,
            busiest_percent: 0.0,
            hashing_cores: 0.0,
            commits_per_s: 0,
            reads_per_s: 0,
            requests_per_s: 0,
            entries: 0,
            hours: 0.0,
            gives_out: None,
            cost_per_hour: None,
            cost: None,
        };
        for seed in ask.from..ask.from + ask.seeds {
            let played = play(&night, calibration, seed, &|_| {})?;
            let report = Report::of(&night, calibration, &played, 0.0);
            fleet.add(&report);
            if !fleet.holds() {
                // One seed is enough.
                break;
            }
        }
        fleet.cost_per_hour = fleet.cost_of(&night.scenario.prices);
        fleet.cost = fleet.cost_per_hour.map(|cost| cost * fleet.hours);
        Ok(fleet)
    }

    /// How many nodes of which kind.
    #[must_use]
    pub fn words(&self) -> String {
        let Fleet {
            nodes,
            cores,
            hashing_threads,
            ..
        } = self;
        let added = match self.added {
            0 => String::new(),
            added => format!(" and {added} during the night"),
        };
        format!("{nodes} nodes{added} of {cores} cores, {hashing_threads} of them for hashing")
    }

    /// Whether everything held on every seed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.wrong == 0 && self.worst.iter().all(|objective| objective.met)
    }

    /// What did not hold.
    #[must_use]
    pub fn broken(&self) -> Vec<ObjectiveReport> {
        let broken = self.worst.iter().filter(|objective| !objective.met);
        broken.cloned().collect()
    }

    /// Threads that hash, in all.
    #[must_use]
    pub fn hashing_given(&self) -> u64 {
        (self.nodes + self.added) * self.hashing_threads
    }

    /// What a million people who are let in cost at this night's rate.
    #[must_use]
    pub fn cost_per_million(&self) -> Option<f64> {
        let cost = self.cost.filter(|_| self.entries > 0)?;
        Some(cost * 1e6 / self.entries as f64)
    }

    /// By what fleets are compared: their price an hour, or else their cores.
    /// That of the night is no measure: one goes on until all are answered.
    pub(super) fn price(&self) -> (f64, u64) {
        let all = self.nodes + self.added;
        let cores = (all * self.cores) as f64;
        (self.cost_per_hour.unwrap_or(cores), all)
    }

    /// An hour.
    fn cost_of(&self, prices: &Prices) -> Option<f64> {
        let node = prices.node_per_hour.0 + prices.core_per_hour.0 * self.cores as f64;
        let store = prices.store_per_hour.0;
        // A node that comes during the night is there for all of the next.
        let all = (self.nodes + self.added) as f64;
        (node + store > 0.0).then_some(node * all + store)
    }

    fn add(&mut self, report: &Report) {
        self.wrong += report.wrong;
        match self.worst.is_empty() {
            true => self.worst.clone_from(&report.objectives),
            false => {
                for (worst, here) in self.worst.iter_mut().zip(&report.objectives) {
                    if here.is_worse_than(worst) {
                        *worst = here.clone();
                    }
                }
            }
        }
        for second in &report.seconds {
            let used = second.cores.iter();
            let busiest = used.fold(0.0f64, |most, used| used.max(most));
            let percent = busiest * 100.0 / self.cores as f64;
            self.busiest_percent = self.busiest_percent.max(percent);
            self.hashing_cores = self.hashing_cores.max(second.hashing_cores.iter().sum());
            self.commits_per_s = self.commits_per_s.max(second.commits);
            self.reads_per_s = self.reads_per_s.max(second.reads);
            let requests = second.classes.values().map(|moment| moment.attempts).sum();
            self.requests_per_s = self.requests_per_s.max(requests);
        }
        self.gives_out.clone_from(&report.gives_out);
        self.entries = report.people.wanted_in - report.people.never;
        self.hours = report.virtual_seconds / 3_600.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(nodes: u64, hours: f64, cost_per_hour: Option<f64>) -> Fleet {
        Fleet {
            nodes,
            added: 0,
            cores: 2,
            hashing_threads: 1,
            lost: Vec::new(),
            worst: Vec::new(),
            wrong: 0,
            busiest_percent: 0.0,
            hashing_cores: 0.0,
            commits_per_s: 0,
            reads_per_s: 0,
            requests_per_s: 0,
            entries: 0,
            hours,
            gives_out: None,
            cost_per_hour,
            cost: cost_per_hour.map(|cost| cost * hours),
        }
    }

    #[test]
    fn a_fleet_is_not_cheaper_because_its_night_ends_sooner() {
        let quick = fleet(4, 1.0, Some(4.0));
        let slow = fleet(3, 1.5, Some(3.0));
        assert!(quick.cost < slow.cost && slow.price() < quick.price());
        // Without prices by cores.
        assert_eq!(fleet(3, 1.0, None).price(), (6.0, 3));
    }

    #[test]
    fn the_greatest_loss_is_the_node_with_most_slots() {
        let all = greatest(5, 5);
        assert_eq!(all.iter().map(|lost| lost.slots).sum::<usize>(), 4_096);
        assert!(all.windows(2).all(|pair| pair[0].slots >= pair[1].slots));
        assert_eq!(greatest(5, 1), all[..1]);
    }
}
