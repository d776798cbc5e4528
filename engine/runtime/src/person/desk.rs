//! The actor's desk: what it holds while its person is hot. The order is
//! always commit, publish, reply.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ractor::ActorRef;
use tidegate_account::{
    Account, Completion, Effect, Entropy, Input, Output, PendingId, Policy, Refusal, Reply, Ticket,
    UserId,
};
use tidegate_storage_api::{Stamp, StoreError};

use super::commit::{self, Draft, Fate, Prepared};
use super::load::{self, Home, Loaded, Opened, PersonKey};
use super::{Job, Message, What};
use crate::answer::{Answer, Failure, Responder};
use crate::directory::{Outcome, Waiting};
use crate::engine::Shared;
use crate::ports::{HashDone, HashJob, HashWork};
use crate::seal::{WRAPPED_BYTES, WrappedKey};
use crate::warm::{Warm, WarmParts, WriteBehind};

/// What an actor holds.
pub(crate) struct Desk {
    shared: Arc<Shared>,
    home: Option<Home>,
    user: UserId,
    epoch: u64,
    myself: ActorRef<Message>,
    phase: Phase,
    queue: VecDeque<Job>,
    /// Commands whose reply is still to come from the account.
    open: BTreeMap<Ticket, Held>,
    next_ticket: u64,
    /// Replies that wait until a revision is durable.
    replies: Vec<(u64, Held, Reply)>,
    durable: u64,
    draft: Draft,
    under_way: Option<Prepared>,
    soundness: Soundness,
    /// How often the state was thrown away: work begun before that is not
    /// this account's any more.
    life: u64,
}

enum Phase {
    Loading,
    Ready {
        account: Box<Account>,
        key: Option<PersonKey>,
    },
    /// A commit's fate is being looked up.
    Resolving,
    /// The person could not be read: everybody who waits is told why, and
    /// whoever comes after the actor has left finds a new one.
    Refused(Failure),
}

impl Phase {
    fn is_absent(&self) -> bool {
        matches!(self, Phase::Ready { account, .. } if account.parts().is_none())
    }

    fn refusal(&self) -> Option<Failure> {
        match self {
            Phase::Refused(failure) => Some(*failure),
            Phase::Loading | Phase::Resolving | Phase::Ready { .. } => None,
        }
    }
}

/// A panic in the middle of a message leaves a desk that is not sound.
#[derive(PartialEq, Eq)]
enum Soundness {
    Sound,
    InTheMiddle,
}

struct Held {
    responder: Option<Responder>,
    deadline_ms: u64,
    _waiting: Waiting,
}

impl Held {
    fn answer(self, answer: Answer, epoch: u64) {
        if let Some(responder) = self.responder {
            responder.answer(answer, epoch);
        }
    }
}

impl Desk {
    pub(super) fn open(
        shared: Arc<Shared>,
        user: UserId,
        epoch: u64,
        myself: ActorRef<Message>,
    ) -> Desk {
        let mut desk = Desk {
            shared,
            home: Home::of(user),
            user,
            epoch,
            myself,
            phase: Phase::Loading,
            queue: VecDeque::new(),
            open: BTreeMap::new(),
            next_ticket: 0,
            replies: Vec::new(),
            durable: 0,
            draft: Draft::default(),
            under_way: None,
            soundness: Soundness::Sound,
            life: 0,
        };
        desk.load();
        desk
    }

    pub(super) fn take(&mut self, message: Message) {
        self.soundness = Soundness::InTheMiddle;
        match message {
            Message::Job(job) => self.queue.push_back(job),
            Message::Loaded(loaded) => self.loaded(loaded),
            Message::Hashed {
                life,
                pending,
                completion,
            } if life == self.life => self.hashed(pending, completion),
            Message::Hashed { .. } => {}
            Message::Committed(outcome) => self.committed(outcome),
            Message::Resolved(fate) => self.resolved(fate),
        }
        self.work();
        self.soundness = Soundness::Sound;
    }

    /// Whether the actor may end: nothing waits, and the directory agrees.
    pub(super) fn leaves(&self) -> bool {
        let idle = match &self.phase {
            Phase::Ready { account, .. } => !account.is_waiting(),
            Phase::Refused(_) => true,
            Phase::Loading | Phase::Resolving => false,
        };
        let quiet = idle && self.queue.is_empty() && self.open.is_empty();
        let settled = self.replies.is_empty() && self.under_way.is_none() && self.draft.is_empty();
        quiet && settled && self.shared.directory.leave(self.user)
    }

