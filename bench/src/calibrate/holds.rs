//! How long a hash that has just begun keeps its core from others, although it
//! runs at the lowest priority: the scheduler lets a new thread run for a
//! while.

use std::time::{Duration, Instant};

use crate::ceiling::hashes_per_s;
use crate::machine::{Side, pin};

const HASHES: usize = 40;
/// Between two of them.
const REST: Duration = Duration::from_millis(60);
/// As often as the generator's ticks wake a node, and what a turn takes, about.
const PERIOD: Duration = Duration::from_micros(200);
const TURN: Duration = Duration::from_micros(40);
/// Later than this a hash has nothing to do with it.
const LONGEST: Duration = Duration::from_millis(8);

/// For each of several hashes, the shortest first, in microseconds.
pub(super) fn measure() -> anyhow::Result<Vec<u64>> {
    pin(Side::Server);
    let hashing = std::thread::spawn(|| {
        // As the node's threads that hash.
        let _ = rustix::process::setpriority_process(None, 19);
        let mut begun = Vec::new();
        for _ in 0..HASHES {
            std::thread::sleep(REST);
            begun.push(Instant::now());
            // One, because it takes longer than this.
            hashes_per_s(Duration::from_nanos(1))?;
        }
        anyhow::Ok(begun)
    });
    let mut woken = Vec::new();
    while !hashing.is_finished() {
        let due = Instant::now() + PERIOD;
        std::thread::sleep(PERIOD);
        let now = Instant::now();
        woken.push((due, now));
        while now.elapsed() < TURN {
            std::hint::spin_loop();
        }
    }
    let begun = hashing.join();
    pin(Side::Either);
    let begun = begun.map_err(|_| anyhow::anyhow!("a thread panicked"))??;
    Ok(holds(&begun, &woken))
}

/// The longest that a thread which was due in time was late.
fn holds(begun: &[Instant], woken: &[(Instant, Instant)]) -> Vec<u64> {
    let hold = |begun: &Instant| {
        let after = woken
            .iter()
            .filter(|(due, now)| now > begun && *due < *begun + LONGEST);
        let late = after.map(|(due, now)| *now - (*due).max(*begun));
        late.max().unwrap_or_default()
    };
    let us = |held: Duration| u64::try_from(held.as_micros()).unwrap_or(u64::MAX);
    let mut holds: Vec<u64> = begun.iter().map(|begun| us(hold(begun))).collect();
    holds.sort_unstable();
    holds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_the_longest_wait_right_after_a_hash_began() {
        let zero = Instant::now();
        let at = |us: u64| zero + Duration::from_micros(us);
        let woken = [
            (at(100), at(150)),
            (at(900), at(3_000)),
            (at(3_200), at(3_260)),
            (at(30_000), at(39_000)),
        ];
        assert_eq!(holds(&[at(1_000), at(25_000)], &woken), [2_000, 9_000]);
        assert_eq!(holds(&[at(50_000)], &woken), [0]);
    }
}
