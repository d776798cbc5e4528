//! The engine: what a node calls.

mod charging;
mod cross_region;
mod registration;

pub use registration::Verification;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ractor::ActorRuntime;
use thiserror::Error;
use tidegate_account::{
    Command, DeviceProof, Idempotency, Identifier, IdentifierCommand, LedBy, Password, Remember,
    SecretHash, SessionProof, SignIn, Source, TenantId, UserId,
};
use tidegate_storage_api::{Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::channel;

use crate::admission::{Admission, Class, Limit};
use crate::agenda::{self, Agenda};
use crate::answer::{Answer, Failure, Responder};
use crate::check::{Ask, Outcome};
use crate::contact::Contact;
use crate::crowd::Crowds;
use crate::degraded_states::DegradedStates;
use crate::directory::{Directory, Place, Seated};
use crate::formats::Formats;
use crate::identifiers::IndexKeys;
use crate::lates::Lates;
use crate::limits::{Limits, Retention};
use crate::lookups::Lookups;
use crate::maintenance;
use crate::meters::{Degraded, Meters};
use crate::outbox::Outbox;
use crate::ownership::Ownership;
use crate::pace::Pace;
use crate::person::{Job, Message, PersonActor, What};
use crate::ports::{Clock, Cpu, Delivery, Entropy};
use crate::regions::{self, Regions};
use crate::shared::{DecidedBy, Found, Shared, Standing};
use crate::sources::{Origin, Sources};
use crate::sweeping;
use crate::tenants::Tenants;
use crate::warm::WriteBehind;

/// What an engine is made of.
pub struct Parts {
    /// Where people are kept.
    pub store: Arc<dyn Store>,
    /// The slots it owns.
    pub ownership: Arc<Ownership>,
    /// Its tenants.
    pub tenants: Arc<Tenants>,
    /// The keys of the identifier index.
    pub index_keys: Arc<IndexKeys>,
    /// Which version of every format is written.
    pub formats: Arc<Formats>,
    /// The other regions, where there are any.
    pub regions: Option<Arc<Regions>>,
    /// What was decided while the store was out of reach, in an earlier life.
    pub degraded_states: DegradedStates,
    /// How long things are kept.
    pub retention: Retention,
    /// Its limits.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// CPU work.
    pub cpu: Arc<dyn Cpu>,
    /// What carries messages out.
    pub delivery: Arc<dyn Delivery>,
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
    /// The gateway that it comes through.
    pub gateway: GatewayId,
    /// How it stands to others when not everything can be served.
    pub class: Class,
    /// What tells a repeat.
    pub idempotency: Option<Idempotency>,
    /// When nobody waits for it any more ([`Clock::monotonic_ms`]).
    pub deadline_ms: u64,
    /// Knowledge that cannot be brought up to date is accepted when it is younger
    /// than this, in milliseconds.
    pub max_age_ms: u32,
    /// The highest epoch that whoever asks knows for the person's slot; 0: none.
    pub known_epoch: u64,
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
        /// Where it comes from.
        origin: Option<Origin>,
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
        /// Where it comes from.
        origin: Option<Origin>,
    },
    /// Claim one more identifier.
    Claim {
        /// Whose account.
        user: UserId,
        /// Who asks.
        by: SessionProof,
        /// The identifier.
        identifier: Identifier,
    },
    /// Take an identifier as shown.
    Attest {
        /// Whose account.
        user: UserId,
        /// What was shown, and by whom.
        verification: Verification,
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

/// Checks that have arrived together. Not to be kept: their time stands still.
pub struct Checks<'a> {
    shared: &'a Shared,
    now_ms: u64,
    warm: u64,
}

impl Checks<'_> {
    /// Hashes the secret, and finds out where the answer would lie.
    #[must_use]
    pub fn prepare(&self, ask: Ask) -> Prepared {
        Prepared {
            place: self.shared.directory.place(ask.user),
            secret: SecretHash::of_session(&ask.secret),
            ask,
        }
    }

    /// Asks the processor for the memory that these checks will read, one step
    /// of the way for all of them before the next step: then their ways to
    /// memory overlap instead of adding up. It changes no answer.
    pub fn approach<'b>(&self, prepared: impl Iterator<Item = &'b Prepared> + Clone) {
        let directory = &self.shared.directory;
        prepared
            .clone()
            .for_each(|one| directory.approach(&one.place));
        prepared.for_each(|one| directory.approach_record(&one.place));
    }

    /// Answers a check from memory, on the calling thread: no lock is held
    /// across a wait, nothing is read from storage. `None` when the person is
    /// not warm here: submit it then.
    #[must_use]
    pub fn check(&mut self, prepared: &Prepared) -> Option<(Outcome, u64)> {
        let (shared, ask) = (self.shared, &prepared.ask);
        let found = shared.look_up(ask, &prepared.secret, self.now_ms)?;
        let (write_behind, epoch) = (found.write_behind, found.epoch);
        // After the look-up and before the answer leaves: is the slot still ours?
        match shared.standing(ask.user, epoch) {
            Standing::Owner => {}
            Standing::CutOff { age_ms } => {
                if write_behind == WriteBehind::Due {
                    shared.not_written(ask.user);
                }
                return Some((self.degraded(ask, &found, age_ms)?, epoch));
            }
            Standing::NotOwner => {
                shared.directory.forget(ask.user);
                return None;
            }
        }
        if write_behind == WriteBehind::Due {
            shared.write_behind(ask.user);
        }
        self.warm += 1;
        Some((found.outcome, epoch))
    }

    /// What is said of a session while another node may own its person: that it
    /// is alive, if it was; a no only where this node itself has ended it.
    fn degraded(&self, ask: &Ask, found: &Found, age_ms: u64) -> Option<Outcome> {
        let grace_ms = self.shared.grace_ms(ask.tenant);
        if age_ms >= grace_ms.min(u64::from(ask.max_age_ms)) {
            return None;
        }
        match (found.outcome, found.origin) {
            (Outcome::Yes(checked), _) => {
                self.shared.meters.degraded(Degraded::Check);
                Some(Outcome::Degraded(checked, age_ms))
            }
            (no, DecidedBy::Degraded) => Some(no),
            (_, DecidedBy::Record) => None,
        }
    }
}

