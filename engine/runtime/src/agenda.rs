//! The agenda, worked off by the owner of each slot: rows lie in the order in which
//! they are due, so only what is due is read, and no person is walked by.
//!
//! A row is worked off by the person's actor, whose commit moves or removes it. One
//! that the account's state does not give any more is removed here. Until the
//! active version is [`AGENDA_SINCE`], an account's state puts none there and the
//! sweeper finds what is over, as it did before. What must leave is handed to the
//! outbox.

mod slots;

use std::sync::Arc;

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
use slots::{HURRY_MS, Reading, TICK_MS};

pub(crate) use slots::{AGAIN_MS, AGENDA_SINCE, Agenda, NEWER_MS, ROW};

/// Slots whose agenda is read between two ticks.
const SLOTS_AT_ONCE: usize = 64;
/// Rows read at once, and people who work at once for it.
const PAGE: usize = 64;
/// Pages of one slot that are read before others have their turn.
const PAGES_AT_ONCE: usize = 16;
/// After so long is looked again at what waits until the date is believed.
const HELD_MS: u64 = 15 * 60_000;

/// The outcome of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Worked {
    /// It is worked off, or is none any more; these rows go with it.
    Off(Vec<RowKey>),
    /// It is being worked off by another, who moves it.
    InHand,
    /// There is no room for it.
    Full,
    /// Not for so long.
    Later { ms: u64 },
}

/// How far a slot's agenda was read.
enum Reached {
    /// What follows is due then, if anything does.
    End { next_ms: Option<u64> },
    /// There is more behind this.
    More(AgendaKey),
}

/// What came of one page.
struct Page {
    worked: u64,
    full: u64,
    reached: Reached,
}

/// Works off what is due for as long as the engine lives.
pub(crate) async fn work(people: WeakPeople) {
    let clock = Arc::clone(&people.clock);
    let woken = people.upgrade();
    let Some(woken) = woken.map(|people| people.shared().upkeep.agenda.woken()) else {
        return;
    };
    let mut tick = clock.sleep(TICK_MS);
    loop {
        let turn = tokio::select! {
            biased;
            () = &mut tick => Turn::Tick,
            () = woken.notified() => Turn::Hurried,
        };
        if turn == Turn::Hurried {
            // What comes in the same moment goes with it.
            clock.sleep(HURRY_MS).await;
        }
        let Some(people) = people.upgrade() else {
            return;
        };
        if turn == Turn::Tick {
            tick = clock.sleep(TICK_MS);
        }
        if people.shared().placement.is_cut_off() {
            continue;
        }
        let worked = match turn {
            Turn::Tick => people.work_off_some(SLOTS_AT_ONCE).await,
            Turn::Hurried => people.work_off_hurried().await,
        };
        if let Err(error) = worked {
            tracing::warn!(event = "agenda.failed", %error);
        }
    }
}

