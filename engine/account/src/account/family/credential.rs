//! Signing up and in.

use super::{Away, HoldOutcome};
use crate::account::authority::Authority;
use crate::account::{Account, Step};
use crate::assurance::Method;
use crate::command::{Request, SessionProof, SignIn, SignUp};
use crate::id::UserId;
use crate::record::v1::Outcome;
use crate::reply::{CredentialList, Grant};

/// Signing up and in.
#[derive(Clone, Debug)]
pub enum CredentialCommand {
    /// Make the account.
    SignUp(SignUp),
    /// Sign in with a password.
    SignIn(SignIn),
    /// List what the account has to prove with.
    List {
        /// Who asks.
        by: SessionProof,
    },
    /// Remove one of them.
    Remove {
        /// Who asks.
        by: SessionProof,
        /// Of which method.
        method: Method,
        /// Which among those.
        number: u16,
    },
}

/// The answer to a sign-up or a sign-in.
#[derive(Clone, Debug)]
pub enum CredentialReply {
    /// The account exists now.
    SignedUp(UserId),
    /// The person is in.
    SignedIn(Grant),
    /// What the account has.
    Listed(CredentialList),
    /// So many were removed: one, or none where it was not there.
    Removed(u32),
}

impl CredentialCommand {
    pub(super) fn authority(&self) -> Authority<'_> {
        match self {
            CredentialCommand::SignUp(_) | CredentialCommand::SignIn(_) => Authority::Nobody,
            CredentialCommand::List { by } => Authority::Session(by),
            CredentialCommand::Remove { by, .. } => Authority::FreshSession(by),
        }
    }

    pub(super) fn away(&self) -> Away {
        match self {
            CredentialCommand::SignUp(_)
            | CredentialCommand::List { .. }
            | CredentialCommand::Remove { .. } => Away::Unavailable,
            CredentialCommand::SignIn(_) => Away::Provisional,
        }
    }
}

impl CredentialReply {
    pub(super) fn grant(&self) -> Option<&Grant> {
        match self {
            CredentialReply::SignedIn(grant) => Some(grant),
            CredentialReply::SignedUp(_)
            | CredentialReply::Listed(_)
            | CredentialReply::Removed(_) => None,
        }
    }

    pub(super) fn hold(&self) -> HoldOutcome {
        match self {
            CredentialReply::SignedUp(_) => HoldOutcome::Held,
            CredentialReply::SignedIn(_)
            | CredentialReply::Listed(_)
            | CredentialReply::Removed(_) => HoldOutcome::Unrelated,
        }
    }

    /// A removal is carried out anew: there is nothing left to remove then.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            CredentialReply::SignedUp(_) => Some(Outcome::SignedUp),
            CredentialReply::SignedIn(grant) => Some(Outcome::SignedIn(grant.to_row())),
            CredentialReply::Listed(_) | CredentialReply::Removed(_) => None,
        }
    }
}

impl Account {
    pub(super) fn credential(
        &mut self,
        request: Request,
        command: CredentialCommand,
        step: &mut Step<'_>,
    ) {
        match command {
            CredentialCommand::SignUp(sign_up) => self.sign_up(request, sign_up, step),
            CredentialCommand::SignIn(sign_in) => self.sign_in(request, sign_in.into(), step),
            CredentialCommand::List { .. } => {
                let reply = self.list_credentials(step);
                step.reply(request.ticket, reply);
            }
            CredentialCommand::Remove { by, method, number } => {
                let reply = self.remove_credential(&request, &by, (method, number), step);
                self.settle(&request, reply, step);
            }
        }
    }
}
