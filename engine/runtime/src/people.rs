//! The people of this node: whatever is to be done by one goes through here to the
//! one actor of theirs.

use std::sync::{Arc, Weak};

use tidegate_account::{Part, UserId};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::admission::Limit;
use crate::answer::{Answer, Failure, Responder};
use crate::directory::Seated;
use crate::job::{Job, Wanted, What};
use crate::person;
use crate::placement::Standing;
use crate::ports::Clock;
use crate::shared::Shared;

/// How long work that has a deadline waits until the person's turn comes.
const WAIT_MS: u64 = 10_000;

/// The people of this node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct People {
    shared: Arc<Shared>,
    actors: Handle,
}

/// The same, for background work that does not keep the engine alive.
pub(crate) struct WeakPeople {
    shared: Weak<Shared>,
    pub(crate) clock: Arc<dyn Clock>,
    actors: Handle,
}

impl WeakPeople {
    pub(crate) fn upgrade(&self) -> Option<People> {
        Some(People {
            shared: self.shared.upgrade()?,
            actors: self.actors.clone(),
        })
    }
}

impl People {
    pub(crate) fn new(shared: Shared, actors: Handle) -> People {
        let shared = Arc::new(shared);
        People { shared, actors }
    }

    pub(crate) fn downgrade(&self) -> WeakPeople {
        WeakPeople {
            shared: Arc::downgrade(&self.shared),
            clock: Arc::clone(&self.shared.ports.clock),
            actors: self.actors.clone(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Begins work that no request waits for.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.actors.spawn(work);
    }

    /// Hands something to the person's actor, which is started when there is none.
    pub(crate) fn seat(
        &self,
        user: UserId,
        what: What,
        deadline_ms: u64,
        responder: Option<Responder>,
    ) {
        let shared = &self.shared;
        let (memory, placement) = (&shared.memory, &shared.placement);
        let Some(epoch) = placement.ownership.epoch_of(user) else {
            return refuse(responder, Failure::NotOwner(user.slot()));
        };
        let mut responder = responder;
        // A warm person is opened without a read. Looked up beforehand: the
        // warm map is never taken under the guard of the hot one.
        let warm = memory.is_warm(user);
        let answerable = match placement.standing(user, epoch) {
            Standing::Owner => Ok(()),
            Standing::CutOff { .. } if warm && what.is_for_degraded() => Ok(()),
            Standing::CutOff { .. } => Err(Failure::Unavailable),
            Standing::NotOwner => Err(Failure::NotOwner(user.slot())),
        };
        if let Err(failure) = answerable {
            return match responder {
                Some(responder) => refuse(Some(responder), failure),
                None => memory.not_written(user),
            };
        }
        let bounds = &shared.bounds;
        let start = || {
            let activation = match warm {
                true => None,
                false => Some(bounds.admission.activation(&bounds.limits)?),
            };
            // Actors live on their own runtime, whichever thread starts them.
            let _entered = self.actors.enter();
            person::start(shared, user, epoch, activation)
        };
        let most = bounds.limits.commands_per_person;
        let seated = memory
            .directory
            .seat(user, most, start, |mailbox, waiting| {
                mailbox.send(Job {
                    what,
                    deadline_ms,
                    responder: responder.take(),
                    waiting,
                })
            });
        let limit = match seated {
            Seated::Sent => return,
            Seated::Full => Limit::CommandsPerPerson,
            Seated::NotStarted => Limit::Activations,
            Seated::Broken => return refuse(responder, Failure::Unknown),
        };
        match responder {
            Some(responder) => refuse(Some(responder), shared.busy(limit)),
            None => memory.not_written(user),
        }
    }

    /// Has work of the engine's own done by the person's actor. What is received is
    /// its answer; none, when it could not be said.
    pub(crate) fn ask(&self, user: UserId, what: What) -> oneshot::Receiver<Answer> {
        self.ask_until(user, what, u64::MAX)
    }

    fn ask_until(&self, user: UserId, what: What, deadline_ms: u64) -> oneshot::Receiver<Answer> {
        let (told, answer) = oneshot::channel();
        // The receiver may have been dropped: then the answer is not needed.
        let responder = Responder::new(move |answer, _| drop(told.send(answer)));
        self.seat(user, what, deadline_ms, Some(responder));
        answer
    }

    /// The same, and waits for it, but not for long until the person's turn comes.
    pub(crate) async fn done(&self, user: UserId, what: What) -> Result<(), Failure> {
        let now_ms = self.shared.ports.clock.monotonic_ms();
        let deadline_ms = now_ms.saturating_add(WAIT_MS);
        match self.ask_until(user, what, deadline_ms).await {
            Ok(Answer::Done) => Ok(()),
            Ok(Answer::Failed(failure)) => Err(failure),
            Ok(Answer::Reply(_) | Answer::Checked(_) | Answer::DegradedDecision { .. })
            | Err(_) => Err(Failure::Unknown),
        }
    }

    /// Parts of a person's, in clear.
    pub(crate) async fn parts(&self, user: UserId, wanted: Wanted) -> Result<Vec<Part>, Failure> {
        let (told, parts) = oneshot::channel();
        self.done(user, What::Parts { wanted, told }).await?;
        parts.await.map_err(|_| Failure::Unknown)
    }
}

fn refuse(responder: Option<Responder>, failure: Failure) {
    if let Some(responder) = responder {
        responder.answer(Answer::Failed(failure), 0);
    }
}