    fn work(&mut self) {
        while matches!(self.phase, Phase::Ready { .. } | Phase::Refused(_)) {
            let Some(job) = self.queue.pop_front() else {
                break;
            };
            match (self.phase.refusal(), job) {
                (None, job) => self.job(job),
                (Some(failure), Job { responder, .. }) => match responder {
                    Some(responder) => responder.answer(Answer::Failed(failure), self.epoch),
                    None => self.not_written(),
                },
            }
        }
        self.commit();
    }

    fn job(&mut self, job: Job) {
        let held = Held {
            responder: job.responder,
            deadline_ms: job.deadline_ms,
            _waiting: job.waiting,
        };
        if self.shared.clock.monotonic_ms() > job.deadline_ms {
            return held.answer(Answer::Failed(Failure::DeadlineExceeded), self.epoch);
        }
        match job.what {
            What::Check(ask) => {
                let now_ms = self.shared.clock.unix_ms();
                let answer = match self.shared.directory.check(&ask, now_ms) {
                    Some((outcome, write_behind, _)) => {
                        if write_behind == WriteBehind::Due {
                            self.shared.due.push(self.user, &self.shared);
                        }
                        Answer::Checked(outcome)
                    }
                    None if self.phase.is_absent() => {
                        Answer::Checked(Outcome::No(Refusal::InvalidToken))
                    }
                    // There is somebody, whom the slot's loss made cold.
                    None => Answer::Failed(Failure::Unknown),
                };
                held.answer(answer, self.epoch);
            }
            What::WriteBehind => {
                self.touch();
                self.input(Input::WriteBehind);
                self.shared.meters.write_behind.increment(1);
            }
            What::Command {
                tenant,
                idempotency,
                command,
            } => {
                self.touch();
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.open.insert(ticket, held);
                self.input(Input::Command {
                    ticket,
                    tenant,
                    idempotency,
                    command,
                });
            }
        }
    }

    /// Tells the account of the uses that were answered from memory.
    fn touch(&mut self) {
        let uses = self.shared.directory.with_warm(self.user, Warm::uses);
        if let Some(uses) = uses.filter(|uses| !uses.is_empty()) {
            self.input(Input::Touched(uses));
        }
    }

    fn input(&mut self, input: Input) {
        let Phase::Ready { account, .. } = &mut self.phase else {
            return;
        };
        let policy = policy_of(&self.shared, account, &input);
        let entropy = Entropy::new(self.shared.entropy.seed());
        let now_ms = self.shared.clock.unix_ms();
        let output = account.handle(now_ms, entropy, &policy, input);
        let revision = account.revision();
        self.output(output, revision);
    }

    fn output(&mut self, output: Output, revision: u64) {
        for effect in output.effects {
            self.effect(effect);
        }
        if let Some(changes) = output.changes {
            self.draft.add(changes);
        }
        for (ticket, reply) in output.replies {
            if let Some(held) = self.open.remove(&ticket) {
                self.replies.push((revision, held, reply));
            }
        }
        self.release();
    }

    fn effect(&mut self, effect: Effect) {
        let pending = effect.pending();
        let work = match effect {
            Effect::HashPassword {
                password,
                salt,
                policy,
                ..
            } => HashWork::Hash {
                password,
                salt,
                policy,
            },
            Effect::VerifyPassword {
                password,
                stored: Some(stored),
                ..
            } => HashWork::Verify { password, stored },
            Effect::VerifyPassword {
                password,
                stored: None,
                ..
            } => HashWork::Pretend {
                password,
                policy: Policy::default().password,
            },
        };
        let (myself, life) = (self.myself.clone(), self.life);
        let done = HashDone::new(move |completion| {
            let message = Message::Hashed {
                life,
                pending,
                completion,
            };
            // An actor that ended has answered everybody already.
            let _ = myself.send_message(message);
        });
        let deadlines = self.open.values().map(|held| held.deadline_ms);
        let deadline_ms = deadlines.max().unwrap_or(u64::MAX);
        self.shared.cpu.hash(HashJob { work, deadline_ms }, done);
    }

    fn hashed(&mut self, pending: PendingId, completion: Completion) {
        self.input(Input::Completion {
            pending,
            completion,
        });
    }

    /// Answers what is durable.
    fn release(&mut self) {
        let durable = self.durable;
        for (_, held, reply) in self
            .replies
            .extract_if(.., |(needs, _, _)| *needs <= durable)
        {
            held.answer(Answer::Reply(reply), self.epoch);
        }
    }

