//! The outbox, delivered by the owner of each slot: at least once, with a deadline
//! of our own on every try, back-off with jitter and a breaker for each destination.
//! What its destination refuses, or what is worth nothing any more before it could
//! be delivered, is listed as undelivered. No reply waits for any of it.
//!
//! What leaves is a part of the person's; when it is tried next is a row of the
//! agenda, whose value counts the tries. A node that ends between a try and its
//! commit leaves both, and the next one tries again under the same id.

mod answered;
mod in_hand;
mod lanes;
mod listing;
mod loading;
mod sending;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tidegate_account::{Due, Outgoing, UserId};
use tidegate_storage_api::{AgendaKey, Commit, Key as RowKey, Slot, StoreError};

pub use listing::{Undelivered, UndeliveredReason};

use crate::agenda::{AGAIN_MS, NEWER_MS};
use crate::breakers::{Breakers, Passage};
use crate::date::Trust;
use crate::engine::Engine;
use crate::shared::Standing;
use answered::{Answered, Verdict};
use in_hand::{End, InHand, part_row};
use lanes::{Lanes, Wait};
use loading::Found;
use sending::{TRY_MS, Tried, back_off_ms, behind_breaker_ms};

/// Messages that are tried at once by a node.
const TRIES_AT_ONCE: usize = 256;
/// After so long a row that another pass has moved is looked for again.
const STALE_MS: u64 = 1_000;
/// So often is tried to open a message whose person's key does not open: for most of
/// a day, in which this node may learn of a newer key of the tenant's.
const LOCKED_TRIES_MAX: u16 = 32;
/// For so long what could not be delivered stays listed.
const LISTED_MS: u64 = 30 * 86_400_000;

const ROW_VERSION: u8 = 1;

/// What is being delivered, and to whom nothing can be at the moment.
#[derive(Default)]
pub(crate) struct Outbox {
    /// By person and number.
    in_hand: Mutex<BTreeSet<([u8; 16], u64)>>,
    answered: Answered,
    lanes: Lanes,
    breakers: Breakers,
    /// Set once that there is something of a newer program was said.
    newer: OnceLock<()>,
}

/// Whether a message was taken in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is delivered from now on, or is already.
    InHand,
    /// There is no room.
    Full,
    /// A newer program wrote it.
    Newer,
}

/// The value of the agenda's row of a message that was tried so often.
pub(crate) fn row(tries: u16) -> Vec<u8> {
    [&[ROW_VERSION], &tries.to_le_bytes()[..]].concat()
}

fn tries_of(row: &[u8]) -> Option<u16> {
    match row {
        [ROW_VERSION, low, high] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }
}

impl Outbox {
    fn in_hand(&self) -> MutexGuard<'_, BTreeSet<([u8; 16], u64)>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Said once in a node's life: there may be many.
    fn is_newer(&self) {
        self.newer
            .get_or_init(|| tracing::warn!(event = "outbox.newer"));
    }
}

impl Engine {
    /// Begins to deliver a message that is due, unless that was begun before.
    pub(crate) fn begin_delivery(
        &self,
        (slot, epoch): (Slot, u64),
        place: AgendaKey,
        value: Bytes,
        trust: Trust,
    ) -> Taken {
        let shared = self.shared();
        let Some(tries) = tries_of(&value) else {
            shared.outbox.is_newer();
            return Taken::Newer;
        };
        {
            let mut in_hand = shared.outbox.in_hand();
            let message = (place.user, place.number);
            if in_hand.contains(&message) {
                return Taken::InHand;
            }
            if in_hand.len() >= TRIES_AT_ONCE {
                return Taken::Full;
            }
            in_hand.insert(message);
        }
        let again_ms = shared.clock.unix_ms().saturating_add(AGAIN_MS);
        let message = InHand {
            engine: self.clone(),
            slot,
            epoch,
            place,
            value,
            tries,
            key: None,
            trust,
            end: End::Lies { again_ms },
        };
        self.spawn(deliver(message));
        Taken::InHand
    }

