//! What a request is to the node.

use tidegate_runtime::Task;
use tidegate_wire::{Code, Fault, RequestHead};

use crate::rights::Gateway;

/// Why a request was not taken, and when to come again, in milliseconds.
pub(crate) struct NotTaken(pub(crate) Code, pub(crate) u32);

impl From<Code> for NotTaken {
    fn from(code: Code) -> NotTaken {
        NotTaken(code, 0)
    }
}

impl From<Fault> for NotTaken {
    fn from(fault: Fault) -> NotTaken {
        NotTaken(fault.code(), 0)
    }
}

/// What a request is to the node.
pub(crate) enum Work<'a> {
    /// To be sent back.
    Echo,
    /// An operator's order, one JSON object.
    Order(&'a str),
    /// For the engine.
    Task(Task),
}

/// The conversion of one operation's request.
pub(crate) trait ToWork {
    /// What it is to the node.
    fn to_work(&self, head: &RequestHead, gateway: &Gateway) -> Result<Work<'_>, NotTaken>;
}