    fn commit(&mut self) {
        if self.under_way.is_some() {
            return;
        }
        let (Phase::Ready { account, key }, Some(home)) = (&self.phase, self.home) else {
            return;
        };
        let Some(changes) = self.draft.take() else {
            return;
        };
        let prepared = commit::prepare(
            &self.shared,
            home,
            self.epoch,
            account,
            key.clone(),
            changes,
        );
        let Ok(mut prepared) = prepared else {
            // A record over its limit or a key that is gone: nothing was written.
            tracing::error!(event = "commit.impossible", user = %self.user);
            return self.start_over(Failure::Corrupt);
        };
        let answer = self
            .shared
            .store
            .commit(std::mem::take(&mut prepared.commit));
        self.under_way = Some(prepared);
        let myself = self.myself.clone();
        tokio::spawn(async move {
            let outcome = answer.await;
            let _ = myself.send_message(Message::Committed(outcome));
        });
    }

    fn committed(&mut self, outcome: Result<Stamp, StoreError>) {
        match outcome {
            Ok(_) => self.durable(),
            Err(error) => {
                self.shared.meters.commits_failed.increment(1);
                self.not_committed(error);
            }
        }
    }

    /// The commit under way is on disk: checks read it from now on, and only
    /// then do its replies leave.
    fn durable(&mut self) {
        let Some(prepared) = self.under_way.take() else {
            return;
        };
        self.shared.meters.commits.increment(1);
        self.durable = prepared.revision;
        if let Phase::Ready { key, .. } = &mut self.phase {
            *key = Some(prepared.key.clone());
        }
        self.publish(prepared.record, prepared.key.wrapped);
        self.release();
    }

    fn publish(&mut self, record: Vec<u8>, key: WrappedKey) {
        if self.shared.ownership.epoch_of(self.user) != Some(self.epoch) {
            return self.shared.directory.forget(self.user);
        }
        let now_ms = self.shared.clock.unix_ms();
        let parts = WarmParts {
            record,
            key,
            epoch: self.epoch,
        };
        match Warm::new(parts, now_ms) {
            Ok(warm) => self.shared.directory.publish(self.user, Box::new(warm)),
            Err(_) => self.shared.directory.forget(self.user),
        }
    }

    fn not_committed(&mut self, error: StoreError) {
        match error {
            StoreError::CommitUnknown => self.look_up(),
            StoreError::Conflict => self.conflict(),
            StoreError::Fenced => {
                tracing::warn!(event = "slot.fenced", slot = self.user.slot());
                self.shared.ownership.step_down(self.user);
                self.shared.directory.forget(self.user);
                self.start_over(Failure::NotOwner);
            }
            StoreError::Unavailable => self.start_over(Failure::Unavailable),
            StoreError::Corrupt | StoreError::TooLarge => {
                tracing::error!(event = "commit.refused", user = %self.user, %error);
                self.start_over(Failure::Corrupt);
            }
        }
    }

    /// Only a new account's rows are conditional: somebody has an identifier.
    fn conflict(&mut self) {
        self.under_way = None;
        for (_, held, reply) in std::mem::take(&mut self.replies) {
            let answer = match reply {
                Reply::SignedUp(_) => Answer::Reply(Reply::No(Refusal::IdentifierTaken)),
                _ => Answer::Failed(Failure::Unknown),
            };
            held.answer(answer, self.epoch);
        }
        self.start_over(Failure::Unknown);
    }

    fn look_up(&mut self) {
        self.shared.directory.forget(self.user);
        let (Some(home), Some(prepared)) = (self.home, &self.under_way) else {
            return self.start_over(Failure::Unknown);
        };
        self.phase = Phase::Resolving;
        let (shared, myself) = (Arc::clone(&self.shared), self.myself.clone());
        let attempted = prepared.record.clone();
        tokio::spawn(async move {
            let fate = commit::resolve(&shared, home, &attempted).await;
            let _ = myself.send_message(Message::Resolved(fate));
        });
    }

    fn resolved(&mut self, fate: Result<Fate, StoreError>) {
        if fate == Ok(Fate::Happened) {
            self.durable();
        }
        self.start_over(Failure::Unknown);
    }

