//! The account's status, and its end (administrators).

use crate::account::authority::Authority;
use crate::account::{Account, Step};
use crate::command::{Administrator, Request};
use crate::record::v1::Outcome;
use crate::status::{Status, StatusChange};

/// The account's status, and its end (administrators).
#[derive(Clone, Debug)]
pub enum LifecycleCommand {
    /// Open or close the account.
    SetStatus {
        /// How.
        change: StatusChange,
        /// By whose authority.
        by: Administrator,
    },
    /// Erase the person.
    Erase {
        /// By whose authority.
        by: Administrator,
    },
}

/// The answer to a command about the account's status, or its end.
#[derive(Clone, Copy, Debug)]
pub enum LifecycleReply {
    /// The account has this status now.
    StatusSet(Status),
    /// The person is erased since then, in Unix milliseconds.
    Erased(u64),
}

impl LifecycleCommand {
    pub(super) fn authority(&self) -> Authority<'_> {
        match self {
            LifecycleCommand::SetStatus { by, .. } | LifecycleCommand::Erase { by } => {
                Authority::Administrator(by)
            }
        }
    }
}

impl LifecycleReply {
    pub(super) fn outcome(self) -> Option<Outcome> {
        match self {
            LifecycleReply::StatusSet(status) => Some(Outcome::StatusSet(status.into())),
            // Of the erased nothing is kept: the tombstone answers repeats.
            LifecycleReply::Erased(_) => None,
        }
    }
}

impl Account {
    pub(super) fn lifecycle(
        &mut self,
        request: Request,
        command: LifecycleCommand,
        step: &mut Step<'_>,
    ) {
        let reply = match command {
            LifecycleCommand::SetStatus { change, by } => {
                self.set_status(&request, change, &by, step)
            }
            LifecycleCommand::Erase { by } => self.erase(&request, &by, step),
        };
        self.settle(&request, reply, step);
    }
}
