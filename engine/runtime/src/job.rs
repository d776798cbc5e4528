//! What a person's actor is asked to do, and the mailbox that it is sent to.

use tidegate_account::{AgendaRow, Away, Command, Outgoing, Part, PartId, PartKind, SessionId};
use tokio::sync::oneshot;

use crate::answer::Responder;
use crate::check::Ask;
use crate::directory::Waiting;
use crate::request::Context;

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
        context: Context,
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

/// Which parts are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of a kind, by number.
    All(PartKind),
    /// This one, if it is there.
    One(PartId),
}

impl What {
    /// The parts that must be loaded before this is done, whatever is known of the
    /// account.
    pub(crate) fn wanted(&self) -> Option<Wanted> {
        match self {
            What::Rekey => Some(Wanted::All(PartKind::IdentifierText)),
            What::Parts { wanted, .. } => Some(*wanted),
            // The account says what a command needs.
            What::Command { .. }
            | What::Check(_)
            | What::WriteBehind
            | What::Settle
            | What::Sweep
            | What::Due(_)
            | What::Post(_) => None,
        }
    }

    /// The command, where it is one.
    pub(crate) fn command(&self) -> Option<&Command> {
        match self {
            What::Command { command, .. } => Some(command),
            What::Check(_)
            | What::WriteBehind
            | What::Settle
            | What::Sweep
            | What::Due(_)
            | What::Post(_)
            | What::Parts { .. }
            | What::Rekey => None,
        }
    }

    /// The session that a refresh goes on with.
    pub(crate) fn goes_on_with(&self) -> Option<SessionId> {
        self.command().and_then(Command::refreshes)
    }

    /// Whether something can be said to it while the store is out of reach.
    pub(crate) fn is_for_degraded(&self) -> bool {
        let command = self.command();
        command.is_some_and(|command| command.away() != Away::Unavailable)
    }
}

/// Where a person's actor is sent jobs. What kind of actor it is only that actor's
/// file knows.
pub(crate) struct Mailbox(Box<dyn Fn(Job) -> bool + Send + Sync>);

impl Mailbox {
    /// `send` says whether the actor is there to take the job.
    pub(crate) fn new(send: impl Fn(Job) -> bool + Send + Sync + 'static) -> Mailbox {
        Mailbox(Box::new(send))
    }

    /// Sends a job; whether the actor is there to take it.
    pub(crate) fn send(&self, job: Job) -> bool {
        (self.0)(job)
    }
}
