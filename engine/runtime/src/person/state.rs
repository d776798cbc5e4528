//! The actor's desk: what it holds while its person is hot. The order is
//! always commit, publish, reply.

mod degraded;
mod fetching;
mod opening;
mod rekeying;
mod settling;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ractor::ActorRef;
use tidegate_account::record::Corrupt;
use tidegate_account::{
    Account, AgendaRow, Asked, Completion, Effect, Entropy, Input, Output, Part, PasswordWork,
    PendingId, Policy, Refusal, SecretHash, Ticket, UserId,
};

use super::Message;
use super::commit::{Draft, Prepared};
use super::load::{Home, PersonKey};
use crate::admission::Counted;
use crate::answer::{Answer, Failure, Responder};
use crate::check::Outcome;
use crate::directory::Waiting;
use crate::job::{Job, What};
use crate::placement::Standing;
use crate::ports::{HashDone, HashJob, HashWork};
use crate::shared::Shared;
use crate::tenants::{Tenant, pretend};
use crate::warm::{Warm, WriteBehind};
use degraded::{Settling, Shadow, goes_on_with};
use fetching::Fetching;

/// What an actor holds.
pub(crate) struct PersonState {
    shared: Arc<Shared>,
    home: Option<Home>,
    user: UserId,
    epoch: u64,
    /// The room among those being read, until the person is.
    activation: Option<Counted>,
    myself: ActorRef<Message>,
    phase: Phase,
    queue: VecDeque<Job>,
    /// The job that waits for parts; those in the queue come after it.
    fetching: Option<Fetching>,
    /// How often parts were read.
    fetches: u64,
    /// Commands whose reply is still to come from the account.
    open: BTreeMap<Ticket, Held>,
    next_ticket: u64,
    /// Replies that wait until a revision is durable.
    replies: Vec<(u64, Held, Answer)>,
    durable: u64,
    draft: Draft,
    under_way: Option<UnderWay>,
    soundness: Soundness,
    /// The account while the store is out of reach.
    shadow: Option<Shadow>,
    /// How many there were.
    shadows: u64,
    settling: Option<Settling>,
    /// How often the state was thrown away: work begun before that is not
    /// this account's any more.
    life: u64,
}

/// A commit on its way.
struct UnderWay {
    prepared: Prepared,
    /// When the first of it was decided, in Unix milliseconds.
    decided_ms: Option<u64>,
}

enum Phase {
    Loading,
    Ready {
        account: Box<Account>,
        key: Option<PersonKey>,
    },
    /// A commit's fate is being looked up.
    Resolving,
    /// It could not be: nothing is built on what may yet change.
    Unresolved,
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
            Phase::Loading | Phase::Resolving | Phase::Unresolved | Phase::Ready { .. } => None,
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

impl PersonState {
    pub(super) fn open(
        shared: Arc<Shared>,
        user: UserId,
        epoch: u64,
        activation: Option<Counted>,
        myself: ActorRef<Message>,
    ) -> PersonState {
        let mut state = PersonState {
            shared,
            home: Home::of(user),
            user,
            epoch,
            activation,
            myself,
            phase: Phase::Loading,
            queue: VecDeque::new(),
            fetching: None,
            fetches: 0,
            open: BTreeMap::new(),
            next_ticket: 0,
            replies: Vec::new(),
            durable: 0,
            draft: Draft::default(),
            under_way: None,
            soundness: Soundness::Sound,
            shadow: None,
            shadows: 0,
            settling: None,
            life: 0,
        };
        state.load();
        state
    }

    pub(super) fn take(&mut self, message: Message) {
        self.soundness = Soundness::InTheMiddle;
        if !matches!(message, Message::Compared { .. }) {
            self.leave_shadow();
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
            } if life == self.life => self.hashed(pending, completion),
            Message::Hashed { .. } => {}
            Message::Compared {
                shadow,
                pending,
                completion,
            } => self.compared(shadow, pending, completion),
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
            Phase::Loading | Phase::Resolving | Phase::Unresolved => false,
        };
        let waits = !self.queue.is_empty() || self.fetching.is_some();
        let quiet = idle && !waits && self.open.is_empty();
        let settled = self.replies.is_empty() && self.under_way.is_none() && self.draft.is_empty();
        let nobody = self.shadow.is_none();
        quiet && settled && nobody && self.shared.memory.directory.leave(self.user)
    }

