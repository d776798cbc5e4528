//! Ending sessions. A revocation works whatever the account's status is: it
//! can only make it safer.

use super::family::{Reply, SessionReply};
use super::{Account, Step};
use crate::command::{Request, RevokeScope};
use crate::event::{EndReason, EventKind};
use crate::id::SessionId;
use crate::record::Session;
use crate::reply::Refusal;

impl Account {
    pub(super) fn revoke(
        &mut self,
        request: &Request,
        by: SessionId,
        scope: RevokeScope,
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::InvalidToken);
        };
        let ends = |session: &mut Session| match scope {
            RevokeScope::This => session.id() == by,
            RevokeScope::One(id) => session.id() == id,
            RevokeScope::Others => session.id() != by,
            RevokeScope::All => true,
        };
        let mut count = 0;
        for session in person.check.sessions.extract_if(.., ends) {
            count += 1;
            step.event(EventKind::SessionEnded(session.id, EndReason::Revoked));
        }
        Reply::Session(SessionReply::Revoked(count))
    }
}
