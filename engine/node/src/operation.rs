//! Between the wire and the engine: what a request becomes there, and what
//! bodies its answers have. A family's file has both, side by side.

pub(crate) mod credential;
pub(crate) mod identifier;
pub(crate) mod lifecycle;
mod operator;
pub(crate) mod session;
mod text;

mod token;
mod work;

use tidegate_wire::{RequestHead, Requested, each_request};

pub(crate) use work::{NotTaken, Work};

use crate::rights::Gateway;
use work::ToWork;

/// What is to be done for a request. An operation of the table without a
/// conversion does not compile.
pub(crate) fn to_work<'a>(
    body: &Requested<'a>,
    head: &RequestHead,
    gateway: &Gateway,
) -> Result<Work<'a>, NotTaken> {
    each_request!(*body, body => body.to_work(head, gateway))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use tidegate_account::Authority as Word;
    use tidegate_runtime::Task;
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
