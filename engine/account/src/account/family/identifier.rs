//! Claiming identifiers, and attesting that they were shown.

use alloc::boxed::Box;

use super::HoldOutcome;
use crate::account::authority::Authority;
use crate::account::{Account, Step};
use crate::command::{Attest, ClaimedIdentifier, Request, SessionProof};
use crate::record::v1::Outcome;
use crate::reply::Verification;

/// Claiming identifiers, and attesting that they were shown.
#[derive(Clone, Debug)]
pub enum IdentifierCommand {
    /// Claim one more identifier.
    Claim {
        /// The session that asks.
        by: SessionProof,
        /// A mail address or a phone number.
        identifier: ClaimedIdentifier,
    },
    /// Attest that the caller has an identifier of this account.
    Attest(Box<Attest>),
}

/// The answer to a command about identifiers.
#[derive(Clone, Copy, Debug)]
pub enum IdentifierReply {
    /// The identifier is claimed until then, in Unix milliseconds.
    Claimed(u64),
    /// The identifier is the person's.
    Verified(Verification),
}

impl IdentifierCommand {
    pub(super) fn authority(&self) -> Authority<'_> {
        match self {
            IdentifierCommand::Claim { by, .. } => Authority::FreshSession(by),
            IdentifierCommand::Attest(attest) => Authority::Administrator(&attest.by),
        }
    }
}

impl IdentifierReply {
    pub(super) fn hold(self) -> HoldOutcome {
        match self {
            IdentifierReply::Verified(_) => HoldOutcome::Held,
            IdentifierReply::Claimed(_) => HoldOutcome::Unrelated,
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            IdentifierReply::Claimed(until) => Outcome::Claimed(until),
            IdentifierReply::Verified(verification) => Outcome::Verified(verification.into()),
        }
    }
}

impl Account {
    pub(super) fn identifier(
        &mut self,
        request: Request,
        command: IdentifierCommand,
        step: &mut Step<'_>,
    ) {
        match command {
            IdentifierCommand::Claim { identifier, .. } => {
                let reply = self.claim(&request, identifier, step);
                self.settle(&request, reply, step);
            }
            IdentifierCommand::Attest(attest) => self.attest(request, *attest, step),
        }
    }
}
