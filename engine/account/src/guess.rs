//! The bound on guessing. Failures and attempts under way count alike, so a
//! thousand parallel guesses meet the same judge as one after another.

use crate::policy::GuessPolicy;

/// Whether an attempt may be verified now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Admit,
    /// So many are being verified that one more could be one too many: it is
    /// judged again when one of them is known.
    Wait,
    Hold {
        retry_after_ms: u64,
    },
}

/// Failed guesses of one lane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guesses {
    /// How many.
    pub failures: u16,
    /// When the last one failed.
    pub failed_at: u64,
}

impl Guesses {
    /// Judges one more attempt while `under_way` others are being verified.
    pub(crate) fn admit(&self, under_way: u16, now_ms: u64, policy: &GuessPolicy) -> Admission {
        #[cfg(tidegate_planted)]
        let under_way = crate::planted::under_way(under_way);
        let failures = self.remembered(now_ms, policy);
        if failures.saturating_add(under_way) < policy.free {
            return Admission::Admit;
        }
        // Only what failed is told as too many: an attempt under way may be right.
        let held_ms = failures.checked_sub(policy.free).map_or(0, |over| {
            wait_ms(over, policy).saturating_sub(self.since_failure(now_ms))
        });
        // A failure in the far future was written while the date was wrong, and
        // must not hold its person off until then. It still counts.
        let misdated = self.failed_at > now_ms.saturating_add(policy.cap_ms);
        match held_ms {
            held_ms if held_ms > 0 && !misdated => Admission::Hold {
                retry_after_ms: held_ms,
            },
            #[cfg(tidegate_planted)]
            _ if under_way > 0 && crate::planted::is(crate::planted::Bug::RushHeld) => {
                Admission::Hold {
                    retry_after_ms: policy.base_ms,
                }
            }
            _ if under_way > 0 => Admission::Wait,
            _ => Admission::Admit,
        }
    }

    pub(crate) fn fail(&mut self, now_ms: u64, policy: &GuessPolicy) {
        self.failures = self.remembered(now_ms, policy).saturating_add(1);
        self.failed_at = now_ms;
    }

    pub(crate) fn forget(&mut self) {
        self.failures = 0;
    }

    /// Whether the last failure is so long ago that none counts any more.
    pub(crate) fn are_forgotten(&self, now_ms: u64, policy: &GuessPolicy) -> bool {
        self.since_failure(now_ms) >= policy.forget_ms
    }

    fn remembered(&self, now_ms: u64, policy: &GuessPolicy) -> u16 {
        match self.are_forgotten(now_ms, policy) {
            true => 0,
            false => self.failures,
        }
    }

    /// A clock that went back makes no time pass.
    fn since_failure(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.failed_at)
    }
}

fn wait_ms(over: u16, policy: &GuessPolicy) -> u64 {
    let doubled = 1u64.checked_shl(u32::from(over)).unwrap_or(u64::MAX);
    policy.base_ms.saturating_mul(doubled).min(policy.cap_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use std::fmt::Write;

    fn state(failures: u16) -> Guesses {
        Guesses {
            failures,
            failed_at: 1_000_000,
        }
    }

    #[test]
    fn the_table_of_admissions_is_as_written_down() {
        let policy = Policy::default().guess;
        let mut table = std::string::String::new();
        for failures in [0, 4, 5, 6, 11, 12, 200, u16::MAX] {
            for under_way in [0, 1, 5] {
                for waited_ms in [0, 30_000, 3_600_000, 86_400_000] {
                    let now = 1_000_000 + waited_ms;
                    let verdict = state(failures).admit(under_way, now, &policy);
                    writeln!(
                        table,
                        "failures {failures}, under way {under_way}, waited {waited_ms} ms: {verdict:?}"
                    )
                    .unwrap();
                }
            }
        }
        crate::table::assert_table("guess", &table);
    }

    #[test]
    fn an_attacker_who_never_stops_stays_within_the_stated_bound() {
        let policy = Policy::default().guess;
        let (mut guesses, mut tried) = (Guesses::default(), 0u64);
        let month_ms = 30 * 86_400_000;
        let mut now = 1;
        while now < month_ms {
            match guesses.admit(0, now, &policy) {
                Admission::Admit => {
                    tried += 1;
                    guesses.fail(now, &policy);
                }
                Admission::Hold { retry_after_ms } => now += retry_after_ms,
                Admission::Wait => unreachable!("nothing is under way"),
            }
        }
        let bound = u64::from(policy.free) + 7 + 1 + month_ms / policy.cap_ms;
        assert!(tried <= bound, "{tried} guesses, bound {bound}");
    }

    #[test]
    fn a_clock_that_goes_back_admits_nobody_early() {
        let policy = Policy::default().guess;
        let verdict = state(9).admit(0, 5, &policy);
        assert_eq!(
            verdict,
            Admission::Hold {
                retry_after_ms: 480_000
            }
        );
    }

    #[test]
    fn failures_that_a_wrong_date_put_far_ahead_hold_nobody_off_and_still_count() {
        let policy = Policy::default().guess;
        let mut guesses = state(9);
        guesses.failed_at += policy.cap_ms + 1;
        assert_eq!(guesses.admit(0, 1_000_000, &policy), Admission::Admit);
        guesses.fail(1_000_000, &policy);
        assert_eq!(guesses, state(10));
    }
}
