//! One request: decoded in place, judged, answered at once or handed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use tidegate_account::{
    Command, DeviceId, DeviceProof, Idempotency, Identifier, IdentifierKind, Password,
    PasswordFault, Remember, RevokeScope, Secret, SessionId, SessionProof, StatusChange, TenantId,
    UserId, tagged,
};
use tidegate_runtime::{
    Ask, Checks, Class as EngineClass, Origin, Request as Submission, Responder, Task, Verification,
};
use tidegate_wire::{
    ArchivedSecretBytes, Class, Code, Opcode, Request, Requested, correlation_of, decode_request,
    v1,
};

use super::Service;
use crate::answers;
use crate::operator::{self, Order};
use crate::rights::{Gateway, Rights};

/// What a stream's later answers go through.
pub(super) struct Replies {
    pub(super) later: tokio::sync::mpsc::UnboundedSender<Bytes>,
    /// Requests whose answer has not come through yet: one more for each
    /// responder, one less for each answer that the stream receives.
    pub(super) in_flight: usize,
    /// The same, of all streams of the connection.
    pub(super) of_connection: Arc<AtomicUsize>,
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

    /// A responder that sends its answer through the stream.
    fn responder(&mut self, correlation: u64, done: impl FnOnce() + Send + 'static) -> Responder {
        let later = self.later(correlation);
        Responder::new(move |answer, epoch| {
            done();
            later.send(|out, correlation| answers::write(out, correlation, answer, epoch));
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

/// Frames that have arrived together: clocks are read, rights looked up and
/// counters added to once for all of them.
pub(super) struct Batch<'a> {
    service: &'a Arc<Service>,
    gateway: &'a Gateway,
    /// Looked up with the first frame.
    arrived: Option<Arrived<'a>>,
    requests: [u64; Opcode::ALL.len()],
    checked: u64,
}

struct Arrived<'a> {
    at_us: u64,
    rights: Option<Arc<Rights>>,
    checks: Checks<'a>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(service: &'a Arc<Service>, gateway: &'a Gateway) -> Batch<'a> {
        Batch {
            service,
            gateway,
            arrived: None,
            requests: [0; Opcode::ALL.len()],
            checked: 0,
        }
    }

    /// Answers a request into `out`, or sees to it that it will be answered.
    pub(super) fn answer(&mut self, frame: &[u8], replies: &mut Replies, out: &mut BytesMut) {
        let request = match decode_request(frame) {
            Ok(request) => request,
            Err(fault) => {
                self.service.meters.malformed.increment(1);
                return answers::refuse(out, correlation_of(frame), fault.code(), 0, 0);
            }
        };
        let (service, gateway) = (self.service, self.gateway);
        let arrived = self.arrived.get_or_insert_with(|| Arrived {
            at_us: service.clock.monotonic_us(),
            rights: gateway.rights(),
            checks: service.engine.checks(),
        });
        let taken = judge(&request, service, arrived, replies).and_then(|()| {
            self.requests[request.opcode as usize - 1] += 1;
            match request.body {
                Requested::Check(check) => {
                    match answer_check(&request, check, arrived, out)? {
                        Found::Warm => self.checked += 1,
                        Found::Cold(ask) => {
                            let task = Task::Check(ask);
                            submit(&request, task, service, replies, arrived.at_us);
                        }
                    }
                    Ok(())
                }
                _ => take(&request, service, gateway, replies, out, arrived.at_us),
            }
        });
        if let Err(NotTaken(code, retry_after_ms)) = taken {
            answers::refuse(out, request.head.correlation, code, retry_after_ms, 0);
        }
    }

    /// Counts what was answered.
    pub(super) fn finish(&mut self) {
        let meters = &self.service.meters;
        for (counter, count) in meters.requests.iter().zip(&mut self.requests) {
            if *count > 0 {
                counter.increment(std::mem::take(count));
            }
        }
        let checked = std::mem::take(&mut self.checked);
        if let Some(arrived) = self.arrived.take().filter(|_| checked > 0) {
            let took_us = self.service.clock.monotonic_us() - arrived.at_us;
            meters.durations[Class::Check as usize].record_many_us(took_us, checked);
        }
    }

    pub(super) fn panicked(&self) {
        self.service.meters.panics.increment(1);
        tracing::error!(event = "request.panicked");
    }
}

/// Whether the gateway may ask this now.
fn judge(
    request: &Request<'_>,
    service: &Service,
    arrived: &Arrived<'_>,
    replies: &mut Replies,
) -> Result<(), NotTaken> {
    let tenant = TenantId(request.head.tenant);
    let rights = arrived.rights.as_ref();
    let rights = rights.filter(|rights| rights.may(tenant, request.opcode.plane()));
    let Some(rights) = rights else {
        service.meters.not_permitted.increment(1);
        return Err(Code::NotPermitted.into());
    };
    if service.is_draining() {
        return Err(Code::Draining.into());
    }
    let of_connection = replies.of_connection.load(Ordering::Relaxed);
    if replies.in_flight >= service.limits.frames_per_stream
        || of_connection >= service.limits.frames_per_connection
    {
        service.meters.in_flight_full.increment(1);
        return Err(NotTaken(Code::Busy, 100));
    }
    rights.take(arrived.at_us / 1000).map_err(|wait_ms| {
        service.meters.rate_limited.increment(1);
        NotTaken(Code::Busy, wait_ms)
    })
}

/// Where a check's answer is.
enum Found {
    /// Written.
    Warm,
    /// With the person's actor.
    Cold(Ask),
}

fn answer_check(
    request: &Request<'_>,
    check: &v1::ArchivedCheck,
    arrived: &mut Arrived<'_>,
    out: &mut BytesMut,
) -> Result<Found, NotTaken> {
    let ask = ask_of(request, check);
    match arrived.checks.check(&ask) {
        Some((_, epoch)) if request.head.epoch > epoch => Err(Code::NotOwner.into()),
        Some((outcome, epoch)) => {
            answers::write_check(out, request.head.correlation, outcome, epoch);
            Ok(Found::Warm)
        }
        None => Ok(Found::Cold(ask)),
    }
}

fn take(
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
            let task = task_of(request, gateway)?;
            submit(request, task, service, replies, started_us);
        }
    }
    Ok(())
}

