//! The bottleneck of a night, or what comes nearest to it: threads, hashing,
//! cores, the store.

use serde::{Deserialize, Serialize};
use tidegate_storage_simulated::Costs as StoreCosts;

use crate::calibration::POOLS;
use crate::machine::POOL_NAMES;
use crate::node::{Glance, pool_threads};
use crate::scenario::Scenario;
use crate::world::Sample;

/// Of what there is of something: above, it is full.
const FULL: f64 = 0.93;
/// Of hashing while no request waits for it: as busy as it is, it is enough.
const ENOUGH: f64 = 0.92;

/// The bottleneck, or what comes nearest to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivesOut {
    /// What it is.
    pub what: String,
    /// The second, counted from the night's beginning.
    pub at_s: f64,
    /// How much of it was in use then, in percent.
    pub share_percent: f64,
    /// Whether it was full, in that second and in the next.
    pub full: bool,
}

impl GivesOut {
    /// In a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        let GivesOut {
            what,
            at_s,
            share_percent,
            full,
        } = self;
        match full {
            true => format!("gives out first: {what}, from second {at_s:.0} on"),
            false => {
                format!(
                    "nothing gives out; nearest: {what}, {share_percent:.0}% in second {at_s:.0}"
                )
            }
        }
    }
}

/// What is used up, second by second, as a share of what there is.
struct Resource {
    what: String,
    shares: Vec<f64>,
}

/// Of a night, from the end of its warm-up on; nothing of one that was not
/// played.
pub(super) fn gives_out(
    scenario: &Scenario,
    costs: &StoreCosts,
    samples: &[Sample],
) -> Option<GivesOut> {
    let counted = crate::random::to_u64(libm::ceil(scenario.warm_up_s.0));
    let skipped = usize::try_from(counted).ok()?;
    first_full(skipped, resources(scenario, costs, samples.get(skipped..)?))
}

fn first_full(skipped: usize, resources: Vec<Resource>) -> Option<GivesOut> {
    let is_full = |pair: &[f64]| pair.iter().all(|share| *share >= FULL);
    let full = resources.iter().filter_map(|one| {
        let place = one.shares.windows(2).position(is_full)?;
        Some((place, one))
    });
    let found = |place: usize, one: &Resource, full| GivesOut {
        what: one.what.clone(),
        at_s: (skipped + place) as f64,
        share_percent: one.shares[place] * 100.0,
        full,
    };
    // The first of those that are full in the same second.
    if let Some((place, one)) = full.min_by_key(|(place, _)| *place) {
        return Some(found(place, one, true));
    }
    let all = resources
        .iter()
        .flat_map(|one| (0..one.shares.len()).map(move |place| (place, one)));
    let share = |(place, one): &(usize, &Resource)| one.shares[*place];
    let (place, one) = all.max_by(|a, b| share(a).total_cmp(&share(b)))?;
    Some(found(place, one, false))
}

/// Where several saturate in one second the cause comes before what follows
/// from it.
fn resources(scenario: &Scenario, costs: &StoreCosts, samples: &[Sample]) -> Vec<Resource> {
    let nodes = 0..samples.last().map_or(0, |sample| sample.nodes.len());
    let resource = |what: String, share: &dyn Fn(&Sample, &Sample) -> f64| Resource {
        what,
        shares: samples
            .windows(2)
            .map(|pair| share(&pair[0], &pair[1]))
            .collect(),
    };
    let mut all = Vec::new();
    for node in nodes.clone() {
        for (pool, threads) in pool_threads(&scenario.nodes).into_iter().enumerate() {
            let what = format!("{} of node {}", thread_name(pool, threads), node + 1);
            let share = |before: &Sample, after: &Sample| {
                Second::of(before, after, node).pools[pool] / f64::from(threads)
            };
            all.push(resource(what, &share));
        }
    }
    let cores = scenario.nodes.cores.0 as f64;
    let threads = scenario.nodes.hashing_threads().0 as f64;
    for node in nodes.clone() {
        let share = |before: &Sample, after: &Sample| {
            let second = Second::of(before, after, node);
            let most = threads.min(cores);
            // What goes before hashing leaves it less.
            let taken = (most - (cores - second.busy())).max(0.0);
            let share = ((second.hashing + taken) / most).min(1.0);
            match second.waiting {
                0 if second.hashing <= 0.0 => 0.0,
                0 => share.min(ENOUGH),
                _ => share,
            }
        };
        all.push(resource(format!("hashing on node {}", node + 1), &share));
    }
    for node in nodes {
        let share =
            |before: &Sample, after: &Sample| Second::of(before, after, node).busy() / cores;
        all.push(resource(format!("the cores of node {}", node + 1), &share));
    }
    let commits = |before: &Sample, after: &Sample| {
        (after.store.commits - before.store.commits) as f64 / costs.commits_per_s as f64
    };
    let reads = |before: &Sample, after: &Sample| {
        (after.store.reads - before.store.reads) as f64 / costs.reads_per_s as f64
    };
    all.push(resource("the store's commits".to_owned(), &commits));
    all.push(resource("the store's reads".to_owned(), &reads));
    all
}

fn thread_name(pool: usize, threads: u32) -> String {
    match threads {
        1 => format!("the {} thread", POOL_NAMES[pool]),
        _ => format!("the {} threads", POOL_NAMES[pool]),
    }
}

/// One node in one second, in cores.
struct Second {
    pools: [f64; POOLS],
    hashing: f64,
    /// Passwords that wait at its end.
    waiting: u64,
}

impl Second {
    fn of(before: &Sample, after: &Sample, node: usize) -> Second {
        let glance = |sample: &Sample| sample.nodes.get(node).copied().unwrap_or_default();
        let (before, after): (Glance, Glance) = (glance(before), glance(after));
        // A node that was started again counts from nothing.
        let cores = |before: u64, after: u64| after.saturating_sub(before) as f64 / 1e9;
        Second {
            pools: std::array::from_fn(|pool| {
                cores(before.used.pools_ns[pool], after.used.pools_ns[pool])
            }),
            hashing: cores(before.used.hashing_ns, after.used.hashing_ns),
            waiting: after.hashing_waiting,
        }
    }

    /// By all that goes before hashing.
    fn busy(&self) -> f64 {
        self.pools.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(what: &str, shares: &[f64]) -> Resource {
        Resource {
            what: what.to_owned(),
            shares: shares.to_vec(),
        }
    }

    #[test]
    fn the_first_that_is_full_for_two_seconds_gives_out_and_of_several_the_cause() {
        let all = vec![
            resource("endpoint", &[0.99, 0.2, 0.2, 0.95]),
            resource("hashing", &[0.1, 0.94, 0.96, 0.2]),
            resource("cores", &[0.1, 0.99, 0.99, 0.99]),
        ];
        let found = first_full(5, all).unwrap();
        assert_eq!((found.what.as_str(), found.at_s), ("hashing", 6.0));
        assert_eq!(found.words(), "gives out first: hashing, from second 6 on");
    }

    #[test]
    fn where_nothing_is_full_the_nearest_is_named() {
        let all = vec![
            resource("endpoint", &[0.2, 0.61, 0.3]),
            resource("hashing", &[0.1, 0.2, 0.2]),
        ];
        let found = first_full(0, all).unwrap();
        assert_eq!(
            found.words(),
            "nothing gives out; nearest: endpoint, 61% in second 1"
        );
        assert_eq!(first_full(0, Vec::new()), None);
    }
}
