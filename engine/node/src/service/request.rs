//! One request: decoded in place, judged, answered at once or handed on.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tidegate_account::{
    Command, DeviceId, DeviceProof, Idempotency, Identifier, IdentifierKind, Password,
    PasswordFault, Remember, RevokeScope, Secret, SessionId, SessionProof, StatusChange, TenantId,
    UserId, tagged,
};
use tidegate_runtime::{Ask, Request as Submission, Responder, Task};
use tidegate_wire::{
    ArchivedSecretBytes, Code, Opcode, Request, Requested, correlation_of, decode_request, v1,
};

use super::Service;
use crate::answers;
use crate::rights::Gateway;

/// What a stream's later answers go through.
pub(super) struct Replies {
    pub(super) later: tokio::sync::mpsc::UnboundedSender<Bytes>,
    /// Requests whose answer has not come through yet: one more for each
    /// responder, one less for each answer that the stream receives.
    pub(super) in_flight: usize,
}

impl Replies {
    /// A responder that sends its answer through the stream.
    fn responder(&mut self, correlation: u64) -> Responder {
        let later = self.later.clone();
        self.in_flight += 1;
        Responder::new(move |answer, epoch| {
            let mut out = BytesMut::new();
            answers::write(&mut out, correlation, answer, epoch);
            // A stream that has ended has nobody to tell.
            let _ = later.send(out.freeze());
        })
    }
}

/// Why a request was not taken, and when to come again.
struct NotTaken(Code, u32);

impl From<Code> for NotTaken {
    fn from(code: Code) -> NotTaken {
        NotTaken(code, 0)
    }
}

/// Answers a request into `out`, or sees to it that it will be answered.
pub(super) fn answer(
    frame: &[u8],
    service: &Arc<Service>,
    gateway: &Gateway,
    replies: &mut Replies,
    out: &mut BytesMut,
) {
    let request = match decode_request(frame) {
        Ok(request) => request,
        Err(fault) => {
            service.meters.malformed.increment(1);
            return answers::refuse(out, correlation_of(frame), fault.code(), 0, 0);
        }
    };
    let correlation = request.head.correlation;
    let taken = judge(&request, service, gateway, replies)
        .and_then(|()| take(&request, service, replies, out));
    if let Err(NotTaken(code, retry_after_ms)) = taken {
        answers::refuse(out, correlation, code, retry_after_ms, 0);
    }
}

/// Whether the gateway may ask this now.
fn judge(
    request: &Request<'_>,
    service: &Service,
    gateway: &Gateway,
    replies: &mut Replies,
) -> Result<(), NotTaken> {
    let tenant = TenantId(request.head.tenant);
    if !gateway.may(tenant, request.opcode.plane()) {
        service.meters.not_permitted.increment(1);
        return Err(Code::NotPermitted.into());
    }
    if service.is_draining() {
        return Err(Code::Draining.into());
    }
    if replies.in_flight >= service.limits.frames_per_stream {
        return Err(NotTaken(Code::Busy, 100));
    }
    gateway
        .take(service.clock.monotonic_ms())
        .map_err(|wait_ms| {
            service.meters.rate_limited.increment(1);
            NotTaken(Code::Busy, wait_ms)
        })?;
    service.meters.requests[request.opcode as usize - 1].increment(1);
    Ok(())
}

fn take(
    request: &Request<'_>,
    service: &Service,
    replies: &mut Replies,
    out: &mut BytesMut,
) -> Result<(), NotTaken> {
    let correlation = request.head.correlation;
    let task = match request.body {
        Requested::Ping => {
            answers::yes(out, correlation, 0, &v1::Ping {});
            return Ok(());
        }
        Requested::Check(check) => {
            let ask = ask_of(request, check);
            match service.engine.check(&ask) {
                Some((_, epoch)) if request.head.epoch > epoch => {
                    return Err(Code::NotOwner.into());
                }
                Some((outcome, epoch)) => {
                    answers::write_check(out, correlation, outcome, epoch);
                    return Ok(());
                }
                None => Task::Check(ask),
            }
        }
        _ => task_of(request)?,
    };
    let submission = Submission {
        tenant: TenantId(request.head.tenant),
        idempotency: idempotency_of(request),
        deadline_ms: deadline_of(request, service),
        task,
    };
    let responder = replies.responder(correlation);
    service.engine.submit(submission, responder);
    Ok(())
}

