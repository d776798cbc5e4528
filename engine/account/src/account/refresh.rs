//! Replacing a refresh token.

use super::family::{Reply, SessionReply};
use super::{Account, Late, Step};
use crate::command::{Request, SessionProof};
use crate::event::{EndReason, EventKind};
use crate::id::SessionId;
use crate::policy::Policy;
use crate::record::Session;
use crate::refresh::{Keeping, Verdict, session_secret};
use crate::reply::{Grant, Refusal};
use crate::secret::Secret;
use crate::status::Status;

impl Account {
    pub(super) fn refresh(
        &mut self,
        request: &Request,
        session: SessionId,
        family: &Secret,
        token: &Secret,
        step: &mut Step<'_>,
    ) -> Reply {
        let secret = session_secret(family);
        let place = match self.prove(request, &SessionProof { session, secret }, step.now_ms) {
            Ok(place) => place,
            Err(refusal) => return Reply::No(refusal),
        };
        let Some(person) = &mut self.person else {
            return Reply::No(Refusal::InvalidToken);
        };
        match person.check.status {
            Status::Active => {}
            Status::Locked => return Reply::No(Refusal::AccountLocked),
            // A decoy has no sessions and is not found.
            Status::Decoy => return Reply::No(Refusal::InvalidToken),
            Status::Suspended => return Reply::No(Refusal::AccountSuspended),
        }
        let user = self.user;
        let row = &mut person.check.sessions[place];
        let presented = row.presented(family, token, step.now_ms);
        let verdict = presented.verdict(step.policy.session.refresh_retry_ms);
        #[cfg(tidegate_planted)]
        let verdict = crate::planted::verdict(verdict);
        match verdict {
            Verdict::Rotate => {
                let keeping = Keeping {
                    now_ms: step.now_ms,
                    retry_ms: step.policy.session.refresh_retry_ms,
                    ahead_ms: step.policy.grace_ms,
                };
                if let Err(wait_ms) = person.check.make_room_for_successor(place, keeping) {
                    let retry_after_ms = u32::try_from(wait_ms).unwrap_or(u32::MAX);
                    return Reply::No(Refusal::Busy { retry_after_ms });
                }
                let row = &mut person.check.sessions[place];
                let successor = row.rotate(family, token, step.now_ms, &mut step.entropy);
                row.used_at = row.used_at.max(step.now_ms);
                step.change();
                Reply::Session(SessionReply::Refreshed(row.grant(
                    user,
                    family,
                    successor,
                    step.now_ms,
                )))
            }
            Verdict::Repeat => match row.successor(token) {
                Some(successor) => Reply::Session(SessionReply::Refreshed(row.grant(
                    user,
                    family,
                    successor,
                    step.now_ms,
                ))),
                None => Reply::No(Refusal::InvalidToken),
            },
            Verdict::EndFamily => {
                let ended = person.check.sessions.remove(place);
                step.event(EventKind::SessionEnded(ended.id, EndReason::RefreshReused));
                Reply::No(Refusal::RefreshReused)
            }
            Verdict::Refuse => Reply::No(Refusal::InvalidToken),
        }
    }

    /// A client that could still repeat a refresh when the wait began can do so
    /// for the usual time after it: before, no answer could leave. To be told
    /// of the same wait again changes nothing.
    pub(super) fn late(&mut self, late: Late, policy: &Policy) {
        let first = late.since.saturating_sub(policy.session.refresh_retry_ms);
        let people = self.person.iter_mut();
        let sessions = people.flat_map(|person| &mut person.check.sessions);
        for rotated in sessions.filter_map(|session| session.rotated.as_mut()) {
            if (first..late.landed).contains(&rotated.at) {
                rotated.at = late.landed;
            }
        }
    }

    /// Whether a refresh token was replaced at that time, in Unix milliseconds,
    /// or later.
    #[must_use]
    pub fn rotated_since(&self, since: u64) -> bool {
        let people = self.person.iter();
        let sessions = people.flat_map(|person| &person.check.sessions);
        let mut rotated = sessions.filter_map(|session| session.rotated.as_ref());
        rotated.any(|rotated| rotated.at >= since)
    }
}

impl Session {
    pub(super) fn grant(
        &self,
        user: crate::id::UserId,
        family: &Secret,
        refresh: Secret,
        now_ms: u64,
    ) -> Grant {
        Grant {
            user,
            session: self.id(),
            family: family.clone(),
            refresh,
            idle_expires_at: self.idle_expires_at(now_ms),
            expires_at: self.expires_at,
            assurance: self.assurance,
            methods: self.methods,
            device: None,
        }
    }
}
