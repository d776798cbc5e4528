//! Flows: which account a step is about, and the sealed state that a browser
//! holds between two steps. What is shown is judged by the account, or by the
//! decoy in the place of one.

mod answering;
mod beginning;
mod join;
mod opened;

use tidegate_account::{CredentialReply, DegradedReply, FlowReply, Refusal, Reply};

use self::join::Joining;
use crate::answer::{Answer, Failure, Responder};
use crate::request::Given;

/// From this active version on records hold what is durable of flows.
const FLOWS_SINCE: u16 = 4;

/// Why a step goes no further.
enum Stopped {
    Failed(Failure),
    No(Refusal),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Stopped {
        Stopped::Failed(failure)
    }
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Stopped {
        Stopped::No(refusal)
    }
}

impl From<Stopped> for Answer {
    fn from(stopped: Stopped) -> Answer {
        match stopped {
            Stopped::Failed(failure) => Answer::Failed(failure),
            Stopped::No(refusal) => no(refusal),
        }
    }
}

/// What secret was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SecretKind {
    Password,
    Code,
    Nothing,
}

impl Given {
    fn secret(&self) -> SecretKind {
        match self {
            Given::Password(_) => SecretKind::Password,
            Given::EmailCode(_) | Given::Totp(_) | Given::RecoveryCode(_) => SecretKind::Code,
            Given::Passkey(_) | Given::NewPasskey { .. } | Given::SendEmailCode => {
                SecretKind::Nothing
            }
        }
    }
}

/// What an account's answer may lead to.
struct Follows {
    /// The account that is made of an address that none holds.
    joining: Option<Joining>,
    /// What is said to be wrong.
    shown: SecretKind,
}

impl Follows {
    fn nothing() -> Follows {
        Follows {
            joining: None,
            shown: SecretKind::Nothing,
        }
    }
}

/// Says everything as an answer to a step of a flow, and goes on where an account is
/// to be made.
fn of_flow(responder: Responder, follows: Follows) -> Responder {
    Responder::new(move |answer, epoch| {
        let reply = match answer {
            Answer::Reply(reply)
            | Answer::DegradedDecision {
                reply: DegradedReply::Durable(reply),
                ..
            } => reply,
            Answer::DegradedDecision {
                reply: DegradedReply::No(refusal),
                ..
            } => Reply::No(refusal),
            // No session of a flow is provisional: it would take no step.
            Answer::DegradedDecision { .. } => {
                return responder.answer(Answer::Failed(Failure::Unavailable), epoch);
            }
            answer @ (Answer::Checked(_) | Answer::Done | Answer::Failed(_)) => {
                return responder.answer(answer, epoch);
            }
        };
        let reply = match reply {
            Reply::Credential(CredentialReply::SignedIn(grant)) => {
                Reply::Flow(FlowReply::Granted(grant))
            }
            Reply::Flow(FlowReply::Proven) => {
                return match follows.joining {
                    Some(joining) => joining.go(responder),
                    None => responder.answer(Answer::Failed(Failure::Unknown), epoch),
                };
            }
            // What is kept for a repeat does not say what was wrong.
            Reply::No(Refusal::InvalidCredentials) if follows.shown == SecretKind::Code => {
                Reply::No(Refusal::InvalidCode)
            }
            reply @ (Reply::Flow(FlowReply::Step(_) | FlowReply::Granted(_))
            | Reply::Credential(
                CredentialReply::SignedUp(_)
                | CredentialReply::Listed(_)
                | CredentialReply::Removed(_),
            )
            | Reply::Identifier(_)
            | Reply::Lifecycle(_)
            | Reply::Session(_)
            | Reply::No(_)) => reply,
        };
        responder.answer(Answer::Reply(reply), epoch);
    })
}

fn no(refusal: Refusal) -> Answer {
    Answer::Reply(Reply::No(refusal))
}
