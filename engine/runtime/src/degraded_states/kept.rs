//! What is kept of each person, and of whom something is to be taken over.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_account::{DegradedDecision, UserId};

#[derive(Default)]
pub(super) struct Kept {
    pub(super) people: BTreeMap<UserId, Vec<DegradedDecision>>,
    /// Those whose accounts have something to take over.
    pub(super) waiting: BTreeSet<UserId>,
}

impl Kept {
    /// Changes what is kept of a person.
    pub(super) fn change<T>(
        &mut self,
        user: UserId,
        change: impl FnOnce(&mut Vec<DegradedDecision>) -> T,
    ) -> T {
        let decided = self.people.entry(user).or_default();
        let changed = change(decided);
        match decided.iter().any(settles) {
            true => self.waiting.insert(user),
            false => self.waiting.remove(&user),
        };
        if decided.is_empty() {
            self.people.remove(&user);
        }
        changed
    }
}

/// Whether the journal has it.
pub(super) fn is_written(degraded: &DegradedDecision) -> bool {
    matches!(degraded, DegradedDecision::Ended(_))
}

pub(super) fn settles(degraded: &DegradedDecision) -> bool {
    match degraded {
        DegradedDecision::Ended(_)
        | DegradedDecision::Failed { .. }
        | DegradedDecision::Kept { .. } => true,
        DegradedDecision::Established(_) => false,
    }
}
