//! What an account's state puts on the agenda, and what one input moves of it.

use alloc::vec::Vec;

use super::{Account, Person};
use crate::agenda::{AgendaRow, Due};
use crate::policy::Policy;
use crate::record::Hold;
use crate::status::Status;

/// What a commit makes of a person's rows: all that there are, because some may be
/// of before rows were written, and those that are none any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgendaChange {
    /// Rows that are there from now on.
    pub kept: Vec<AgendaRow>,
    /// Rows that go.
    pub gone: Vec<AgendaRow>,
}

impl AgendaChange {
    pub(super) fn between(before: Vec<AgendaRow>, after: Vec<AgendaRow>) -> AgendaChange {
        let mut change = AgendaChange {
            kept: after,
            gone: before,
        };
        change.tidy();
        change
    }

    /// Takes up what was decided later.
    pub(super) fn extend(&mut self, later: AgendaChange) {
        self.gone.append(&mut self.kept);
        self.gone.extend(later.gone);
        self.kept = later.kept;
        self.gone.sort_unstable();
        self.gone.dedup();
        self.tidy();
    }

    fn tidy(&mut self) {
        let kept = &self.kept;
        self.gone.retain(|row| !kept.contains(row));
    }
}

impl Account {
    /// What the account's state puts on the agenda.
    #[must_use]
    pub fn agenda(&self, policy: &Policy) -> Vec<AgendaRow> {
        let person = self.person.as_ref();
        person.map_or_else(Vec::new, |person| person.agenda(policy))
    }
}

impl Person {
    fn agenda(&self, policy: &Policy) -> Vec<AgendaRow> {
        let mut rows = Vec::new();
        let forgotten = self.forgotten_at(policy);
        let attempts = self.sealed.attempts.over_at(&policy.flow.code_guesses);
        rows.extend(attempts.map(|due_ms| AgendaRow::only(due_ms, Due::Attempts)));
        if self.sealed.unknown_device.failures > 0 {
            rows.push(AgendaRow::only(forgotten, Due::Guesses));
        }
        if self.check.status == Status::Decoy {
            return rows;
        }
        let ends = self.sealed.identifiers.iter();
        let ends = ends.filter_map(|row| match row.hold {
            Hold::Claimed { until } => Some(until),
            Hold::Held { .. } => None,
        });
        let abandoned = self.abandoned_from(policy);
        if let Some(due_ms) = ends.min().filter(|end| Some(*end) != abandoned) {
            rows.push(AgendaRow::only(due_ms, Due::Claim));
        }
        if let Some(due_ms) = abandoned {
            rows.push(AgendaRow::only(due_ms, Due::Abandoned));
        }
        rows
    }

    /// When guesses are forgotten. Not rounded: whether a guess moves a row would
    /// then depend on the hour, and the size of its commit with it.
    fn forgotten_at(&self, policy: &Policy) -> u64 {
        let failed_at = self.sealed.unknown_device.failed_at;
        failed_at.saturating_add(policy.guess.forget_ms)
    }

    /// When an account of which nothing is held goes: when its claims are over, and
    /// its sessions with them.
    fn abandoned_from(&self, policy: &Policy) -> Option<u64> {
        let abandoned_at = match self.abandoned_at(policy) {
            0 => return None,
            at => at,
        };
        let sessions = self.check.sessions.iter();
        let over = sessions.map(|session| session.expires_at).max();
        Some(over.map_or(abandoned_at, |over| over.max(abandoned_at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(due_ms: u64, what: Due) -> AgendaRow {
        AgendaRow::only(due_ms, what)
    }

    #[test]
    fn what_is_decided_in_two_steps_comes_to_one_move() {
        let (a, b, c) = (
            row(1, Due::Claim),
            row(2, Due::Claim),
            row(3, Due::Abandoned),
        );
        let mut all = AgendaChange::between([a].into(), [b, c].into());
        assert_eq!((&all.kept[..], &all.gone[..]), (&[b, c][..], &[a][..]));
        all.extend(AgendaChange::between([b, c].into(), [c].into()));
        assert_eq!((&all.kept[..], &all.gone[..]), (&[c][..], &[a, b][..]));
        // Back to where it was: it stays, and is not deleted.
        all.extend(AgendaChange::between([c].into(), [a].into()));
        assert_eq!((&all.kept[..], &all.gone[..]), (&[a][..], &[b, c][..]));
        all.extend(AgendaChange::between([a].into(), Vec::new()));
        assert!(all.kept.is_empty());
        assert_eq!(all.gone, [a, b, c]);
    }
}
