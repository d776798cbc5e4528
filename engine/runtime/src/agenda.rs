//! The agenda, worked off by the owner of each slot: rows lie in the order in which
//! they are due, so only what is due is read, and no person is walked by.
//!
//! A row is worked off by the person's actor, whose commit moves or removes it. One
//! that the account's state does not give any more is removed here. Until the
//! active version is [`AGENDA_SINCE`], an account's state puts none there and the
//! sweeper finds what is over, as it did before. What must leave is handed to the
//! outbox.

mod slots;

use bytes::Bytes;
use tidegate_account::{AgendaRow, Due, UserId};
use tidegate_storage_api::{AgendaKey, Key as RowKey, KeyRange, SLOTS, Slot, StoreError};
use tokio::sync::oneshot;

use crate::answer::{Answer, Responder};
use crate::date::Trust;
use crate::job::What;
use crate::outbox::Taken;
use crate::people::{People, WeakPeople};
use crate::sweeping::drop_rows;
pub(crate) use slots::{AGAIN_MS, AGENDA_SINCE, Agenda, ROW};

const TICK_MS: u64 = 1_000;
/// Slots whose agenda is read between two ticks.
const SLOTS_AT_ONCE: usize = 64;
/// Rows read at once, and people who work at once for it.
const PAGE: usize = 64;

/// The outcome of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Worked {
    /// It is worked off, or is none any more; these rows go with it.
    Off(Vec<RowKey>),
    /// It is being worked off by another, who moves it.
    InHand,
    /// Not for so long.
    Later { ms: u64 },
}

/// Works off what is due for as long as the engine lives.
pub(crate) async fn work(people: WeakPeople) {
    loop {
        people.clock.sleep(TICK_MS).await;
        let Some(people) = people.upgrade() else {
            return;
        };
        if people.shared().placement.is_cut_off() {
            continue;
        }
        if let Err(error) = people.work_off_some(SLOTS_AT_ONCE).await {
            tracing::warn!(event = "agenda.failed", %error);
        }
    }
}

impl People {
    /// Works off everything that is due in this node's slots, and begins what must
    /// leave; for a day after the date jumped, only that. How many rows were worked
    /// off.
    ///
    /// # Errors
    /// As the store; what was worked off before stays so.
    pub(crate) async fn work_off(&self) -> Result<u64, StoreError> {
        self.work_off_some(usize::from(SLOTS)).await
    }

    async fn work_off_some(&self, slots: usize) -> Result<u64, StoreError> {
        let shared = self.shared();
        let now_ms = shared.ports.clock.unix_ms();
        let owned = Slot::all().filter_map(|slot| {
            let epoch = shared.placement.ownership.epoch_of_slot(slot)?;
            let due = shared.upkeep.agenda.is_due(slot, epoch, now_ms);
            due.then_some((slot, epoch))
        });
        let round = shared.upkeep.agenda.round(owned.collect(), slots);
        if round.is_empty() {
            return Ok(0);
        }
        let trust = shared.upkeep.date.look(&shared.ports).await?;
        let mut worked = 0;
        for (slot, epoch) in round {
            shared.upkeep.agenda.begin(slot, epoch);
            match self.work_off_slot(slot, now_ms, trust).await {
                Ok(rows) => worked += rows,
                // The new owner's to work off.
                Err(StoreError::Fenced) => {}
                Err(error) => {
                    shared
                        .upkeep
                        .agenda
                        .note(slot, now_ms.saturating_add(AGAIN_MS));
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
        let mut range = KeyRange::agenda(shared.placement.ownership.region(), slot);
        let mut worked = 0;
        loop {
            let rows = shared.ports.store.range(range.clone(), PAGE).await?;
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
                        shared.upkeep.agenda.note(slot, now_ms.saturating_add(ms));
                    }
                }
            }
            drop_rows(shared, Some(slot), &off).await?;
            worked += done;
            if let Some(due_ms) = next {
                shared.upkeep.agenda.note(slot, due_ms);
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
    /// Its outcome is known.
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
