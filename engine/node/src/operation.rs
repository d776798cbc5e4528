//! Between the wire and the engine: what a request becomes there, and what
//! bodies its answers have. A family's file has both, side by side.

pub(crate) mod credential;
pub(crate) mod identifier;
pub(crate) mod lifecycle;
pub(crate) mod session;

use tidegate_runtime::Task;
use tidegate_wire::{Code, Fault, RequestHead, Requested};

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

/// What is to be done for a request.
pub(crate) fn to_work<'a>(
    body: &Requested<'a>,
    head: &RequestHead,
    gateway: &Gateway,
) -> Result<Work<'a>, NotTaken> {
    Ok(Work::Task(match body {
        Requested::Ping(_) => return Ok(Work::Echo),
        Requested::Operate(body) => return Ok(Work::Order(body.command.as_str())),
        Requested::Check(body) => Task::Check(session::to_ask(body, head)),
        Requested::Refresh(body) => session::to_refresh(body),
        Requested::Revoke(body) => session::to_revoke(body)?,
        Requested::Sessions(body) => session::to_list(body),
        Requested::SignIn(body) => credential::to_sign_in(body, gateway)?,
        Requested::SignUp(body) => credential::to_sign_up(body, gateway)?,
        Requested::Claim(body) => identifier::to_claim(body)?,
        Requested::Verify(body) => identifier::to_verify(body, gateway)?,
        Requested::SetStatus(body) => lifecycle::to_set_status(body, gateway)?,
        Requested::Erase(body) => lifecycle::to_erase(body, gateway),
    }))
}
