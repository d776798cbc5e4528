//! A breaker for each destination: one that does not answer is left alone for a
//! while, so that what waits for it does not wait in every place that there is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many failures one after the other open it.
const FAILURES_MAX: u32 = 5;
/// For so long it stays open; then one message tries.
const OPEN_MS: u64 = 30_000;
/// Destinations that are watched; of further ones nothing is remembered.
const DESTINATIONS_MAX: usize = 1_024;

#[derive(Default)]
pub(crate) struct Breakers(Mutex<BTreeMap<String, Breaker>>);

#[derive(Clone, Copy)]
struct Breaker {
    failures: u32,
    /// By the monotonic clock, as all of them.
    failing_since_ms: u64,
    open_until_ms: u64,
}

/// Whether a message may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Free,
    /// Not before so long from now.
    Open {
        /// Until one may try.
        for_ms: u64,
        /// How long its destination has not answered by now.
        failing_ms: u64,
    },
}

impl Breakers {
    /// Whether a message may try a destination now. The first one after a breaker
    /// was open tries alone, for as long as a try may take.
    pub(crate) fn pass(&self, destination: &str, now_ms: u64, try_ms: u64) -> Passage {
        let mut all = self.all();
        let Some(breaker) = all.get_mut(destination) else {
            return Passage::Free;
        };
        if breaker.failures < FAILURES_MAX {
            return Passage::Free;
        }
        match breaker.open_until_ms.saturating_sub(now_ms) {
            0 => {
                breaker.open_until_ms = now_ms.saturating_add(try_ms);
                Passage::Free
            }
            for_ms => Passage::Open {
                for_ms,
                failing_ms: now_ms.saturating_sub(breaker.failing_since_ms),
            },
        }
    }

    /// It answered, whatever it said.
    pub(crate) fn answered(&self, destination: &str) {
        self.all().remove(destination);
    }

    pub(crate) fn failed(&self, destination: &str, now_ms: u64) {
        let mut all = self.all();
        if all.len() >= DESTINATIONS_MAX && !all.contains_key(destination) {
            return;
        }
        let breaker = all.entry(destination.to_owned()).or_insert(Breaker {
            failures: 0,
            failing_since_ms: now_ms,
            open_until_ms: 0,
        });
        breaker.failures = breaker.failures.saturating_add(1);
        if breaker.failures >= FAILURES_MAX {
            breaker.open_until_ms = now_ms.saturating_add(OPEN_MS);
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Breaker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRY_MS: u64 = 10_000;

    #[test]
    fn a_destination_that_fails_is_left_alone_and_tried_by_one() {
        let breakers = Breakers::default();
        let pass = |now_ms| breakers.pass("mail", now_ms, TRY_MS);
        for now_ms in 0..5 {
            assert_eq!(pass(now_ms), Passage::Free);
            breakers.failed("mail", now_ms);
        }
        let open = |for_ms, failing_ms| Passage::Open { for_ms, failing_ms };
        assert_eq!(pass(5), open(29_999, 5));
        assert_eq!(breakers.pass("sms", 5, TRY_MS), Passage::Free);
        assert_eq!(pass(30_004), Passage::Free);
        assert_eq!(pass(30_005), open(9_999, 30_005));
        // That one never came back: another tries.
        assert_eq!(pass(40_004), Passage::Free);
        breakers.failed("mail", 40_005);
        assert_eq!(pass(40_006), open(29_999, 40_006));
        assert_eq!(pass(70_005), Passage::Free);
        breakers.answered("mail");
        assert_eq!(pass(70_006), Passage::Free);
        // What it did before is forgotten.
        (0..5).for_each(|_| breakers.failed("mail", 70_006));
        assert_eq!(pass(70_007), open(29_999, 1));
    }

    #[test]
    fn destinations_that_are_watched_are_bounded() {
        let breakers = Breakers::default();
        for number in 0..=DESTINATIONS_MAX {
            breakers.failed(&number.to_string(), 0);
        }
        assert_eq!(breakers.all().len(), DESTINATIONS_MAX);
    }
}