fn deadline_of(request: &Request<'_>, service: &Service) -> u64 {
    let now_ms = service.clock.monotonic_ms();
    now_ms.saturating_add(u64::from(request.head.remaining_ms))
}

/// A repeat is the same operation, in the same tenant's name, with the same
/// body.
fn idempotency_of(request: &Request<'_>) -> Option<Idempotency> {
    request.opcode.needs_idempotency_key().then(|| Idempotency {
        key: request.head.idempotency_key,
        request: tagged(
            "tg-request-1",
            &[
                &(request.opcode as u16).to_le_bytes(),
                &request.head.tenant.to_le_bytes(),
                request.bytes,
            ],
        ),
    })
}

fn task_of(request: &Request<'_>) -> Result<Task, NotTaken> {
    Ok(match request.body {
        Requested::Ping | Requested::Check(_) => return Err(Code::UnknownOpcode.into()),
        Requested::SignUp(body) => {
            let identifiers = body.identifiers.iter().map(identifier);
            let identifiers = identifiers.collect::<Result<Vec<_>, _>>()?;
            if identifiers.is_empty() {
                return Err(Code::InvalidIdentifier.into());
            }
            Task::SignUp {
                identifiers,
                password: password(body.password.as_str())?,
            }
        }
        Requested::SignIn(body) => Task::SignIn {
            identifier: identifier(&body.identifier)?,
            password: password(body.password.as_str())?,
            device: body.device.as_ref().map(|device| DeviceProof {
                id: DeviceId(device.id.to_native()),
                secret: secret(&device.secret),
            }),
            remember: match body.remember {
                0 => Remember::Nothing,
                1 => Remember::Device,
                _ => return Err(Code::Malformed.into()),
            },
        },
        Requested::Refresh(body) => account(
            body.user,
            Command::Refresh {
                session: SessionId(body.session.to_native()),
                family: secret(&body.family),
                token: secret(&body.secret),
            },
        ),
        Requested::Revoke(body) => {
            let scope = match body.scope {
                1 => RevokeScope::This,
                2 => RevokeScope::One(SessionId(body.target.to_native())),
                3 => RevokeScope::Others,
                4 => RevokeScope::All,
                _ => return Err(Code::Malformed.into()),
            };
            let by = proof(&body.by);
            account(body.by.user, Command::Revoke { by, scope })
        }
        Requested::Sessions(body) => {
            let by = proof(&body.by);
            account(body.by.user, Command::Sessions { by })
        }
        Requested::SetStatus(body) => {
            let change = match body.change {
                1 => StatusChange::Lock,
                2 => StatusChange::Unlock,
                3 => StatusChange::Suspend,
                4 => StatusChange::Reinstate,
                _ => return Err(Code::Malformed.into()),
            };
            account(body.user, Command::SetStatus(change))
        }
    })
}

fn account(user: [u8; 16], command: Command) -> Task {
    Task::Account {
        user: UserId::from_bytes(user),
        command,
    }
}

fn ask_of(request: &Request<'_>, check: &v1::ArchivedCheck) -> Ask {
    Ask {
        tenant: TenantId(request.head.tenant),
        user: UserId::from_bytes(check.user),
        session: SessionId(check.session.to_native()),
        secret: secret(&check.secret),
    }
}

fn proof(check: &v1::ArchivedCheck) -> SessionProof {
    SessionProof {
        session: SessionId(check.session.to_native()),
        secret: secret(&check.secret),
    }
}

fn secret(bytes: &ArchivedSecretBytes) -> Secret {
    Secret::new(bytes.0)
}

fn identifier(identifier: &v1::ArchivedIdentifier) -> Result<Identifier, NotTaken> {
    let kind = match identifier.kind {
        1 => IdentifierKind::Email,
        2 => IdentifierKind::Phone,
        3 => IdentifierKind::Username,
        _ => return Err(Code::Malformed.into()),
    };
    let parsed = Identifier::parse(kind, identifier.text.as_str());
    parsed.map_err(|_| Code::InvalidIdentifier.into())
}

fn password(text: &str) -> Result<Password, NotTaken> {
    Password::parse(text).map_err(|fault| match fault {
        PasswordFault::Empty | PasswordFault::ForbiddenCharacter => Code::InvalidPassword.into(),
        PasswordFault::TooLong => Code::TooLarge.into(),
    })
}

/// The counters of requests are indexed by opcode.
const _: () = {
    let mut place = 0;
    while place < Opcode::ALL.len() {
        assert!(Opcode::ALL[place] as usize == place + 1);
        place += 1;
    }
};