/// A check on its way to its answer.
pub struct Prepared {
    ask: Ask,
    secret: SecretHash,
    place: Place,
}

impl Prepared {
    /// The question.
    #[must_use]
    pub fn ask(&self) -> &Ask {
        &self.ask
    }
}

impl Drop for Checks<'_> {
    fn drop(&mut self) {
        self.shared.meters.checks_warm.increment(self.warm);
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    actors: Handle,
}

impl Engine {
    /// Starts an engine whose actors run on `actors`.
    #[must_use]
    pub fn start(parts: Parts, actors: Handle) -> Engine {
        let (due, queue) = channel(parts.limits.write_behind_queue.max(1));
        let shared = Arc::new(Shared {
            store: parts.store,
            ownership: parts.ownership,
            tenants: parts.tenants,
            index_keys: parts.index_keys,
            formats: parts.formats,
            regions: parts.regions,
            sources: Sources::new(parts.limits.sources, parts.limits.attempts),
            crowds: Crowds::new(parts.limits.attempts),
            retention: parts.retention,
            date: tokio::sync::Mutex::default(),
            clock: parts.clock,
            entropy: parts.entropy,
            cpu: parts.cpu,
            delivery: parts.delivery,
            directory: Directory::new(),
            meters: Meters::new(),
            due,
            admission: Admission::default(),
            agenda: Agenda::new(),
            outbox: Outbox::default(),
            contact: Contact::default(),
            lookups: Lookups::new(parts.limits.lookups),
            pace: Pace::default(),
            lates: Lates::new(parts.limits.late_people),
            degraded_states: parts.degraded_states,
            limits: parts.limits,
        });
        let engine = Engine { shared, actors };
        engine
            .actors
            .spawn(maintenance::write_behind(engine.downgrade(), queue));
        engine.actors.spawn(maintenance::settle(engine.downgrade()));
        engine.actors.spawn(maintenance::seek(engine.downgrade()));
        engine.actors.spawn(maintenance::cool(engine.downgrade()));
        engine.actors.spawn(sweeping::sweep(engine.downgrade()));
        engine.actors.spawn(agenda::work(engine.downgrade()));
        engine
            .actors
            .spawn(regions::settling::settle(engine.downgrade()));
        engine
    }

    /// Answers a check from memory; one of [`Engine::checks`].
    #[must_use]
    pub fn check(&self, ask: &Ask) -> Option<(Outcome, u64)> {
        let mut checks = self.checks();
        let prepared = checks.prepare(ask.clone());
        checks.check(&prepared)
    }

