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
mod pauses;
mod sending;
mod settling;
mod tries;

use bytes::Bytes;
use tidegate_account::{Outgoing, UserId};
use tidegate_storage_api::{AgendaKey, Key as RowKey, Slot, StoreError};

pub use listing::{ToLeave, Undelivered, UndeliveredReason};
pub(crate) use tries::{Outbox, row};

use crate::agenda::{AGAIN_MS, NEWER_MS};
use crate::breakers::Passage;
use crate::date::Trust;
use crate::people::People;
use crate::placement::Standing;
use answered::Verdict;
use in_hand::{End, InHand, part_row};
use lanes::Wait;
use loading::Found;
use pauses::{back_off_ms, behind_breaker_ms};
use sending::{TRY_MS, Tried};
use settling::{STALE_MS, give_up, put_off, remove, write_down};
use tries::tries_of;

/// Messages that are tried at once by a node.
const TRIES_AT_ONCE: usize = 256;
/// So often is tried to open a message whose person's key does not open: for most of
/// a day, in which this node may learn of a newer key of the tenant's.
const LOCKED_TRIES_MAX: u16 = 32;

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

impl People {
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
            shared.upkeep.outbox.is_newer();
            return Taken::Newer;
        };
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
        let region = self.shared().placement.ownership.region();
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
    let people = message.people.clone();
    let shared = people.shared();
    let number = message.place.number;
    let (ports, tenants) = (&shared.ports, &shared.settings.tenants);
    let (found, key) = loading::load(ports, tenants, message.home(), number).await?;
    message.key = key;
    match found {
        Found::Message(outgoing) => match shared.upkeep.outbox.answered.of(message.message()) {
            Some(verdict) => write_down(message, verdict).await,
            None => send(message, &outgoing).await,
        },
        Found::Gone => remove(message).await,
        Found::Newer => {
            shared.upkeep.outbox.is_newer();
            message.lies(NEWER_MS);
            Ok(())
        }
        Found::Unreadable => give_up(message, UndeliveredReason::Unreadable).await,
        Found::Locked if message.tries >= LOCKED_TRIES_MAX => {
            give_up(message, UndeliveredReason::Unreadable).await
        }
        Found::Locked => {
            let wait_ms = back_off_ms(message.tries, shared.ports.entropy.seed());
            put_off(message, u64::MAX, message.tries.saturating_add(1), wait_ms).await
        }
    }
}

/// Sends a message, if its destination may be asked and it is not too late.
async fn send(message: &mut InHand, outgoing: &Outgoing) -> Result<(), StoreError> {
    let people = message.people.clone();
    let shared = people.shared();
    let (until_ms, destination) = (outgoing.until_ms(), outgoing.destination());
    if shared.ports.clock.unix_ms() >= until_ms && message.trust == Trust::Believed {
        return give_up(message, UndeliveredReason::Late).await;
    }
    may_send(message)?;
    let seat = match shared.upkeep.outbox.lanes.seat(destination) {
        Ok(seat) => seat,
        Err(Wait(wait_ms)) => return put_off(message, until_ms, message.tries, wait_ms).await,
    };
    let breakers = &shared.upkeep.outbox.breakers;
    let now_ms = shared.ports.clock.monotonic_ms();
    if let Passage::Open { for_ms, failing_ms } = breakers.pass(destination, now_ms, TRY_MS) {
        drop(seat);
        let worth_ms = until_ms.saturating_sub(shared.ports.clock.unix_ms());
        let behind_ms = behind_breaker_ms(failing_ms, worth_ms, shared.ports.entropy.seed());
        let wait_ms = for_ms.saturating_add(behind_ms);
        return put_off(message, until_ms, message.tries, wait_ms).await;
    }
    let tried = people
        .send(message.user(), message.place.number, outgoing)
        .await;
    drop(seat);
    let verdict = match tried {
        Tried::Delivered => Verdict::Delivered,
        Tried::Refused => Verdict::Refused,
        Tried::Failed => {
            breakers.failed(destination, shared.ports.clock.monotonic_ms());
            let wait_ms = back_off_ms(message.tries, shared.ports.entropy.seed());
            let tries = message.tries.saturating_add(1);
            return put_off(message, until_ms, tries, wait_ms).await;
        }
    };
    breakers.answered(destination);
    let answered = &shared.upkeep.outbox.answered;
    answered.note(message.message(), message.epoch, verdict);
    write_down(message, verdict).await
}

/// Nothing is sent by a node that could not write it down.
fn may_send(message: &InHand) -> Result<(), StoreError> {
    let shared = message.people.shared();
    let placement = &shared.placement;
    let is_ours = |(user, _): ([u8; 16], u64), epoch| {
        placement.ownership.epoch_of(UserId::from_bytes(user)) == Some(epoch)
    };
    match placement.standing_to_change(message.user(), message.epoch) {
        Standing::NotOwner => Err(StoreError::Fenced),
        Standing::CutOff { .. } => Err(StoreError::Unavailable),
        Standing::Owner if shared.upkeep.outbox.answered.is_full(is_ours) => {
            Err(StoreError::Unavailable)
        }
        Standing::Owner => Ok(()),
    }
}
