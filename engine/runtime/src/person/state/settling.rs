//! Settling changes: commit, publish, reply; and what happens when the commit
//! does not come back well.

use std::sync::Arc;

use tidegate_account::record::Unwritable;
use tidegate_account::{
    Command, CredentialReply, DegradedReply, IdentifierReply, Input, Judged, Late, LifecycleReply,
    Refusal, Reply, SessionCommand, SessionReply,
};
use tidegate_storage_api::{Stamp, StoreError};

use super::{PersonState, Phase, UnderWay};
use crate::admission::{Counted, Limit};
use crate::answer::{Answer, Failure};
use crate::job::What;
use crate::person::Message;
use crate::person::commit::{self, Entering, Fate};
use crate::placement::Standing;
use crate::seal::WrappedKey;
use crate::warm::{Warm, WarmParts};

/// How long the store is left alone before it is asked again for the fate of a
/// commit, unless somebody asks for the person before.
const LOOK_AGAIN_MS: u64 = 1_000;

/// What takes longer to become durable counts from then on where a person was
/// given a time to ask again in (30 s for a refresh).
const LATE_MS: u64 = 5_000;

impl PersonState {
    pub(super) fn commit(&mut self) {
        if self.under_way.is_some() {
            return;
        }
        if self
            .draft
            .is_older_than(self.shared.settings.index_keys.version())
        {
            return self.start_over(self.shared.busy(Limit::Commits));
        }
        let (Phase::Ready { account, key }, Some(home)) = (&self.phase, self.home) else {
            return;
        };
        let decided_ms = self.draft.since_ms();
        let Some(draft) = self.draft.take() else {
            return;
        };
        let prepared = commit::prepare(&self.shared, home, self.epoch, account, key.clone(), draft);
        let mut prepared = match prepared {
            Ok(prepared) => prepared,
            Err(Unwritable::TooLarge) => return self.over_limit(),
            Err(Unwritable::Corrupt) => {
                // A key that is gone: nothing was written.
                tracing::error!(event = "commit.impossible", user = %self.user);
                return self.start_over(Failure::Corrupt);
            }
        };
        let answer = self
            .shared
            .ports
            .store
            .commit(std::mem::take(&mut prepared.commit));
        self.under_way = Some(UnderWay {
            prepared,
            decided_ms,
        });
        let myself = self.myself.clone();
        let counted = Counted::count(&self.shared.bounds.admission.commits);
        let shared = Arc::clone(&self.shared);
        let begun_us = shared.ports.clock.monotonic_us();
        tokio::spawn(async move {
            let outcome = answer.await;
            drop(counted);
            let took_us = shared.ports.clock.monotonic_us().saturating_sub(begun_us);
            shared.meters.commit_durations.record_us(took_us);
            let now_ms = shared.ports.clock.monotonic_ms();
            shared.bounds.pace.took(took_us / 1_000, now_ms);
            let _ = myself.send_message(Message::Committed(outcome));
        });
    }

    /// The record would be over its limit: nothing was written, and every command
    /// that was to be is told so. What is stored stays, and takes whatever makes
    /// it smaller.
    fn over_limit(&mut self) {
        tracing::warn!(event = "commit.over_limit", user = %self.user);
        self.none_told();
        let busy = self.shared.busy(Limit::Commits);
        for (_, held, answer) in std::mem::take(&mut self.replies) {
            let answer = match answer {
                Answer::Reply(reply) => over_limit(&reply),
                Answer::Done => Answer::Failed(busy),
                answer @ (Answer::Checked(_)
                | Answer::DegradedDecision { .. }
                | Answer::Failed(_)) => answer,
            };
            held.answer(answer, self.epoch);
        }
        // Whatever else is under way was not judged yet and can be asked again.
        self.start_over(busy);
    }

    pub(super) fn committed(&mut self, outcome: Result<Stamp, StoreError>) {
        match outcome {
            Ok(_) => {
                self.shared.placement.found();
                self.durable();
            }
            Err(error) => {
                if error == StoreError::Unavailable {
                    self.shared.placement.lost();
                }
                self.shared.meters.commits_failed.increment(1);
                self.not_committed(error);
            }
        }
    }

    /// The commit under way is on disk: checks read it from now on, and only
    /// then do its replies leave.
    fn durable(&mut self) {
        let Some(UnderWay {
            prepared,
            decided_ms,
        }) = self.under_way.take()
        else {
            return;
        };
        self.shared.meters.commits.increment(1);
        self.durable = prepared.revision;
        if let (Some(home), Some(due_ms)) = (self.home, prepared.due_ms) {
            self.shared.upkeep.agenda.note(home.slot, due_ms);
        }
        let made = prepared.written.as_ref().map(|(_, key)| key.clone());
        if let Phase::Ready { key, .. } = &mut self.phase {
            *key = made;
        }
        match prepared.written {
            Some((record, key)) => self.publish(record, key.wrapped),
            None => self.shared.memory.directory.forget(self.user),
        }
        self.settled();
        if let Some(since) = decided_ms.filter(|decided_ms| self.is_late(*decided_ms)) {
            let landed = self.shared.ports.clock.unix_ms();
            self.late(Late { since, landed });
        }
        self.release();
    }

