//! One ractor actor per hot person.

mod commit;
pub(crate) mod load;
pub(crate) mod parts;
mod state;

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tidegate_account::{
    AgendaRow, Away, Command, Completion, Idempotency, Outgoing, Part, PartKind, PendingId,
    TenantId, UserId,
};
use tidegate_storage_api::{Stamp, StoreError};
use tokio::sync::oneshot;

use crate::admission::Counted;
use crate::answer::Responder;
use crate::check::Ask;
use crate::directory::Waiting;
use crate::shared::Shared;
use load::Loaded;
use parts::PartRow;
use state::PersonState;

pub(crate) use parts::Wanted;

/// What an actor is told.
pub(crate) enum Message {
    /// Somebody asks something.
    Job(Job),
    /// The person was read.
    Loaded(Result<Loaded, StoreError>),
    /// The parts were read that the job in front needs.
    Parts {
        /// Which read it was.
        read: u64,
        rows: Result<Vec<PartRow>, StoreError>,
    },
    /// A password's work is done, which was begun in this life of the desk.
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
    /// It is time to look again for a commit of unknown fate.
    LookAgain,
    /// A commit of unknown fate was looked up: whether it happened.
    Resolved(Result<commit::Fate, StoreError>),
}

/// A request, as it waits for the person's actor.
pub(crate) struct Job {
    pub(crate) what: What,
    pub(crate) deadline_ms: u64,
    pub(crate) responder: Option<Responder>,
    pub(crate) waiting: Waiting,
}

/// What is asked.
pub(crate) enum What {
    Command {
        tenant: TenantId,
        idempotency: Option<Idempotency>,
        /// What cannot be brought up to date is accepted when it is younger.
        max_age_ms: u32,
        command: Command,
    },
    /// A check that found the person cold.
    Check(Ask),
    /// Make the times of use durable.
    WriteBehind,
    /// Take over what was decided while the store was out of reach.
    Settle,
    /// Drop what is over.
    Sweep,
    /// Do what the agenda says is due.
    Due(AgendaRow),
    /// Renew what older keys made.
    Rekey,
    /// Let something leave.
    Post(Box<Outgoing>),
    /// Give parts of the person's, in clear.
    Parts {
        wanted: Wanted,
        told: oneshot::Sender<Vec<Part>>,
    },
}

impl What {
    /// The parts that must be loaded before this is done.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        match self {
            What::Rekey => Some(Wanted::All(PartKind::IdentifierText)),
            What::Parts { wanted, .. } => Some(*wanted),
            // No command of the core needs what lies in a part: not yet.
            What::Command { .. }
            | What::Check(_)
            | What::WriteBehind
            | What::Settle
            | What::Sweep
            | What::Due(_)
            | What::Post(_) => None,
        }
    }

    /// Whether something can be said to it while the store is out of reach.
    pub(crate) fn is_for_degraded(&self) -> bool {
        match self {
            What::Command { command, .. } => command.away() != Away::Unavailable,
            What::Check(_)
            | What::WriteBehind
            | What::Settle
            | What::Sweep
            | What::Due(_)
            | What::Post(_)
            | What::Rekey
            | What::Parts { .. } => false,
        }
    }
}

pub(crate) struct PersonActor;

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
