//! Writing down what came of the work on a message: its row on the agenda is moved
//! or removed, or the message is listed.

use std::sync::Arc;

use tidegate_account::Due;
use tidegate_storage_api::{AgendaKey, Commit, Key as RowKey, StoreError};

use super::answered::Verdict;
use super::in_hand::{End, InHand};
use super::listing::{self, UndeliveredReason};
use super::tries::row;

/// After so long a row that another pass has moved is looked for again.
pub(super) const STALE_MS: u64 = 1_000;
/// For so long what could not be delivered stays listed.
const LISTED_MS: u64 = 30 * 86_400_000;

pub(super) async fn write_down(message: &mut InHand, verdict: Verdict) -> Result<(), StoreError> {
    match verdict {
        Verdict::Delivered => remove(message).await,
        Verdict::Refused => give_up(message, UndeliveredReason::Refused).await,
    }
}

/// Nothing of it stays.
pub(super) async fn remove(message: &mut InHand) -> Result<(), StoreError> {
    let commit = message.fenced();
    let commit = commit.delete(message.row()).delete(message.part_row());
    settle(message, commit, End::Gone).await
}

/// Moves the row to when the message is tried next; at the latest to when it is
/// worth nothing any more.
pub(super) async fn put_off(
    message: &mut InHand,
    until_ms: u64,
    tries: u16,
    wait_ms: u64,
) -> Result<(), StoreError> {
    let now_ms = message.people.shared().ports.clock.unix_ms();
    let again_ms = now_ms.saturating_add(wait_ms);
    let due_ms = match until_ms {
        until_ms if until_ms > now_ms => again_ms.min(until_ms),
        _ => again_ms,
    };
    let next = AgendaKey {
        due_ms,
        ..message.place
    };
    let region = message.people.shared().placement.ownership.region();
    let commit = message
        .fenced()
        .delete(message.row())
        .put(next.key(region, message.slot), row(tries));
    settle(message, commit, End::Moved { due_ms }).await
}

/// Lists the message as undelivered. It stays readable for as long as it is listed.
pub(super) async fn give_up(
    message: &mut InHand,
    reason: UndeliveredReason,
) -> Result<(), StoreError> {
    let shared = message.people.shared();
    let (region, slot) = (shared.placement.ownership.region(), message.slot);
    let (now_ms, tries) = (shared.ports.clock.unix_ms(), message.tries);
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
    let store = Arc::clone(&message.people.shared().ports.store);
    match store.commit(commit).await {
        Ok(_) => {
            let shared = message.people.shared();
            shared.upkeep.outbox.answered.forget(message.message());
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
