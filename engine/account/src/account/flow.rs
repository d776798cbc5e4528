//! The steps of a flow at an account, or at the decoy in the place of one. What
//! may be shown next is a table ([`crate::flow`]); what was sent and taken is
//! durable before it is answered ([`crate::flow::Attempts`]).

mod code;
mod join;
mod recovery;

use alloc::vec::Vec;

pub(super) use recovery::Recovering;

use super::family::{
    Answered, CodeSent, FlowAnswer, FlowBegin, FlowContext, FlowReply, FlowStep, Next, Reply,
};
use super::{Account, Person, Step, Work};
use crate::assurance::Method;
use crate::command::{LedBy, Request};
use crate::continuation::Continuation;
use crate::flow::{FlowPlace, Stage};
use crate::record::IdentifierRow;
use crate::reply::Refusal;
use crate::status::Status;

impl Continuation {
    /// Where its flow is.
    #[must_use]
    pub fn place(&self) -> FlowPlace {
        FlowPlace {
            attempt: self.attempt,
            step: self.step,
            expires_ms: self.expires_ms,
        }
    }
}

impl Account {
    pub(super) fn begin_flow(
        &mut self,
        request: &Request,
        begin: &FlowBegin,
        step: &mut Step<'_>,
    ) -> Reply {
        if let Err(refusal) = self.is_of_flow(request, &begin.context) {
            return Reply::No(refusal);
        }
        let continuation = &begin.context.continuation;
        let kind = begin.context.identifier.identifier.kind();
        let reach = step.policy.notices.reach();
        let policy = &step.policy.flow;
        let offered = match policy.stage(continuation.purpose, kind, reach, &continuation.proofs) {
            Stage::Prove(offered) if !offered.is_empty() => offered,
            Stage::Prove(_) | Stage::NewPassword | Stage::Over => {
                return Reply::No(Refusal::InvalidIdentifier);
            }
        };
        let sent = match policy.sends_at_once(continuation.purpose, kind, reach) {
            true => self.send_code(request, &begin.context, begin.source, step),
            false => CodeSent::NotYet { wait_ms: 0 },
        };
        next_step(
            &begin.context,
            continuation,
            &Stage::Prove(offered),
            sent,
            step,
        )
    }

    pub(super) fn answer_flow(
        &mut self,
        request: Request,
        answer: FlowAnswer,
        step: &mut Step<'_>,
    ) {
        let context = &answer.context;
        let taken = self.is_of_flow(&request, context).and_then(|()| {
            let place = context.continuation.place();
            let attempts = self.person.as_ref().map(|person| &person.sealed.attempts);
            let admitted = attempts.map_or(Ok(()), |attempts| attempts.admit(place));
            admitted.map_err(|_| Refusal::FlowOver)
        });
        if let Err(refusal) = taken {
            return step.reply(request.ticket, Reply::No(refusal));
        }
        let stage = step.policy.flow.stage(
            context.continuation.purpose,
            context.identifier.identifier.kind(),
            step.policy.notices.reach(),
            &context.continuation.proofs,
        );
        let reply = match (answer.answered.clone(), stage) {
            (Answered::SendCode(source), stage @ Stage::Prove(_)) if asks_code(&stage) => {
                let sent = self.send_code(&request, context, source, step);
                next_step(context, &context.continuation, &stage, sent, step)
            }
            (Answered::Code(code), stage @ Stage::Prove(_)) if asks_code(&stage) => {
                self.answer_code(&answer, &code, step)
            }
            (Answered::NewPassword(password), Stage::NewPassword) => {
                return self.replace_password(request, answer, password, step);
            }
            // What is not offered here: the policy changed, or the flow is another.
            (
                Answered::SendCode(_) | Answered::Code(_) | Answered::NewPassword(_),
                Stage::Prove(_) | Stage::NewPassword | Stage::Over,
            ) => Reply::No(Refusal::FlowOver),
        };
        self.settle(&request, reply, step);
    }

    /// Whether a sign-up waits for its password's hash.
    fn is_being_made(&self) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|pending| matches!(pending.work, Work::SignUp(_)))
    }

    /// Whether this is still the account that the flow is about.
    fn is_of_flow(&self, request: &Request, context: &FlowContext) -> Result<(), Refusal> {
        let Some(person) = &self.person else {
            // An account that was erased meanwhile is to be looked up anew.
            return match self.erased {
                Some(_) => Err(Refusal::FlowOver),
                // No decoy comes in the way of an account that is being made.
                None if self.is_being_made() => Err(Refusal::Busy { retry_after_ms: 0 }),
                None => Ok(()),
            };
        };
        let claimed = &context.identifier;
        let hashes = claimed.older.iter().chain([&claimed.hash]).copied();
        let led_by = LedBy::Identifier(hashes.collect());
        match person.check.tenant == request.tenant.0 && person.is_led_to(&led_by) {
            true => Ok(()),
            false if context.continuation.step == 0 && context.continuation.proofs.is_empty() => {
                Err(Refusal::Busy { retry_after_ms: 0 })
            }
            false => Err(Refusal::FlowOver),
        }
    }
}

/// Whether a code by mail may be shown.
fn asks_code(stage: &Stage) -> bool {
    match stage {
        Stage::Prove(offered) => offered.contains(&Method::EmailCode),
        Stage::NewPassword | Stage::Over => false,
    }
}

/// The reply by which a flow goes on.
fn next_step(
    context: &FlowContext,
    continuation: &Continuation,
    stage: &Stage,
    sent: CodeSent,
    step: &mut Step<'_>,
) -> Reply {
    let next = match stage {
        Stage::Prove(offered) => offered.iter().map(|method| offer(*method, sent)).collect(),
        Stage::NewPassword => [Next::NewPassword].into(),
        Stage::Over => Vec::new(),
    };
    match continuation.seal(&context.keys.seal, step.entropy.bytes()) {
        Ok(continuation) => Reply::Flow(FlowReply::Step(FlowStep { continuation, next })),
        Err(_) => Reply::No(Refusal::InvalidIdentifier),
    }
}

fn offer(method: Method, sent: CodeSent) -> Next {
    match method {
        Method::EmailCode | Method::SmsCode => Next::Code { method, sent },
        Method::Password | Method::Passkey | Method::Link | Method::Totp | Method::RecoveryCode => {
            Next::Secret(method)
        }
    }
}

impl Person {
    /// The row of the identifier that a flow is about; a decoy has one for every.
    fn row_of(&self, context: &FlowContext) -> Option<&IdentifierRow> {
        let mut rows = self.sealed.identifiers.iter();
        match self.check.status {
            Status::Decoy => rows.next(),
            Status::Active | Status::Locked | Status::Suspended => {
                rows.find(|row| row.is(&context.identifier))
            }
        }
    }

    /// Whether who proved to be the account's may come in.
    fn is_open(&self) -> Result<(), Refusal> {
        match self.check.status {
            Status::Active | Status::Decoy => Ok(()),
            Status::Locked => Err(Refusal::AccountLocked),
            Status::Suspended => Err(Refusal::AccountSuspended),
        }
    }
}
