//! From the engine's answers to frames.

use bytes::BytesMut;
use tidegate_account::{
    CredentialReply, DegradedReply, IdentifierReply, LifecycleReply, Refusal, Reply, SessionReply,
};
use tidegate_runtime::{Answer, Failure, Outcome};
use tidegate_storage_api::Region;
use tidegate_wire::{
    Body, Code, Kind, MESSAGE_VERSION, ReplyHead, Text, encode_refusal, encode_reply, v1,
};

use crate::operation::{credential, identifier, lifecycle, session};
use crate::operator::{OperatorError, OrderOutcome};

/// What a client is told to wait when nothing better is known.
const RETRY_AFTER_MS: u32 = 250;
/// The same after a revocation that is not durable yet.
const ENDED_RETRY_AFTER_MS: u32 = 1_000;

/// Appends the frame of an answer. A yes about an account says how long the
/// node's commits take.
pub(crate) fn write(
    out: &mut BytesMut,
    correlation: u64,
    answer: Answer,
    epoch: u64,
    commits_ms: u32,
) {
    match answer {
        Answer::Checked(outcome) => write_check(out, correlation, outcome, epoch),
        Answer::Reply(reply) => write_account(out, correlation, reply, (epoch, commits_ms)),
        Answer::DegradedDecision { reply, age_ms } => {
            write_degraded(out, correlation, reply, age_ms, epoch)
        }
        Answer::Failed(failure) => {
            let (code, retry_after_ms) = match failure {
                Failure::Busy { retry_after_ms, .. } => (Code::Busy, retry_after_ms),
                Failure::DeadlineExceeded => (Code::DeadlineExceeded, 0),
                Failure::Unavailable => (Code::Unavailable, RETRY_AFTER_MS),
                Failure::NotOwner(slot) => return elsewhere(out, correlation, slot, None),
                Failure::WrongRegion(region) => return abroad(out, correlation, region),
                Failure::UnknownTenant => (Code::NotPermitted, 0),
                Failure::Corrupt => (Code::Corrupt, 0),
                Failure::Unknown => (Code::Unknown, RETRY_AFTER_MS),
            };
            refuse(out, correlation, code, retry_after_ms, epoch);
        }
        // Only the engine's own work ends like this, and no client asks for it.
        Answer::Done => refuse(out, correlation, Code::Unknown, 0, epoch),
    }
}

/// Appends the frame of a check's outcome.
pub(crate) fn write_check(out: &mut BytesMut, correlation: u64, outcome: Outcome, epoch: u64) {
    match outcome {
        Outcome::Yes(checked) => yes(out, correlation, epoch, &session::checked(&checked)),
        Outcome::Degraded(checked, age_ms) => {
            let head = aged(head(correlation, Code::Degraded, epoch), age_ms);
            say(out, &head, &session::checked(&checked));
        }
        Outcome::No(refusal) => {
            let (code, retry_after_ms) = code_of(refusal);
            refuse(out, correlation, code, retry_after_ms, epoch);
        }
        Outcome::Corrupt => refuse(out, correlation, Code::Corrupt, 0, epoch),
    }
}

/// Appends what is said while the store is out of reach.
fn write_degraded(
    out: &mut BytesMut,
    correlation: u64,
    reply: DegradedReply,
    age_ms: u64,
    epoch: u64,
) {
    let head = |code| aged(head(correlation, code, epoch), age_ms);
    match reply {
        DegradedReply::Refreshed(grant) => {
            say(out, &head(Code::Degraded), &credential::granted(&grant))
        }
        DegradedReply::Provisional(grant) => {
            say(out, &head(Code::Provisional), &credential::granted(&grant));
        }
        DegradedReply::Ended(count) => {
            let head = ReplyHead {
                retry_after_ms: spread(ENDED_RETRY_AFTER_MS, correlation),
                ..head(Code::AcceptedNotDurable)
            };
            say(out, &head, &session::revoked(count));
        }
        DegradedReply::Durable(reply) => write_account(out, correlation, reply, (epoch, 0)),
        DegradedReply::No(refusal) => {
            write_account(out, correlation, Reply::No(refusal), (epoch, 0));
        }
        DegradedReply::Unsaid | DegradedReply::Unavailable => {
            refuse(out, correlation, Code::Unavailable, RETRY_AFTER_MS, epoch);
        }
    }
}

