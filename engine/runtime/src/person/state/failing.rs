//! When a commit does not come back well: what is told to the requests that wait for
//! it, and what the actor goes on from.

use std::sync::Arc;

use tidegate_account::{DegradedReply, HoldOutcome, Judged, Late, Refusal, Reply};
use tidegate_storage_api::StoreError;

use super::PersonState;
use super::commits::{Again, UnderWay};
use super::phase::Phase;
use crate::admission::Limit;
use crate::answer::{Answer, Failure};
use crate::job::What;
use crate::person::Message;
use crate::person::commit::{self, Entering, Fate};

/// How long the store is left alone before it is asked again for the outcome of a
/// commit, unless a request for the person comes before.
const LOOK_AGAIN_MS: u64 = 1_000;

impl PersonState {
    /// The record would be over its limit: nothing was written, and every command
    /// that was to be is told so. What is stored stays, and takes whatever makes
    /// it smaller.
    pub(super) fn over_limit(&mut self) {
        tracing::warn!(event = "commit.over_limit", user = %self.subject.user);
        self.none_told();
        let busy = self.subject.shared.busy(Limit::Commits);
        let instead = |answer| match answer {
            Answer::Reply(reply) => over_limit(&reply),
            Answer::Done => Answer::Failed(busy),
            answer @ (Answer::Checked(_) | Answer::DegradedDecision { .. } | Answer::Failed(_)) => {
                answer
            }
        };
        self.replies.answer_instead(self.subject.epoch, instead);
        // Whatever else is under way was not judged yet and can be asked again.
        self.start_over(busy);
    }

    /// Refreshes that wait for what will not be durable may come again.
    fn none_told(&self) {
        if self.replies.has_refreshed() {
            let landed = self.subject.now_ms();
            let since = self.commits.since_ms().unwrap_or(landed);
            self.subject.late(Late { since, landed });
        }
    }

    pub(super) fn not_committed(&mut self, error: StoreError) {
        match error {
            StoreError::CommitUnknown => self.look_up(),
            StoreError::Conflict => self.conflict(),
            // Nothing of this was written; what was is read anew.
            StoreError::Overtaken => {
                self.subject.forget();
                self.start_over(Failure::Unavailable);
            }
            StoreError::Fenced => self.fenced(self.subject.not_owner()),
            StoreError::Unavailable => self.start_over(Failure::Unavailable),
            StoreError::Corrupt | StoreError::TooLarge => {
                tracing::error!(event = "commit.refused", user = %self.subject.user, %error);
                self.start_over(Failure::Corrupt);
            }
        }
    }

    /// Another node owns the slot.
    fn fenced(&mut self, failure: Failure) {
        let subject = &self.subject;
        tracing::warn!(event = "slot.fenced", slot = subject.user.slot());
        let ownership = &subject.shared.placement.ownership;
        ownership.step_down(subject.user, subject.epoch);
        subject.forget();
        self.start_over(failure);
    }

    /// Only the rows of identifiers are conditional: another account has one of them.
    fn conflict(&mut self) {
        self.none_told();
        let entering = self.commits.take().map(|one| one.prepared.entering);
        let instead = |answer| in_conflict(&answer, entering);
        self.replies.answer_instead(self.subject.epoch, instead);
        self.start_over(Failure::Unknown);
    }

    /// Looks the commit up. Meanwhile it is one that takes long: the account goes on
    /// from what it decided, and nothing of that is told before it is durable. What
    /// is warm is still what was durable before: checks may be answered from it.
    fn look_up(&mut self) {
        let (home, under_way) = (self.subject.home, self.commits.under_way());
        let (Some(home), Some(UnderWay { prepared, .. })) = (home, under_way) else {
            return self.start_over(Failure::Unknown);
        };
        let attempted = prepared.written.as_ref();
        let attempted = attempted.map(|(record, _)| record.clone());
        let (shared, epoch) = (Arc::clone(&self.subject.shared), self.subject.epoch);
        self.subject.begin(async move {
            let fate = commit::resolve(&shared.ports, home, epoch, attempted.as_deref());
            Message::Resolved(fate.await)
        });
    }

