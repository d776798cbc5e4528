//! The engine: what a node calls.

mod charging;
mod checks;
mod cross_region;
mod flow;
mod registration;
mod sign_in;
mod upkeep;

pub use checks::{Checks, Prepared};

use std::sync::Arc;

use thiserror::Error;
use tidegate_account::{Command, IdentifierCommand, LedBy, SignIn, Source, UserId};
use tidegate_storage_api::{Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::mpsc::channel;

use crate::agenda;
use crate::answer::{Answer, Failure, Responder};
use crate::degraded_states::DegradedStates;
use crate::directory::Directory;
use crate::formats::Formats;
use crate::identifiers::IndexKeys;
use crate::job::What;
use crate::lates::Lates;
use crate::limits::{Limits, Retention};
use crate::lookups::Lookups;
use crate::maintenance;
use crate::memory::Memory;
use crate::meters::Meters;
use crate::ownership::Ownership;
use crate::people::People;
use crate::placement::Placement;
use crate::ports::{Clock, Cpu, Delivery, Entropy, Ports};
use crate::regions::Regions;
use crate::request::{Context, Request, Task};
use crate::shared::{Bounds, Settings, Shared, Upkeep};
use crate::sweeping;
use crate::tenants::Tenants;

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

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    people: People,
}

impl Engine {
    /// Starts an engine whose actors run on `actors`.
    #[must_use]
    pub fn start(parts: Parts, actors: Handle) -> Engine {
        let (due, queue) = channel(parts.limits.write_behind_queue.max(1));
        let shared = Shared {
            memory: Memory {
                clock: Arc::clone(&parts.clock),
                directory: Directory::new(),
                degraded_states: parts.degraded_states,
                lates: Lates::new(parts.limits.late_people),
                lookups: Lookups::new(parts.limits.lookups),
                due,
            },
            placement: Placement::new(Arc::clone(&parts.clock), parts.ownership, parts.regions),
            ports: Ports {
                store: parts.store,
                clock: parts.clock,
                entropy: parts.entropy,
                cpu: parts.cpu,
                delivery: parts.delivery,
            },
            settings: Settings {
                tenants: parts.tenants,
                index_keys: parts.index_keys,
                formats: parts.formats,
                retention: parts.retention,
            },
            bounds: Bounds::new(parts.limits),
            upkeep: Upkeep::default(),
            meters: Meters::new(),
        };
        let people = People::new(shared, actors);
        people.spawn(maintenance::write_behind(people.downgrade(), queue));
        people.spawn(maintenance::settle(people.downgrade()));
        people.spawn(maintenance::seek(people.downgrade()));
        people.spawn(maintenance::cool(people.downgrade()));
        people.spawn(sweeping::run(people.downgrade()));
        people.spawn(agenda::work(people.downgrade()));
        people.spawn(maintenance::settle_directory(people.downgrade()));
        Engine { people }
    }

    fn shared(&self) -> &Arc<Shared> {
        self.people.shared()
    }

    /// Takes a request; its answer reaches the responder exactly once.
    pub fn submit(&self, request: Request, mut responder: Responder) {
        let Request { context, task } = request;
        let shared = self.shared();
        if let Err(limit) = shared
            .bounds
            .admission
            .judge(context.class, &shared.bounds.limits)
        {
            return responder.answer(Answer::Failed(shared.busy(limit)), 0);
        }
        responder.count(&shared.bounds.admission.commands);
        if shared.settings.tenants.get(context.tenant).is_none() {
            return responder.answer(Answer::Failed(Failure::UnknownTenant), 0);
        }
        match self.abroad(&task) {
            None => {}
            Some(Ok(answer)) => return responder.answer(answer, 0),
            Some(Err(stray)) => {
                self.people.spawn(self.clone().look_for(stray, responder));
                return;
            }
        }
        match task {
            Task::Account { user, command } => self.route(user, context, command, responder),
            Task::Check(ask) => {
                shared.meters.checks_cold.increment(1);
                let (user, what) = (ask.user, What::Check(ask));
                let deadline_ms = context.deadline_ms;
                self.people.seat(user, what, deadline_ms, Some(responder));
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
                self.people
                    .spawn(engine.sign_in(context, identifier, sign_in, origin, responder));
            }
            Task::SignUp {
                identifiers,
                password,
                origin,
            } => {
                let engine = self.clone();
                self.people.spawn(engine.sign_up(
                    context,
                    identifiers,
                    password,
                    origin,
                    responder,
                ));
            }
            Task::BeginFlow(beginning) => {
                let engine = self.clone();
                self.people
                    .spawn(engine.begin_flow(context, *beginning, responder));
            }
            Task::AnswerFlow(answering) => {
                let engine = self.clone();
                self.people
                    .spawn(engine.answer_flow(context, *answering, responder));
            }
            Task::Claim {
                user,
                by,
                identifier,
            } => {
                let identifier = shared
                    .settings
                    .index_keys
                    .claimed(context.tenant, identifier);
                self.route(
                    user,
                    context,
                    Command::Identifier(IdentifierCommand::Claim { by, identifier }),
                    responder,
                );
            }
            Task::Attest { user, verification } => {
                let engine = self.clone();
                self.people
                    .spawn(engine.verify(user, context, verification, responder));
            }
        }
    }

    fn route(&self, user: UserId, context: Context, command: Command, responder: Responder) {
        let ownership = &self.shared().placement.ownership;
        // Another node has owned the slot since.
        if ownership
            .epoch_of(user)
            .is_some_and(|epoch| epoch < context.known_epoch)
        {
            let failure = Failure::NotOwner(user.slot());
            return responder.answer(Answer::Failed(failure), 0);
        }
        let deadline_ms = context.deadline_ms;
        let what = What::Command { context, command };
        self.people.seat(user, what, deadline_ms, Some(responder));
    }
}