    /// Throws the state away: everybody who waits is told, and whoever comes
    /// next is answered from what storage holds.
    fn start_over(&mut self, failure: Failure) {
        let epoch = self.epoch;
        self.life += 1;
        self.under_way = None;
        self.draft.take();
        let replies = std::mem::take(&mut self.replies).into_iter();
        let open = std::mem::take(&mut self.open).into_values();
        for held in replies.map(|(_, held, _)| held).chain(open) {
            held.answer(Answer::Failed(failure), epoch);
        }
        self.not_written();
        self.durable = 0;
        self.load();
    }

    /// Lets the next check ask for the write behind again.
    fn not_written(&self) {
        self.shared
            .directory
            .with_warm(self.user, Warm::not_written);
    }

    /// Opens the warm form, or reads the person from storage.
    fn load(&mut self) {
        let Some(epoch) = self.shared.ownership.epoch_of(self.user) else {
            return self.phase = Phase::Refused(Failure::NotOwner);
        };
        self.epoch = epoch;
        let shared = Arc::clone(&self.shared);
        let warm = shared.directory.with_warm(self.user, |warm| {
            (warm.epoch == epoch).then(|| (warm.record().to_vec(), warm.key))
        });
        match (warm.flatten(), self.home) {
            (Some((record, key)), _) => {
                let opened = load::open(&shared, &record, key);
                self.opened(opened.map_err(|_| StoreError::Corrupt));
            }
            (None, None) => self.phase = Phase::Refused(Failure::NotOwner),
            (None, Some(home)) => {
                self.phase = Phase::Loading;
                self.shared.meters.loads.increment(1);
                let myself = self.myself.clone();
                tokio::spawn(async move {
                    let loaded = load::load(&shared, home).await;
                    let _ = myself.send_message(Message::Loaded(loaded));
                });
            }
        }
    }

    fn loaded(&mut self, loaded: Result<Loaded, StoreError>) {
        if self.shared.ownership.epoch_of(self.user) != Some(self.epoch) {
            return self.load();
        }
        let opened = loaded.and_then(|loaded| match loaded {
            Loaded { record: None, .. } => Ok(None),
            Loaded {
                record: Some(record),
                key: Some(key),
            } => self.open_loaded(&record, &key).map(Some),
            // A record whose key is destroyed is nobody's any more.
            Loaded { key: None, .. } => Err(StoreError::Corrupt),
        });
        match opened {
            Ok(None) => {
                self.phase = Phase::Ready {
                    account: Box::new(Account::absent(self.user)),
                    key: None,
                };
            }
            Ok(Some(opened)) => self.opened(Ok(opened)),
            Err(error) => self.opened(Err(error)),
        }
    }

    fn open_loaded(&mut self, record: &[u8], key: &[u8]) -> Result<Opened, StoreError> {
        let wrapped = <[u8; WRAPPED_BYTES]>::try_from(key).map_err(|_| StoreError::Corrupt)?;
        let opened = load::open(&self.shared, record, WrappedKey(wrapped));
        let opened = opened.map_err(|_| StoreError::Corrupt)?;
        self.publish(record.to_vec(), WrappedKey(wrapped));
        Ok(opened)
    }

    fn opened(&mut self, opened: Result<Opened, StoreError>) {
        match opened {
            Ok(opened) => {
                self.durable = opened.account.revision();
                self.phase = Phase::Ready {
                    account: Box::new(opened.account),
                    key: Some(opened.key),
                };
            }
            Err(StoreError::Corrupt) => {
                tracing::error!(event = "person.corrupt", user = %self.user);
                self.shared.directory.forget(self.user);
                self.phase = Phase::Refused(Failure::Corrupt);
            }
            Err(_) => self.phase = Phase::Refused(Failure::Unavailable),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if self.soundness == Soundness::InTheMiddle {
            tracing::error!(event = "person.broken", user = %self.user);
            self.shared.meters.broken.increment(1);
            self.shared.directory.mark_broken(self.user);
            self.shared.directory.unseat(self.user);
        }
    }
}

/// The rules of the tenant in whose name the input comes or whose person it is.
fn policy_of(shared: &Shared, account: &Account, input: &Input) -> Policy {
    let tenant = match (account.parts(), input) {
        (Some((check, _)), _) => Some(tidegate_account::TenantId(check.tenant)),
        (None, Input::Command { tenant, .. }) => Some(*tenant),
        (None, _) => None,
    };
    let tenant = tenant.and_then(|id| shared.tenants.get(id));
    tenant.map_or_else(Policy::default, |tenant| tenant.policy.clone())
}
