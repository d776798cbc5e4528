//! When callers that found no room come again: one after the other, at the pace at
//! which work is done, as if they stood in line. A crowd that was refused at
//! once then does not return at once.

/// The longest that a caller is told to wait. Beyond it turns begin anew at
/// half of it, so that a flood of guesses cannot keep people away for longer.
const LONGEST_MS: u64 = 30_000;

/// The turns that were given away. Times are microseconds of one clock.
#[derive(Default)]
pub(super) struct Turns {
    last_us: u64,
}

impl Turns {
    /// The next turn: not before what waits already is done, and one piece of
    /// work after the turn given last. Milliseconds from now.
    pub(super) fn give(&mut self, now_us: u64, waiting_us: u64, piece_us: u64) -> u32 {
        let longest_us = LONGEST_MS * 1_000;
        let earliest_us = now_us.saturating_add(waiting_us.min(longest_us));
        let mut turn_us = (self.last_us + piece_us).max(earliest_us);
        if turn_us > now_us + longest_us {
            turn_us = now_us + longest_us / 2;
        }
        self.last_us = turn_us;
        u32::try_from((turn_us - now_us).div_ceil(1_000)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_crowd_is_told_to_come_at_the_pace_of_the_work() {
        let mut turns = Turns::default();
        let told: Vec<_> = (0..5)
            .map(|_| turns.give(7_000_000, 100_000, 20_000))
            .collect();
        assert_eq!(told, [100, 120, 140, 160, 180]);
    }

    #[test]
    fn turns_that_nobody_needs_any_more_are_forgotten() {
        let mut turns = Turns::default();
        for _ in 0..100 {
            turns.give(0, 0, 20_000);
        }
        assert_eq!(turns.give(10_000_000, 40_000, 20_000), 40);
    }

    #[test]
    fn nobody_waits_longer_than_the_longest_and_a_flood_stays_spread() {
        let mut turns = Turns::default();
        let told: Vec<_> = (0..100_000).map(|_| turns.give(0, 0, 20_000)).collect();
        let longest = told.iter().copied().max();
        assert_eq!(longest, Some(30_000));
        let late = told.iter().filter(|ms| **ms >= 15_000);
        let distinct: std::collections::BTreeSet<_> = late.collect();
        assert_eq!(distinct.len(), 751);
        assert_eq!(Turns::default().give(0, u64::MAX, 1), 30_000);
    }
}
