//! When a session ends by itself.
//!
//! Sliding expiry is written behind: the durable time of use (`used_at`) lags
//! the real one by at most a tenth of the idle time. What a client is told
//! never reaches further than `used_at + idle + idle / 10`, so whoever loads
//! the record later, after whatever crash, can honour it.

/// What decides how long a session lives, all times in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The durable time of the last use.
    pub used_at: u64,
    /// The last use that this node has seen; `used_at` when none.
    pub touched_at: u64,
    /// Since when this node has seen every use.
    pub known_since: u64,
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

impl Span {
    /// How the session stands. One whose last durable use this node did not
    /// witness may have been used since, so it gets the tenth on top.
    #[must_use]
    pub fn liveness(&self, now_ms: u64) -> Liveness {
        let witnessed = self.used_at >= self.known_since;
        let used = match witnessed {
            true => self.touched(),
            false => self.touched().max(self.touch_limit()),
        };
        let idle_expires_at = used.saturating_add(self.idle_ms).min(self.expires_at);
        match now_ms {
            now if now >= self.expires_at => Liveness::Expired,
            now if now >= idle_expires_at => Liveness::IdleOver,
            _ => Liveness::Active { idle_expires_at },
        }
    }

    /// The time of use to keep in memory when the session is used now.
    #[must_use]
    pub fn touch(&self, now_ms: u64) -> u64 {
        self.touched().max(now_ms.min(self.touch_limit()))
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

    fn touched(&self) -> u64 {
        self.touched_at.clamp(self.used_at, self.touch_limit())
    }

    fn touch_limit(&self) -> u64 {
        self.used_at.saturating_add(self.idle_ms / 10)
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
        for (name, touched_at, known_since) in [
            ("witnessed", 1_000, 0),
            ("used", 1_050, 0),
            ("loaded", 1_000, 1_500),
        ] {
            for now in [900, 1_999, 2_000, 2_049, 2_050, 2_099, 2_100, 4_999, 5_000] {
                let span = Span {
                    used_at: 1_000,
                    touched_at,
                    known_since,
                    idle_ms: 1_000,
                    expires_at: 5_000,
                };
                writeln!(table, "{name} at {now}: {:?}", span.liveness(now)).unwrap();
            }
        }
        crate::table::assert_table("session", &table);
    }

    proptest! {
        /// Invariant 8: whatever was promised, a node that loads the record
        /// with only its durable part honours it.
        #[test]
        fn a_promise_outlives_the_memory_of_the_node(
            used_at in 0u64..10_000, idle_ms in 10u64..5_000, life in 1u64..20_000,
            uses in prop::collection::vec(0u64..400, 0..30), probe in 0u64..10_000,
        ) {
            let mut span = Span {
                used_at, touched_at: used_at, known_since: 0, idle_ms, expires_at: used_at + life,
            };
            let (mut now, mut promised) = (used_at, used_at);
            for step in uses {
                now += step;
                if let Liveness::Active { .. } = span.liveness(now) {
                    span.touched_at = span.touch(now);
                    if let Liveness::Active { idle_expires_at } = span.liveness(now) {
                        promised = promised.max(idle_expires_at);
                    }
                }
            }
            let loaded = Span { touched_at: used_at, known_since: now + 1, ..span };
            let at = used_at + probe;
            let alive = matches!(loaded.liveness(at), Liveness::Active { .. });
            prop_assert!(alive || at >= promised);
            if at >= used_at + idle_ms + idle_ms / 10 || at >= used_at + life {
                prop_assert!(!alive);
            }
        }
    }
}