    fn work(&mut self) {
        if let Some(failure) = self.phase.refusal() {
            self.fetch_failed(failure);
        }
        while matches!(self.phase, Phase::Ready { .. } | Phase::Refused(_))
            && self.fetching.is_none()
        {
            let Some(job) = self.queue.pop_front() else {
                break;
            };
            match (self.phase.refusal(), job) {
                (None, job) if job.what.wanted().is_some() => {
                    self.fetching = Some(Fetching::new(job));
                }
                (None, job) => self.job(job, &[]),
                (Some(failure), Job { responder, .. }) => match responder {
                    Some(responder) => responder.answer(Answer::Failed(failure), self.epoch),
                    None => self.shared.memory.not_written(self.user),
                },
            }
        }
        self.commit();
        self.fetch();
    }

    /// A job that cannot be made durable waits for nothing.
    fn receive(&mut self, job: Job) {
        let shared = Arc::clone(&self.shared);
        let standing = match job.what {
            // What is read need not be written.
            What::Check(_) => shared.placement.standing(self.user, self.epoch),
            What::Command { .. }
            | What::WriteBehind
            | What::Settle
            | What::Sweep
            | What::Due(_)
            | What::Post(_)
            | What::Parts { .. }
            | What::Rekey => shared.placement.standing_to_change(self.user, self.epoch),
        };
        match standing {
            Standing::CutOff { age_ms } => self.job_degraded(job, age_ms),
            Standing::Owner | Standing::NotOwner => {
                self.queue.push_back(job);
                self.look_again();
            }
        }
    }

