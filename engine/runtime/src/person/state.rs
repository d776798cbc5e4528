//! What an actor holds while its person is hot, each part in a file of its own. The
//! order is always commit, publish, reply.

mod account;
mod adopting;
mod commits;
mod degraded;
mod failing;
mod fetching;
mod opening;
mod phase;
mod rekeying;
mod replies;
mod settling;
mod subject;

use std::collections::VecDeque;
use std::sync::Arc;

use ractor::ActorRef;
use tidegate_account::record::Corrupt;
use tidegate_account::{Input, Part, Refusal, SecretHash, UserId};

use super::Message;
use crate::admission::Counted;
use crate::answer::{Answer, Failure};
use crate::check::{Ask, Outcome};
use crate::job::{Job, Wanted, What};
use crate::placement::Standing;
use crate::shared::Shared;
use crate::warm::WriteBehind;
use adopting::Adopting;
use commits::Commits;
use degraded::Shadows;
use fetching::Fetches;
use phase::Phase;
use replies::{Held, Replies, Requests};
use subject::Subject;

/// What an actor holds.
pub(crate) struct PersonState {
    subject: Subject,
    /// The room among those being read, until the person is.
    activation: Option<Counted>,
    phase: Phase,
    queue: VecDeque<Job>,
    /// The job that waits for parts; those in the queue come after it.
    fetches: Fetches,
    requests: Requests,
    replies: Replies,
    commits: Commits,
    /// The account while the store is out of reach.
    shadows: Shadows,
    /// What the account takes over from such a time.
    adopting: Option<Adopting>,
    soundness: Soundness,
    /// How often the state was thrown away: work begun before that is not
    /// this account's any more.
    life: u64,
}

/// A panic in the middle of a message leaves a state that is not sound.
#[derive(PartialEq, Eq)]
enum Soundness {
    Sound,
    InTheMiddle,
}

impl PersonState {
    pub(super) fn open(
        shared: Arc<Shared>,
        user: UserId,
        epoch: u64,
        activation: Option<Counted>,
        myself: ActorRef<Message>,
    ) -> PersonState {
        let mut state = PersonState {
            subject: Subject::new(shared, user, epoch, myself),
            activation,
            phase: Phase::Loading,
            queue: VecDeque::new(),
            fetches: Fetches::default(),
            requests: Requests::default(),
            replies: Replies::default(),
            commits: Commits::default(),
            shadows: Shadows::default(),
            adopting: None,
            soundness: Soundness::Sound,
            life: 0,
        };
        state.load();
        state
    }

    pub(super) fn take(&mut self, message: Message) {
        self.soundness = Soundness::InTheMiddle;
        if !matches!(message, Message::Compared { .. }) {
            self.shadows.leave(&self.subject);
        }
        match message {
            Message::Job(job) => self.receive(job),
            Message::LookAgain => self.look_again(),
            Message::Loaded(loaded) => self.loaded(loaded),
            Message::Parts { read, rows } => self.fetched(read, rows),
            Message::Hashed {
                life,
                pending,
                completion,
            } if life == self.life => self.input(Input::Completion {
                pending,
                completion,
            }),
            Message::Hashed { .. } => {}
            Message::Compared {
                shadow,
                pending,
                completion,
            } => self
                .shadows
                .compared(&self.subject, shadow, pending, completion),
            Message::Committed(outcome) => self.committed(outcome),
            Message::Resolved(fate) => self.resolved(fate),
        }
        self.work();
        self.soundness = Soundness::Sound;
    }

    /// Whether the actor may end: nothing waits, and the directory agrees.
    pub(super) fn leaves(&self) -> bool {
        let waits = !self.queue.is_empty() || self.fetches.is_waiting();
        let quiet = self.phase.is_idle() && !waits && self.requests.is_empty();
        let settled = self.replies.is_empty() && self.commits.is_settled();
        let directory = &self.subject.shared.memory.directory;
        quiet && settled && self.shadows.is_empty() && directory.leave(self.subject.user)
    }

    fn work(&mut self) {
        if let Some(failure) = self.phase.refusal() {
            self.fetches.refuse(failure, self.subject.epoch);
        }
        while matches!(self.phase, Phase::Ready(_) | Phase::Refused(_))
            && !self.fetches.is_waiting()
        {
            let Some(job) = self.queue.pop_front() else {
                break;
            };
            match (self.phase.refusal(), self.wanted(&job)) {
                (None, Some(wanted)) => self.fetches.wait(job, wanted),
                (None, None) => self.job(job, &[]),
                (Some(failure), _) => self.subject.refuse(job, failure),
            }
        }
        self.commit();
        self.fetch();
    }

