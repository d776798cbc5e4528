//! The agenda, worked off by the owner of each slot: rows lie in the order in which
//! they are due, so only what is due is read, and nobody is walked.
//!
//! A row is worked off by the person's actor, whose commit moves or removes it. One
//! that the account's state does not give any more is removed here. Until the
//! active version is [`AGENDA_SINCE`], an account's state puts none there and the
//! sweeper finds what is over, as it did before. What must leave is handed to the
//! outbox.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidegate_account::{AgendaRow, Due, UserId};
use tidegate_storage_api::{AgendaKey, Key as RowKey, KeyRange, SLOTS, Slot, StoreError};
use tokio::sync::oneshot;

use crate::answer::{Answer, Responder};
use crate::date::Trust;
use crate::engine::{Engine, WeakEngine};
use crate::outbox::Taken;
use crate::person::What;

/// The version of the formats from which on rows are written: nodes of older
/// programs do not move them.
pub(crate) const AGENDA_SINCE: u16 = 3;
/// What a row holds: its version.
pub(crate) const ROW: &[u8] = &[1];

const TICK_MS: u64 = 1_000;
/// Slots whose agenda is read between two ticks.
const SLOTS_AT_ONCE: usize = 64;
/// Rows read at once, and people who work at once for it.
const PAGE: usize = 64;
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

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Worked {
    /// It is worked off, or is none any more; these rows go with it.
    Off(Vec<RowKey>),
    /// It is being worked off by another, who moves it.
    InHand,
    /// Not for so long.
    Later { ms: u64 },
}

impl Agenda {
    pub(crate) fn new() -> Agenda {
        let unknown = Next {
            epoch: 0,
            due_ms: 0,
        };
        Agenda {
            slots: Mutex::new(vec![unknown; usize::from(SLOTS)].into_boxed_slice()),
            begins_at: AtomicU16::new(0),
        }
    }

