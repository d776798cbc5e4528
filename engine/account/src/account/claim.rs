//! Claiming one more identifier. Any account may claim any identifier: an
//! unverified claim grants no access, reserves nothing, and expires.

use super::family::{IdentifierReply, Reply};
use super::sign_up::identify;
use super::{Account, Step};
use crate::command::{ClaimedIdentifier, Request};
use crate::event::EventKind;
use crate::identifier::IdentifierKind;
use crate::record::{Hold, IDENTIFIERS_MAX, IdentifierRow};
use crate::reply::Refusal;

impl Account {
    pub(super) fn claim(
        &mut self,
        request: &Request,
        claimed: ClaimedIdentifier,
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::InvalidToken);
        };
        let now_ms = step.now_ms;
        person.drop_claims(step, |row| row.is_over(now_ms));
        let rows = &mut person.sealed.identifiers;
        let until = step.now_ms.saturating_add(step.policy.claim_ms);
        if let Some(row) = rows.iter_mut().find(|row| row.is(&claimed)) {
            // The person's already, or claimed anew.
            return match &mut row.hold {
                Hold::Held { .. } => Reply::Identifier(IdentifierReply::Claimed(0)),
                Hold::Claimed { until: old } => {
                    *old = until;
                    step.change();
                    Reply::Identifier(IdentifierReply::Claimed(until))
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
        Reply::Identifier(IdentifierReply::Claimed(until))
    }
}

impl IdentifierRow {
    /// Whether it is this identifier, under whichever key.
    #[must_use]
    pub fn is(&self, claimed: &ClaimedIdentifier) -> bool {
        let mut hashes = claimed.older.iter().chain([&claimed.hash]);
        hashes.any(|hash| hash.0 == self.hash)
    }

    /// Whether it is a claim that has expired.
    pub(super) fn is_over(&self, now_ms: u64) -> bool {
        matches!(self.hold, Hold::Claimed { until } if until <= now_ms)
    }

    /// Whether it is the person's alone.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.hold, Hold::Held { .. })
    }
}
