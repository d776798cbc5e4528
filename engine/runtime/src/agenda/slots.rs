//! When each slot's agenda is to be read next, and from where on; and what its rows
//! hold.
//!
//! A row that is due later is covered by the first place from which on rows are
//! still to be read. One that was read and left where it lies is covered by when
//! what lies behind that place is looked at again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_storage_api::{AgendaKey, SLOTS, Slot};
use tokio::sync::Notify;

/// The version of the formats from which on rows are written: nodes of older
/// programs do not move them.
pub(crate) const AGENDA_SINCE: u16 = 3;
/// What a row holds: its version.
pub(crate) const ROW: &[u8] = &[1];

/// How often is looked for what is due.
pub(super) const TICK_MS: u64 = 1_000;
/// How long what became due just now waits for more of the kind.
pub(super) const HURRY_MS: u64 = 5;
/// After so long what could not be worked off is tried again.
pub(crate) const AGAIN_MS: u64 = 60_000;
/// The same for what a newer program wrote: until this one is replaced.
pub(crate) const NEWER_MS: u64 = 60 * 60_000;
/// How often the pause of a slot whose messages find no room is doubled at most.
const DOUBLINGS_MAX: u32 = 3;

/// When each slot's agenda is to be read next.
pub(crate) struct Agenda {
    slots: Mutex<Box<[Next]>>,
    /// Where the next round begins: behind the last one, so that no slot waits
    /// for others that are due again and again.
    begins_at: AtomicU16,
    /// Slots with a row that became due when it became durable.
    hurried: Mutex<BTreeSet<u16>>,
    woken: Arc<Notify>,
}

#[derive(Clone, Copy)]
struct Next {
    /// Under which epoch that is known.
    epoch: u64,
    /// Rows from here on are to be read once they are due.
    from: AgendaKey,
    /// When the rows before it are to be read again, in Unix milliseconds.
    behind_ms: u64,
    /// How often in a row there was no room for its messages.
    full: u32,
}

impl Next {
    fn is_due(&self, now_ms: u64) -> bool {
        self.from.due_ms <= now_ms || self.behind_ms <= now_ms
    }
}

/// Before every row that is due then.
fn first(due_ms: u64) -> AgendaKey {
    AgendaKey {
        due_ms,
        user: [0; 16],
        what: 0,
        number: 0,
    }
}

