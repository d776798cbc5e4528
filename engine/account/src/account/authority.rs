//! By whose authority a command is carried out: proven once, before its family
//! is entered.

use super::{Account, Step};
use crate::command::{Administrator, Request, SessionProof};
use crate::digest::SecretHash;
use crate::reply::Refusal;
use crate::session::Liveness;
use crate::status::Status;

/// By whose authority a command is to be carried out.
#[derive(Clone, Copy, Debug)]
pub enum Authority<'a> {
    /// No proof is asked for, or the command is what proves.
    Nobody,
    /// A live session's, whatever the account's status is.
    Session(&'a SessionProof),
    /// A live session's of an open account, whose sign-in was not long ago.
    FreshSession(&'a SessionProof),
    /// An administrator's, whom the gateway names.
    Administrator(&'a Administrator),
}

impl Account {
    /// Whether a command is carried out on this word.
    pub(super) fn authorize(
        &self,
        request: &Request,
        authority: Authority<'_>,
        step: &Step<'_>,
    ) -> Result<(), Refusal> {
        match authority {
            // The gateway's right to the admin plane was looked at where it came in.
            Authority::Nobody | Authority::Administrator(_) => Ok(()),
            Authority::Session(by) => self.prove(request, by, step.now_ms).map(|_| ()),
            Authority::FreshSession(by) => {
                let place = self.prove(request, by, step.now_ms)?;
                self.open(request)?;
                self.fresh(place, step)
            }
        }
    }

    /// The place of the live session that a token proves.
    pub(super) fn prove(
        &self,
        request: &Request,
        by: &SessionProof,
        now_ms: u64,
    ) -> Result<usize, Refusal> {
        let person = self.person.as_ref();
        let person = person.filter(|person| person.check.tenant == request.tenant.0);
        let sessions = person.map_or(&[][..], |person| &person.check.sessions);
        let hash = SecretHash::of_session(&by.secret);
        let place = sessions
            .iter()
            .position(|session| session.id() == by.session && hash.matches(&session.secret_hash))
            .ok_or(Refusal::InvalidToken)?;
        match sessions[place].expiry().liveness(now_ms) {
            Liveness::Active { .. } => Ok(place),
            Liveness::IdleOver | Liveness::Expired => Err(Refusal::SessionExpired),
        }
    }

    /// The account is there and open.
    fn open(&self, request: &Request) -> Result<(), Refusal> {
        let (check, _) = self.parts().ok_or(Refusal::InvalidToken)?;
        match check.status {
            _ if check.tenant != request.tenant.0 => Err(Refusal::InvalidToken),
            Status::Active => Ok(()),
            Status::Locked => Err(Refusal::AccountLocked),
            Status::Suspended => Err(Refusal::AccountSuspended),
            Status::Decoy => Err(Refusal::InvalidToken),
        }
    }

    /// What recovers the account is not changed on the word of a session that
    /// may have been taken since its sign-in (SP 800-63B-4, 4.1.3). A sign-in
    /// that lies ahead was dated wrong, and may be of any time.
    fn fresh(&self, place: usize, step: &Step<'_>) -> Result<(), Refusal> {
        let sessions = self.parts().map_or(&[][..], |(check, _)| &check.sessions);
        let session = sessions.get(place).ok_or(Refusal::InvalidToken)?;
        match step.now_ms.abs_diff(session.created_at) <= step.policy.session.fresh_ms {
            true => Ok(()),
            false => Err(Refusal::StaleSignIn),
        }
    }
}
