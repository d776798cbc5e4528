//! When a session ends by itself.
//!
//! Sliding expiry is written behind: the durable time of use (`used_at`) lags
//! the real one by at most a tenth of the idle time. So every session lives
//! that tenth longer than its durable time of use says, and a client is told no
//! later deadline: a node that loads the record after any crash honours it, and
//! no told deadline ever moves back. The idle time is thus enforced between
//! once and 1.1 times its length.

/// What decides how long a session lives, all times in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The durable time of the last use.
    pub used_at: u64,
    /// The last use that this node has seen; `used_at` when none.
    pub touched_at: u64,
    /// The idle time.
    pub idle_ms: u64,
    /// The absolute end.
    pub expires_at: u64,
}

/// How a session stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Alive until at least this time.
    Active {
        /// The idle deadline, in Unix milliseconds.
        idle_expires_at: u64,
    },
    /// Unused for too long.
    IdleOver,
    /// Past its absolute end.
    Expired,
}

impl Expiry {
    /// How the session stands. A use that only memory knows keeps it alive, but
    /// no client is told a deadline that rests on it.
    #[must_use]
    pub fn liveness(&self, now_ms: u64) -> Liveness {
        let durable = self
            .used_at
            .saturating_add(self.idle_ms + self.idle_ms / 10);
        let remembered = self.touched_at.saturating_add(self.idle_ms);
        let granted = durable;
        #[cfg(tidegate_planted)]
        let granted = crate::planted::granted(granted, self.idle_ms);
        match now_ms {
            now if now >= self.expires_at => Liveness::Expired,
            now if now >= granted.max(remembered) => Liveness::IdleOver,
            _ => Liveness::Active {
                idle_expires_at: durable.min(self.expires_at),
            },
        }
    }

    /// Whether the durable time of use should be brought up to date: when it
    /// lags by more than half of the tenth, plus up to the other half by
    /// `spread` (0 to 255), which keeps people from coming due together.
    #[must_use]
    pub fn is_due(&self, now_ms: u64, spread: u8) -> bool {
        let tenth = self.idle_ms / 10;
        let lag = tenth / 2 + tenth / 512 * u64::from(spread);
        now_ms.saturating_sub(self.used_at) >= lag
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write;

    #[test]
    fn the_table_of_liveness_is_as_written_down() {
        let mut table = std::string::String::new();
        for (name, touched_at) in [("unused since", 1_000), ("used at 1500", 1_500)] {
            for now in [900, 2_000, 2_099, 2_100, 2_499, 2_500, 4_999, 5_000] {
                let expiry = Expiry {
                    used_at: 1_000,
                    touched_at,
                    idle_ms: 1_000,
                    expires_at: 5_000,
                };
                writeln!(table, "{name}, at {now}: {:?}", expiry.liveness(now)).unwrap();
            }
        }
        crate::table::assert_table("session", &table);
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Wait(u64),
        Check,
        WriteBehind,
        Crash,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            3 => (0u64..400).prop_map(Act::Wait),
            4 => Just(Act::Check),
            2 => Just(Act::WriteBehind),
            1 => Just(Act::Crash),
        ]
    }

    proptest! {
        /// Invariant 8: whatever was told is honoured, through any order of
        /// uses, writes and crashes; and nothing lives beyond 1.1 idle times
        /// after its last use.
        #[test]
        fn no_told_deadline_is_ever_taken_back(
            idle_ms in 10u64..2_000, life in 1u64..20_000, acts in prop::collection::vec(act(), 1..60),
        ) {
            let mut expiry = Expiry { used_at: 0, touched_at: 0, idle_ms, expires_at: life };
            let (mut now, mut told, mut last_use) = (0, 0, 0);
            for act in acts {
                match act {
                    Act::Wait(ms) => now += ms,
                    Act::Crash => expiry.touched_at = expiry.used_at,
                    Act::WriteBehind => expiry.used_at = expiry.touched_at,
                    Act::Check => match expiry.liveness(now) {
                        Liveness::Active { idle_expires_at } => {
                            prop_assert!(idle_expires_at >= told);
                            told = idle_expires_at;
                            expiry.touched_at = now;
                            last_use = now;
                        }
                        Liveness::IdleOver | Liveness::Expired => {
                            prop_assert!(now >= told);
                            break;
                        }
                    },
                }
                let alive = matches!(expiry.liveness(now), Liveness::Active { .. });
                prop_assert!(!alive || now < last_use + idle_ms + idle_ms / 10);
            }
        }
    }
}