/// Why the agenda is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Tick,
    /// Something became due when it became durable.
    Hurried,
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
        self.work_off_slots(round, now_ms).await
    }

    /// Works off what became due just now, in however many slots.
    async fn work_off_hurried(&self) -> Result<u64, StoreError> {
        let shared = self.shared();
        let mut worked = 0;
        loop {
            let hurried = shared.upkeep.agenda.hurried(SLOTS_AT_ONCE).into_iter();
            let owned = hurried.filter_map(|slot| {
                let epoch = shared.placement.ownership.epoch_of_slot(slot)?;
                Some((slot, epoch))
            });
            let round: Vec<_> = owned.collect();
            if round.is_empty() {
                return Ok(worked);
            }
            let now_ms = shared.ports.clock.unix_ms();
            worked += self.work_off_slots(round, now_ms).await?;
        }
    }

    async fn work_off_slots(
        &self,
        round: Vec<(Slot, u64)>,
        now_ms: u64,
    ) -> Result<u64, StoreError> {
        let shared = self.shared();
        if round.is_empty() {
            return Ok(0);
        }
        let trust = shared.upkeep.date.look(&shared.ports).await?;
        let mut worked = 0;
        for (slot, epoch) in round {
            match self.work_off_slot((slot, epoch), now_ms, trust).await {
                Ok(rows) => worked += rows,
                // The new owner's to work off.
                Err(StoreError::Fenced) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(worked)
    }

    /// What was noted and then what was left behind; of either at most so many
    /// pages, and the rest in the next round.
    async fn work_off_slot(
        &self,
        (slot, epoch): (Slot, u64),
        now_ms: u64,
        trust: Trust,
    ) -> Result<u64, StoreError> {
        let agenda = &self.shared().upkeep.agenda;
        let (mut worked, mut full) = (0, 0);
        for _ in 0..2 {
            let Some(mut from) = agenda.begin(slot, epoch, now_ms) else {
                break;
            };
            let mut reading = Reading {
                agenda,
                slot,
                again_ms: Some(now_ms.saturating_add(AGAIN_MS)),
            };
            for _ in 0..PAGES_AT_ONCE {
                let page = self
                    .work_off_page((slot, epoch), from, now_ms, trust)
                    .await?;
                worked += page.worked;
                full += page.full;
                match page.reached {
                    Reached::More(next) => from = next,
                    Reached::End { next_ms } => {
                        from.due_ms = next_ms.unwrap_or(u64::MAX);
                        break;
                    }
                }
            }
            reading.again_ms = None;
            if from.due_ms > now_ms {
                agenda.note(slot, from.due_ms);
            } else {
                agenda.go_on(slot, from);
                break;
            }
        }
        match full {
            0 => agenda.has_room(slot),
            _ => agenda.is_full(slot, now_ms),
        }
        Ok(worked)
    }

    /// Begins everything of a page that is due, and waits for what ends here.
    async fn work_off_page(
        &self,
        (slot, epoch): (Slot, u64),
        from: AgendaKey,
        now_ms: u64,
        trust: Trust,
    ) -> Result<Page, StoreError> {
        let shared = self.shared();
        let region = shared.placement.ownership.region();
        let mut range = KeyRange::agenda(region, slot);
        range.start = from.key(region, slot);
        let rows = shared.ports.store.range(range, PAGE).await?;
        let places = rows.iter().filter_map(|(key, value)| {
            let place = AgendaKey::of(key)?;
            Some((key, place, value))
        });
        let (mut due, mut last) = (Vec::new(), None);
        let mut reached = Reached::End { next_ms: None };
        for (key, place, value) in places {
            last = Some(place);
            if place.due_ms > now_ms {
                reached = Reached::End {
                    next_ms: Some(place.due_ms),
                };
                break;
            }
            let begun = self.begin_row((slot, epoch), place, value, trust);
            due.push((key.clone(), begun));
        }
        if let Some(last) = last.filter(|last| last.due_ms <= now_ms && rows.len() == PAGE) {
            reached = Reached::More(AgendaKey {
                number: last.number.saturating_add(1),
                ..last
            });
        }
        let (mut off, mut page) = (
            Vec::new(),
            Page {
                worked: 0,
                full: 0,
                reached,
            },
        );
        for (key, row) in due {
            match row.done().await {
                Worked::Off(more) => {
                    off.push(key);
                    off.extend(more);
                    page.worked += 1;
                }
                Worked::InHand => {}
                Worked::Full => page.full += 1,
                Worked::Later { ms } => shared.upkeep.agenda.leave(slot, now_ms.saturating_add(ms)),
            }
        }
        drop_rows(shared, Some(slot), &off).await?;
        Ok(page)
    }

    /// Begins what a row says. What throws something away waits until the date is
    /// believed; what leaves does not.
    fn begin_row(
        &self,
        (slot, epoch): (Slot, u64),
        place: AgendaKey,
        value: &Bytes,
        trust: Trust,
    ) -> Begun {
        let later = |ms| Begun::Known(Worked::Later { ms });
        match Due::of(place.what) {
            // A newer program's.
            None => later(NEWER_MS),
            Some(Due::Delivery) => {
                let taken = self.begin_delivery((slot, epoch), place, value.clone(), trust);
                Begun::Known(match taken {
                    Taken::InHand => Worked::InHand,
                    Taken::Full => Worked::Full,
                    Taken::Newer => Worked::Later { ms: NEWER_MS },
                })
            }
            Some(_) if trust != Trust::Believed => later(HELD_MS),
            Some(Due::Discard) => Begun::Known(Worked::Off(self.discarded(slot, place))),
            Some(what @ (Due::Claim | Due::Abandoned | Due::Guesses | Due::Attempts)) => {
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
