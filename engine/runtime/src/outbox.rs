//! The outbox, delivered by the owner of each slot: at least once, with a deadline
//! of our own on every try, back-off with jitter and a breaker for each destination.
//! What its destination refuses, or what is worth nothing any more before it could
//! be delivered, is listed as undelivered. No reply waits for any of it.
//!
//! What leaves is a part of the person's; when it is tried next is a row of the
//! agenda, whose value counts the tries. A node that ends between a try and its
//! commit leaves both, and the next one tries again under the same id.

mod in_hand;
mod listing;
mod sending;
mod tries;

use tidegate_account::{Due, Outgoing, Part};
use tidegate_storage_api::{AgendaKey, Commit, Key as RowKey, Slot, StoreError};

pub use listing::{Undelivered, UndeliveredReason};
pub(crate) use tries::{Outbox, row};

use crate::agenda::AGAIN_MS;
use crate::breakers::Passage;
use crate::date::Trust;
use crate::job::Wanted;
use crate::people::People;
use in_hand::{InHand, part_row};
use sending::{TRY_MS, Tried, back_off_ms};
use tries::tries_of;

/// Messages that are tried at once by a node.
const TRIES_AT_ONCE: usize = 256;
/// For so long what could not be delivered stays listed.
const LISTED_MS: u64 = 30 * 86_400_000;

/// Whether a message was taken in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is delivered from now on, or is already.
    InHand,
    /// There is no room.
    Full,
    /// A newer program wrote it.
    Unknown,
}

impl People {
    /// Begins to deliver a message that is due, unless that was begun before.
    pub(crate) fn begin_delivery(
        &self,
        slot: Slot,
        place: AgendaKey,
        value: &[u8],
        trust: Trust,
    ) -> Taken {
        let Some(tries) = tries_of(value) else {
            return Taken::Unknown;
        };
        let shared = self.shared();
        {
            let mut in_hand = shared.upkeep.outbox.in_hand();
            let message = (place.user, place.number);
            if in_hand.contains(&message) {
                return Taken::InHand;
            }
            if in_hand.len() >= TRIES_AT_ONCE {
                return Taken::Full;
            }
            in_hand.insert(message);
        }
        let again_ms = shared.ports.clock.unix_ms().saturating_add(AGAIN_MS);
        let message = InHand {
            people: self.clone(),
            slot,
            place,
            trust,
            again_ms: Some(again_ms),
        };
        self.spawn(deliver(message, tries));
        Taken::InHand
    }

    /// The rows that go with a message that is listed no longer.
    pub(crate) fn discarded(&self, slot: Slot, place: AgendaKey) -> Vec<RowKey> {
        let region = self.shared().placement.ownership.region();
        vec![
            part_row(region, slot, place),
            RowKey::undelivered(region, slot, &place.user, place.number),
        ]
    }
}

/// Tries a message once, and writes down what came of it.
async fn deliver(mut message: InHand, tries: u16) {
    match try_once(&mut message, tries).await {
        Ok(()) => {}
        // It lies where it lay, and is looked at again.
        Err(error) => tracing::debug!(event = "outbox.not_settled", %error),
    }
}

async fn try_once(message: &mut InHand, tries: u16) -> Result<(), StoreError> {
    let people = message.people.clone();
    let shared = people.shared();
    let wanted = Wanted::One(message.id());
    let parts = people.parts(message.user(), wanted).await;
    let parts = parts.map_err(|_| StoreError::Unavailable)?;
    let Some(Part { plain, .. }) = parts.into_iter().next() else {
        // Whose it was is gone, or it left before and its row stayed.
        let commit = message.fenced()?.delete(message.row());
        return settle(message, commit, None).await;
    };
    let now_ms = shared.ports.clock.unix_ms();
    let Ok(outgoing) = Outgoing::decode(&plain) else {
        return give_up(message, tries, UndeliveredReason::Unreadable).await;
    };
    if now_ms >= outgoing.until_ms() && message.trust == Trust::Believed {
        return give_up(message, tries, UndeliveredReason::Late).await;
    }
    let destination = outgoing.destination().to_owned();
    let monotonic_ms = shared.ports.clock.monotonic_ms();
    let breakers = &shared.upkeep.outbox.breakers;
    if let Passage::Open { for_ms } = breakers.pass(&destination, monotonic_ms, TRY_MS) {
        // Not together with all the others that wait for it.
        let again_ms = for_ms.saturating_add(back_off_ms(0, shared.ports.entropy.seed()));
        return put_off(message, &outgoing, tries, now_ms.saturating_add(again_ms)).await;
    }
    match people
        .send(message.user(), message.place.number, &outgoing)
        .await
    {
        Tried::Delivered => {
            breakers.answered(&destination);
            let commit = message
                .fenced()?
                .delete(message.row())
                .delete(message.part_row());
            settle(message, commit, None).await
        }
        Tried::Refused => {
            breakers.answered(&destination);
            give_up(message, tries, UndeliveredReason::Refused).await
        }
        Tried::Failed => {
            breakers.failed(&destination, shared.ports.clock.monotonic_ms());
            let wait_ms = back_off_ms(tries, shared.ports.entropy.seed());
            let again_ms = shared.ports.clock.unix_ms().saturating_add(wait_ms);
            put_off(message, &outgoing, tries.saturating_add(1), again_ms).await
        }
    }
}

/// Moves the row to when the message is tried next; at the latest to when it is
/// worth nothing any more.
async fn put_off(
    message: &mut InHand,
    outgoing: &Outgoing,
    tries: u16,
    again_ms: u64,
) -> Result<(), StoreError> {
    let now_ms = message.people.shared().ports.clock.unix_ms();
    let due_ms = match outgoing.until_ms() {
        until_ms if until_ms > now_ms => again_ms.min(until_ms),
        _ => again_ms,
    };
    let next = AgendaKey {
        due_ms,
        ..message.place
    };
    let region = message.people.shared().placement.ownership.region();
    let commit = message
        .fenced()?
        .delete(message.row())
        .put(next.key(region, message.slot), row(tries));
    settle(message, commit, Some(due_ms)).await
}

/// Lists the message as undelivered. It stays readable for as long as it is listed.
async fn give_up(
    message: &mut InHand,
    tries: u16,
    reason: UndeliveredReason,
) -> Result<(), StoreError> {
    let shared = message.people.shared();
    let (region, slot) = (shared.placement.ownership.region(), message.slot);
    let now_ms = shared.ports.clock.unix_ms();
    let due_ms = now_ms.saturating_add(LISTED_MS);
    let AgendaKey { user, number, .. } = message.place;
    let discard = AgendaKey {
        due_ms,
        what: Due::Discard.number(),
        ..message.place
    };
    let listed = RowKey::undelivered(region, slot, &user, number);
    let commit = message
        .fenced()?
        .delete(message.row())
        .put(listed, listing::encode(reason, tries, now_ms))
        .put(discard.key(region, slot), crate::agenda::ROW);
    let reason = reason.name();
    tracing::warn!(event = "outbox.undelivered", user = %message.user(), tries, reason);
    settle(message, commit, Some(due_ms)).await
}

async fn settle(
    message: &mut InHand,
    commit: Commit,
    due_ms: Option<u64>,
) -> Result<(), StoreError> {
    let store = std::sync::Arc::clone(&message.people.shared().ports.store);
    store.commit(commit).await?;
    message.again_ms = due_ms;
    Ok(())
}
