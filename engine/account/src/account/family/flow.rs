//! Signing up, in and recovering step by step.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::{Away, HoldOutcome};
use crate::account::authority::Authority;
use crate::account::{Account, Step};
use crate::assurance::{Method, Proofs};
use crate::command::{ClaimedIdentifier, DeviceProof, Remember, Request, SessionProof, Source};
use crate::continuation::Continuation;
use crate::credential::code::Code;
use crate::credential::held::PasskeyName;
use crate::credential::passkey::{AuthenticationResponse, RegistrationResponse};
use crate::credential::recovery::RecoveryCode;
use crate::password::Password;
use crate::record::v1::Outcome;
use crate::reply::Grant;
use crate::secret::Secret;

/// Signing up, in and recovering step by step.
#[derive(Clone, Debug)]
pub enum FlowCommand {
    /// Say what may be shown.
    Begin(Box<FlowBegin>),
    /// Take what was shown.
    Answer(Box<FlowAnswer>),
    /// Make the account of an address that a flow proved.
    Join(Box<FlowJoin>),
}

/// The keys of a tenant's flows, which all of its nodes have.
#[derive(Clone, Debug)]
pub struct FlowKeys {
    /// That of continuations.
    pub seal: Secret<32>,
    /// That of the hashes of codes.
    pub codes: Secret<32>,
}

/// What every step of a flow has.
#[derive(Clone, Debug)]
pub struct FlowContext {
    /// Where the flow is.
    pub continuation: Continuation,
    /// The identifier that it began with; none where a passkey says who is there, or
    /// a session.
    pub identifier: Option<ClaimedIdentifier>,
    /// The language of what is sent: a tag (RFC 5646), or empty.
    pub language: String,
    /// The keys.
    pub keys: FlowKeys,
    /// What must be loaded of the account.
    pub parts: PartsWanted,
}

/// Which parts of an account a step of a flow needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartsWanted {
    /// None.
    Nothing,
    /// Its passkeys.
    Passkeys,
}

/// The beginning of a flow.
#[derive(Clone, Debug)]
pub struct FlowBegin {
    /// Its state, of which nothing is proven.
    pub context: FlowContext,
    /// The session that it is about, where it is about one.
    pub by: Option<SessionProof>,
    /// What is held against where it comes from, when something is to be sent.
    pub source: Source,
}

/// An answer in a flow.
#[derive(Clone, Debug)]
pub struct FlowAnswer {
    /// Where the flow is.
    pub context: FlowContext,
    /// What is answered.
    pub answered: Answered,
    /// The device token, when the device has one.
    pub device: Option<DeviceProof>,
    /// Whether to make one when it has none.
    pub remember: Remember,
}

/// What is answered in a flow.
#[derive(Clone, Debug)]
pub enum Answered {
    /// A password: the account's, or what becomes it.
    Password {
        /// It.
        password: Password,
        /// What is held against where it comes from.
        source: Source,
    },
    /// Nothing yet: send a code, or another.
    SendCode(Source),
    /// The code that was sent.
    Code(Code),
    /// A passkey, shown.
    Passkey(Box<AuthenticationResponse>),
    /// A passkey, made.
    NewPasskey {
        /// What its authenticator says.
        response: Box<RegistrationResponse>,
        /// What its person calls it.
        name: PasskeyName,
    },
    /// The code of an authenticator app: one of the account's, or a new one.
    Totp(Code),
    /// A recovery code: one of the account's, or of a new list.
    RecoveryCode(RecoveryCode),
}

/// An account for an address that a flow proved.
#[derive(Clone, Debug)]
pub struct FlowJoin {
    /// The address, which becomes the account's alone.
    pub identifier: ClaimedIdentifier,
    /// What was proven.
    pub proofs: Proofs,
    /// Whether to make a device token.
    pub remember: Remember,
}

/// The answer to a step of a flow.
#[derive(Clone, Debug)]
pub enum FlowReply {
    /// It goes on.
    Step(FlowStep),
    /// It is over, and the person is in.
    Granted(Grant),
    /// The address was shown, and no account holds it: one can be made.
    Proven,
}

/// What may be shown next.
#[derive(Clone)]
pub struct FlowStep {
    /// The sealed state of the flow.
    pub continuation: Zeroizing<String>,
    /// What may be answered, in the order in which it is offered.
    pub next: Vec<Next>,
}

impl fmt::Debug for FlowStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowStep({:?})", self.next)
    }
}

/// One thing that may be answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Next {
    /// A secret of this method.
    Secret(Method),
    /// A code that is sent.
    Code {
        /// By which method.
        method: Method,
        /// Whether it was.
        sent: CodeSent,
    },
    /// A passkey, by these options as JSON.
    Passkey(Zeroizing<String>),
    /// What becomes the account's.
    New {
        /// Of which method.
        method: Method,
        /// What is needed for it, as JSON; may be empty. Secrets are in it.
        options: Zeroizing<String>,
    },
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Next::Secret(method) => write!(f, "Secret({method:?})"),
            Next::Code { method, sent } => write!(f, "Code({method:?}, {sent:?})"),
            Next::Passkey(_) => f.write_str("Passkey(..)"),
            Next::New { method, .. } => write!(f, "New({method:?}, ..)"),
        }
    }
}

/// Whether a code was sent, and for how long none is sent again, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSent {
    /// One was, and is waited for.
    Sent {
        /// Until another is sent.
        again_ms: u64,
    },
    /// None was that is good for anything.
    NotYet {
        /// Until one is sent.
        wait_ms: u64,
    },
}

impl FlowBegin {
    /// Whether it names nobody: no identifier, and no session.
    #[must_use]
    pub fn is_nobodys(&self) -> bool {
        self.by.is_none() && self.context.identifier.is_none()
    }
}

impl FlowCommand {
    pub(super) fn authority(&self) -> Authority<'_> {
        match self {
            FlowCommand::Begin(begin) => begin
                .by
                .as_ref()
                .map_or(Authority::Nobody, Authority::Session),
            FlowCommand::Answer(_) | FlowCommand::Join(_) => Authority::Nobody,
        }
    }

    pub(super) fn away(&self) -> Away {
        match self {
            FlowCommand::Begin(_) | FlowCommand::Answer(_) | FlowCommand::Join(_) => {
                Away::Unavailable
            }
        }
    }
}

impl FlowReply {
    pub(super) fn grant(&self) -> Option<&Grant> {
        match self {
            FlowReply::Granted(grant) => Some(grant),
            FlowReply::Step(_) | FlowReply::Proven => None,
        }
    }

    pub(super) fn hold(&self) -> HoldOutcome {
        match self {
            // Where the flow was to make an account, it is made.
            FlowReply::Granted(_) => HoldOutcome::Held,
            FlowReply::Step(_) | FlowReply::Proven => HoldOutcome::Unrelated,
        }
    }

    /// A step is made anew, unless it was taken.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            FlowReply::Granted(grant) => Some(Outcome::SignedIn(grant.to_row())),
            // Only a decoy says so, and no account is made there.
            FlowReply::Proven => Some(Outcome::SignedUp),
            FlowReply::Step(_) => None,
        }
    }
}

impl Account {
    pub(super) fn flow(&mut self, request: Request, command: FlowCommand, step: &mut Step<'_>) {
        match command {
            FlowCommand::Begin(begin) => {
                let reply = self.begin_flow(&request, &begin, step);
                self.settle(&request, reply, step);
            }
            FlowCommand::Answer(answer) => self.answer_flow(request, *answer, step),
            FlowCommand::Join(join) => {
                let reply = self.join(&request, *join, step);
                self.settle(&request, reply, step);
            }
        }
    }
}