    /// Does a job, for which these parts were loaded.
    fn job(&mut self, job: Job, parts: &[Part]) {
        let standing = self.shared.placement.standing(self.user, self.epoch);
        if let Standing::CutOff { age_ms } = standing {
            return self.job_degraded(job, age_ms);
        }
        let Some((what, held)) = self.in_time(job) else {
            return;
        };
        if standing == Standing::NotOwner {
            // What is known here may not be so any more.
            let failure = Failure::NotOwner(self.user.slot());
            return held.answer(Answer::Failed(failure), self.epoch);
        }
        let refreshed = goes_on_with(&what);
        self.adopt(refreshed);
        if refreshed.is_some() {
            self.late_so_far();
        }
        match what {
            What::Check(ask) => {
                let now_ms = self.shared.ports.clock.unix_ms();
                let secret = SecretHash::of_session(&ask.secret);
                let answer = match self.shared.memory.look_up(&ask, &secret, now_ms) {
                    Some(found) if !self.shared.placement.owns(self.user, found.epoch) => {
                        Answer::Failed(Failure::NotOwner(self.user.slot()))
                    }
                    Some(found) => {
                        if found.write_behind == WriteBehind::Due {
                            self.shared.memory.write_behind(self.user);
                        }
                        Answer::Checked(found.outcome)
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
            What::Settle => {}
            What::Sweep => {
                self.touch();
                self.input(Input::Sweep);
                self.done(held);
            }
            What::Due(row) => {
                self.touch();
                self.input(Input::Sweep);
                match self.is_on_agenda(row) {
                    // Something of the person is under way, or the date went back.
                    true => held.answer(Answer::Failed(Failure::Unavailable), self.epoch),
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
                Err(Corrupt) => held.answer(Answer::Failed(Failure::Corrupt), self.epoch),
            },
            What::Parts { told, .. } => {
                // Whoever asked may be gone.
                let _ = told.send(parts.to_vec());
                self.done(held);
            }
            What::Command {
                tenant,
                idempotency,
                max_age_ms: _,
                command,
            } => {
                self.touch();
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.open.insert(ticket, held);
                self.input(Input::Command(Asked {
                    ticket,
                    tenant,
                    idempotency,
                    command,
                }));
            }
        }
    }

    /// What is asked and who waits for it; whoever waits no longer is told.
    fn in_time(&self, job: Job) -> Option<(What, Held)> {
        let held = Held {
            responder: job.responder,
            deadline_ms: job.deadline_ms,
            _waiting: job.waiting,
        };
        if self.shared.ports.clock.monotonic_ms() > held.deadline_ms {
            held.answer(Answer::Failed(Failure::DeadlineExceeded), self.epoch);
            return None;
        }
        Some((job.what, held))
    }

    /// Answers work of the engine's own when what it changed is durable.
    fn done(&mut self, held: Held) {
        self.replies.push((self.revision(), held, Answer::Done));
        self.release();
    }

    /// Whether the account's state gives this row of the agenda.
    fn is_on_agenda(&self, row: AgendaRow) -> bool {
        let Phase::Ready { account, .. } = &self.phase else {
            return false;
        };
        let tenant = account
            .tenant()
            .and_then(|id| self.shared.settings.tenants.get(id));
        let policy = tenant.map_or_else(Policy::default, |tenant| tenant.policy.clone());
        account.agenda(&policy).contains(&row)
    }

    fn revision(&self) -> u64 {
        match &self.phase {
            Phase::Ready { account, .. } => account.revision(),
            _ => 0,
        }
    }

    /// Tells the account of the uses that were answered from memory.
    fn touch(&mut self) {
        let uses = self
            .shared
            .memory
            .directory
            .with_warm(self.user, Warm::uses);
        if let Some(uses) = uses.filter(|uses| !uses.is_empty()) {
            self.input(Input::Touched(uses));
        }
    }

    fn input(&mut self, input: Input) {
        let Phase::Ready { account, .. } = &mut self.phase else {
            return;
        };
        let tenant = tenant_of(&self.shared, account, &input);
        let policy = tenant
            .as_ref()
            .map_or_else(Policy::default, |tenant| tenant.policy.clone());
        let entropy = Entropy::new(self.shared.ports.entropy.seed());
        let now_ms = self.shared.ports.clock.unix_ms();
        let mut output = account.handle(now_ms, entropy, &policy, input);
        let revision = account.revision();
        if let Some(changes) = output.changes.take() {
            self.draft.add(changes, now_ms);
        }
        self.output(output, revision, tenant.as_deref());
    }

    fn output(&mut self, output: Output, revision: u64, tenant: Option<&Tenant>) {
        for effect in output.effects {
            self.effect(effect, tenant);
        }
        for (ticket, reply) in output.replies {
            if let Some(held) = self.open.remove(&ticket) {
                self.replies.push((revision, held, Answer::Reply(reply)));
            }
        }
        self.release();
    }

    /// Hands work to the port of its kind.
    fn effect(&mut self, effect: Effect, tenant: Option<&Tenant>) {
        match effect {
            Effect::Hash { pending, work } => self.hash_for(pending, work, tenant),
        }
    }

    fn hash_for(&mut self, pending: PendingId, work: PasswordWork, tenant: Option<&Tenant>) {
        let life = self.life;
        let deadlines = self.open.values().map(|held| held.deadline_ms);
        let deadline_ms = deadlines.max();
        let work = hash_work(work, tenant);
        self.hash(work, deadline_ms, move |completion| Message::Hashed {
            life,
            pending,
            completion,
        });
    }

    fn hash(
        &self,
        work: HashWork,
        deadline_ms: Option<u64>,
        message: impl FnOnce(Completion) -> Message + Send + 'static,
    ) {
        let myself = self.myself.clone();
        let done = HashDone::new(move |completion| {
            // An actor that ended has answered everybody already.
            let _ = myself.send_message(message(completion));
        });
        let deadline_ms = deadline_ms.unwrap_or(u64::MAX);
        self.shared
            .ports
            .cpu
            .hash(HashJob { work, deadline_ms }, done);
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
        for (_, held, answer) in self
            .replies
            .extract_if(.., |(needs, _, _)| *needs <= durable)
        {
            held.answer(answer, self.epoch);
        }
    }
}

impl Drop for PersonState {
    fn drop(&mut self) {
        if self.soundness == Soundness::InTheMiddle {
            tracing::error!(event = "person.broken", user = %self.user);
            self.shared.meters.broken.increment(1);
            self.shared.memory.directory.mark_broken(self.user);
            self.shared.memory.directory.unseat(self.user);
        }
    }
}

/// A password's work as the pool does it.
fn hash_work(work: PasswordWork, tenant: Option<&Tenant>) -> HashWork {
    match work {
        PasswordWork::New {
            password,
            salt,
            policy,
        } => HashWork::Hash {
            password,
            salt,
            policy,
        },
        PasswordWork::Compare {
            password,
            stored: Some(stored),
        } => {
            if let Some(tenant) = tenant {
                tenant.costs.saw(&stored);
            }
            HashWork::Verify { password, stored }
        }
        PasswordWork::Compare {
            password,
            stored: None,
        } => pretend(tenant, password),
    }
}

/// The tenant in whose name the input comes or whose person it is.
fn tenant_of(shared: &Shared, account: &Account, input: &Input) -> Option<Arc<Tenant>> {
    let tenant = match (account.tenant(), input) {
        (Some(tenant), _) => Some(tenant),
        (None, Input::Command(asked)) => Some(asked.tenant),
        (None, _) => None,
    };
    tenant.and_then(|id| shared.settings.tenants.get(id))
}
