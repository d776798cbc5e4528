//! Dropping what is over, so that nothing grows without end.

use super::{Account, Fate, Person, Step};
use crate::event::EventKind;
use crate::id::TenantId;
use crate::record::{Guesses, IdentifierRow};
use crate::session::Liveness;
use crate::status::Status;

impl Account {
    pub(super) fn sweep(&mut self, step: &mut Step<'_>) {
        let busy = !self.pending.is_empty();
        let Some(person) = &mut self.person else {
            return;
        };
        let abandoned = (1..=step.now_ms).contains(&person.check.abandoned_at);
        if abandoned && !busy && !person.is_in_use(step.now_ms) {
            if person.check.status != Status::Decoy {
                step.event(EventKind::Removed);
            }
            let change = step.change();
            change.released = core::mem::take(&mut person.sealed.identifiers);
            change.fate = Fate::Removed(TenantId(person.check.tenant));
            // A decoy holds no identifier and has no index rows.
            if person.check.status == Status::Decoy {
                change.released.clear();
            }
            self.last_revision = person.check.revision;
            self.person = None;
            return;
        }
        person.prune(step);
        let now_ms = step.now_ms;
        person.drop_claims(step, |row| row.is_over(now_ms));
        let unknown_device = &mut person.sealed.unknown_device;
        let forgotten = unknown_device.are_forgotten(now_ms, &step.policy.guess);
        if unknown_device.failures > 0 && forgotten {
            *unknown_device = Guesses::default();
            step.change();
        }
        let identifiers = &person.sealed.identifiers;
        let known = |number| identifiers.iter().any(|row| row.number == number);
        let policy = &step.policy.flow.code_guesses;
        if person.sealed.attempts.prune(known, now_ms, policy) {
            step.change();
        }
        let outcomes = &mut person.sealed.outcomes;
        if outcomes
            .extract_if(.., |row| row.kept_until <= now_ms)
            .count()
            > 0
        {
            step.change();
        }
    }
}

impl Person {
    fn is_in_use(&self, now_ms: u64) -> bool {
        let mut sessions = self.check.sessions.iter();
        sessions.any(|session| matches!(session.expiry().liveness(now_ms), Liveness::Active { .. }))
    }

    /// Drops the identifiers that `over` picks.
    pub(super) fn drop_claims(
        &mut self,
        step: &mut Step<'_>,
        over: impl Fn(&IdentifierRow) -> bool,
    ) {
        for row in self.sealed.identifiers.extract_if(.., |row| over(row)) {
            step.event(EventKind::IdentifierDropped(row.kind));
            step.change().released.push(row);
        }
    }
}
