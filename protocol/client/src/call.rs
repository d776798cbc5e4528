//! One call: deadline, retries, and what an answer means.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use tidegate_wire::{
    Class, Code, IdempotencyKey, Kind, MESSAGE_VERSION, Opcode, Plane, Reply, RequestHead,
    decode_reply, encode_request, v1,
};

use crate::budget::Budgets;
use crate::decision::{CallError, Decision, Over, Refusal};
use crate::routes::{Answered, Probe, Routes, Silence};
use crate::surroundings::{Deadline, World};
use crate::transport::{Asked, Gone, Lasts};

const BACKOFF_BASE_MS: u32 = 20;
const BACKOFF_CAP_MS: u32 = 1_000;
/// The least and the most that an attempt is waited for, where the answer comes
/// from memory or after one commit; more where the node says that its commits
/// take longer.
const SHORT_MS: (u32, u32) = (250, 1_000);
/// The same where it can wait in a line to be hashed.
const LONG_MS: (u32, u32) = (500, 5_000);
/// The first time between two attempts while no node serves a slot; then twice
/// that.
const NOBODY_MS: u32 = 250;
/// How long a silent node has to answer, when it is asked whether it does again.
const PROBE_MS: u32 = 1_000;
/// The least time between two attempts at a node that is about to end.
const DRAINING_MS: u32 = 50;
/// A refresh is not repeated for longer than this, because after 30 s a node
/// takes a repeat for reuse of an old token and ends the session.
const REFRESH_MAX_MS: u32 = 20_000;

/// Whether some attempt of a changing call may have been carried out, which a
/// later "not now" does not undo.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    NotDone,
    MaybeDone,
}

impl Fate {
    fn after(self, sent: Sent) -> Fate {
        match sent {
            Sent::Nothing => self,
            Sent::Maybe => Fate::MaybeDone,
        }
    }

    /// The error with which the call ends.
    fn of(self, error: CallError) -> CallError {
        match (self, error) {
            (Fate::MaybeDone, CallError::NotDone { .. }) => CallError::Unknown {
                code: Code::Unknown,
            },
            (_, error) => error,
        }
    }
}

pub(crate) struct Caller {
    pub(crate) world: World,
    pub(crate) routes: Arc<Routes>,
    pub(crate) tenant: u64,
    pub(crate) deadline_ms: u32,
    pub(crate) max_age_ms: u32,
    pub(crate) hedge_ms: Option<u32>,
    pub(crate) budgets: Budgets,
    pub(crate) next_correlation: AtomicU64,
}

/// The outcome of one attempt.
enum Attempt {
    Answered(Bytes),
    /// Another node serves the person, and it is known which.
    Elsewhere,
    /// Try again, if the budget allows; otherwise this is the end.
    Again(Retry),
}

/// Where a call goes.
struct Target {
    /// The slot of the person that the call names. Epochs are sent only with
    /// it: the person that an identifier leads to may live in another slot than
    /// the one that a redirect spoke of.
    named: Option<u16>,
    /// The slot to go to, as soon as one is known.
    slot: Option<u16>,
    /// The node that was asked last and did not answer.
    not: Option<usize>,
    redirects: u32,
    /// How often no node served the slot.
    nobody: u32,
    /// The node that was asked last is asked whether it serves the slot by now;
    /// another does, and is cut off.
    scouting: bool,
    /// A node that refuses this client, as every node would.
    refused_by: Option<usize>,
}

/// Redirects that one call follows at once; more say that no node knows.
const REDIRECTS_MAX: u32 = 3;

struct Retry {
    error: CallError,
    wait_ms: u32,
    cost: Cost,
    sent: Sent,
}

/// Whether the request may have reached a node that did not tell its outcome.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    Maybe,
}

/// Whether a retry loads a node again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cost {
    /// Nothing was sent.
    Free,
    /// The connection that had the request is lost, and most likely its node:
    /// a restart must not cost the calls that were under way. Twice in one
    /// call is no restart any more.
    FreeTwice,
    Paid,
    /// The same, and it has been.
    Spent,
}

/// Why an attempt was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GivenUp {
    /// Its node answers no call, or its time has passed.
    Silent,
    /// Its node answers others; another attempt is paid for.
    Replaced,
}

const FREE_RETRIES: u32 = 2;

