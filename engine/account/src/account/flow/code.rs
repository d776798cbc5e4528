//! Codes that are sent: by which mail, and what a right and a wrong one lead to.

use alloc::string::ToString;

use crate::account::family::{CodeSent, FlowAnswer, FlowContext, Reply};
use crate::account::{Account, Person, Step};
use crate::assurance::Shown;
use crate::command::{ClaimedIdentifier, Request, Source};
use crate::continuation::{Continuation, Purpose};
use crate::credential::code::{
    Bound, Channel, Code, Judged, LiveCode, Order, Presented, Sending, Sent,
};
use crate::digest::{IndexHash, tagged};
use crate::event::EventKind;
use crate::guess::Admission;
use crate::id::{TenantId, UserId};
use crate::message::{Message, Template, Value};
use crate::outbox::{Outgoing, OutgoingKind};
use crate::policy::NoticePolicy;
use crate::reply::Refusal;
use crate::status::Status;

const MINUTE_MS: u64 = 60_000;
/// The route of mail.
const MAIL: &str = "mail";

impl Account {
    /// Sends a code for an attempt, or says why none is sent now. For an
    /// identifier that no account holds the decoy does the same.
    pub(super) fn send_code(
        &mut self,
        request: &Request,
        context: &FlowContext,
        source: Source,
        step: &mut Step<'_>,
    ) -> CodeSent {
        let (user, revision) = (self.user, self.last_revision);
        let person = self
            .person
            .get_or_insert_with(|| Person::decoy(user, request.tenant.0, revision, step));
        let place = context.continuation.place();
        let live = person.sealed.attempts.code(place.attempt);
        let waited_for = live.is_some_and(|live| live.is_waited_for(step.now_ms));
        let not_now = |wait_ms| match waited_for {
            true => CodeSent::Sent { again_ms: wait_ms },
            false => CodeSent::NotYet { wait_ms },
        };
        if let Source::Held { retry_after_ms } = source {
            return not_now(retry_after_ms);
        }
        let Some(claimed) = &context.identifier else {
            return CodeSent::NotYet { wait_ms: 0 };
        };
        let order = Order {
            bound: bound(user, context, claimed),
            channel: Channel::Email,
            policy: &step.policy.flow.codes,
            key: &context.keys.codes,
            now_ms: step.now_ms,
        };
        let number = person.row_of(context).map_or(0, |row| row.number);
        let live = live.cloned();
        let log = match person.sealed.attempts.sends_mut(number, step.now_ms) {
            Ok(log) => log,
            Err(wait_ms) => return not_now(wait_ms),
        };
        let sending = match live {
            None => LiveCode::send(&order, log, &mut step.entropy),
            Some(live) => live.resend(&order, log, &mut step.entropy),
        };
        match sending {
            Sending::Sent(sent) => {
                let again_ms = sent.live.resend_wait_ms(order.policy, step.now_ms);
                let template = person.template(context.continuation.purpose);
                // Every identifier that was parsed can be written to.
                let Some(mail) = mail(template, context, claimed, &sent, step) else {
                    return CodeSent::NotYet { wait_ms: 0 };
                };
                let attempt = person.sealed.attempts.enter(place, step.now_ms);
                attempt.code = Some(sent.live);
                let tenant = TenantId(person.check.tenant);
                step.change().outbox.push(mail.of_tenant(tenant));
                CodeSent::Sent { again_ms }
            }
            Sending::Held { retry_after_ms } => not_now(retry_after_ms),
            Sending::Over => CodeSent::NotYet {
                wait_ms: context.continuation.expires_ms.saturating_sub(step.now_ms),
            },
        }
    }