impl Default for Agenda {
    fn default() -> Agenda {
        let unknown = Next {
            epoch: 0,
            from: first(0),
            behind_ms: u64::MAX,
            full: 0,
        };
        Agenda {
            slots: Mutex::new(vec![unknown; usize::from(SLOTS)].into_boxed_slice()),
            begins_at: AtomicU16::new(0),
            hurried: Mutex::default(),
            woken: Arc::default(),
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
        self.go_on(slot, first(due_ms));
    }

    /// A row is durable that is due now, and a person may wait for what it says: the
    /// slot is read before the others, and before the next tick.
    pub(crate) fn hurry(&self, slot: Slot) {
        let mut hurried = self.hurried.lock().unwrap_or_else(PoisonError::into_inner);
        hurried.insert(slot.number());
        self.woken.notify_one();
    }

    /// The slots that are to be read at once, in their order, at most so many.
    pub(super) fn hurried(&self, most: usize) -> Vec<Slot> {
        let mut hurried = self.hurried.lock().unwrap_or_else(PoisonError::into_inner);
        let mut slots = Vec::new();
        while slots.len() < most
            && let Some(number) = hurried.pop_first()
        {
            slots.extend(Slot::new(number));
        }
        slots
    }

    /// Tells when a slot is to be read at once.
    pub(super) fn woken(&self) -> Arc<Notify> {
        Arc::clone(&self.woken)
    }

    /// Rows from this place on were not read.
    pub(super) fn go_on(&self, slot: Slot, from: AgendaKey) {
        self.with(slot, |next| next.from = next.from.min(from));
    }

    /// A row that is due was left where it lies until then.
    pub(crate) fn leave(&self, slot: Slot, again_ms: u64) {
        self.with(slot, |next| next.behind_ms = next.behind_ms.min(again_ms));
    }

    /// There was no room for all of a slot's messages: it waits longer from time
    /// to time.
    pub(super) fn is_full(&self, slot: Slot, now_ms: u64) {
        self.with(slot, |next| {
            let again_ms = now_ms.saturating_add(TICK_MS << next.full);
            next.behind_ms = next.behind_ms.min(again_ms);
            next.full = (next.full + 1).min(DOUBLINGS_MAX);
        });
    }

    pub(super) fn has_room(&self, slot: Slot) {
        self.with(slot, |next| next.full = 0);
    }

    /// Whether a slot's agenda must be read now. Of one that was owned under
    /// another epoch nothing is known.
    pub(super) fn is_due(&self, slot: Slot, epoch: u64, now_ms: u64) -> bool {
        let next = self.slots().get(usize::from(slot.number())).copied();
        next.is_some_and(|next| next.epoch != epoch || next.is_due(now_ms))
    }

    /// From where on it is to be read now, if it is: what was noted, and then what
    /// was left behind. Whatever is noted from now on comes in addition to what is
    /// found.
    pub(super) fn begin(&self, slot: Slot, epoch: u64, now_ms: u64) -> Option<AgendaKey> {
        let (start, never) = (first(0), first(u64::MAX));
        self.with(slot, |next| {
            if next.epoch != epoch {
                *next = Next {
                    epoch,
                    from: never,
                    behind_ms: u64::MAX,
                    full: 0,
                };
                return Some(start);
            }
            if next.from.due_ms <= now_ms {
                return Some(std::mem::replace(&mut next.from, never));
            }
            let is_due = next.behind_ms <= now_ms;
            is_due.then(|| {
                next.behind_ms = u64::MAX;
                start
            })
        })
        .flatten()
    }

    fn with<T>(&self, slot: Slot, work: impl FnOnce(&mut Next) -> T) -> Option<T> {
        self.slots().get_mut(usize::from(slot.number())).map(work)
    }

    fn slots(&self) -> MutexGuard<'_, Box<[Next]>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot's agenda while it is read. Where that ends before its end was reached,
/// all of it is read again: nothing waits for what was never noted.
pub(super) struct Reading<'a> {
    pub(super) agenda: &'a Agenda,
    pub(super) slot: Slot,
    /// None once it was read.
    pub(super) again_ms: Option<u64>,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let Some(again_ms) = self.again_ms {
            self.agenda.leave(self.slot, again_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u16) -> Slot {
        Slot::new(number).unwrap()
    }

    #[test]
    fn a_slot_is_read_when_it_is_due_or_was_owned_under_another_epoch() {
        let agenda = Agenda::default();
        assert!(agenda.is_due(slot(7), 1, 0));
        assert_eq!(agenda.begin(slot(7), 1, 0), Some(first(0)));
        assert!(!agenda.is_due(slot(7), 1, u64::MAX - 1));
        assert_eq!(agenda.begin(slot(7), 1, u64::MAX - 1), None);
        agenda.note(slot(7), 50);
        agenda.note(slot(7), 90);
        assert!(!agenda.is_due(slot(7), 1, 49) && agenda.is_due(slot(7), 1, 50));
        assert_eq!(agenda.begin(slot(7), 1, 50), Some(first(50)));
        assert!(agenda.is_due(slot(7), 2, 0));
        agenda.begin(slot(8), 1, 0);
        assert!(!agenda.is_due(slot(8), 1, 1_000));
    }

    #[test]
    fn what_was_left_behind_is_read_after_what_goes_on_and_not_before_its_time() {
        let agenda = Agenda::default();
        agenda.begin(slot(7), 1, 0);
        agenda.leave(slot(7), 80);
        agenda.leave(slot(7), 90);
        let place = AgendaKey {
            number: 3,
            ..first(20)
        };
        agenda.note(slot(7), 30);
        agenda.go_on(slot(7), place);
        assert_eq!(agenda.begin(slot(7), 1, 79), Some(place));
        assert_eq!(agenda.begin(slot(7), 1, 79), None);
        agenda.note(slot(7), 40);
        assert_eq!(agenda.begin(slot(7), 1, 80), Some(first(40)));
        assert_eq!(agenda.begin(slot(7), 1, 80), Some(first(0)));
        assert_eq!(agenda.begin(slot(7), 1, 80), None);
    }

    #[test]
    fn a_slot_without_room_waits_longer_from_time_to_time() {
        let agenda = Agenda::default();
        agenda.begin(slot(7), 1, 0);
        for pause_ms in [1_000, 2_000, 4_000, 8_000, 8_000] {
            agenda.is_full(slot(7), 0);
            assert!(!agenda.is_due(slot(7), 1, pause_ms - 1));
            assert_eq!(agenda.begin(slot(7), 1, pause_ms), Some(first(0)));
        }
        agenda.has_room(slot(7));
        agenda.is_full(slot(7), 0);
        assert!(agenda.is_due(slot(7), 1, 1_000));
    }

    #[test]
    fn an_agenda_that_was_not_read_to_its_end_is_read_again() {
        let agenda = Agenda::default();
        for again_ms in [Some(60), None] {
            agenda.begin(slot(7), 1, 1_000);
            drop(Reading {
                agenda: &agenda,
                slot: slot(7),
                again_ms,
            });
            assert!(!agenda.is_due(slot(7), 1, 59));
            assert_eq!(agenda.is_due(slot(7), 1, 60), again_ms.is_some());
        }
    }

    #[test]
    fn what_became_due_just_now_is_read_at_once_each_slot_once() {
        let agenda = Agenda::default();
        for number in [9, 3, 9] {
            agenda.hurry(slot(number));
        }
        assert_eq!(agenda.hurried(1), [slot(3)]);
        assert_eq!(agenda.hurried(9), [slot(9)]);
        assert_eq!(agenda.hurried(9), []);
    }

    #[test]
    fn slots_that_are_always_due_keep_no_other_waiting() {
        let agenda = Agenda::default();
        let due = |numbers: &[u16]| {
            let slots = numbers.iter().map(|number| slot(*number));
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
