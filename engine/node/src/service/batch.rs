//! Frames that have arrived together: decoded in place and judged; clocks are
//! read, rights looked up and counters added to once for all of them, and
//! checks go to memory side by side.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use tidegate_account::TenantId;
use tidegate_runtime::{Checks, Prepared, Request as Submission, Task};
use tidegate_wire::{
    Class, Code, Opcode, Request, RequestHead, Requested, correlation_of, decode_request,
};

use super::Service;
use super::request::{Replies, context_of, submit, take};
use crate::answers::{self, frame};
use crate::operation::NotTaken;
use crate::operation::session::to_ask;
use crate::rights::{Gateway, Rights};

/// Checks that go to memory together: what they read fits the first cache.
const CHECKS_AT_ONCE: usize = 32;

/// What a stream's frames go through.
pub(super) struct Batch<'a> {
    service: &'a Arc<Service>,
    gateway: &'a Gateway,
    /// Looked up with the first frame.
    arrived: Option<Arrived<'a>>,
    /// Wiped where they lie when they are answered.
    checks: Vec<Waiting>,
    requests: [u64; Opcode::ALL.len()],
    checked: u64,
}

struct Arrived<'a> {
    at_us: u64,
    rights: Option<Arc<Rights>>,
    checks: Checks<'a>,
}

/// A check that was judged and is not answered yet.
struct Waiting {
    head: RequestHead,
    prepared: Prepared,
}

impl<'a> Batch<'a> {
    pub(super) fn new(service: &'a Arc<Service>, gateway: &'a Gateway) -> Batch<'a> {
        Batch {
            service,
            gateway,
            arrived: None,
            checks: Vec::with_capacity(CHECKS_AT_ONCE),
            requests: [0; Opcode::ALL.len()],
            checked: 0,
        }
    }

    /// Answers a request into `out`, or sees to it that it will be answered;
    /// a check waits for [`Batch::answer_check`].
    pub(super) fn take(&mut self, frame: &[u8], replies: &mut Replies, out: &mut BytesMut) {
        let request = match decode_request(frame) {
            Ok(request) => request,
            Err(fault) => {
                self.service.meters.malformed.increment(1);
                return frame::refuse(out, correlation_of(frame), fault.code(), 0, 0);
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
                    let ask = to_ask(check, &request.head);
                    self.checks.push(Waiting {
                        head: request.head,
                        prepared: arrived.checks.prepare(ask),
                    });
                    Ok(())
                }
                _ => take(&request, service, gateway, replies, out, arrived.at_us),
            }
        });
        if let Err(NotTaken(code, retry_after_ms)) = taken {
            frame::refuse(out, request.head.correlation, code, retry_after_ms, 0);
        }
    }

    /// Whether no more checks should wait.
    pub(super) fn is_full(&self) -> bool {
        self.checks.len() >= CHECKS_AT_ONCE
    }

    /// Sends all waiting checks to memory.
    pub(super) fn approach(&self) {
        if let Some(arrived) = &self.arrived {
            let prepared = self.checks.iter().map(|waiting| &waiting.prepared);
            arrived.checks.approach(prepared);
        }
    }

    /// The correlation id of a waiting check; `None` after the last.
    pub(super) fn waiting(&self, place: usize) -> Option<u64> {
        self.checks
            .get(place)
            .map(|waiting| waiting.head.correlation)
    }

    /// Answers a waiting check, or sees to it that it will be answered.
    pub(super) fn answer_check(&mut self, place: usize, replies: &mut Replies, out: &mut BytesMut) {
        let (Some(waiting), Some(arrived)) = (self.checks.get(place), &mut self.arrived) else {
            return;
        };
        let head = waiting.head;
        match arrived.checks.check(&waiting.prepared) {
            Some((_, epoch)) if head.epoch > epoch => {
                let slot = waiting.prepared.ask().user.slot();
                let address = replies.whereabouts.elsewhere(slot);
                answers::elsewhere(out, head.correlation, slot, address);
            }
            Some((outcome, epoch)) => {
                answers::write_check(out, head.correlation, outcome, epoch);
                self.checked += 1;
            }
            // Those before it may have gone to their actors meanwhile.
            None => match has_room(self.service, replies) {
                Err(NotTaken(code, retry_after_ms)) => {
                    frame::refuse(out, head.correlation, code, retry_after_ms, 0);
                }
                Ok(()) => {
                    let (service, opcode) = (self.service, Opcode::Check);
                    let submission = Submission {
                        context: context_of(&head, opcode, service, self.gateway.id()),
                        task: Task::Check(waiting.prepared.ask().clone()),
                    };
                    let named = (head.correlation, opcode.class());
                    submit(submission, named, service, replies, arrived.at_us);
                }
            },
        }
    }

    /// All waiting checks are answered.
    pub(super) fn answered(&mut self) {
        self.checks.clear();
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

/// Whether one more answer may be under way.
fn has_room(service: &Service, replies: &Replies) -> Result<(), NotTaken> {
    let of_connection = replies.of_connection.load(Ordering::Relaxed);
    if replies.in_flight >= service.limits.frames_per_stream
        || of_connection >= service.limits.frames_per_connection
    {
        service.meters.in_flight_full.increment(1);
        return Err(NotTaken(Code::Busy, 100));
    }
    Ok(())
}

/// Whether the gateway may ask this now.
fn judge(
    request: &Request<'_>,
    service: &Service,
    arrived: &Arrived<'_>,
    replies: &Replies,
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
    has_room(service, replies)?;
    rights.take(arrived.at_us / 1000).map_err(|wait_ms| {
        service.meters.rate_limited.increment(1);
        NotTaken(Code::Busy, wait_ms)
    })
}
