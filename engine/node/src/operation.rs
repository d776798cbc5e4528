//! Between the wire and the engine: what a request becomes there, and what
//! bodies its answers have. A family's file has both, side by side.

pub(crate) mod credential;
pub(crate) mod flow;
pub(crate) mod identifier;
pub(crate) mod lifecycle;
mod method;
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
    use tidegate_account::{
        Authority as Word, Away as Possible, CredentialList, CredentialReply, FlowReply, FlowStep,
        Grant, IdentifierReply, LifecycleReply, Reply, Secret, SessionId, SessionReply, Status,
        UserId, Verification as Shown,
    };
    use tidegate_runtime::Task;
    use tidegate_wire::{
        Authority, Away, MESSAGE_VERSION, Opcode, Operation, Repeat, Visitor, decode_request,
        encode_request,
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

    fn web() -> Gateway {
        Gateway::new(&GatewayRow {
            name: "web".into(),
            tenants: vec!["default".into()],
            rights: Vec::new(),
            rate_per_s: 0,
            certificates: Vec::new(),
        })
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
                Work::Task(
                    Task::SignIn { .. }
                    | Task::SignUp { .. }
                    | Task::BeginFlow(_)
                    | Task::AnswerFlow(_),
                ) => Authority::Nobody,
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
        let gateway = web();
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

    /// What the engine answers to a sample while the store is out of reach.
    struct WhileAway<'a>(&'a Gateway);

    impl Visitor for WhileAway<'_> {
        type Output = Option<Away>;

        fn visit<O: Operation>(self) -> Option<Away> {
            let mut frame = BytesMut::new();
            encode_request(&mut frame, &head(O::OPCODE), &O::sample()).unwrap();
            let request = decode_request(&frame).unwrap();
            let work = to_work(&request.body, &request.head, self.0).ok()?;
            Some(match work {
                Work::Echo | Work::Order(_) => Away::Answers,
                Work::Task(Task::Check(_)) => Away::Degraded,
                Work::Task(Task::SignIn { .. }) => Away::Provisional,
                Work::Task(
                    Task::SignUp { .. }
                    | Task::Claim { .. }
                    | Task::Attest { .. }
                    | Task::BeginFlow(_)
                    | Task::AnswerFlow(_),
                ) => Away::Unavailable,
                Work::Task(Task::Account { command, .. }) => match command.away() {
                    Possible::Ends => Away::NotDurable,
                    Possible::Keeps(_) => Away::Degraded,
                    Possible::Provisional => Away::Provisional,
                    Possible::Unavailable => Away::Unavailable,
                },
            })
        }
    }

    #[test]
    fn the_engine_answers_while_the_store_is_away_as_the_table_says() {
        let gateway = web();
        for opcode in Opcode::ALL {
            let expected = match opcode {
                // Its sample has a mail address that is none.
                Opcode::SignUp => None,
                _ => Some(opcode.away()),
            };
            assert_eq!(opcode.visit(WhileAway(&gateway)), expected, "{opcode:?}");
        }
    }

    /// A yes to each operation that an account answers.
    fn a_yes_to(opcode: Opcode) -> Option<Reply> {
        let user = UserId::from_bytes([0xA1; 16]);
        let grant = || Grant {
            user,
            session: SessionId(7),
            family: Secret::new([1; 24]),
            refresh: Secret::new([2; 24]),
            idle_expires_at: 1,
            expires_at: 2,
            assurance: 1,
            methods: 1,
            device: None,
        };
        Some(match opcode {
            Opcode::Ping | Opcode::Check | Opcode::Operate => return None,
            Opcode::Refresh => Reply::Session(SessionReply::Refreshed(grant())),
            Opcode::SignIn => Reply::Credential(CredentialReply::SignedIn(grant())),
            Opcode::SignUp => Reply::Credential(CredentialReply::SignedUp(user)),
            Opcode::Revoke => Reply::Session(SessionReply::Revoked(1)),
            Opcode::Sessions => Reply::Session(SessionReply::Sessions(Vec::new())),
            Opcode::SetStatus => Reply::Lifecycle(LifecycleReply::StatusSet(Status::Active)),
            Opcode::Claim => Reply::Identifier(IdentifierReply::Claimed(1)),
            Opcode::Verify => Reply::Identifier(IdentifierReply::Verified(Shown::Confirmed)),
            Opcode::Erase => Reply::Lifecycle(LifecycleReply::Erased(1)),
            Opcode::BeginFlow => Reply::Flow(FlowReply::Step(FlowStep {
                continuation: String::new().into(),
                next: Vec::new(),
            })),
            Opcode::AnswerFlow => Reply::Flow(FlowReply::Granted(grant())),
            Opcode::Credentials => Reply::Credential(CredentialReply::Listed(CredentialList {
                credentials: Vec::new(),
                signal: String::new(),
            })),
            Opcode::RemoveCredential => Reply::Credential(CredentialReply::Removed(1)),
            Opcode::Devices => Reply::Session(SessionReply::Devices(Vec::new())),
            Opcode::ForgetDevice => Reply::Session(SessionReply::Forgotten(1)),
        })
    }

    #[test]
    fn an_outcome_is_kept_for_repeats_where_the_table_says_so() {
        for opcode in Opcode::ALL {
            let kept = a_yes_to(opcode).is_some_and(|reply| reply.is_kept());
            assert_eq!(kept, opcode.repeat() == Repeat::Kept, "{opcode:?}");
        }
    }
}