    /// The rows that go with a message that is listed no longer.
    pub(crate) fn discarded(&self, slot: Slot, place: AgendaKey) -> Vec<RowKey> {
        let region = self.shared().ownership.region();
        vec![
            part_row(region, slot, place),
            RowKey::undelivered(region, slot, &place.user, place.number),
        ]
    }
}

/// Tries a message once, and writes down what came of it.
async fn deliver(mut message: InHand) {
    match try_once(&mut message).await {
        Ok(()) => {}
        // It lies where it lay, and is looked at again.
        Err(error) => tracing::debug!(event = "outbox.not_settled", %error),
    }
}

async fn try_once(message: &mut InHand) -> Result<(), StoreError> {
    // Another try may have ended since the page was read on which this row was.
    if !message.is_current().await? {
        message.lies(STALE_MS);
        return Ok(());
    }
    let engine = message.engine.clone();
    let shared = engine.shared();
    let number = message.place.number;
    let (found, key) = loading::load(shared, message.home(), number).await?;
    message.key = key;
    match found {
        Found::Message(outgoing) => match shared.outbox.answered.of(message.message()) {
            Some(verdict) => write_down(message, verdict).await,
            None => send(message, &outgoing).await,
        },
        Found::Gone => remove(message).await,
        Found::Newer => {
            shared.outbox.is_newer();
            message.lies(NEWER_MS);
            Ok(())
        }
        Found::Unreadable => give_up(message, UndeliveredReason::Unreadable).await,
        Found::Locked if message.tries >= LOCKED_TRIES_MAX => {
            give_up(message, UndeliveredReason::Unreadable).await
        }
        Found::Locked => {
            let wait_ms = back_off_ms(message.tries, shared.entropy.seed());
            put_off(message, u64::MAX, message.tries.saturating_add(1), wait_ms).await
        }
    }
}

/// Sends a message, if its destination may be asked and it is not too late.
async fn send(message: &mut InHand, outgoing: &Outgoing) -> Result<(), StoreError> {
    let engine = message.engine.clone();
    let shared = engine.shared();
    let (until_ms, destination) = (outgoing.until_ms(), outgoing.destination());
    if shared.clock.unix_ms() >= until_ms && message.trust == Trust::Believed {
        return give_up(message, UndeliveredReason::Late).await;
    }
    may_send(message)?;
    let seat = match shared.outbox.lanes.seat(destination) {
        Ok(seat) => seat,
        Err(Wait(wait_ms)) => return put_off(message, until_ms, message.tries, wait_ms).await,
    };
    let breakers = &shared.outbox.breakers;
    let now_ms = shared.clock.monotonic_ms();
    if let Passage::Open { for_ms, failing_ms } = breakers.pass(destination, now_ms, TRY_MS) {
        drop(seat);
        let behind_ms = behind_breaker_ms(failing_ms, shared.entropy.seed());
        let wait_ms = for_ms.saturating_add(behind_ms);
        return put_off(message, until_ms, message.tries, wait_ms).await;
    }
    let tried = engine
        .send(message.user(), message.place.number, outgoing)
        .await;
    drop(seat);
    let verdict = match tried {
        Tried::Delivered => Verdict::Delivered,
        Tried::Refused => Verdict::Refused,
        Tried::Failed => {
            breakers.failed(destination, shared.clock.monotonic_ms());
            let wait_ms = back_off_ms(message.tries, shared.entropy.seed());
            let tries = message.tries.saturating_add(1);
            return put_off(message, until_ms, tries, wait_ms).await;
        }
    };
    breakers.answered(destination);
    let answered = &shared.outbox.answered;
    answered.note(message.message(), message.epoch, verdict);
    write_down(message, verdict).await
}

