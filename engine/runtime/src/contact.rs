//! Whether a store takes changes: what a node goes by that owns all slots
//! alone. One of many goes by its lease, which it renews in the store.

use std::sync::atomic::{AtomicU64, Ordering};

/// How often a store that was lost is tried again.
const TRY_EVERY_MS: u64 = 1_000;

/// When the store was lost; times are monotonic milliseconds, and 0 stands for
/// never.
#[derive(Default)]
pub(crate) struct Contact {
    lost_ms: AtomicU64,
    tried_ms: AtomicU64,
}

impl Contact {
    /// It did not take a change; `first` is called when it was there before.
    pub(crate) fn lost(&self, now_ms: u64, first: impl FnOnce()) {
        self.tried_ms.store(now_ms, Ordering::Relaxed);
        let was_there =
            self.lost_ms
                .compare_exchange(0, now_ms.max(1), Ordering::AcqRel, Ordering::Relaxed);
        if was_there.is_ok() {
            first();
        }
    }

    /// It took one; `first` is called when it was lost before.
    pub(crate) fn found(&self, first: impl FnOnce()) {
        // Read first: the line is shared by every core.
        if self.lost_ms.load(Ordering::Relaxed) != 0 && self.lost_ms.swap(0, Ordering::AcqRel) != 0
        {
            first();
        }
    }

    /// How long ago it was lost, unless it is there.
    pub(crate) fn lost_for_ms(&self, now_ms: impl FnOnce() -> u64) -> Option<u64> {
        match self.lost_ms.load(Ordering::Acquire) {
            0 => None,
            lost_ms => Some(now_ms().saturating_sub(lost_ms)),
        }
    }

    /// Whether it is time to try again; the caller that is told so does.
    pub(crate) fn tries(&self, now_ms: u64) -> bool {
        let tried_ms = self.tried_ms.load(Ordering::Relaxed);
        let due = now_ms >= tried_ms + TRY_EVERY_MS;
        let ordering = (Ordering::Relaxed, Ordering::Relaxed);
        due && self
            .tried_ms
            .compare_exchange(tried_ms, now_ms, ordering.0, ordering.1)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_was_lost_is_tried_once_a_second() {
        let contact = Contact::default();
        assert_eq!(contact.lost_for_ms(|| 5_000), None);
        contact.lost(5_000, || ());
        contact.lost(5_400, || ());
        assert_eq!(contact.lost_for_ms(|| 6_000), Some(1_000));
        let tries = [5_500, 6_399, 6_400, 6_401, 7_400].map(|now_ms| contact.tries(now_ms));
        assert_eq!(tries, [false, false, true, false, true]);
        contact.found(|| ());
        assert_eq!(contact.lost_for_ms(|| 9_000), None);
    }
}
