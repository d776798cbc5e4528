//! The families of operations, as the account knows them. A family's file has its
//! commands, its replies, and everything that is decided by which of them it is:
//! a new operation of a family touches no other file of the core but the one with
//! its rule.

mod credential;
mod flow;
mod identifier;
mod lifecycle;
mod session;

pub use credential::*;
pub use flow::*;
pub use identifier::*;
pub use lifecycle::*;
pub use session::*;

use super::authority::Authority;
use super::{Account, Step};
use crate::command::Request;
use crate::id::{SessionId, UserId};
use crate::record::v1::Outcome;
use crate::reply::{Grant, Refusal};

/// A command to one account: a variant for each family.
#[derive(Clone, Debug)]
pub enum Command {
    /// What people sign up and in with.
    Credential(CredentialCommand),
    /// What they do so with step by step.
    Flow(FlowCommand),
    /// Identifiers.
    Identifier(IdentifierCommand),
    /// The account's status, and its end.
    Lifecycle(LifecycleCommand),
    /// Sessions.
    Session(SessionCommand),
}

/// The answer to a command: a variant for each family, and no.
#[derive(Clone, Debug)]
pub enum Reply {
    /// To what people sign up and in with.
    Credential(CredentialReply),
    /// To a step of a flow.
    Flow(FlowReply),
    /// To a command about identifiers.
    Identifier(IdentifierReply),
    /// To one about the account's status, or its end.
    Lifecycle(LifecycleReply),
    /// To one about sessions.
    Session(SessionReply),
    /// No, and why.
    No(Refusal),
}

/// What can be done for a command while the store is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// Sessions end at once on this node, and durably later: safe however old the
    /// node's knowledge is.
    Ends,
    /// The refresh token of this session stays valid, where knowledge is young.
    Keeps(SessionId),
    /// A provisional session, where knowledge is young.
    Provisional,
    /// Nothing.
    Unavailable,
}

/// What a reply means for the identifiers that its command was to make the
/// account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldOutcome {
    /// They are the account's.
    Held,
    /// They are not, and will not be.
    GivenUp,
    /// The command was about none.
    Unrelated,
}

/// What an outcome was kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// An account.
    Account,
    /// The decoy in the place of one.
    Decoy,
}

impl Command {
    /// By whose authority it is to be carried out.
    #[must_use]
    pub fn authority(&self) -> Authority<'_> {
        match self {
            Command::Credential(command) => command.authority(),
            Command::Flow(command) => command.authority(),
            Command::Identifier(command) => command.authority(),
            Command::Lifecycle(command) => command.authority(),
            Command::Session(command) => command.authority(),
        }
    }

    /// What can be done for it while the store is out of reach.
    #[must_use]
    pub fn away(&self) -> Away {
        match self {
            Command::Credential(command) => command.away(),
            Command::Flow(command) => command.away(),
            Command::Identifier(_) | Command::Lifecycle(_) => Away::Unavailable,
            Command::Session(command) => command.away(),
        }
    }

    /// The session whose refresh token it replaces.
    #[must_use]
    pub fn refreshes(&self) -> Option<SessionId> {
        match self.away() {
            Away::Keeps(session) => Some(session),
            Away::Ends | Away::Provisional | Away::Unavailable => None,
        }
    }

    /// The refusal where there is no such account: administrators are told that
    /// it does not exist, the holder of a token that the token is not valid.
    #[must_use]
    pub fn no_account(&self) -> Refusal {
        match self.authority() {
            Authority::Administrator(_) => Refusal::UnknownAccount,
            Authority::Nobody | Authority::Session(_) | Authority::FreshSession(_) => {
                Refusal::InvalidToken
            }
        }
    }
}

impl Reply {
    /// The grant that it hands out.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Reply::Credential(reply) => reply.grant(),
            Reply::Flow(reply) => reply.grant(),
            Reply::Session(reply) => reply.grant(),
            Reply::Identifier(_) | Reply::Lifecycle(_) | Reply::No(_) => None,
        }
    }

    /// The grant of a refresh.
    #[must_use]
    pub fn refreshed(&self) -> Option<&Grant> {
        match self {
            Reply::Session(reply) => reply.grant(),
            Reply::Credential(_)
            | Reply::Flow(_)
            | Reply::Identifier(_)
            | Reply::Lifecycle(_)
            | Reply::No(_) => None,
        }
    }

    /// What it means for the identifiers that its command was to make the
    /// account's.
    #[must_use]
    pub fn hold(&self) -> HoldOutcome {
        match self {
            Reply::Credential(reply) => reply.hold(),
            Reply::Identifier(reply) => reply.hold(),
            Reply::Flow(reply) => reply.hold(),
            Reply::Lifecycle(_) | Reply::Session(_) => HoldOutcome::Unrelated,
            Reply::No(_) => HoldOutcome::GivenUp,
        }
    }

    /// Whether it tells deadlines of sessions, which must be durable then.
    pub(super) fn tells_deadlines(&self) -> bool {
        match self {
            Reply::Session(reply) => reply.tells_deadlines(),
            Reply::Credential(_)
            | Reply::Flow(_)
            | Reply::Identifier(_)
            | Reply::Lifecycle(_)
            | Reply::No(_) => false,
        }
    }

    /// Whether it is kept for a repeat of its request.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.outcome().is_some()
    }

    /// What is kept of it for a repeat.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            Reply::Credential(reply) => reply.outcome(),
            Reply::Flow(reply) => reply.outcome(),
            Reply::Identifier(reply) => Some(reply.outcome()),
            Reply::Lifecycle(reply) => reply.outcome(),
            Reply::Session(reply) => reply.outcome(),
            Reply::No(refusal) => refusal.outcome(),
        }
    }

    /// The reply of which this was kept.
    pub(super) fn from_outcome(outcome: Outcome, user: UserId, at: Presence) -> Reply {
        match outcome {
            Outcome::SignedUp if at == Presence::Decoy => Reply::Flow(FlowReply::Proven),
            Outcome::SignedUp => Reply::Credential(CredentialReply::SignedUp(user)),
            Outcome::SignedIn(row) => {
                Reply::Credential(CredentialReply::SignedIn(Grant::from_row(row, user)))
            }
            Outcome::InvalidCredentials => Reply::No(Refusal::InvalidCredentials),
            Outcome::Revoked(count) => Reply::Session(SessionReply::Revoked(count)),
            Outcome::StatusSet(status) => {
                Reply::Lifecycle(LifecycleReply::StatusSet(status.into()))
            }
            Outcome::Claimed(until) => Reply::Identifier(IdentifierReply::Claimed(until)),
            Outcome::Verified(verification) => {
                Reply::Identifier(IdentifierReply::Verified(verification.into()))
            }
        }
    }
}

impl Account {
    /// Carries out a command on a word that was proven.
    pub(super) fn carry_out(&mut self, request: Request, command: Command, step: &mut Step<'_>) {
        match command {
            Command::Credential(command) => self.credential(request, command, step),
            Command::Flow(command) => self.flow(request, command, step),
            Command::Identifier(command) => self.identifier(request, command, step),
            Command::Lifecycle(command) => self.lifecycle(request, command, step),
            Command::Session(command) => self.session(request, command, step),
        }
    }
}