fn write_account(
    out: &mut BytesMut,
    correlation: u64,
    reply: Reply,
    (epoch, commits_ms): (u64, u32),
) {
    let head = ReplyHead {
        retry_after_ms: commits_ms,
        ..head(correlation, Code::Ok, epoch)
    };
    let head = &head;
    match reply {
        Reply::Credential(CredentialReply::SignedUp(user)) => {
            say(out, head, &credential::signed_up(user))
        }
        Reply::Credential(CredentialReply::SignedIn(grant))
        | Reply::Session(SessionReply::Refreshed(grant)) => {
            say(out, head, &credential::granted(&grant));
        }
        Reply::Session(SessionReply::Sessions(sessions)) => {
            say(out, head, &session::list(&sessions))
        }
        Reply::Session(SessionReply::Revoked(count)) => say(out, head, &session::revoked(count)),
        Reply::Lifecycle(LifecycleReply::StatusSet(status)) => {
            say(out, head, &lifecycle::status_set(status))
        }
        Reply::Lifecycle(LifecycleReply::Erased(at)) => say(out, head, &lifecycle::erased(at)),
        Reply::Identifier(IdentifierReply::Claimed(until)) => {
            say(out, head, &identifier::claimed(until))
        }
        Reply::Identifier(IdentifierReply::Verified(shown)) => {
            say(out, head, &identifier::verified(shown))
        }
        // A turn in the line of the hashing: no other request was given it.
        Reply::No(Refusal::Busy { retry_after_ms }) if retry_after_ms > 0 => {
            refuse_until(out, correlation, Code::Busy, retry_after_ms, epoch);
        }
        Reply::No(refusal) => {
            let (code, retry_after_ms) = code_of(refusal);
            refuse(out, correlation, code, retry_after_ms, epoch);
        }
    }
}

/// Says which region is the right one.
fn abroad(out: &mut BytesMut, correlation: u64, region: Region) {
    let region = region.number();
    let head = head(correlation, Code::WrongRegion, 0);
    say(out, &head, &v1::Elsewhere { region });
}

/// Says that a slot is another's, and whose, when that is known.
pub(crate) fn elsewhere(out: &mut BytesMut, correlation: u64, slot: u16, address: Option<String>) {
    // A redirected client goes on at once; any other tries again.
    let retry_after_ms = match address {
        Some(_) => 0,
        None => spread(RETRY_AFTER_MS, correlation),
    };
    let head = ReplyHead {
        retry_after_ms,
        ..head(correlation, Code::NotOwner, 0)
    };
    let address = address.unwrap_or_default();
    if encode_reply(out, &head, &v1::Redirect { slot, address }).is_err() {
        encode_refusal(out, &head);
    }
}

/// Appends the outcome of an operator's order.
pub(crate) fn write_order_outcome(
    out: &mut BytesMut,
    correlation: u64,
    said: Result<OrderOutcome, OperatorError>,
) {
    let (outcome, answer) = match said {
        Ok(OrderOutcome::Done(value)) => (v1::OrderOutcome::Done, value),
        Ok(OrderOutcome::No { code, message }) => (
            v1::OrderOutcome::Refused,
            serde_json::json!({ "code": code, "message": message }),
        ),
        Err(error) => {
            tracing::error!(event = "operator.failed", %error);
            return refuse(out, correlation, Code::Unknown, 0, 0);
        }
    };
    let (outcome, answer) = (outcome.number(), Text(answer.to_string()));
    yes(out, correlation, 0, &v1::Operated { outcome, answer });
}

/// Appends a frame without a body. A crowd that is told to come again is
/// spread: each waits up to twice as long as it must, by its correlation id.
pub(crate) fn refuse(
    out: &mut BytesMut,
    correlation: u64,
    code: Code,
    retry_after_ms: u32,
    epoch: u64,
) {
    let retry_after_ms = match code.kind() {
        Kind::Later | Kind::Unknown => spread(retry_after_ms, correlation),
        // What a person is told is exact.
        Kind::Yes | Kind::No | Kind::Fault => retry_after_ms,
    };
    refuse_until(out, correlation, code, retry_after_ms, epoch);
}

/// The same, with exactly this time to come again.
fn refuse_until(out: &mut BytesMut, correlation: u64, code: Code, retry_after_ms: u32, epoch: u64) {
    let head = ReplyHead {
        retry_after_ms,
        ..head(correlation, code, epoch)
    };
    encode_refusal(out, &head);
}

fn spread(ms: u32, correlation: u64) -> u32 {
    let hash = correlation.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let share = (u64::from(ms) * hash) >> 32;
    ms.saturating_add(u32::try_from(share).unwrap_or(ms))
}

