//! From the engine's answers to frames.

pub(crate) mod frame;

use bytes::BytesMut;
use tidegate_account::{DegradedReply, Refusal, Reply};
use tidegate_runtime::{Answer, Failure, Outcome};
use tidegate_storage_api::Region;
use tidegate_wire::{Code, ReplyHead, Text, encode_refusal, encode_reply, v1};

use crate::operation::{credential, flow, identifier, lifecycle, session};
use crate::operator::{OperatorError, OrderOutcome};
use frame::{aged, head, refuse, refuse_until, say, spread, yes};

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
        Reply::Credential(reply) => credential::write(out, head, &reply),
        Reply::Flow(reply) => flow::write(out, head, &reply),
        Reply::Identifier(reply) => identifier::write(out, head, reply),
        Reply::Lifecycle(reply) => lifecycle::write(out, head, reply),
        Reply::Session(reply) => session::write(out, head, &reply),
        // A turn in the line of the hashing: nobody else was given it.
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
        Refusal::InvalidCode => (Code::InvalidCode, 0),
        Refusal::FlowOver => (Code::FlowOver, 0),
        Refusal::InvalidPasskey => (Code::InvalidPasskey, 0),
        Refusal::SecondFactorNeeded => (Code::SecondFactorNeeded, 0),
        Refusal::LastCredential => (Code::LastCredential, 0),
        Refusal::Busy { retry_after_ms } => (Code::Busy, retry_after_ms.max(RETRY_AFTER_MS)),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_account::SessionReply;

    use super::*;

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