    /// Of what is due, in the order of slots, so many that the last round did not
    /// come to.
    fn round(&self, mut due: Vec<(Slot, u64)>, most: usize) -> Vec<(Slot, u64)> {
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
    fn is_due(&self, slot: Slot, epoch: u64, now_ms: u64) -> bool {
        let next = self.slots().get(usize::from(slot.number())).copied();
        next.is_some_and(|next| next.epoch != epoch || next.due_ms <= now_ms)
    }

    /// It is about to be read: whatever is noted from now on comes in addition to
    /// what is found.
    fn begin(&self, slot: Slot, epoch: u64) {
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

/// Works off what is due for as long as the engine lives.
pub(crate) async fn work(engine: WeakEngine) {
    loop {
        engine.clock.sleep(TICK_MS).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        if engine.shared().is_cut_off() {
            continue;
        }
        if let Err(error) = engine.work_off_some(SLOTS_AT_ONCE).await {
            tracing::warn!(event = "agenda.failed", %error);
        }
    }
}

impl Engine {
    /// Works off everything that is due in this node's slots, and begins what must
    /// leave; for a day after the date jumped, only that. How many rows were worked
    /// off.
    ///
    /// # Errors
    /// As the store; what was worked off before stays so.
    pub async fn work_off(&self) -> Result<u64, StoreError> {
        self.work_off_some(usize::from(SLOTS)).await
    }

    async fn work_off_some(&self, slots: usize) -> Result<u64, StoreError> {
        let shared = self.shared();
        let now_ms = shared.clock.unix_ms();
        let owned = Slot::all().filter_map(|slot| {
            let epoch = shared.ownership.epoch_of_slot(slot)?;
            let due = shared.agenda.is_due(slot, epoch, now_ms);
            due.then_some((slot, epoch))
        });
        let round = shared.agenda.round(owned.collect(), slots);
        if round.is_empty() {
            return Ok(0);
        }
        let trust = self.look_at_date().await?;
        let mut worked = 0;
        for (slot, epoch) in round {
            shared.agenda.begin(slot, epoch);
            match self.work_off_slot(slot, now_ms, trust).await {
                Ok(rows) => worked += rows,
                // That node's to work off, whoever it is.
                Err(StoreError::Fenced) => {}
                Err(error) => {
                    shared.agenda.note(slot, now_ms.saturating_add(AGAIN_MS));
                    return Err(error);
                }
            }
        }
        Ok(worked)
    }

    async fn work_off_slot(
        &self,
        slot: Slot,
        now_ms: u64,
        trust: Trust,
    ) -> Result<u64, StoreError> {
        let shared = self.shared();
        let mut range = KeyRange::agenda(shared.ownership.region(), slot);
        let mut worked = 0;
        loop {
            let rows = shared.store.range(range.clone(), PAGE).await?;
            let places = rows.iter().filter_map(|(key, value)| {
                let place = AgendaKey::of(key)?;
                Some((key, place, value))
            });
            let (mut due, mut next) = (Vec::new(), None);
            for (key, place, value) in places {
                if place.due_ms > now_ms {
                    next = Some(place.due_ms);
                    break;
                }
                due.push((key.clone(), self.begin_row(slot, place, value, trust)));
            }
            let (mut off, mut done) = (Vec::new(), 0);
            for (key, row) in due {
                match row.done().await {
                    Worked::Off(more) => {
                        off.push(key);
                        off.extend(more);
                        done += 1;
                    }
                    Worked::InHand => {}
                    Worked::Later { ms } => {
                        shared.agenda.note(slot, now_ms.saturating_add(ms));
                    }
                }
            }
            self.drop_rows(Some(slot), &off).await?;
            worked += done;
            if let Some(due_ms) = next {
                shared.agenda.note(slot, due_ms);
                return Ok(worked);
            }
            match rows.last() {
                Some((last, _)) if rows.len() == PAGE => range = range.after(last),
                Some(_) | None => return Ok(worked),
            }
        }
    }

    /// Begins what a row says. What throws something away waits until the date is
    /// believed; what leaves does not.
    fn begin_row(&self, slot: Slot, place: AgendaKey, value: &Bytes, trust: Trust) -> Begun {
        let again = Begun::Known(Worked::Later { ms: AGAIN_MS });
        match Due::of(place.what) {
            // A newer program's.
            None => again,
            Some(Due::Delivery) => {
                let taken = self.begin_delivery(slot, place, value, trust);
                Begun::Known(match taken {
                    Taken::InHand => Worked::InHand,
                    Taken::Full => Worked::Later { ms: TICK_MS },
                    Taken::Unknown => Worked::Later { ms: AGAIN_MS },
                })
            }
            Some(_) if trust != Trust::Believed => again,
            Some(Due::Discard) => Begun::Known(Worked::Off(self.discarded(slot, place))),
            Some(what @ (Due::Claim | Due::Abandoned | Due::Guesses)) => {
                self.begin_with_person(place, what)
            }
        }
    }

    /// Lets the person's actor do what is due.
    fn begin_with_person(&self, place: AgendaKey, what: Due) -> Begun {
        let (told, done) = oneshot::channel();
        let responder = Responder::new(move |answer, _| drop(told.send(answer)));
        let row = AgendaRow {
            due_ms: place.due_ms,
            what,
            number: place.number,
        };
        let user = UserId::from_bytes(place.user);
        self.seat(user, What::Due(row), u64::MAX, Some(responder));
        Begun::Asked(done)
    }
}

/// A row that was begun.
enum Begun {
    /// What became of it is known.
    Known(Worked),
    /// Its person's actor was asked.
    Asked(oneshot::Receiver<Answer>),
}

impl Begun {
    async fn done(self) -> Worked {
        let done = match self {
            Begun::Known(worked) => return worked,
            Begun::Asked(done) => done,
        };
        match done.await {
            Ok(Answer::Done) => Worked::Off(Vec::new()),
            Ok(
                Answer::Reply(_)
                | Answer::Checked(_)
                | Answer::DegradedDecision { .. }
                | Answer::Failed(_),
            )
            | Err(_) => Worked::Later { ms: AGAIN_MS },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_read_when_it_is_due_or_was_owned_under_another_epoch() {
        let agenda = Agenda::new();
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
        let agenda = Agenda::new();
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