    /// The parts that must be loaded before a job is done.
    fn wanted(&self, job: &Job) -> Option<Wanted> {
        let asked = self.phase.opened().zip(job.what.command());
        let by_account = asked.and_then(|(ready, command)| ready.account.wants(command));
        by_account.map(Wanted::All).or(job.what.wanted())
    }

    /// A job that cannot be made durable waits for nothing.
    fn receive(&mut self, job: Job) {
        let standing = match job.what {
            // What is read need not be written.
            What::Check(_) => self.subject.standing(),
            What::Command { .. }
            | What::WriteBehind
            | What::Settle
            | What::Sweep
            | What::Due(_)
            | What::Post(_)
            | What::Parts { .. }
            | What::Rekey => self.subject.standing_to_change(),
        };
        match standing {
            Standing::CutOff { age_ms } => self.job_degraded(job, age_ms),
            Standing::Owner | Standing::NotOwner => {
                self.queue.push_back(job);
                self.look_again();
            }
        }
    }

    /// Answers a job while the store is out of reach.
    fn job_degraded(&mut self, job: Job, age_ms: u64) {
        let undurable = (&self.replies, &self.commits);
        self.shadows.job(&self.subject, undurable, job, age_ms);
    }

    /// Does a job, for which these parts were loaded.
    fn job(&mut self, job: Job, parts: &[Part]) {
        let standing = self.subject.standing();
        if let Standing::CutOff { age_ms } = standing {
            return self.job_degraded(job, age_ms);
        }
        let epoch = self.subject.epoch;
        let Some((what, held)) = self.subject.in_time(job) else {
            return;
        };
        if standing == Standing::NotOwner {
            // What is known here may not be so any more.
            let failure = self.subject.not_owner();
            return held.answer(Answer::Failed(failure), epoch);
        }
        let refreshed = what.goes_on_with();
        self.adopt(refreshed);
        if refreshed.is_some() {
            self.late_so_far();
        }
        match what {
            What::Check(ask) => held.answer(self.check(&ask), epoch),
            What::WriteBehind => {
                self.touch();
                self.input(Input::WriteBehind);
                self.subject.shared.meters.write_behind.increment(1);
            }
            What::Settle => {}
            What::Sweep => {
                self.touch();
                self.input(Input::Sweep);
                self.done(held);
            }
            What::Due(row) => {
                self.touch();
                self.input(Input::Sweep);
                match self.phase.is_on_agenda(&self.subject, row) {
                    // Something of the person is under way, or the date went back.
                    true => held.answer(Answer::Failed(Failure::Unavailable), epoch),
                    false => self.done(held),
                }
            }
            What::Post(outgoing) => {
                self.touch();
                self.input(Input::Post(outgoing));
                self.done(held);
            }
            What::Rekey => match self.rekey(parts) {
                Ok(()) => self.done(held),
                Err(Corrupt) => held.answer(Answer::Failed(Failure::Corrupt), epoch),
            },
            What::Parts { told, .. } => {
                // The receiver may have been dropped.
                let _ = told.send(parts.to_vec());
                self.done(held);
            }
            What::Command { context, command } => {
                self.touch();
                let request = self.requests.enter(held, context);
                self.input(Input::Command(request, command));
            }
        }
    }

    /// Answers a check that found the person cold.
    fn check(&self, ask: &Ask) -> Answer {
        let Subject { shared, user, .. } = &self.subject;
        let now_ms = self.subject.now_ms();
        let secret = SecretHash::of_session(&ask.secret);
        match shared.memory.look_up(ask, &secret, now_ms) {
            Some(found) if !shared.placement.owns(*user, found.epoch) => {
                Answer::Failed(self.subject.not_owner())
            }
            Some(found) => {
                if found.write_behind == WriteBehind::Due {
                    shared.memory.write_behind(*user);
                }
                Answer::Checked(found.outcome)
            }
            None if self.phase.is_absent() => Answer::Checked(Outcome::No(Refusal::InvalidToken)),
            // There is an account, which the slot's loss made cold.
            None => Answer::Failed(Failure::Unknown),
        }
    }

    /// Answers work of the engine's own when what it changed is durable.
    fn done(&mut self, held: Held) {
        self.replies.hold(self.phase.revision(), held, Answer::Done);
        self.replies.release(self.subject.epoch);
    }
}

impl Drop for PersonState {
    fn drop(&mut self) {
        if self.soundness == Soundness::InTheMiddle {
            let Subject { shared, user, .. } = &self.subject;
            tracing::error!(event = "person.broken", user = %user);
            shared.meters.broken.increment(1);
            shared.memory.directory.mark_broken(*user);
            shared.memory.directory.unseat(*user);
        }
    }
}
