//! Whether the date may be believed when something is to be thrown away for
//! good. A date set wrong by a year makes everything look over, so after a
//! jump nothing is thrown away for a day, in which it can be set right.

use tidegate_storage_api::{Commit, Key as RowKey, StoreError, SystemPart};

use crate::ports::Ports;

/// How far the date may move against the monotonic clock between two looks.
const JUMP_MS: u64 = 60 * 60 * 1000;
/// How long a node may have been away before its new date is a jump.
const AWAY_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How long nothing is thrown away after a jump.
const HOLD_MS: u64 = 24 * 60 * 60 * 1000;

/// A look at both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) unix_ms: u64,
    pub(crate) monotonic_ms: u64,
}

/// Whether something may be thrown away by the date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    Believed,
    /// It jumped just now, by this much at least.
    Jumped {
        by_ms: u64,
    },
    /// It jumped less than a day ago.
    Held,
}

/// What the node knows of the date; nothing before its first look.
#[derive(Default)]
pub(crate) struct Dates {
    known: tokio::sync::Mutex<Option<Date>>,
}

impl Dates {
    /// Looks at the date.
    ///
    /// # Errors
    /// As the store, which is asked at the first look.
    pub(crate) async fn look(&self, ports: &Ports) -> Result<Trust, StoreError> {
        let mut date = self.known.lock().await;
        let row = RowKey::system(SystemPart::Date);
        let now = Look {
            unix_ms: ports.clock.unix_ms(),
            monotonic_ms: ports.clock.monotonic_ms(),
        };
        let trust = match &mut *date {
            Some(date) => date.look(now),
            None => {
                let before = ports.store.get(row).await?;
                let before = before.and_then(|row| Some(u64::from_le_bytes(*row.first_chunk()?)));
                let (first, trust) = Date::first(now, before);
                *date = Some(first);
                trust
            }
        };
        if let Trust::Jumped { by_ms } = trust {
            tracing::error!(event = "clock.jumped", by_ms);
        }
        Ok(trust)
    }

    /// Looks at the date, and writes down what it is for the node's next life.
    ///
    /// # Errors
    /// As the store.
    pub(crate) async fn look_and_keep(&self, ports: &Ports) -> Result<Trust, StoreError> {
        let now_ms = ports.clock.unix_ms();
        let trust = self.look(ports).await?;
        if trust == Trust::Believed {
            let row = RowKey::system(SystemPart::Date);
            let commit = Commit::default().put(row, now_ms.to_le_bytes().to_vec());
            ports.store.commit(commit).await?;
        }
        Ok(trust)
    }
}

/// What the last looks have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    last: Look,
    /// On the monotonic clock.
    held_until_ms: u64,
}

impl Date {
    /// The first look of a node's life; `before` is the date that an earlier
    /// life has seen last.
    pub(crate) fn first(now: Look, before: Option<u64>) -> (Date, Trust) {
        let by_ms = before.map_or(0, |before| now.unix_ms.abs_diff(before));
        let back = before.is_some_and(|before| now.unix_ms + JUMP_MS < before);
        let mut date = Date {
            last: now,
            held_until_ms: 0,
        };
        let trust = match back || by_ms > AWAY_MS {
            true => date.jumped(now, by_ms),
            false => Trust::Believed,
        };
        (date, trust)
    }

    /// One more look.
    pub(crate) fn look(&mut self, now: Look) -> Trust {
        let passed_ms = now.monotonic_ms.saturating_sub(self.last.monotonic_ms);
        let by_ms = now.unix_ms.abs_diff(self.last.unix_ms + passed_ms);
        self.last = now;
        match by_ms > JUMP_MS {
            true => self.jumped(now, by_ms),
            false if now.monotonic_ms < self.held_until_ms => Trust::Held,
            false => Trust::Believed,
        }
    }

    fn jumped(&mut self, now: Look, by_ms: u64) -> Trust {
        self.held_until_ms = now.monotonic_ms.saturating_add(HOLD_MS);
        Trust::Jumped { by_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000;
    const YEAR_MS: u64 = 365 * 86_400_000;

    fn at(unix_ms: u64, monotonic_ms: u64) -> Look {
        Look {
            unix_ms: START + unix_ms,
            monotonic_ms,
        }
    }

    #[test]
    fn a_date_that_keeps_step_or_is_set_by_little_is_believed() {
        let (mut date, trust) = Date::first(at(0, 0), None);
        assert_eq!(trust, Trust::Believed);
        assert_eq!(date.look(at(60_000, 60_000)), Trust::Believed);
        assert_eq!(date.look(at(YEAR_MS, YEAR_MS)), Trust::Believed);
        let a_little = YEAR_MS + 1 - JUMP_MS;
        assert_eq!(date.look(at(a_little, YEAR_MS + 1)), Trust::Believed);
    }

    #[test]
    fn after_a_jump_either_way_a_day_must_pass_in_step() {
        for jump in [START + YEAR_MS, START - YEAR_MS] {
            let (mut date, _) = Date::first(at(0, 0), None);
            let look = |passed| Look {
                unix_ms: jump + passed,
                monotonic_ms: passed,
            };
            assert_eq!(date.look(look(0)), Trust::Jumped { by_ms: YEAR_MS });
            assert_eq!(date.look(look(HOLD_MS - 1)), Trust::Held);
            assert_eq!(date.look(look(HOLD_MS)), Trust::Believed);
        }
    }

    #[test]
    fn a_new_life_compares_with_the_last_date_of_the_one_before() {
        let first = |before| Date::first(at(0, 0), Some(before)).1;
        assert_eq!(first(START - 86_400_000), Trust::Believed);
        assert_eq!(first(START + 60_000), Trust::Believed);
        assert_eq!(first(START - YEAR_MS), Trust::Jumped { by_ms: YEAR_MS });
        assert_eq!(first(START + YEAR_MS), Trust::Jumped { by_ms: YEAR_MS });
    }
}
