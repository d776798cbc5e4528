//! How often a core is taken away from the thread that runs on it, and for how
//! long: other machines on the same processor, and threads of the kernel.
//! Watched by a thread that rests half of the time, as a node does below
//! saturation: a hypervisor lets others run when one rests, and takes more away
//! from one that never does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::machine::{Side, pin};

const WATCHED: Duration = Duration::from_secs(20);
/// What a watcher works before it rests, and how long it rests.
const WORK: Duration = Duration::from_micros(400);
const REST: Duration = Duration::from_micros(300);
/// A sleep ends this much late when nothing is in its way: the timer's slack,
/// and waking.
const WAKE_US: u64 = 100;
/// Longer ones are what a hypervisor does to threads that never rest.
const LONGEST_US: u64 = 8_000;
/// Shorter ones are lost in what everything costs.
const SHORTEST_US: u64 = 100;
const LENGTHS: usize = 64;

/// What a thread saw of one core that watched and rested in turn.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Stalls {
    per_s: f64,
    /// Evenly spread over all that were seen, the shortest first.
    lengths_us: Vec<u64>,
}

impl Stalls {
    /// Of both sides' cores at once: a thread that wants one finds none that is
    /// free.
    pub(super) fn of_both() -> anyhow::Result<BTreeMap<&'static str, Stalls>> {
        let sides = [("server", Side::Server), ("generator", Side::Generator)];
        let watches = sides.map(|(name, side)| {
            let watch = std::thread::spawn(move || {
                pin(side);
                watch()
            });
            (name, watch)
        });
        let mut seen = BTreeMap::new();
        for (name, watch) in watches {
            let stalls = watch.join();
            let stalls = stalls.map_err(|_| anyhow::anyhow!("a thread panicked"))?;
            seen.insert(name, stalls);
        }
        Ok(seen)
    }
}

fn watch() -> Stalls {
    let began = Instant::now();
    let (mut last, mut rested, mut lengths_us) = (began, began, Vec::new());
    let mut saw = |gap: Duration| {
        let gap_us = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
        if (SHORTEST_US..LONGEST_US).contains(&gap_us) {
            lengths_us.push(gap_us);
        }
    };
    while last - began < WATCHED {
        let now = Instant::now();
        saw(now - last);
        last = now;
        if last - rested >= WORK {
            std::thread::sleep(REST);
            rested = Instant::now();
            saw((rested - last).saturating_sub(REST + Duration::from_micros(WAKE_US)));
            last = rested;
        }
    }
    let per_s = lengths_us.len() as f64 / WATCHED.as_secs_f64();
    Stalls {
        per_s,
        lengths_us: spread(lengths_us),
    }
}

/// At most [`LENGTHS`] of them, evenly by rank, with both ends.
fn spread(mut lengths_us: Vec<u64>) -> Vec<u64> {
    lengths_us.sort_unstable();
    let count = lengths_us.len();
    if count <= LENGTHS {
        return lengths_us;
    }
    let rank = |place: usize| place * (count - 1) / (LENGTHS - 1);
    (0..LENGTHS).map(|place| lengths_us[rank(place)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_kept_as_they_are_and_many_are_thinned_with_both_ends() {
        assert_eq!(spread(vec![300, 100, 200]), [100, 200, 300]);
        let many = spread((0..1_000).rev().collect());
        assert_eq!(many.len(), LENGTHS);
        assert_eq!((many[0], many[LENGTHS - 1]), (0, 999));
        assert!(many.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
