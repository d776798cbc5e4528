//! Refreshing, ending and listing sessions.

use alloc::vec::Vec;

use super::Away;
use crate::account::authority::Authority;
use crate::account::{Account, Step};
use crate::command::{Request, RevokeScope, SessionProof};
use crate::id::SessionId;
use crate::record::v1::Outcome;
use crate::reply::{Grant, SessionInfo};
use crate::secret::Secret;

/// Refreshing, ending and listing sessions.
#[derive(Clone, Debug)]
pub enum SessionCommand {
    /// Replace a refresh token.
    Refresh {
        /// The session.
        session: SessionId,
        /// The family's secret.
        family: Secret,
        /// The token's own secret.
        token: Secret,
    },
    /// End sessions.
    Revoke {
        /// The session that asks.
        by: SessionProof,
        /// Which ones.
        scope: RevokeScope,
    },
    /// List the sessions.
    Sessions {
        /// The session that asks.
        by: SessionProof,
    },
}

/// The answer to a command about sessions.
#[derive(Clone, Debug)]
pub enum SessionReply {
    /// The refresh token was replaced.
    Refreshed(Grant),
    /// The person's sessions.
    Sessions(Vec<SessionInfo>),
    /// How many sessions ended.
    Revoked(u32),
}

impl SessionCommand {
    pub(super) fn authority(&self) -> Authority<'_> {
        match self {
            // The token itself is what is proven.
            SessionCommand::Refresh { .. } => Authority::Nobody,
            SessionCommand::Revoke { by, .. } | SessionCommand::Sessions { by } => {
                Authority::Session(by)
            }
        }
    }

    pub(super) fn away(&self) -> Away {
        match self {
            SessionCommand::Refresh { session, .. } => Away::Keeps(*session),
            SessionCommand::Revoke { .. } => Away::Ends,
            SessionCommand::Sessions { .. } => Away::Unavailable,
        }
    }
}

impl SessionReply {
    pub(super) fn grant(&self) -> Option<&Grant> {
        match self {
            SessionReply::Refreshed(grant) => Some(grant),
            SessionReply::Sessions(_) | SessionReply::Revoked(_) => None,
        }
    }

    pub(super) fn tells_deadlines(&self) -> bool {
        match self {
            SessionReply::Refreshed(_) | SessionReply::Sessions(_) => true,
            SessionReply::Revoked(_) => false,
        }
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            SessionReply::Revoked(count) => Some(Outcome::Revoked(*count)),
            // The successor answers a repeat; a list is made anew.
            SessionReply::Refreshed(_) | SessionReply::Sessions(_) => None,
        }
    }
}

impl Account {
    pub(super) fn session(
        &mut self,
        request: Request,
        command: SessionCommand,
        step: &mut Step<'_>,
    ) {
        match command {
            SessionCommand::Refresh {
                session,
                family,
                token,
            } => {
                let reply = self.refresh(&request, session, &family, &token, step);
                step.reply(request.ticket, reply);
            }
            SessionCommand::Revoke { by, scope } => {
                let reply = self.revoke(&request, by.session, scope, step);
                self.settle(&request, reply, step);
            }
            SessionCommand::Sessions { .. } => {
                let reply = self.list(step);
                step.reply(request.ticket, reply);
            }
        }
    }
}
