//! The status of accounts, and their end.

use tidegate_account::{Command, LifecycleCommand, Status, StatusChange, UserId};
use tidegate_runtime::Task;
use tidegate_wire::v1;

use super::NotTaken;
use crate::rights::Gateway;

pub(super) fn to_set_status(
    body: &v1::ArchivedSetStatus,
    gateway: &Gateway,
) -> Result<Task, NotTaken> {
    let change = match body.change()? {
        v1::StatusChange::Lock => StatusChange::Lock,
        v1::StatusChange::Unlock => StatusChange::Unlock,
        v1::StatusChange::Suspend => StatusChange::Suspend,
        v1::StatusChange::Reinstate => StatusChange::Reinstate,
    };
    let by = gateway.administrator();
    Ok(Task::Account {
        user: UserId::from_bytes(body.user),
        command: Command::Lifecycle(LifecycleCommand::SetStatus { change, by }),
    })
}

pub(super) fn to_erase(body: &v1::ArchivedErase, gateway: &Gateway) -> Task {
    let by = gateway.administrator();
    Task::Account {
        user: UserId::from_bytes(body.user),
        command: Command::Lifecycle(LifecycleCommand::Erase { by }),
    }
}

pub(crate) fn status_set(status: Status) -> v1::StatusSet {
    v1::StatusSet {
        status: match status {
            Status::Active => 1,
            Status::Locked => 2,
            Status::Suspended => 3,
            // No account's status is ever set to it.
            Status::Decoy => 0,
        },
    }
}

/// Since when a person is erased, in Unix milliseconds.
pub(crate) fn erased(at: u64) -> v1::Erased {
    v1::Erased { at }
}
