//! The engine: what a node calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::{ActorRef, ActorRuntime};
use thiserror::Error;
use tidegate_account::record::IDENTIFIERS_MAX;
use tidegate_account::{
    ClaimedIdentifier, Command, DeviceProof, Idempotency, Identifier, Password, Refusal, Remember,
    Reply, SignIn, SignUp, TenantId, UserId,
};
use tidegate_storage_api::{Key as RowKey, Slot, Store, StoreError};
use tokio::runtime::Handle;

use crate::answer::{Answer, Failure, Responder};
use crate::directory::{Ask, Directory, Outcome, Seated};
use crate::identifiers::{IndexKey, IndexRow};
use crate::limits::Limits;
use crate::meters::Meters;
use crate::ownership::Ownership;
use crate::person::{Job, Message, PersonActor, What};
use crate::ports::{Clock, Cpu, Entropy, HashDone, HashJob, HashWork};
use crate::tenants::Tenants;
use crate::tending::{self, DueQueue};
use crate::warm::{Warm, WriteBehind};

/// What an engine is made of.
pub struct Parts {
    /// Where people are kept.
    pub store: Arc<dyn Store>,
    /// The slots it owns.
    pub ownership: Ownership,
    /// Its tenants.
    pub tenants: Tenants,
    /// The key of the identifier index.
    pub index_key: IndexKey,
    /// Its limits.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// CPU work.
    pub cpu: Arc<dyn Cpu>,
}

/// Why an engine could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store did not let it claim its slots.
    #[error("the slots could not be claimed: {0}")]
    Claim(#[from] StoreError),
}

/// Everything but a warm check.
#[derive(Debug)]
pub struct Request {
    /// The tenant in whose name it comes.
    pub tenant: TenantId,
    /// What tells a repeat.
    pub idempotency: Option<Idempotency>,
    /// When nobody waits for it any more ([`Clock::monotonic_ms`]).
    pub deadline_ms: u64,
    /// What is asked.
    pub task: Task,
}

/// What is asked.
#[derive(Debug)]
pub enum Task {
    /// Make an account.
    SignUp {
        /// Its identifiers.
        identifiers: Vec<Identifier>,
        /// Its password.
        password: Password,
    },
    /// Sign in.
    SignIn {
        /// Who.
        identifier: Identifier,
        /// The password.
        password: Password,
        /// The device token.
        device: Option<DeviceProof>,
        /// Whether to make one.
        remember: Remember,
    },
    /// A command to an account that names itself.
    Account {
        /// Which.
        user: UserId,
        /// The command.
        command: Command,
    },
    /// A check that [`Engine::check`] could not answer.
    Check(Ask),
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    actors: Handle,
}

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ownership: Ownership,
    pub(crate) tenants: Tenants,
    pub(crate) index_key: IndexKey,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) cpu: Arc<dyn Cpu>,
    pub(crate) directory: Directory<ActorRef<Message>>,
    pub(crate) meters: Meters,
    pub(crate) due: DueQueue,
    waiting: Arc<AtomicU64>,
}

impl Engine {
    /// Starts an engine whose actors run on `actors`.
    #[must_use]
    pub fn start(parts: Parts, actors: Handle) -> Engine {
        let (due, queue) = tending::queue(parts.limits.write_behind_queue);
        let shared = Arc::new(Shared {
            store: parts.store,
            ownership: parts.ownership,
            tenants: parts.tenants,
            index_key: parts.index_key,
            limits: parts.limits,
            clock: parts.clock,
            entropy: parts.entropy,
            cpu: parts.cpu,
            directory: Directory::new(),
            meters: Meters::new(),
            due,
            waiting: Arc::default(),
        });
        let engine = Engine { shared, actors };
        engine
            .actors
            .spawn(tending::write_behind(engine.downgrade(), queue));
        engine.actors.spawn(tending::cool(engine.downgrade()));
        engine
    }

    /// Answers a check from memory, on the calling thread: no lock is held
    /// across a wait, nothing is read from storage. `None` when the person is
    /// not warm here: submit it then.
    #[must_use]
    pub fn check(&self, ask: &Ask) -> Option<(Outcome, u64)> {
        let now_ms = self.shared.clock.unix_ms();
        let (outcome, write_behind, epoch) = self.shared.directory.check(ask, now_ms)?;
        // After the look-up and before the answer leaves: is the slot still ours?
        if self.shared.ownership.epoch_of(ask.user) != Some(epoch) {
            self.shared.directory.forget(ask.user);
            return None;
        }
        if write_behind == WriteBehind::Due {
            self.shared.due.push(ask.user, &self.shared);
        }
        self.shared.meters.checks_warm.increment(1);
        Some((outcome, epoch))
    }