fn again(error: CallError, wait_ms: u32) -> Attempt {
    Attempt::Again(Retry {
        error,
        wait_ms,
        cost: Cost::Paid,
        sent: Sent::Maybe,
    })
}

/// How an attempt is waited for.
struct Wait {
    patience_ms: u32,
    /// Until the call's deadline.
    left_ms: u32,
    node: usize,
    asked_ms: u64,
    class: Class,
}

/// A call, but for what it says.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) opcode: Opcode,
    /// The slot of the person that it names.
    pub(crate) slot: Option<u16>,
    pub(crate) idempotency_key: IdempotencyKey,
    pub(crate) deadline: Deadline,
}

impl Caller {
    /// Until when a call of this kind is tried.
    pub(crate) fn deadline(&self, opcode: Opcode) -> Deadline {
        self.world.deadline(match opcode.class() {
            Class::Refresh => self.deadline_ms.min(REFRESH_MAX_MS),
            Class::Protection | Class::Check | Class::Password | Class::Registration => {
                self.deadline_ms
            }
        })
    }

    /// Asks until there is an answer, the deadline passes or the budget for
    /// retries is spent. A changing request has one idempotency key for all
    /// its attempts, so every request may be retried.
    pub(crate) async fn call<B: tidegate_wire::Body, T>(
        &self,
        call: Call,
        body: &B,
        read: &impl Fn(&Reply<'_>) -> Result<T, tidegate_wire::Fault>,
    ) -> Result<Decision<T>, CallError> {
        let world = &self.world;
        let Call {
            opcode,
            slot,
            idempotency_key,
            deadline,
        } = call;
        let mut fate = Fate::NotDone;
        let budget = self.budgets.of(opcode.class());
        budget.earn();
        let (mut attempts, mut lost, mut asked) = (0u32, 0u32, 0u32);
        let began_ms = world.now_ms();
        // What a node said of this client explains more than that none answers,
        // unless another was asked since.
        let mut refused = None;
        let ended = |error, refused, asked: u32, over| match (error, refused) {
            (CallError::Unreachable, Some(reason)) => CallError::Refused { reason },
            (CallError::Unreachable, None) if asked > 0 => {
                let waited_ms = world.now_ms().saturating_sub(began_ms);
                let waited_ms = u32::try_from(waited_ms).unwrap_or(u32::MAX);
                CallError::NoAnswer {
                    waited_ms,
                    asked,
                    over,
                }
            }
            (error, _) => error,
        };
        let mut target = Target {
            named: slot,
            slot,
            not: None,
            redirects: 0,
            nobody: 0,
            scouting: false,
            refused_by: None,
        };
        loop {
            let attempt = self
                .attempt(opcode, body, idempotency_key, deadline, &mut target)
                .await?;
            let retry = match attempt {
                Attempt::Answered(frame) => return understand(&frame, read),
                Attempt::Elsewhere => continue,
                Attempt::Again(retry) => retry,
            };
            if opcode.needs_idempotency_key() && !matches!(retry.error, CallError::NotDone { .. }) {
                fate = fate.after(retry.sent);
            }
            asked += match retry.sent {
                Sent::Nothing => 0,
                Sent::Maybe => 1,
            };
            if let CallError::Refused { reason } = retry.error {
                refused = Some(reason);
            } else if retry.sent == Sent::Maybe {
                refused = None;
            }
            let backoff = BACKOFF_BASE_MS.saturating_mul(1 << attempts.min(10));
            // What costs a node next to nothing is spread, and not slowed down.
            let cap = match retry.cost {
                Cost::Free => NOBODY_MS,
                Cost::FreeTwice | Cost::Paid | Cost::Spent => BACKOFF_CAP_MS,
            };
            let wait = retry.wait_ms.max(1);
            let wait = wait.saturating_add(world.up_to(backoff.min(cap)));
            if wait >= world.remaining_ms(deadline) {
                return Err(ended(fate.of(retry.error), refused, asked, Over::Deadline));
            }
            let free = match retry.cost {
                Cost::Free | Cost::Spent => true,
                Cost::FreeTwice => {
                    lost += 1;
                    lost <= FREE_RETRIES
                }
                Cost::Paid => false,
            };
            let affordable = free || budget.spend();
            if !affordable {
                return Err(ended(fate.of(retry.error), refused, asked, Over::Retries));
            }
            attempts += 1;
            world.wait_ms(wait).await;
        }
    }

    async fn attempt<B: tidegate_wire::Body>(
        &self,
        opcode: Opcode,
        body: &B,
        idempotency_key: IdempotencyKey,
        deadline: Deadline,
        target: &mut Target,
    ) -> Result<Attempt, CallError> {
        let left = self.world.remaining_ms(deadline);
        let head = RequestHead {
            version: MESSAGE_VERSION,
            opcode: opcode as u16,
            correlation: self.correlation(),
            tenant: self.tenant,
            epoch: self.routes.epoch(target.named),
            remaining_ms: left,
            max_age_ms: self.max_age_ms,
            idempotency_key,
        };
        let mut frame = BytesMut::new();
        encode_request(&mut frame, &head, body).map_err(|_| CallError::TooLarge)?;
        let now_ms = self.world.now_ms();
        let Some(way) = self.routes.way(target.slot, target.not.take(), now_ms) else {
            // Nothing is sent; another call finds out whether a node is back.
            return Ok(Attempt::Again(Retry {
                error: CallError::Unreachable,
                wait_ms: NOBODY_MS / 2,
                cost: Cost::Free,
                sent: Sent::Nothing,
            }));
        };
        target.scouting = way.instead_of.is_some();
        if let Some(probe) = way.probe {
            self.look_whether_it_answers(probe);
        }
        let patience = Caller::patience(opcode, left, self.routes.commits_ms(way.node));
        let asked_ms = self.world.now_ms();
        let asked = way.lane.ask(head.correlation, frame.freeze());
        let other = way.other.as_ref().filter(|_| opcode == Opcode::Check);
        let again = || {
            let correlation = self.correlation();
            let (head, mut frame) = (
                RequestHead {
                    correlation,
                    ..head
                },
                BytesMut::new(),
            );
            encode_request(&mut frame, &head, body).ok()?;
            Some(other?.ask(correlation, frame.freeze()))
        };
        let asked = self.hedged(other.and(self.hedge_ms), asked, again);
        let wait = Wait {
            patience_ms: patience,
            left_ms: left,
            node: way.node,
            asked_ms,
            class: opcode.class(),
        };
        let asked = self.patiently(wait, asked).await;
        let mut cost = Cost::Paid;
        if !matches!(asked, Ok(Ok(_))) {
            // Another node may know better, or own the slot by now.
            let now_ms = self.world.now_ms();
            let silence = self
                .routes
                .unanswered(target.slot, way.node, asked_ms, now_ms);
            target.not = Some(way.node);
            cost = match (silence, way.probing, &asked) {
                (_, _, Err(GivenUp::Replaced)) => Cost::Spent,
                (Silence::OfAll, true, _) => Cost::Free,
                (Silence::OfAll, false, _) => Cost::FreeTwice,
                (Silence::OfOne, _, _) => Cost::Paid,
            };
        }
        if let Ok(Err(gone)) = &asked
            && let Some(reason) = gone.reason()
            && reason.lasts() == Lasts::Everywhere
            && !self.may_be_mistaken(way.node, target)
        {
            return Err(CallError::Refused { reason });
        }
        match asked {
            Err(_) => Ok(Attempt::Again(Retry {
                error: CallError::Unreachable,
                wait_ms: 0,
                cost,
                sent: Sent::Maybe,
            })),
            Ok(Err(gone)) => {
                let (error, cost, sent) = match gone {
                    Gone::BeforeSending => (CallError::Unreachable, Cost::Free, Sent::Nothing),
                    Gone::AfterSending => (CallError::Unreachable, Cost::FreeTwice, Sent::Maybe),
                    Gone::Refused(reason) => {
                        (CallError::Refused { reason }, Cost::Paid, Sent::Maybe)
                    }
                    Gone::RefusedBeforeSending(reason) => {
                        (CallError::Refused { reason }, Cost::Free, Sent::Nothing)
                    }
                };
                Ok(Attempt::Again(Retry {
                    error,
                    wait_ms: 0,
                    cost,
                    sent,
                }))
            }
            Ok(Ok(frame)) => self.judge(frame, way.node, target),
        }
    }

    /// Whether a node that refuses as every node would may be alone in that:
    /// another one is there, and none has said so yet.
    fn may_be_mistaken(&self, node: usize, target: &mut Target) -> bool {
        let before = target.refused_by.replace(node);
        before.is_none_or(|before| before == node) && self.routes.has_other_than(node)
    }

    /// Asks a silent node for an answer that no call waits for.
    fn look_whether_it_answers(&self, probe: Probe) {
        let head = RequestHead {
            version: MESSAGE_VERSION,
            opcode: Opcode::Ping as u16,
            correlation: self.correlation(),
            tenant: self.tenant,
            epoch: 0,
            remaining_ms: PROBE_MS,
            max_age_ms: 0,
            idempotency_key: [0; 16],
        };
        let mut frame = BytesMut::new();
        if encode_request(&mut frame, &head, &v1::Ping {}).is_err() {
            return;
        }
        let (world, routes) = (self.world.clone(), Arc::clone(&self.routes));
        tokio::spawn(async move {
            let asked = probe.lane.ask(head.correlation, frame.freeze());
            let Some(Ok(frame)) = world.within(PROBE_MS, asked).await else {
                return;
            };
            if decode_reply(&frame).is_ok_and(|reply| is_up(reply.code)) {
                routes.awake(probe.node, world.now_ms());
            }
        });
    }

    fn correlation(&self) -> u64 {
        self.next_correlation.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for an answer; when it takes longer than this, asks once more, and
    /// takes whichever comes first ("The tail at scale", Dean and Barroso 2013).
    async fn hedged<'a>(
        &self,
        hedge_ms: Option<u32>,
        mut first: Asked<'a>,
        again: impl FnOnce() -> Option<Asked<'a>>,
    ) -> Result<Bytes, Gone> {
        let Some(hedge_ms) = hedge_ms else {
            return first.await;
        };
        if let Some(answer) = self.world.within(hedge_ms, &mut first).await {
            return answer;
        }
        // Only checks are asked twice.
        let affordable = self.budgets.of(Class::Check).spend();
        let second = affordable.then(again).flatten();
        let Some(mut second) = second else {
            return first.await;
        };
        tokio::select! {
            biased;
            answer = &mut first => match answer {
                Ok(frame) => Ok(frame),
                Err(_) => second.await,
            },
            answer = &mut second => match answer {
                Ok(frame) => Ok(frame),
                Err(_) => first.await,
            },
        }
    }

    /// Waits for an answer for so long, and no longer than until the node is
    /// found to answer no call: a line in front of the hashing is waited in, a
    /// node that is gone is not. An attempt at a node that answers others is
    /// given up only for another one that can be paid; where none can, the
    /// answer may yet come.
    async fn patiently<T>(&self, wait: Wait, asked: impl Future<Output = T>) -> Result<T, GivenUp> {
        let mut asked = std::pin::pin!(asked);
        let (mut waited_ms, mut limit_ms) = (0, wait.patience_ms);
        loop {
            while waited_ms < limit_ms {
                let slice_ms = (limit_ms - waited_ms).min(SHORT_MS.1);
                if let Some(answer) = self.world.within(slice_ms, &mut asked).await {
                    return Ok(answer);
                }
                waited_ms += slice_ms;
                if self.routes.is_silent(wait.node) {
                    return Err(GivenUp::Silent);
                }
            }
            let answers = self.routes.has_answered_since(wait.node, wait.asked_ms);
            if waited_ms >= wait.left_ms || !answers {
                return Err(GivenUp::Silent);
            }
            if self.budgets.of(wait.class).spend() {
                return Err(GivenUp::Replaced);
            }
            limit_ms = wait.left_ms;
        }
    }

    /// How long an attempt is waited for: a part of what is left, so that a
    /// request which was lost can be repeated.
    fn patience(opcode: Opcode, left_ms: u32, commits_ms: u32) -> u32 {
        let of = |part: u32, (least, most): (u32, u32)| part.clamp(least, most).min(left_ms);
        match (opcode.plane(), opcode.class()) {
            // An order takes as long as it takes.
            (Plane::Operator, _) => left_ms,
            (_, Class::Password | Class::Registration) => of(left_ms / 2, LONG_MS),
            (_, Class::Check) => of(left_ms / 4, SHORT_MS),
            (_, Class::Protection | Class::Refresh) => {
                let slow = commits_ms.saturating_mul(2).saturating_add(SHORT_MS.0);
                of(left_ms / 4, (SHORT_MS.0, SHORT_MS.1.max(slow)))
            }
        }
    }

    fn judge(&self, frame: Bytes, node: usize, target: &mut Target) -> Result<Attempt, CallError> {
        let reply = decode_reply(&frame).map_err(|_| CallError::BadAnswer)?;
        let now_ms = self.world.now_ms();
        self.routes.answered(&Answered {
            named: target.named,
            slot: target.slot,
            node,
            epoch: reply.head.epoch,
            code: reply.code,
            commits_ms: (reply.code == Code::Ok)
                .then_some(reply.head.retry_after_ms)
                .filter(|ms| *ms > 0),
            now_ms,
        });
        if let Some(region) = reply.elsewhere().map_err(|_| CallError::BadAnswer)? {
            return Err(CallError::WrongRegion { region });
        }
        let redirect = reply.redirect().map_err(|_| CallError::BadAnswer)?;
        if let Some(redirect) = redirect {
            let slot = redirect.slot.to_native();
            target.slot = Some(slot);
            self.routes.doubt(target.slot, node);
            let address = redirect.address.as_str();
            let other = match address {
                "" => None,
                address => self.routes.learn(slot, address),
            };
            target.redirects += 1;
            let known = other.is_some_and(|other| other != node);
            // The node that is cut off still knows most.
            let scouted = std::mem::take(&mut target.scouting) && other.is_none();
            if (known || scouted) && target.redirects <= REDIRECTS_MAX {
                return Ok(Attempt::Elsewhere);
            }
            target.not = Some(node);
            target.nobody += 1;
            // No node serves the slot for now. To be told so costs a node next
            // to nothing, and the wait bounds how often.
            let error = CallError::NotDone {
                code: reply.code,
                retry_after_ms: reply.head.retry_after_ms,
            };
            return Ok(Attempt::Again(Retry {
                error,
                wait_ms: reply
                    .head
                    .retry_after_ms
                    .max(NOBODY_MS << target.nobody.min(1)),
                cost: Cost::Free,
                sent: Sent::Nothing,
            }));
        }
        let (code, retry_after_ms) = (reply.code, reply.head.retry_after_ms);
        if code == Code::Draining {
            // Nothing was done, and others are there or the node comes back.
            self.routes.leaving(target.slot, node, now_ms);
            target.not = Some(node);
            return Ok(Attempt::Again(Retry {
                error: CallError::NotDone {
                    code,
                    retry_after_ms,
                },
                wait_ms: DRAINING_MS,
                cost: Cost::Free,
                sent: Sent::Nothing,
            }));
        }
        if code == Code::Unavailable {
            // Another may serve the slot by now, or know more.
            self.routes.doubt(target.slot, node);
            target.not = Some(node);
        }
        Ok(match code.kind() {
            Kind::Yes if code == Code::AcceptedNotDurable => {
                again(CallError::Unknown { code }, retry_after_ms)
            }
            Kind::Yes | Kind::No | Kind::Fault => Attempt::Answered(frame),
            Kind::Later => {
                let error = CallError::NotDone {
                    code,
                    retry_after_ms,
                };
                again(error, retry_after_ms)
            }
            Kind::Unknown if code == Code::Corrupt => return Err(CallError::Unknown { code }),
            Kind::Unknown => again(CallError::Unknown { code }, retry_after_ms),
        })
    }
}

/// Whether a node that was pinged answers again. A gateway that acts on accounts
/// alone may not ping; that it is told so is an answer.
fn is_up(code: Code) -> bool {
    code == Code::Ok || code == Code::NotPermitted
}

fn understand<T>(
    frame: &Bytes,
    read: impl Fn(&Reply<'_>) -> Result<T, tidegate_wire::Fault>,
) -> Result<Decision<T>, CallError> {
    let reply = decode_reply(frame).map_err(|_| CallError::BadAnswer)?;
    if reply.code.kind() == Kind::Yes {
        let value = read(&reply).map_err(|_| CallError::BadAnswer)?;
        return Ok(Decision::Yes(value));
    }
    let retry_after_ms = Some(reply.head.retry_after_ms).filter(|ms| *ms > 0);
    Ok(Decision::No(Refusal {
        code: reply.code,
        retry_after_ms,
    }))
}

#[cfg(test)]
mod tests;
