//! One request that was judged: answered at once, or handed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use tidegate_account::{
    Command, DeviceId, DeviceProof, Idempotency, Identifier, IdentifierFault, IdentifierKind,
    Password, PasswordFault, Remember, RevokeScope, Secret, SessionId, SessionProof, StatusChange,
    TenantId, UserId, tagged,
};
use tidegate_runtime::{
    Answer, Ask, Class as EngineClass, Failure, GatewayId, Origin, Request as Submission,
    Responder, Task, Verification,
};
use tidegate_wire::{
    ArchivedSecretBytes, Class, Code, Opcode, Request, RequestHead, Requested, v1,
};

use super::Service;
use crate::answers;
use crate::operator::{self, Order};
use crate::rights::Gateway;
use crate::whereabouts::Whereabouts;

/// What a stream's later answers go through.
pub(super) struct Replies {
    pub(super) later: tokio::sync::mpsc::UnboundedSender<Bytes>,
    /// Requests whose answer has not come through yet: one more for each
    /// responder, one less for each answer that the stream receives.
    pub(super) in_flight: usize,
    /// The same, of all streams of the connection.
    pub(super) of_connection: Arc<AtomicUsize>,
    /// Whom to name when the person is served elsewhere.
    pub(super) whereabouts: Arc<dyn Whereabouts>,
}

/// One answer that is still to come. When it is dropped without one, the
/// answer is `unknown`.
struct Later {
    to: tokio::sync::mpsc::UnboundedSender<Bytes>,
    of_connection: Arc<AtomicUsize>,
    correlation: u64,
    answered: Answered,
}

#[derive(PartialEq, Eq)]
enum Answered {
    Yes,
    No,
}