    /// Checks that have arrived together: the clock is read once for all.
    #[must_use]
    pub fn checks(&self) -> Checks<'_> {
        Checks {
            shared: &self.shared,
            now_ms: self.shared.clock.unix_ms(),
            warm: 0,
        }
    }

    /// Takes a request; its answer reaches the responder exactly once.
    pub fn submit(&self, request: Request, mut responder: Responder) {
        let shared = &self.shared;
        if let Err(limit) = shared.admission.judge(request.class, &shared.limits) {
            return self.busy(limit, responder);
        }
        responder.count(&shared.admission.commands);
        if shared.tenants.get(request.tenant).is_none() {
            return responder.answer(Answer::Failed(Failure::UnknownTenant), 0);
        }
        match self.abroad(&request.task) {
            None => {}
            Some(Ok(answer)) => return responder.answer(answer, 0),
            Some(Err(stray)) => {
                self.actors.spawn(self.clone().look_for(stray, responder));
                return;
            }
        }
        let Request {
            tenant,
            gateway,
            class: _,
            idempotency,
            deadline_ms,
            max_age_ms,
            known_epoch,
            task,
        } = request;
        let errand = Errand {
            tenant,
            gateway,
            idempotency,
            deadline_ms,
            max_age_ms,
            known_epoch,
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
                origin,
            } => {
                let sign_in = SignIn {
                    password,
                    device,
                    remember,
                    source: Source::Clear,
                    led_by: LedBy::Id,
                };
                let engine = self.clone();
                self.actors
                    .spawn(engine.sign_in(errand, identifier, sign_in, origin, responder));
            }
            Task::SignUp {
                identifiers,
                password,
                origin,
            } => {
                let engine = self.clone();
                self.actors
                    .spawn(engine.sign_up(errand, identifiers, password, origin, responder));
            }
            Task::Claim {
                user,
                by,
                identifier,
            } => {
                let identifier = shared.index_keys.claimed(errand.tenant, identifier);
                self.route(
                    user,
                    errand,
                    Command::Identifier(IdentifierCommand::Claim { by, identifier }),
                    responder,
                );
            }
            Task::Attest { user, verification } => {
                let engine = self.clone();
                self.actors
                    .spawn(engine.verify(user, errand, verification, responder));
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

    /// Of how many people something was decided while the store was out of reach
    /// that their accounts have not taken over yet.
    #[must_use]
    pub fn degraded_people(&self) -> usize {
        self.shared.degraded_states.people_count()
    }

    /// The longest that a commit took lately, in milliseconds, at least 1; 0 when
    /// there was none.
    #[must_use]
    pub fn commits_ms(&self) -> u32 {
        self.shared.pace.most_ms(self.shared.clock.monotonic_ms())
    }

    /// The slots in which somebody is hot.
    #[must_use]
    pub fn hot_slots(&self) -> std::collections::BTreeSet<u16> {
        self.shared.directory.hot_slots()
    }

    /// How many requests wait for an answer.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waits()[0].1
    }

    /// How much waits, under the names of its limits; requests first.
    #[must_use]
    pub fn waits(&self) -> [(Limit, u64); 3] {
        let admission = &self.shared.admission;
        [
            (Limit::Commands, &admission.commands),
            (Limit::Activations, &admission.activations),
            (Limit::Commits, &admission.commits),
        ]
        .map(|(limit, waiting)| (limit, waiting.load(Ordering::Relaxed)))
    }

    fn route(&self, user: UserId, errand: Errand, command: Command, responder: Responder) {
        let ownership = &self.shared.ownership;
        // Somebody has owned the slot since.
        if ownership
            .epoch_of(user)
            .is_some_and(|epoch| epoch < errand.known_epoch)
        {
            return refuse(Some(responder), Failure::NotOwner(user.slot()));
        }
        let what = What::Command {
            tenant: errand.tenant,
            idempotency: errand.idempotency,
            max_age_ms: errand.max_age_ms,
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
        let epoch = shared.ownership.epoch_of(user);
        let Some(epoch) = epoch else {
            return refuse(responder, Failure::NotOwner(user.slot()));
        };
        let mut responder = responder;
        // Whoever is warm is opened without a read. Looked up beforehand: the
        // warm map is never taken under the guard of the hot one.
        let warm = shared.directory.with_warm(user, |_| ()).is_some();
        let answerable = match shared.standing(user, epoch) {
            Standing::Owner => Ok(()),
            Standing::CutOff { .. } if warm && what.is_for_degraded() => Ok(()),
            Standing::CutOff { .. } => Err(Failure::Unavailable),
            Standing::NotOwner => Err(Failure::NotOwner(user.slot())),
        };
        if let Err(failure) = answerable {
            return match responder {
                Some(responder) => refuse(Some(responder), failure),
                None => shared.not_written(user),
            };
        }
        let start = || {
            let activation = match warm {
                true => None,
                false => Some(shared.admission.activation(&shared.limits)?),
            };
            // Actors live on their own runtime, whoever starts them.
            let _entered = self.actors.enter();
            let arguments = (Arc::clone(shared), user, epoch, activation);
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
                Some(responder) => self.busy(Limit::CommandsPerPerson, responder),
                None => shared.not_written(user),
            },
            Seated::NotStarted => match responder {
                Some(responder) => self.busy(Limit::Activations, responder),
                None => shared.not_written(user),
            },
            Seated::Broken => refuse(responder, Failure::Unknown),
        }
    }

    fn busy(&self, limit: Limit, responder: Responder) {
        responder.answer(Answer::Failed(self.shared.busy(limit)), 0);
    }

    fn downgrade(&self) -> WeakEngine {
        WeakEngine {
            shared: Arc::downgrade(&self.shared),
            clock: Arc::clone(&self.shared.clock),
            actors: self.actors.clone(),
        }
    }

    /// Begins work that nobody waits for.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.actors.spawn(work);
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// A gateway, by a hash of its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayId(pub u64);

impl GatewayId {
    /// The id of a gateway's name.
    #[must_use]
    pub fn of_name(name: &str) -> GatewayId {
        let hash = tidegate_account::tagged("tg-gateway-1", &[name.as_bytes()]);
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        GatewayId(u64::from_be_bytes(id))
    }
}

/// A request without its task.
#[derive(Clone)]
struct Errand {
    tenant: TenantId,
    gateway: GatewayId,
    idempotency: Option<Idempotency>,
    deadline_ms: u64,
    max_age_ms: u32,
    known_epoch: u64,
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
