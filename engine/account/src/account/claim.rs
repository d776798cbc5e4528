//! Claiming one more identifier. Anybody may claim anything: a claim alone
//! lets nobody in, reserves nothing, and ends by itself.

use super::sign_up::identify;
use super::{Account, Step};
use crate::command::{ClaimedIdentifier, Request, SessionProof};
use crate::event::EventKind;
use crate::identifier::IdentifierKind;
use crate::record::{Hold, IDENTIFIERS_MAX, IdentifierRow};
use crate::reply::{Refusal, Reply};
use crate::status::Status;

impl Account {
    pub(super) fn claim(
        &mut self,
        request: &Request,
        by: &SessionProof,
        claimed: ClaimedIdentifier,
        step: &mut Step<'_>,
    ) -> Reply {
        let place = match self.prove(request, by, step.now_ms) {
            Ok(place) => place,
            Err(refusal) => return Reply::No(refusal),
        };
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::InvalidToken);
        };
        match person.check.status {
            Status::Active => {}
            Status::Locked => return Reply::No(Refusal::AccountLocked),
            Status::Suspended => return Reply::No(Refusal::AccountSuspended),
            Status::StandIn => return Reply::No(Refusal::InvalidToken),
        }
        let now_ms = step.now_ms;
        // What recovers the account is not added on the word of a session that
        // somebody may have taken since its sign-in (SP 800-63B-4, 4.1.3).
        let signed_in_at = person.check.sessions[place].created_at;
        // A sign-in that lies ahead was dated wrong, and may be of any time.
        if now_ms.abs_diff(signed_in_at) > step.policy.session.fresh_ms {
            return Reply::No(Refusal::StaleSignIn);
        }
        person.drop_claims(step, |row| row.is_over(now_ms));
        let rows = &mut person.sealed.identifiers;
        let until = step.now_ms.saturating_add(step.policy.claim_ms);
        if let Some(row) = rows.iter_mut().find(|row| row.is(&claimed)) {
            // The person's already, or claimed anew.
            return match &mut row.hold {
                Hold::Held { .. } => Reply::Claimed(0),
                Hold::Claimed { until: old } => {
                    *old = until;
                    step.change();
                    Reply::Claimed(until)
                }
            };
        }
        let kind = claimed.identifier.kind();
        if rows.len() >= IDENTIFIERS_MAX || kind == IdentifierKind::Username {
            return Reply::No(Refusal::LimitReached);
        }
        let row = identify(rows, claimed, Hold::Claimed { until }, step);
        rows.push(row);
        step.event(EventKind::IdentifierClaimed(kind));
        Reply::Claimed(until)
    }
}

impl IdentifierRow {
    /// Whether it is this identifier, under whichever key.
    #[must_use]
    pub fn is(&self, claimed: &ClaimedIdentifier) -> bool {
        let mut hashes = claimed.older.iter().chain([&claimed.hash]);
        hashes.any(|hash| hash.0 == self.hash)
    }

    /// Whether it is a claim whose time is over.
    pub(super) fn is_over(&self, now_ms: u64) -> bool {
        matches!(self.hold, Hold::Claimed { until } if until <= now_ms)
    }

    /// Whether it is the person's alone.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.hold, Hold::Held { .. })
    }
}