    /// Nobody could be answered for a while: whoever opens the account is told,
    /// since nothing that is committed says so.
    fn late(&mut self, late: Late) {
        self.shared.memory.late(self.user, late);
        self.input(Input::Late(late));
    }

    pub(super) fn publish(&mut self, record: Vec<u8>, key: WrappedKey) {
        // Past its lease a node still serves whom it knows.
        if self.shared.placement.standing(self.user, self.epoch) == Standing::NotOwner {
            return self.shared.memory.directory.forget(self.user);
        }
        let now_ms = self.shared.ports.clock.unix_ms();
        let parts = WarmParts {
            record,
            key,
            epoch: self.epoch,
        };
        #[cfg(tidegate_planted)]
        if tidegate_account::planted::is(tidegate_account::planted::Bug::PublishedLate) {
            return self.publish_late(parts);
        }
        match Warm::new(parts, now_ms) {
            Ok(warm) => self.shared.memory.directory.publish(self.user, warm),
            Err(_) => self.shared.memory.directory.forget(self.user),
        }
    }

    #[cfg(tidegate_planted)]
    fn publish_late(&self, parts: WarmParts) {
        let (shared, user) = (std::sync::Arc::clone(&self.shared), self.user);
        tokio::spawn(async move {
            shared.ports.clock.sleep(100).await;
            if let Ok(warm) = Warm::new(parts, shared.ports.clock.unix_ms()) {
                shared.memory.directory.publish(user, warm);
            }
        });
    }

    /// What is not durable yet is late already when it was decided long ago.
    pub(super) fn late_so_far(&mut self) {
        let landed = self.shared.ports.clock.unix_ms();
        if let Some(since) = self.undurable_since_ms().filter(|ms| self.is_late(*ms)) {
            self.input(Input::Late(Late { since, landed }));
        }
    }

    /// When the first of what is not durable yet was decided.
    fn undurable_since_ms(&self) -> Option<u64> {
        let under_way = self.under_way.as_ref().and_then(|one| one.decided_ms);
        under_way.into_iter().chain(self.draft.since_ms()).min()
    }

    /// Whoever asked for a refresh in time and is not told may ask again.
    pub(super) fn not_told(&self, command: &Command) {
        let is_known = || {
            self.shared
                .memory
                .directory
                .with_warm(self.user, |_| ())
                .is_some()
        };
        if matches!(command, Command::Session(SessionCommand::Refresh { .. })) && is_known() {
            let now_ms = self.shared.ports.clock.unix_ms();
            let late = Late {
                since: now_ms,
                landed: now_ms,
            };
            self.shared.memory.late(self.user, late);
        }
    }

    /// The same for those whose refresh waits for what will not be.
    fn none_told(&self) {
        let refreshed = |(_, _, answer): &(_, _, Answer)| {
            matches!(
                answer,
                Answer::Reply(Reply::Session(SessionReply::Refreshed(_)))
            )
        };
        if self.replies.iter().any(refreshed) {
            let landed = self.shared.ports.clock.unix_ms();
            let since = self.undurable_since_ms().unwrap_or(landed);
            self.shared.memory.late(self.user, Late { since, landed });
        }
    }

    fn is_late(&self, decided_ms: u64) -> bool {
        let now_ms = self.shared.ports.clock.unix_ms();
        now_ms.saturating_sub(decided_ms) > LATE_MS
    }

    fn not_committed(&mut self, error: StoreError) {
        match error {
            StoreError::CommitUnknown => self.look_up(),
            StoreError::Conflict => self.conflict(),
            // Nothing of this was written; what was is read anew.
            StoreError::Overtaken => {
                self.shared.memory.directory.forget(self.user);
                self.start_over(Failure::Unavailable);
            }
            StoreError::Fenced => self.fenced(Failure::NotOwner(self.user.slot())),
            StoreError::Unavailable => self.start_over(Failure::Unavailable),
            StoreError::Corrupt | StoreError::TooLarge => {
                tracing::error!(event = "commit.refused", user = %self.user, %error);
                self.start_over(Failure::Corrupt);
            }
        }
    }

    /// Another owns the slot.
    fn fenced(&mut self, failure: Failure) {
        tracing::warn!(event = "slot.fenced", slot = self.user.slot());
        self.shared
            .placement
            .ownership
            .step_down(self.user, self.epoch);
        self.shared.memory.directory.forget(self.user);
        self.start_over(failure);
    }