    pub(super) fn resolved(&mut self, fate: Result<Fate, StoreError>) {
        match fate {
            Ok(Fate::Happened) => {
                self.durable();
                if matches!(self.phase, Phase::Unresolved) {
                    self.start_over(Failure::Unavailable);
                }
            }
            Ok(Fate::DidNot) => self.commit_again(),
            Err(StoreError::Corrupt | StoreError::TooLarge) => {
                self.subject.forget();
                self.start_over(Failure::Unknown);
            }
            Err(StoreError::Fenced) => self.fenced(Failure::Unknown),
            Err(_) => {
                self.subject.shared.placement.lost();
                self.unresolved();
            }
        }
    }

    /// What was decided stands and can still be written: it is, so that no caller is
    /// told that an outcome is not known which the node knows. Where every caller has
    /// been told already, nothing is written behind their backs.
    fn commit_again(&mut self) {
        let again = match self.phase {
            Phase::Ready(_) => self.commits.begin_again(&self.subject),
            Phase::Loading | Phase::Unresolved | Phase::Refused(_) => Again::GivenUp,
        };
        if again == Again::GivenUp {
            self.subject.forget();
            self.start_over(Failure::Unavailable);
        }
    }

    /// The store does not say. Every request that waits is told; nothing is built on
    /// a state that may yet change.
    fn unresolved(&mut self) {
        self.phase = Phase::Unresolved;
        self.dismiss(Failure::Unknown);
        self.fetches
            .refuse(Failure::Unavailable, self.subject.epoch);
        for job in std::mem::take(&mut self.queue) {
            if let What::Command { command, .. } = &job.what {
                self.subject.not_told(command);
            }
            self.subject.refuse(job, Failure::Unavailable);
        }
        let clock = Arc::clone(&self.subject.shared.ports.clock);
        self.subject.begin(async move {
            clock.sleep(LOOK_AGAIN_MS).await;
            Message::LookAgain
        });
    }

    pub(super) fn look_again(&mut self) {
        if matches!(self.phase, Phase::Unresolved) {
            self.look_up();
        }
    }

    /// Throws the state away: every request that waits is told, and the next one
    /// is answered from what storage holds.
    pub(super) fn start_over(&mut self, failure: Failure) {
        self.dismiss(failure);
        self.commits.take();
        self.adopting = None;
        self.replies.set_durable(0);
        self.load();
    }

    /// Throws away what was decided and not committed, and tells every request that
    /// waits for it. What was not decided yet is in no commit, whatever the outcome
    /// of those is.
    fn dismiss(&mut self, failure: Failure) {
        let epoch = self.subject.epoch;
        self.none_told();
        self.life += 1;
        self.commits.draft.take();
        self.replies
            .answer_instead(epoch, |_| Answer::Failed(failure));
        let undecided = match failure == Failure::Unknown {
            true => Failure::Unavailable,
            false => failure,
        };
        self.requests.refuse_all(undecided, epoch);
        self.subject.not_written();
    }
}

/// What is said in the place of an answer whose commit met another account's row.
fn in_conflict(answer: &Answer, entering: Option<Entering>) -> Answer {
    match answer {
        Answer::Reply(reply) => match (reply.hold(), entering) {
            (HoldOutcome::Held, Some(Entering::Reserved)) => Answer::Failed(Failure::Unavailable),
            (HoldOutcome::Held, _) => Answer::Reply(Reply::No(Refusal::IdentifierTaken)),
            (HoldOutcome::GivenUp | HoldOutcome::Unrelated, _) => Answer::Failed(Failure::Unknown),
        },
        Answer::Checked(_) | Answer::DegradedDecision { .. } | Answer::Done | Answer::Failed(_) => {
            Answer::Failed(Failure::Unknown)
        }
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
