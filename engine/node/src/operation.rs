//! Between the wire and the engine: what a request becomes there, and what
//! bodies its answers have. A family's file has both, side by side.

pub(crate) mod credential;
pub(crate) mod identifier;
pub(crate) mod lifecycle;
pub(crate) mod session;
mod text;

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

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use tidegate_account::Authority as Word;
    use tidegate_wire::{
        Authority, MESSAGE_VERSION, Opcode, Operation, Visitor, decode_request, encode_request,
    };

    use super::*;
    use crate::deployment::GatewayRow;

    fn head(opcode: Opcode) -> RequestHead {
        RequestHead {
            version: MESSAGE_VERSION,
            opcode: opcode as u16,
            correlation: 1,
            tenant: 1,
            epoch: 0,
            remaining_ms: 1_000,
            max_age_ms: 0,
            idempotency_key: [7; 16],
        }
    }

    /// By whose authority the engine does what a sample asks for.
    struct Asked<'a>(&'a Gateway);

    impl Visitor for Asked<'_> {
        type Output = Option<Authority>;

        fn visit<O: Operation>(self) -> Option<Authority> {
            let mut frame = BytesMut::new();
            encode_request(&mut frame, &head(O::OPCODE), &O::sample()).unwrap();
            let request = decode_request(&frame).unwrap();
            let work = to_work(&request.body, &request.head, self.0).ok()?;
            Some(match work {
                Work::Echo => Authority::Nobody,
                Work::Order(_) => Authority::Operator,
                Work::Task(Task::Check(_)) => Authority::Session,
                Work::Task(Task::SignIn { .. } | Task::SignUp { .. }) => Authority::Nobody,
                Work::Task(Task::Claim { .. }) => Authority::FreshSession,
                Work::Task(Task::Attest { .. }) => Authority::Administrator,
                Work::Task(Task::Account { command, .. }) => match command.authority() {
                    Word::Nobody => Authority::Nobody,
                    Word::Session(_) => Authority::Session,
                    Word::FreshSession(_) => Authority::FreshSession,
                    Word::Administrator(_) => Authority::Administrator,
                },
            })
        }
    }

    #[test]
    fn the_engine_asks_for_the_word_that_the_table_names() {
        let gateway = Gateway::new(&GatewayRow {
            name: "web".into(),
            tenants: vec!["default".into()],
            rights: Vec::new(),
            rate_per_s: 0,
            certificates: Vec::new(),
        });
        for opcode in Opcode::ALL {
            let expected = match opcode {
                // Its sample has a mail address that is none.
                Opcode::SignUp => None,
                // The session's own refresh token is what the command proves.
                Opcode::Refresh => Some(Authority::Nobody),
                _ => Some(opcode.authority()),
            };
            assert_eq!(opcode.visit(Asked(&gateway)), expected, "{opcode:?}");
        }
    }
}