    /// Judges a code. A wrong one costs the attempt a try and counts at the
    /// account, both before it is answered.
    pub(super) fn answer_code(
        &mut self,
        answer: &FlowAnswer,
        code: &Code,
        step: &mut Step<'_>,
    ) -> Reply {
        let (context, user) = (&answer.context, self.user);
        let Some(person) = &mut self.person else {
            return Reply::No(Refusal::FlowOver);
        };
        let policy = &step.policy.flow.code_guesses;
        let opens = person.opens_by_code(context.continuation.purpose);
        let attempts = &mut person.sealed.attempts;
        if let Admission::Hold { retry_after_ms } = attempts.failures.admit(0, step.now_ms, policy)
        {
            return Reply::No(Refusal::Throttled { retry_after_ms });
        }
        let attempt = context.continuation.attempt;
        let Some(live) = attempts.code_mut(attempt) else {
            return Reply::No(Refusal::FlowOver);
        };
        let key = &context.keys.codes;
        let Some(claimed) = &context.identifier else {
            return Reply::No(Refusal::FlowOver);
        };
        let bound = bound(user, context, claimed);
        match live.judge(&bound, key, Presented::Code(code), step.now_ms) {
            Judged::Right if opens => {
                attempts.failures.forget();
                let at = self.at(answer);
                self.proven(context, Shown::EmailCode, at, step)
            }
            Judged::Right | Judged::Wrong { .. } => {
                attempts.failures.fail(step.now_ms, policy);
                step.event(match person.check.status {
                    Status::Decoy => EventKind::UnknownIdentifier,
                    Status::Active | Status::Locked | Status::Suspended => EventKind::SignInFailed,
                });
                Reply::No(Refusal::InvalidCode)
            }
            Judged::Expired | Judged::Spent | Judged::OtherAttempt => Reply::No(Refusal::FlowOver),
        }
    }
}

impl Person {
    /// Whether a code is good for anything here: at a decoy only for an account
    /// that is to be made.
    fn opens_by_code(&self, purpose: Purpose) -> bool {
        self.check.status != Status::Decoy || purpose == Purpose::SignUp
    }

    /// Which mail is sent. All have the same values, and so the same length.
    fn template(&self, purpose: Purpose) -> Template {
        match (self.check.status, purpose) {
            (Status::Decoy, Purpose::SignUp) => Template::SignUpCode,
            (
                Status::Decoy,
                Purpose::SignIn
                | Purpose::StepUp
                | Purpose::Recover
                | Purpose::Add
                | Purpose::Change,
            ) => Template::NoAccount,
            (Status::Active | Status::Locked | Status::Suspended, Purpose::Recover) => {
                Template::RecoveryCodeMail
            }
            (
                Status::Active | Status::Locked | Status::Suspended,
                Purpose::SignIn
                | Purpose::SignUp
                | Purpose::StepUp
                | Purpose::Add
                | Purpose::Change,
            ) => Template::SignInCode,
        }
    }
}

/// What a code is bound to. The identifier counts by its text: keys of the index
/// change while a code is on its way.
fn bound(user: UserId, context: &FlowContext, claimed: &ClaimedIdentifier) -> Bound {
    let Continuation {
        tenant,
        purpose,
        attempt,
        ..
    } = context.continuation;
    let identifier = &claimed.identifier;
    let parts: [&[u8]; 2] = [&[identifier.kind() as u8], identifier.expose().as_bytes()];
    Bound {
        account: user,
        tenant,
        identifier: IndexHash(tagged("tg-code-identifier-1", &parts)),
        purpose,
        attempt,
    }
}

fn mail(
    template: Template,
    context: &FlowContext,
    claimed: &ClaimedIdentifier,
    sent: &Sent,
    step: &Step<'_>,
) -> Option<Outgoing> {
    let NoticePolicy::Mail { app } = &step.policy.notices else {
        return None;
    };
    let codes = &step.policy.flow.codes;
    let minutes = u32::try_from(codes.lifetime_ms / MINUTE_MS).unwrap_or(u32::MAX);
    let values = [
        Value::Code(sent.code.expose().to_string()),
        Value::Minutes(minutes),
        Value::App(app.clone()),
    ];
    let to = claimed.identifier.expose();
    let message = Message::new(template, &context.language, to, values.into()).ok()?;
    let until_ms = step.now_ms.saturating_add(codes.lifetime_ms);
    let body = message.encode().ok()?;
    Outgoing::new(OutgoingKind::Mail, MAIL, until_ms, body).ok()
}
