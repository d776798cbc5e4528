//! Ending sessions. A revocation works whatever the account's status is: it
//! can only make it safer.

use super::{Account, Step};
use crate::command::{Request, RevokeScope, SessionProof};
use crate::event::{EndReason, EventKind};
use crate::record::Session;
use crate::reply::{Refusal, Reply};

impl Account {
    pub(super) fn revoke(
        &mut self,
        request: &Request,
        by: &SessionProof,
        scope: RevokeScope,
        step: &mut Step<'_>,
    ) -> Reply {
        if let Err(refusal) = self.prove(request, by, step.now_ms) {
            return Reply::No(refusal);
        }
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::InvalidToken);
        };
        let ends = |session: &mut Session| match scope {
            RevokeScope::This => session.id() == by.session,
            RevokeScope::One(id) => session.id() == id,
            RevokeScope::Others => session.id() != by.session,
            RevokeScope::All => true,
        };
        let mut count = 0;
        for session in person.check.sessions.extract_if(.., ends) {
            count += 1;
            step.event(EventKind::SessionEnded(session.id, EndReason::Revoked));
        }
        Reply::Revoked(count)
    }
}
