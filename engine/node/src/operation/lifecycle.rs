//! The status of accounts, and their end.

use bytes::BytesMut;
use tidegate_account::{Command, LifecycleCommand, LifecycleReply, Status, StatusChange, UserId};
use tidegate_runtime::Task;
use tidegate_wire::{ReplyHead, RequestHead, v1};

use super::work::{NotTaken, ToWork, Work};
use crate::answers::frame::say;
use crate::rights::Gateway;

impl ToWork for v1::ArchivedSetStatus {
    fn to_work(&self, _: &RequestHead, gateway: &Gateway) -> Result<Work<'_>, NotTaken> {
        let change = match self.change()? {
            v1::StatusChange::Lock => StatusChange::Lock,
            v1::StatusChange::Unlock => StatusChange::Unlock,
            v1::StatusChange::Suspend => StatusChange::Suspend,
            v1::StatusChange::Reinstate => StatusChange::Reinstate,
        };
        let by = gateway.administrator();
        Ok(of_account(
            self.user,
            LifecycleCommand::SetStatus { change, by },
        ))
    }
}

impl ToWork for v1::ArchivedErase {
    fn to_work(&self, _: &RequestHead, gateway: &Gateway) -> Result<Work<'_>, NotTaken> {
        let by = gateway.administrator();
        Ok(of_account(self.user, LifecycleCommand::Erase { by }))
    }
}

fn of_account(user: [u8; 16], command: LifecycleCommand) -> Work<'static> {
    Work::Task(Task::Account {
        user: UserId::from_bytes(user),
        command: Command::Lifecycle(command),
    })
}

/// Appends the frame of a yes.
pub(crate) fn write(out: &mut BytesMut, head: &ReplyHead, reply: LifecycleReply) {
    match reply {
        LifecycleReply::StatusSet(status) => say(out, head, &status_set(status)),
        LifecycleReply::Erased(at) => say(out, head, &erased(at)),
    }
}

fn status_set(status: Status) -> v1::StatusSet {
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
fn erased(at: u64) -> v1::Erased {
    v1::Erased { at }
}
