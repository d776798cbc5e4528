//! When each slot's agenda is to be read next, and what its rows hold.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_storage_api::{SLOTS, Slot};

/// The version of the formats from which on rows are written: nodes of older
/// programs do not move them.
pub(crate) const AGENDA_SINCE: u16 = 3;
/// What a row holds: its version.
pub(crate) const ROW: &[u8] = &[1];

/// After so long what could not be worked off is tried again.
pub(crate) const AGAIN_MS: u64 = 60_000;

/// When each slot's agenda is to be read next.
pub(crate) struct Agenda {
    slots: Mutex<Box<[Next]>>,
    /// Where the next round begins: behind the last one, so that no slot waits
    /// for others that are due again and again.
    begins_at: AtomicU16,
}

#[derive(Clone, Copy)]
struct Next {
    /// Under which epoch that is known.
    epoch: u64,
    due_ms: u64,
}

impl Default for Agenda {
    fn default() -> Agenda {
        let unknown = Next {
            epoch: 0,
            due_ms: 0,
        };
        Agenda {
            slots: Mutex::new(vec![unknown; usize::from(SLOTS)].into_boxed_slice()),
            begins_at: AtomicU16::new(0),
        }
    }
}

impl Agenda {
    /// Of what is due, in the order of slots, so many that the last round did not
    /// come to.
    pub(super) fn round(&self, mut due: Vec<(Slot, u64)>, most: usize) -> Vec<(Slot, u64)> {
        let from = self.begins_at.load(Ordering::Relaxed);
        let first = due.partition_point(|(slot, _)| slot.number() < from);
        due.rotate_left(first);
        due.truncate(most);
        if let Some((last, _)) = due.last() {
            self.begins_at.store(last.number() + 1, Ordering::Relaxed);
        }
        due
    }

    /// A row is durable that is due then.
    pub(crate) fn note(&self, slot: Slot, due_ms: u64) {
        if let Some(next) = self.slots().get_mut(usize::from(slot.number())) {
            next.due_ms = next.due_ms.min(due_ms);
        }
    }

    /// Whether a slot's agenda must be read now. Of one that was owned under
    /// another epoch nothing is known.
    pub(super) fn is_due(&self, slot: Slot, epoch: u64, now_ms: u64) -> bool {
        let next = self.slots().get(usize::from(slot.number())).copied();
        next.is_some_and(|next| next.epoch != epoch || next.due_ms <= now_ms)
    }

    /// It is about to be read: whatever is noted from now on comes in addition to
    /// what is found.
    pub(super) fn begin(&self, slot: Slot, epoch: u64) {
        if let Some(next) = self.slots().get_mut(usize::from(slot.number())) {
            *next = Next {
                epoch,
                due_ms: u64::MAX,
            };
        }
    }

    fn slots(&self) -> MutexGuard<'_, Box<[Next]>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_read_when_it_is_due_or_was_owned_under_another_epoch() {
        let agenda = Agenda::default();
        let slot = Slot::new(7).unwrap();
        assert!(agenda.is_due(slot, 1, 0));
        agenda.begin(slot, 1);
        assert!(!agenda.is_due(slot, 1, u64::MAX - 1));
        agenda.note(slot, 50);
        agenda.note(slot, 90);
        assert!(!agenda.is_due(slot, 1, 49) && agenda.is_due(slot, 1, 50));
        assert!(agenda.is_due(slot, 2, 0));
        let other = Slot::new(8).unwrap();
        agenda.begin(other, 1);
        assert!(!agenda.is_due(other, 1, 1_000));
    }

    #[test]
    fn slots_that_are_always_due_keep_no_other_waiting() {
        let agenda = Agenda::default();
        let due = |numbers: &[u16]| {
            let slots = numbers.iter().map(|number| Slot::new(*number).unwrap());
            slots.map(|slot| (slot, 1)).collect::<Vec<_>>()
        };
        let all = [0, 3, 5, 4_000, 4_095];
        assert_eq!(agenda.round(due(&all), 2), due(&[0, 3]));
        assert_eq!(agenda.round(due(&all), 2), due(&[5, 4_000]));
        assert_eq!(agenda.round(due(&all), 2), due(&[4_095, 0]));
        assert_eq!(agenda.round(due(&[0]), 2), due(&[0]));
        assert_eq!(agenda.round(due(&[]), 2), due(&[]));
        assert_eq!(agenda.round(due(&all), 9), due(&[3, 5, 4_000, 4_095, 0]));
    }
}