    /// Takes a request; its answer reaches the responder exactly once.
    pub fn submit(&self, request: Request, mut responder: Responder) {
        let shared = &self.shared;
        if shared.waiting.load(Ordering::Relaxed) >= shared.limits.commands {
            return self.busy(responder);
        }
        responder.count(&shared.waiting);
        if shared.tenants.get(request.tenant).is_none() {
            return responder.answer(Answer::Failed(Failure::UnknownTenant), 0);
        }
        let Request {
            tenant,
            idempotency,
            deadline_ms,
            task,
        } = request;
        let errand = Errand {
            tenant,
            idempotency,
            deadline_ms,
        };
        match task {
            Task::Account { user, command } => self.route(user, errand, command, responder),
            Task::Check(ask) => {
                shared.meters.checks_cold.increment(1);
                self.seat(ask.user, What::Check(ask), deadline_ms, Some(responder));
            }
            Task::SignIn {
                identifier,
                password,
                device,
                remember,
            } => {
                let sign_in = SignIn {
                    password,
                    device,
                    remember,
                };
                let engine = self.clone();
                self.actors
                    .spawn(engine.sign_in(errand, identifier, sign_in, responder));
            }
            Task::SignUp {
                identifiers,
                password,
            } => {
                let engine = self.clone();
                self.actors
                    .spawn(engine.sign_up(errand, identifiers, password, responder));
            }
        }
    }

    /// How many people are warm.
    #[must_use]
    pub fn warm_people(&self) -> usize {
        self.shared.directory.warm_people()
    }

    /// How many people are hot.
    #[must_use]
    pub fn hot_people(&self) -> usize {
        self.shared.directory.hot_people()
    }

