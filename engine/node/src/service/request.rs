//! One request that was judged: answered at once, or handed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use tidegate_account::{Idempotency, TenantId, tagged};
use tidegate_runtime::{
    Answer, Class as EngineClass, Context, Failure, GatewayId, Request as Submission, Responder,
};
use tidegate_wire::{Class, Code, Opcode, Request, RequestHead, v1};

use super::Service;
use crate::answers::{self, frame};
use crate::operation::{self, NotTaken, Work};
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
    /// Which node to name when the person is served elsewhere.
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
        // A stream that has ended has no client to tell.
        let _ = self.to.send(out.freeze());
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        if self.answered == Answered::No {
            let mut out = BytesMut::new();
            frame::refuse(&mut out, self.correlation, Code::Unknown, 0, 0);
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
    match operation::to_work(&request.body, &request.head, gateway)? {
        Work::Echo => frame::yes(out, correlation, 0, &v1::Ping {}),
        Work::Order(command) => {
            let later = replies.later(correlation);
            operate_on(service, gateway, command, later);
        }
        Work::Task(task) => {
            let context = Context {
                idempotency: idempotency_of(request),
                ..context_of(&request.head, request.opcode, service, gateway.id())
            };
            let submission = Submission { context, task };
            let class = request.opcode.class();
            submit(
                submission,
                (correlation, class),
                service,
                replies,
                started_us,
            );
        }
    }
    Ok(())
}

/// The surroundings of a request, as its head says; it can have no repeat.
pub(super) fn context_of(
    head: &RequestHead,
    opcode: Opcode,
    service: &Service,
    gateway: GatewayId,
) -> Context {
    let remaining_ms = u64::from(head.remaining_ms);
    Context {
        tenant: TenantId(head.tenant),
        gateway,
        class: class_of(opcode.class()),
        idempotency: None,
        deadline_ms: service.clock.monotonic_ms().saturating_add(remaining_ms),
        max_age_ms: head.max_age_ms,
        known_epoch: head.epoch,
    }
}

/// Hands a request to the engine.
pub(super) fn submit(
    submission: Submission,
    (correlation, class): (u64, Class),
    service: &Arc<Service>,
    replies: &mut Replies,
    started_us: u64,
) {
    let durations = service.meters.durations[class as usize].clone();
    let clock = Arc::clone(&service.clock);
    let engine = service.engine.clone();
    let responder = replies.responder(correlation, move || {
        durations.record_us(clock.monotonic_us().saturating_sub(started_us));
        engine.commits_ms()
    });
    service.engine.submit(submission, responder);
}

/// Hands an operator's order on.
fn operate_on(service: &Arc<Service>, gateway: &Gateway, command: &str, later: Later) {
    let Some(operator) = service.operator.clone() else {
        return later.send(|out, correlation| {
            frame::refuse(out, correlation, Code::NotPermitted, 0, 0);
        });
    };
    let by = gateway.name().to_owned();
    let order = serde_json::from_str::<Order>(command);
    operator.actors.clone().spawn(async move {
        let said = match order {
            Ok(order) => operator.carry_out(&by, order).await,
            Err(error) => Ok(operator::no("malformed", error.to_string())),
        };
        later.send(|out, correlation| answers::write_order_outcome(out, correlation, said));
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

fn class_of(class: Class) -> EngineClass {
    match class {
        Class::Protection => EngineClass::Protection,
        Class::Check => EngineClass::Check,
        Class::Refresh => EngineClass::Refresh,
        Class::Password => EngineClass::Password,
        Class::Registration => EngineClass::Registration,
    }
}