impl Later {
    fn send(mut self, write: impl FnOnce(&mut BytesMut, u64)) {
        let mut out = BytesMut::new();
        write(&mut out, self.correlation);
        self.answered = Answered::Yes;
        // A stream that has ended has nobody to tell.
        let _ = self.to.send(out.freeze());
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        if self.answered == Answered::No {
            let mut out = BytesMut::new();
            answers::refuse(&mut out, self.correlation, Code::Unknown, 0, 0);
            let _ = self.to.send(out.freeze());
        }
        self.of_connection.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Replies {
    fn later(&mut self, correlation: u64) -> Later {
        self.in_flight += 1;
        self.of_connection.fetch_add(1, Ordering::Relaxed);
        Later {
            to: self.later.clone(),
            of_connection: Arc::clone(&self.of_connection),
            correlation,
            answered: Answered::No,
        }
    }

    /// A responder that sends its answer through the stream; `done` is called
    /// first, and says how long commits take.
    fn responder(
        &mut self,
        correlation: u64,
        done: impl FnOnce() -> u32 + Send + 'static,
    ) -> Responder {
        let later = self.later(correlation);
        let whereabouts = Arc::clone(&self.whereabouts);
        Responder::new(move |answer, epoch| {
            let commits_ms = done();
            later.send(|out, correlation| match answer {
                Answer::Failed(Failure::NotOwner(slot)) => {
                    answers::elsewhere(out, correlation, slot, whereabouts.elsewhere(slot));
                }
                answer => answers::write(out, correlation, answer, epoch, commits_ms),
            });
        })
    }
}

/// Why a request was not taken, and when to come again.
pub(super) struct NotTaken(pub(super) Code, pub(super) u32);

impl From<Code> for NotTaken {
    fn from(code: Code) -> NotTaken {
        NotTaken(code, 0)
    }
}

/// Answers a request at once, or hands it on.
pub(super) fn take(
    request: &Request<'_>,
    service: &Arc<Service>,
    gateway: &Gateway,
    replies: &mut Replies,
    out: &mut BytesMut,
    started_us: u64,
) -> Result<(), NotTaken> {
    let correlation = request.head.correlation;
    match request.body {
        Requested::Ping => answers::yes(out, correlation, 0, &v1::Ping {}),
        Requested::Operate(operate) => {
            let later = replies.later(correlation);
            operate_on(service, gateway, operate.command.as_str(), later);
        }
        _ => {
            let asked = Asked {
                head: request.head,
                gateway: gateway.id(),
                opcode: request.opcode,
                idempotency: idempotency_of(request),
                task: task_of(request, gateway)?,
            };
            submit(asked, service, replies, started_us);
        }
    }
    Ok(())
}

/// What goes to the engine.
pub(super) struct Asked {
    pub(super) head: RequestHead,
    pub(super) gateway: GatewayId,
    pub(super) opcode: Opcode,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) task: Task,
}

/// Hands a request to the engine.
pub(super) fn submit(asked: Asked, service: &Arc<Service>, replies: &mut Replies, started_us: u64) {
    let class = asked.opcode.class();
    let remaining_ms = u64::from(asked.head.remaining_ms);
    let submission = Submission {
        tenant: TenantId(asked.head.tenant),
        gateway: asked.gateway,
        class: class_of(class),
        idempotency: asked.idempotency,
        deadline_ms: service.clock.monotonic_ms().saturating_add(remaining_ms),
        max_age_ms: asked.head.max_age_ms,
        known_epoch: asked.head.epoch,
        task: asked.task,
    };
    let durations = service.meters.durations[class as usize].clone();
    let clock = Arc::clone(&service.clock);
    let engine = service.engine.clone();
    let responder = replies.responder(asked.head.correlation, move || {
        durations.record_us(clock.monotonic_us().saturating_sub(started_us));
        engine.commits_ms()
    });
    service.engine.submit(submission, responder);
}

/// Hands an operator's order on.
fn operate_on(service: &Arc<Service>, gateway: &Gateway, command: &str, later: Later) {
    let Some(operator) = service.operator.clone() else {
        return later.send(|out, correlation| {
            answers::refuse(out, correlation, Code::NotPermitted, 0, 0);
        });
    };
    let by = gateway.name().to_owned();
    let order = serde_json::from_str::<Order>(command);
    operator.actors.clone().spawn(async move {
        let said = match order {
            Ok(order) => operator.carry_out(&by, order).await,
            Err(error) => Ok(operator::no("malformed", error.to_string())),
        };
        later.send(|out, correlation| answers::write_said(out, correlation, said));
    });
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

fn task_of(request: &Request<'_>, gateway: &Gateway) -> Result<Task, NotTaken> {
    Ok(match request.body {
        Requested::Ping | Requested::Check(_) | Requested::Operate(_) => {
            return Err(Code::UnknownOpcode.into());
        }
        Requested::SignUp(body) => {
            let identifiers = body.identifiers.iter();
            let identifiers = identifiers.map(|text| identifier(text, Identifier::parse));
            let identifiers = identifiers.collect::<Result<Vec<_>, _>>()?;
            if identifiers.is_empty() {
                return Err(Code::InvalidIdentifier.into());
            }
            Task::SignUp {
                identifiers,
                password: password(body.password.as_str())?,
                origin: named(body.source.as_ref(), gateway)?,
            }
        }
        Requested::SignIn(body) => Task::SignIn {
            // An account of an earlier rule may have what is refused today.
            identifier: identifier(&body.identifier, Identifier::find)?,
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
            origin: named(body.source.as_ref(), gateway)?,
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
            let by = gateway.administrator();
            account(body.user, Command::SetStatus { change, by })
        }
        Requested::Erase(body) => {
            let by = gateway.administrator();
            account(body.user, Command::Erase { by })
        }
        Requested::Claim(body) => Task::Claim {
            user: UserId::from_bytes(body.by.user),
            by: proof(&body.by),
            identifier: identifier(&body.identifier, Identifier::parse)?,
        },
        Requested::Verify(body) => {
            let of_user = |session: &&v1::ArchivedCheck| session.user == body.user;
            let session = body.session.as_ref();
            if session.is_some() && session.filter(of_user).is_none() {
                return Err(Code::Malformed.into());
            }
            let text = body.password.as_ref();
            Task::Verify {
                user: UserId::from_bytes(body.user),
                verification: Verification {
                    identifier: identifier(&body.identifier, Identifier::parse)?,
                    session: session.map(proof),
                    password: text.map(|text| password(text.as_str())).transpose()?,
                    by: gateway.administrator(),
                },
            }
        }
    })
}

fn class_of(class: Class) -> EngineClass {
    match class {
        Class::Protection => EngineClass::Protection,
        Class::Check => EngineClass::Check,
        Class::Refresh => EngineClass::Refresh,
        Class::Password => EngineClass::Password,
        Class::Registration => EngineClass::Registration,
    }
}

/// The source that a gateway names, which some must.
fn named(
    source: Option<&v1::ArchivedSource>,
    gateway: &Gateway,
) -> Result<Option<Origin>, NotTaken> {
    match source {
        None if gateway.names_sources() => Err(Code::NotPermitted.into()),
        None => Ok(None),
        Some(source) => origin(source).map(Some),
    }
}

fn origin(source: &v1::ArchivedSource) -> Result<Origin, NotTaken> {
    let [a, b, c, d, e, f, g, h, ..] = source.bytes;
    match source.kind {
        1 => Ok(Origin::V4([a, b, c, d])),
        2 => Ok(Origin::V6([a, b, c, d, e, f, g, h])),
        3 => Ok(Origin::Gateway(source.bytes)),
        _ => Err(Code::Malformed.into()),
    }
}

fn account(user: [u8; 16], command: Command) -> Task {
    Task::Account {
        user: UserId::from_bytes(user),
        command,
    }
}

pub(super) fn ask_of(head: &RequestHead, check: &v1::ArchivedCheck) -> Ask {
    Ask {
        tenant: TenantId(head.tenant),
        user: UserId::from_bytes(check.user),
        session: SessionId(check.session.to_native()),
        secret: secret(&check.secret),
        max_age_ms: head.max_age_ms,
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

/// How a text is made an identifier: as one that is to become an account's, or as
/// one by which an account is looked for.
type Normalise = fn(IdentifierKind, &str) -> Result<Identifier, IdentifierFault>;

fn identifier(
    identifier: &v1::ArchivedIdentifier,
    normalise: Normalise,
) -> Result<Identifier, NotTaken> {
    let kind = match identifier.kind {
        1 => IdentifierKind::Email,
        2 => IdentifierKind::Phone,
        3 => IdentifierKind::Username,
        _ => return Err(Code::Malformed.into()),
    };
    let normal = normalise(kind, identifier.text.as_str());
    normal.map_err(|_| Code::InvalidIdentifier.into())
}

fn password(text: &str) -> Result<Password, NotTaken> {
    Password::parse(text).map_err(|fault| match fault {
        // The code has no room for which character it is, and it belongs into
        // no log: the caller has the text and can find it by the same rule.
        PasswordFault::Empty | PasswordFault::Forbidden(_) => Code::InvalidPassword.into(),
        PasswordFault::TooLong => Code::TooLarge.into(),
    })
}
