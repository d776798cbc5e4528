//! One ractor actor per hot person.

mod commit;
pub(crate) mod load;
pub(crate) mod parts;
mod state;

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime};
use tidegate_account::{Completion, PendingId, UserId};
use tidegate_storage_api::{Stamp, StoreError};

use crate::admission::Counted;
use crate::job::{Job, Mailbox};
use crate::shared::Shared;
use load::Loaded;
use parts::PartRow;
use state::PersonState;

/// What an actor is told.
enum Message {
    /// A request, or work of the engine's own.
    Job(Job),
    /// The person was read.
    Loaded(Result<Loaded, StoreError>),
    /// The parts were read that the job in front needs.
    Parts {
        /// Which read it was.
        read: u64,
        rows: Result<Vec<PartRow>, StoreError>,
    },
    /// A password's work is done, which was begun in this life of the state.
    Hashed {
        life: u64,
        pending: PendingId,
        completion: Completion,
    },
    /// The same of a password that was given while the store was out of reach.
    Compared {
        /// Of which account as it was known.
        shadow: u64,
        pending: PendingId,
        completion: Completion,
    },
    /// A commit came back.
    Committed(Result<Stamp, StoreError>),
    /// It is time to look again for an indeterminate commit.
    LookAgain,
    /// An indeterminate commit was looked up: whether it happened.
    Resolved(Result<commit::Fate, StoreError>),
}

/// Starts the actor of a person; `None` when it could not be. Called on the
/// actors' runtime.
pub(crate) fn start(
    shared: &Arc<Shared>,
    user: UserId,
    epoch: u64,
    activation: Option<Counted>,
) -> Option<Mailbox> {
    let arguments = (Arc::clone(shared), user, epoch, activation);
    let started = ActorRuntime::spawn_instant(None, PersonActor, arguments);
    let (actor, _) = started.ok()?;
    Some(Mailbox::new(move |job| {
        actor.send_message(Message::Job(job)).is_ok()
    }))
}

struct PersonActor;

impl Actor for PersonActor {
    type Msg = Message;
    type State = PersonState;
    type Arguments = (Arc<Shared>, UserId, u64, Option<Counted>);

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        (shared, user, epoch, activation): Self::Arguments,
    ) -> Result<PersonState, ActorProcessingErr> {
        Ok(PersonState::open(shared, user, epoch, activation, myself))
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut PersonState,
    ) -> Result<(), ActorProcessingErr> {
        state.take(message);
        if state.leaves() {
            myself.stop(None);
        }
        Ok(())
    }
}
