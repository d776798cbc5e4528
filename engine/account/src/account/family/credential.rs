//! Signing up and in.

use super::{Away, HoldOutcome};
use crate::account::authority::Authority;
use crate::account::{Account, Step};
use crate::command::{Request, SignIn, SignUp};
use crate::id::UserId;
use crate::record::v1::Outcome;
use crate::reply::Grant;

/// Signing up and in.
#[derive(Clone, Debug)]
pub enum CredentialCommand {
    /// Make the account.
    SignUp(SignUp),
    /// Sign in with a password.
    SignIn(SignIn),
}

/// The answer to a sign-up or a sign-in.
#[derive(Clone, Debug)]
pub enum CredentialReply {
    /// The account exists now.
    SignedUp(UserId),
    /// The person is in.
    SignedIn(Grant),
}

impl CredentialCommand {
    pub(super) fn authority(&self) -> Authority<'_> {
        match self {
            CredentialCommand::SignUp(_) | CredentialCommand::SignIn(_) => Authority::Nobody,
        }
    }

    pub(super) fn away(&self) -> Away {
        match self {
            CredentialCommand::SignUp(_) => Away::Unavailable,
            CredentialCommand::SignIn(_) => Away::Provisional,
        }
    }
}

impl CredentialReply {
    pub(super) fn grant(&self) -> Option<&Grant> {
        match self {
            CredentialReply::SignedIn(grant) => Some(grant),
            CredentialReply::SignedUp(_) => None,
        }
    }

    pub(super) fn hold(&self) -> HoldOutcome {
        match self {
            CredentialReply::SignedUp(_) => HoldOutcome::Held,
            CredentialReply::SignedIn(_) => HoldOutcome::Unrelated,
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self {
            CredentialReply::SignedUp(_) => Outcome::SignedUp,
            CredentialReply::SignedIn(grant) => Outcome::SignedIn(grant.to_row()),
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
        }
    }
}