    /// Only the rows of identifiers are conditional: somebody has one of them.
    fn conflict(&mut self) {
        self.none_told();
        let entering = self.under_way.take().map(|one| one.prepared.entering);
        for (_, held, answer) in std::mem::take(&mut self.replies) {
            let answer = match answer {
                Answer::Reply(
                    Reply::Credential(CredentialReply::SignedUp(_))
                    | Reply::Identifier(IdentifierReply::Verified(_)),
                ) if entering == Some(Entering::Reserved) => Answer::Failed(Failure::Unavailable),
                Answer::Reply(
                    Reply::Credential(CredentialReply::SignedUp(_))
                    | Reply::Identifier(IdentifierReply::Verified(_)),
                ) => Answer::Reply(Reply::No(Refusal::IdentifierTaken)),
                Answer::Reply(
                    Reply::Credential(CredentialReply::SignedIn(_))
                    | Reply::Session(SessionReply::Refreshed(_))
                    | Reply::Session(SessionReply::Sessions(_))
                    | Reply::Session(SessionReply::Revoked(_))
                    | Reply::Lifecycle(LifecycleReply::StatusSet(_))
                    | Reply::Lifecycle(LifecycleReply::Erased(_))
                    | Reply::Identifier(IdentifierReply::Claimed(_))
                    | Reply::No(_),
                )
                | Answer::Checked(_)
                | Answer::DegradedDecision { .. }
                | Answer::Done
                | Answer::Failed(_) => Answer::Failed(Failure::Unknown),
            };
            held.answer(answer, self.epoch);
        }
        self.start_over(Failure::Unknown);
    }

    /// What is warm is still what was durable before, and nobody was told
    /// anything newer: checks may be answered from it.
    fn look_up(&mut self) {
        let (Some(home), Some(UnderWay { prepared, .. })) = (self.home, &self.under_way) else {
            return self.start_over(Failure::Unknown);
        };
        self.phase = Phase::Resolving;
        let (shared, myself) = (Arc::clone(&self.shared), self.myself.clone());
        let epoch = self.epoch;
        let attempted = prepared.written.as_ref();
        let attempted = attempted.map(|(record, _)| record.clone());
        tokio::spawn(async move {
            let fate = commit::resolve(&shared.ports, home, epoch, attempted.as_deref()).await;
            let _ = myself.send_message(Message::Resolved(fate));
        });
    }

    pub(super) fn resolved(&mut self, fate: Result<Fate, StoreError>) {
        match fate {
            Ok(Fate::Happened) => {
                self.durable();
                self.start_over(Failure::Unknown);
            }
            Ok(Fate::DidNot) | Err(StoreError::Corrupt | StoreError::TooLarge) => {
                self.shared.memory.directory.forget(self.user);
                self.start_over(Failure::Unknown);
            }
            Err(StoreError::Fenced) => self.fenced(Failure::Unknown),
            Err(_) => {
                self.shared.placement.lost();
                self.unresolved();
            }
        }
    }

    /// The store does not say. Everybody who waits is told; nothing is built on
    /// a state that may yet change.
    fn unresolved(&mut self) {
        self.phase = Phase::Unresolved;
        self.dismiss(Failure::Unknown);
        self.fetch_failed(Failure::Unavailable);
        for job in std::mem::take(&mut self.queue) {
            if let What::Command { command, .. } = &job.what {
                self.not_told(command);
            }
            match job.responder {
                Some(responder) => {
                    responder.answer(Answer::Failed(Failure::Unavailable), self.epoch);
                }
                None => self.shared.memory.not_written(self.user),
            }
        }
        let (myself, clock) = (self.myself.clone(), Arc::clone(&self.shared.ports.clock));
        tokio::spawn(async move {
            clock.sleep(LOOK_AGAIN_MS).await;
            let _ = myself.send_message(Message::LookAgain);
        });
    }

    pub(super) fn look_again(&mut self) {
        if matches!(self.phase, Phase::Unresolved) {
            self.look_up();
        }
    }

    /// Throws the state away: everybody who waits is told, and whoever comes
    /// next is answered from what storage holds.
    fn start_over(&mut self, failure: Failure) {
        self.dismiss(failure);
        self.under_way = None;
        self.settling = None;
        self.durable = 0;
        self.load();
    }

    /// Throws away what was decided and not committed, and tells everybody who
    /// waits for it. Of whom nothing was decided yet nothing is in any commit,
    /// whatever became of those.
    fn dismiss(&mut self, failure: Failure) {
        let epoch = self.epoch;
        self.none_told();
        self.life += 1;
        self.draft.take();
        for (_, held, _) in std::mem::take(&mut self.replies) {
            held.answer(Answer::Failed(failure), epoch);
        }
        let undecided = match failure == Failure::Unknown {
            true => Failure::Unavailable,
            false => failure,
        };
        for held in std::mem::take(&mut self.open).into_values() {
            held.answer(Answer::Failed(undecided), epoch);
        }
        self.shared.memory.not_written(self.user);
    }
}

/// What is said in the place of a reply whose change is over the limit. The charge
/// of a guess was in what is not written, so nothing is said of one.
fn over_limit(reply: &Reply) -> Answer {
    let guessed = |refusal: &Refusal| refusal.judged() == Judged::Wrong;
    if matches!(reply, Reply::No(refusal) if guessed(refusal)) {
        let reply = DegradedReply::Unsaid;
        return Answer::DegradedDecision { reply, age_ms: 0 };
    }
    Answer::Reply(Reply::No(Refusal::LimitReached))
}