    /// How many requests wait for an answer.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    fn route(&self, user: UserId, errand: Errand, command: Command, responder: Responder) {
        let what = What::Command {
            tenant: errand.tenant,
            idempotency: errand.idempotency,
            command,
        };
        self.seat(user, what, errand.deadline_ms, Some(responder));
    }

    pub(crate) fn seat(
        &self,
        user: UserId,
        what: What,
        deadline_ms: u64,
        responder: Option<Responder>,
    ) {
        let shared = &self.shared;
        let Some(epoch) = shared.ownership.epoch_of(user) else {
            return refuse(responder, Failure::NotOwner);
        };
        let mut responder = responder;
        let start = || {
            // Actors live on their own runtime, whoever starts them.
            let _entered = self.actors.enter();
            let arguments = (Arc::clone(shared), user, epoch);
            let started = ActorRuntime::spawn_instant(None, PersonActor, arguments);
            started.ok().map(|(actor, _)| actor)
        };
        let seated = shared.directory.seat(
            user,
            shared.limits.commands_per_person,
            start,
            |actor, waiting| {
                let job = Job {
                    what,
                    deadline_ms,
                    responder: responder.take(),
                    waiting,
                };
                actor.send_message(Message::Job(job)).is_ok()
            },
        );
        match seated {
            Seated::Sent => {}
            Seated::Full => match responder {
                Some(responder) => self.busy(responder),
                None => drop(shared.directory.with_warm(user, Warm::not_written)),
            },
            Seated::Broken => refuse(responder, Failure::Unknown),
        }
    }

    fn busy(&self, responder: Responder) {
        self.shared.meters.busy.increment(1);
        let retry_after_ms = self.shared.limits.retry_after_ms;
        responder.answer(Answer::Failed(Failure::Busy { retry_after_ms }), 0);
    }

    async fn sign_in(
        self,
        errand: Errand,
        identifier: Identifier,
        sign_in: SignIn,
        responder: Responder,
    ) {
        let hash = self.shared.index_key.hash(errand.tenant, &identifier);
        match self.find(&hash.0).await {
            Ok(Some(row)) => self.route(row.user, errand, Command::SignIn(sign_in), responder),
            Ok(None) => self.pretend(&errand, &hash.0, sign_in.password, responder),
            Err(failure) => responder.answer(Answer::Failed(failure), 0),
        }
    }

    /// Does the work of a sign-in for an identifier that nobody has, in the
    /// slot of its hash.
    fn pretend(&self, errand: &Errand, hash: &[u8; 32], password: Password, responder: Responder) {
        let epoch = self.shared.ownership.epoch_of_slot(Slot::of_hash(hash));
        let Some(epoch) = epoch else {
            return responder.answer(Answer::Failed(Failure::NotOwner), 0);
        };
        let Some(tenant) = self.shared.tenants.get(errand.tenant) else {
            return responder.answer(Answer::Failed(Failure::UnknownTenant), 0);
        };
        let policy = tenant.policy.password.clone();
        let done = HashDone::new(move |completion| {
            let refusal = match completion {
                tidegate_account::Completion::Refused => Refusal::Busy,
                _ => Refusal::InvalidCredentials,
            };
            responder.answer(Answer::Reply(Reply::No(refusal)), epoch);
        });
        let job = HashJob {
            work: HashWork::Pretend { password, policy },
            deadline_ms: errand.deadline_ms,
        };
        self.shared.cpu.hash(job, done);
    }

    async fn sign_up(
        self,
        errand: Errand,
        identifiers: Vec<Identifier>,
        password: Password,
        responder: Responder,
    ) {
        if identifiers.is_empty() || identifiers.len() > IDENTIFIERS_MAX {
            return responder.answer(Answer::Reply(Reply::No(Refusal::InvalidCredentials)), 0);
        }
        let index_key = &self.shared.index_key;
        let claims = identifiers.into_iter().map(|identifier| ClaimedIdentifier {
            hash: index_key.hash(errand.tenant, &identifier),
            key_version: index_key.version,
            identifier,
        });
        let sign_up = SignUp {
            identifiers: claims.collect(),
            password,
        };
        match self.holder(&sign_up).await {
            // Theirs to say whether this is a repeat or the identifier is taken.
            Ok(Some(user)) => self.route(user, errand, Command::SignUp(sign_up), responder),
            Ok(None) => self.register(errand, sign_up, responder),
            Err(failure) => responder.answer(Answer::Failed(failure), 0),
        }
    }

    /// Makes the account under a fresh id. When another sign-up takes an
    /// identifier meanwhile, its account decides.
    fn register(&self, errand: Errand, sign_up: SignUp, responder: Responder) {
        let Some(user) = self.fresh_id() else {
            return responder.answer(Answer::Failed(Failure::NotOwner), 0);
        };
        let engine = self.clone();
        let again = (errand.clone(), sign_up.clone());
        let lost = Responder::new(move |answer, epoch| match answer {
            Answer::Reply(Reply::No(Refusal::IdentifierTaken)) => {
                let actors = engine.actors.clone();
                actors.spawn(engine.lost_race(again.0, again.1, responder));
            }
            answer => responder.answer(answer, epoch),
        });
        self.route(user, errand, Command::SignUp(sign_up), lost);
    }

    async fn lost_race(self, errand: Errand, sign_up: SignUp, responder: Responder) {
        match self.holder(&sign_up).await {
            Ok(Some(user)) => self.route(user, errand, Command::SignUp(sign_up), responder),
            Ok(None) => responder.answer(Answer::Failed(Failure::Unknown), 0),
            Err(failure) => responder.answer(Answer::Failed(failure), 0),
        }
    }

    fn fresh_id(&self) -> Option<UserId> {
        let seed = self.shared.entropy.seed();
        let (random, rest) = seed.split_first_chunk::<16>()?;
        let pick = u64::from_le_bytes(*rest.first_chunk()?);
        let slot = self.shared.ownership.pick(pick)?;
        let region = self.shared.ownership.region().number();
        Some(UserId::new(region, slot.number(), *random))
    }

    /// Whoever has the first of these identifiers that somebody has.
    async fn holder(&self, sign_up: &SignUp) -> Result<Option<UserId>, Failure> {
        for claim in &sign_up.identifiers {
            if let Some(row) = self.find(&claim.hash.0).await? {
                return Ok(Some(row.user));
            }
        }
        Ok(None)
    }

    async fn find(&self, hash: &[u8; 32]) -> Result<Option<IndexRow>, Failure> {
        let key = RowKey::identifier(self.shared.ownership.region(), hash);
        match self.shared.store.get(key).await {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => IndexRow::decode(&bytes).map(Some).ok_or(Failure::Corrupt),
            Err(StoreError::Corrupt) => Err(Failure::Corrupt),
            Err(_) => Err(Failure::Unavailable),
        }
    }

    fn downgrade(&self) -> WeakEngine {
        WeakEngine {
            shared: Arc::downgrade(&self.shared),
            clock: Arc::clone(&self.shared.clock),
            actors: self.actors.clone(),
        }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// A request without its task.
#[derive(Clone)]
struct Errand {
    tenant: TenantId,
    idempotency: Option<Idempotency>,
    deadline_ms: u64,
}

/// An engine that its background work does not keep alive.
pub(crate) struct WeakEngine {
    shared: std::sync::Weak<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    actors: Handle,
}

impl WeakEngine {
    pub(crate) fn upgrade(&self) -> Option<Engine> {
        Some(Engine {
            shared: self.shared.upgrade()?,
            actors: self.actors.clone(),
        })
    }
}

fn refuse(responder: Option<Responder>, failure: Failure) {
    if let Some(responder) = responder {
        responder.answer(Answer::Failed(failure), 0);
    }
}