/// Appends the frame of a yes.
pub(crate) fn yes(out: &mut BytesMut, correlation: u64, epoch: u64, body: &impl Body) {
    say(out, &head(correlation, Code::Ok, epoch), body);
}

fn say(out: &mut BytesMut, head: &ReplyHead, body: &impl Body) {
    if encode_reply(out, head, body).is_err() {
        // Every list in a reply has a limit below the frame's, so this is a bug.
        tracing::error!(event = "reply.too_large");
        refuse(out, head.correlation, Code::Unknown, 0, head.epoch);
    }
}

fn aged(head: ReplyHead, age_ms: u64) -> ReplyHead {
    let age_ms = u32::try_from(age_ms).unwrap_or(u32::MAX);
    ReplyHead { age_ms, ..head }
}

fn head(correlation: u64, code: Code, epoch: u64) -> ReplyHead {
    ReplyHead {
        version: MESSAGE_VERSION,
        code: code as u16,
        correlation,
        epoch,
        age_ms: 0,
        retry_after_ms: 0,
    }
}

fn code_of(refusal: Refusal) -> (Code, u32) {
    match refusal {
        Refusal::InvalidCredentials => (Code::InvalidCredentials, 0),
        Refusal::InvalidToken => (Code::InvalidToken, 0),
        Refusal::SessionExpired => (Code::SessionExpired, 0),
        Refusal::RefreshReused => (Code::RefreshReused, 0),
        Refusal::Throttled { retry_after_ms } => (
            Code::Throttled,
            u32::try_from(retry_after_ms).unwrap_or(u32::MAX),
        ),
        Refusal::AccountLocked => (Code::AccountLocked, 0),
        Refusal::AccountSuspended => (Code::AccountSuspended, 0),
        Refusal::IdentifierTaken => (Code::IdentifierTaken, 0),
        Refusal::InvalidIdentifier => (Code::InvalidIdentifier, 0),
        Refusal::PasswordTooShort => (Code::PasswordTooShort, 0),
        Refusal::IdempotencyReused => (Code::IdempotencyReused, 0),
        Refusal::StatusConflict => (Code::StatusConflict, 0),
        Refusal::UnknownAccount => (Code::UnknownAccount, 0),
        Refusal::ClaimExpired => (Code::ClaimExpired, 0),
        Refusal::LimitReached => (Code::LimitReached, 0),
        Refusal::StaleSignIn => (Code::StaleSignIn, 0),
        Refusal::Busy { retry_after_ms } => (Code::Busy, retry_after_ms.max(RETRY_AFTER_MS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_spread_over_once_to_twice_what_each_must_wait() {
        let waits: Vec<u32> = (0..10_000)
            .map(|correlation| spread(250, correlation))
            .collect();
        assert!(waits.iter().all(|ms| (250..500).contains(ms)));
        for quarter in 0..4 {
            let from = 250 + quarter * 62;
            let here = waits.iter().filter(|ms| (from..from + 62).contains(*ms));
            let share = here.count();
            assert!((2_200..2_800).contains(&share), "{quarter}: {share}");
        }
        assert_eq!(spread(0, 7), 0);
    }

    #[test]
    fn a_turn_is_told_as_it_was_given() {
        let told = |refusal: Refusal| {
            let mut out = BytesMut::new();
            write_account(&mut out, u64::MAX, Reply::No(refusal), (1, 7));
            let reply = tidegate_wire::decode_reply(&out).unwrap();
            (reply.code, reply.head.retry_after_ms)
        };
        let busy = |retry_after_ms| Refusal::Busy { retry_after_ms };
        assert_eq!(told(busy(1_234)), (Code::Busy, 1_234));
        // Nothing is known of the wait: spread as everywhere.
        assert!(told(busy(0)).1 > RETRY_AFTER_MS);
    }

    #[test]
    fn a_yes_says_how_long_commits_take_and_nothing_else_does() {
        let told = |answer: Answer| {
            let mut out = BytesMut::new();
            write(&mut out, 1, answer, 1, 1_800);
            let reply = tidegate_wire::decode_reply(&out).unwrap();
            (reply.code, reply.head.retry_after_ms)
        };
        assert_eq!(
            told(Answer::Reply(Reply::Session(SessionReply::Revoked(1)))),
            (Code::Ok, 1_800)
        );
        let no = Answer::Reply(Reply::No(Refusal::InvalidToken));
        assert_eq!(told(no), (Code::InvalidToken, 0));
        let corrupt = Answer::Failed(Failure::Corrupt);
        assert_eq!(told(corrupt), (Code::Corrupt, 0));
    }
}
