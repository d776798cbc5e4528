//! Settling changes: commit, publish, reply.

use tidegate_account::record::Unwritable;
use tidegate_account::{Input, Late};
use tidegate_storage_api::{Stamp, StoreError};

use super::PersonState;
use super::commits::UnderWay;
use super::subject::Subject;
use crate::admission::Limit;
use crate::answer::Failure;

/// What takes longer to become durable counts from then on where a person was
/// given a time to ask again in (30 s for a refresh).
const LATE_MS: u64 = 5_000;

impl PersonState {
    pub(super) fn commit(&mut self) {
        if self.commits.under_way().is_some() {
            return;
        }
        let Subject {
            shared, user, home, ..
        } = &self.subject;
        let key_version = shared.settings.index_keys.version();
        if self.commits.draft.is_older_than(key_version) {
            let busy = shared.busy(Limit::Commits);
            return self.start_over(busy);
        }
        let (Some(ready), Some(home)) = (self.phase.opened(), *home) else {
            return;
        };
        match self.commits.begin(&self.subject, home, ready) {
            Ok(()) => {}
            Err(Unwritable::TooLarge) => self.over_limit(),
            Err(Unwritable::Corrupt) => {
                // A key that is gone: nothing was written.
                tracing::error!(event = "commit.impossible", user = %user);
                self.start_over(Failure::Corrupt);
            }
        }
    }

    pub(super) fn committed(&mut self, outcome: Result<Stamp, StoreError>) {
        let shared = &self.subject.shared;
        match outcome {
            Ok(_) => {
                shared.placement.found();
                self.durable();
            }
            Err(error) => {
                if error == StoreError::Unavailable {
                    shared.placement.lost();
                }
                shared.meters.commits_failed.increment(1);
                self.not_committed(error);
            }
        }
    }

    /// The commit under way is on disk: checks read it from now on, and only
    /// then do its replies leave.
    pub(super) fn durable(&mut self) {
        let Some(UnderWay {
            prepared,
            decided_ms,
            ..
        }) = self.commits.take()
        else {
            return;
        };
        let Subject { shared, home, .. } = &self.subject;
        shared.meters.commits.increment(1);
        self.replies.set_durable(prepared.revision);
        if let (Some(home), Some(due_ms)) = (home, prepared.due_ms) {
            shared.upkeep.agenda.note(home.slot, due_ms);
            if due_ms <= self.subject.now_ms() {
                shared.upkeep.agenda.hurry(home.slot);
            }
        }
        let made = prepared.written.as_ref().map(|(_, key)| key.clone());
        if let Some(ready) = self.phase.opened_mut() {
            ready.key = made;
        }
        match prepared.written {
            Some((record, key)) => self.subject.publish(record, key.wrapped),
            None => self.subject.forget(),
        }
        self.adopted();
        if let Some(since) = decided_ms.filter(|decided_ms| self.is_late(*decided_ms)) {
            let landed = self.subject.now_ms();
            self.late(Late { since, landed });
        }
        self.replies.release(self.subject.epoch);
    }

    /// The person could not be answered for a while: the account is told whenever
    /// it is opened, since nothing that is committed says so.
    fn late(&mut self, late: Late) {
        self.subject.late(late);
        self.input(Input::Late(late));
    }

    /// What is not durable yet is late already when it was decided long ago.
    pub(super) fn late_so_far(&mut self) {
        let landed = self.subject.now_ms();
        let since = self.commits.since_ms();
        if let Some(since) = since.filter(|decided_ms| self.is_late(*decided_ms)) {
            self.input(Input::Late(Late { since, landed }));
        }
    }

    fn is_late(&self, decided_ms: u64) -> bool {
        self.subject.now_ms().saturating_sub(decided_ms) > LATE_MS
    }
}