/// Nothing is sent by a node that could not write it down.
fn may_send(message: &InHand) -> Result<(), StoreError> {
    let shared = message.engine.shared();
    let is_ours = |(user, _): ([u8; 16], u64), epoch| {
        shared.ownership.epoch_of(UserId::from_bytes(user)) == Some(epoch)
    };
    match shared.standing_to_change(message.user(), message.epoch) {
        Standing::NotOwner => Err(StoreError::Fenced),
        Standing::CutOff { .. } => Err(StoreError::Unavailable),
        Standing::Owner if shared.outbox.answered.is_full(is_ours) => Err(StoreError::Unavailable),
        Standing::Owner => Ok(()),
    }
}

async fn write_down(message: &mut InHand, verdict: Verdict) -> Result<(), StoreError> {
    match verdict {
        Verdict::Delivered => remove(message).await,
        Verdict::Refused => give_up(message, UndeliveredReason::Refused).await,
    }
}

/// Nothing of it stays.
async fn remove(message: &mut InHand) -> Result<(), StoreError> {
    let commit = message.fenced();
    let commit = commit.delete(message.row()).delete(message.part_row());
    settle(message, commit, End::Gone).await
}

/// Moves the row to when the message is tried next; at the latest to when it is
/// worth nothing any more.
async fn put_off(
    message: &mut InHand,
    until_ms: u64,
    tries: u16,
    wait_ms: u64,
) -> Result<(), StoreError> {
    let now_ms = message.engine.shared().clock.unix_ms();
    let again_ms = now_ms.saturating_add(wait_ms);
    let due_ms = match until_ms {
        until_ms if until_ms > now_ms => again_ms.min(until_ms),
        _ => again_ms,
    };
    let next = AgendaKey {
        due_ms,
        ..message.place
    };
    let region = message.engine.shared().ownership.region();
    let commit = message
        .fenced()
        .delete(message.row())
        .put(next.key(region, message.slot), row(tries));
    settle(message, commit, End::Moved { due_ms }).await
}

/// Lists the message as undelivered. It stays readable for as long as it is listed.
async fn give_up(message: &mut InHand, reason: UndeliveredReason) -> Result<(), StoreError> {
    let shared = message.engine.shared();
    let (region, slot) = (shared.ownership.region(), message.slot);
    let (now_ms, tries) = (shared.clock.unix_ms(), message.tries);
    let due_ms = now_ms.saturating_add(LISTED_MS);
    let AgendaKey { user, number, .. } = message.place;
    let discard = AgendaKey {
        due_ms,
        what: Due::Discard.number(),
        ..message.place
    };
    let listed = RowKey::undelivered(region, slot, &user, number);
    let commit = message
        .fenced()
        .delete(message.row())
        .put(listed, listing::encode(reason, tries, now_ms))
        .put(discard.key(region, slot), crate::agenda::ROW);
    let is_listed = End::Moved { due_ms };
    settle(message, commit, is_listed).await?;
    if message.end == is_listed {
        let reason = reason.name();
        tracing::warn!(event = "outbox.undelivered", user = %message.user(), tries, reason);
    }
    Ok(())
}

/// Writes down what came of it. Where the row or the person has changed since they
/// were read, that counts for nothing, and the row is read again.
async fn settle(message: &mut InHand, commit: Commit, end: End) -> Result<(), StoreError> {
    let store = Arc::clone(&message.engine.shared().store);
    match store.commit(commit).await {
        Ok(_) => {
            let shared = message.engine.shared();
            shared.outbox.answered.forget(message.message());
            message.end = end;
            Ok(())
        }
        Err(StoreError::Conflict | StoreError::Overtaken) => {
            message.lies(STALE_MS);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_tries_and_no_other_is_read() {
        assert_eq!(row(0x0102), [1, 2, 1]);
        assert_eq!(tries_of(&row(u16::MAX)), Some(u16::MAX));
        for other in [&[][..], &[1], &[2, 0, 0], &[1, 0, 0, 0]] {
            assert_eq!(tries_of(other), None);
        }
    }
}