/// Hands a request to the engine.
fn submit(
    request: &Request<'_>,
    task: Task,
    service: &Arc<Service>,
    replies: &mut Replies,
    started_us: u64,
) {
    let durations = &service.meters.durations[request.opcode.class() as usize];
    let submission = Submission {
        tenant: TenantId(request.head.tenant),
        class: class_of(request.opcode.class()),
        idempotency: idempotency_of(request),
        deadline_ms: deadline_of(request, service),
        task,
    };
    let (clock, durations) = (Arc::clone(&service.clock), durations.clone());
    let responder = replies.responder(request.head.correlation, move || {
        durations.record_us(clock.monotonic_us().saturating_sub(started_us));
    });
    service.engine.submit(submission, responder);
}

/// Hands an operator's order on.
fn operate_on(service: &Arc<Service>, gateway: &Gateway, command: &str, later: Later) {
    let (operator, by) = (service.operator.clone(), gateway.name().to_owned());
    let order = serde_json::from_str::<Order>(command);
    service.operator.actors.spawn(async move {
        let said = match order {
            Ok(order) => operator.carry_out(&by, order).await,
            Err(error) => Ok(operator::no("malformed", error.to_string())),
        };
        later.send(|out, correlation| answers::write_said(out, correlation, said));
    });
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

fn task_of(request: &Request<'_>, gateway: &Gateway) -> Result<Task, NotTaken> {
    Ok(match request.body {
        Requested::Ping | Requested::Check(_) | Requested::Operate(_) => {
            return Err(Code::UnknownOpcode.into());
        }
        Requested::SignUp(body) => {
            let identifiers = body.identifiers.iter().map(identifier);
            let identifiers = identifiers.collect::<Result<Vec<_>, _>>()?;
            if identifiers.is_empty() {
                return Err(Code::InvalidIdentifier.into());
            }
            Task::SignUp {
                identifiers,
                password: password(body.password.as_str())?,
                origin: body.source.as_ref().map(origin).transpose()?,
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
            origin: body.source.as_ref().map(origin).transpose()?,
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
        Requested::Claim(body) => Task::Claim {
            user: UserId::from_bytes(body.by.user),
            by: proof(&body.by),
            identifier: identifier(&body.identifier)?,
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
                    identifier: identifier(&body.identifier)?,
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
