//! The steps of a flow at an account, or at the decoy in the place of one. What
//! may be shown next is a table ([`crate::flow`]); what was sent and taken is
//! durable before it is answered ([`crate::flow::Attempts`]).

mod adding;
mod ceremony;
mod code;
mod factor;
mod join;
mod next;
mod passkey;
mod proven;
mod recovery;

pub(super) use adding::Registering;
pub(super) use passkey::Asserting;
pub(super) use proven::At;
pub(super) use recovery::Recovering;

use self::next::next_step;
use super::family::{Answered, CodeSent, FlowAnswer, FlowBegin, FlowContext, Reply};
use super::{Account, Person, Step, Work};
use crate::assurance::{Method, Methods, Proof, Proofs, Shown};
use crate::command::{LedBy, Request, SignIn};
use crate::continuation::{Continuation, Purpose};
use crate::flow::{Asked, FlowPlace, Stage};
use crate::identifier::IdentifierKind;
use crate::policy::Policy;
use crate::record::IdentifierRow;
use crate::reply::Refusal;
use crate::session::Liveness;
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

impl FlowContext {
    /// The kind of the identifier that it began with.
    pub(crate) fn kind(&self) -> Option<IdentifierKind> {
        let claimed = self.identifier.as_ref();
        claimed.map(|claimed| claimed.identifier.kind())
    }
}

impl Account {
    pub(super) fn begin_flow(
        &mut self,
        request: &Request,
        begin: &FlowBegin,
        step: &mut Step<'_>,
    ) -> Reply {
        let mut context = begin.context.clone();
        let begun = match &begin.by {
            Some(_) => self.take_session(&mut context, step),
            None => self.is_of_flow(request, &context, step.now_ms),
        };
        if let Err(refusal) = begun {
            return Reply::No(refusal);
        }
        let continuation = &context.continuation;
        let stage = self.stage(&context, &continuation.proofs, step);
        match (&stage, continuation.session) {
            (Stage::Prove(offered), _) | (Stage::New(offered), _) if !offered.is_empty() => {}
            // Nothing that the account has would do.
            (_, Some(_)) => return Reply::No(Refusal::StaleSignIn),
            (_, None) => return Reply::No(Refusal::InvalidIdentifier),
        }
        let at_once = continuation.session.is_none()
            && step
                .policy
                .sends_at_once(continuation.purpose, context.kind());
        let sent = match at_once {
            true => self.send_code(request, &context, begin.source, step),
            false => CodeSent::NotYet { wait_ms: 0 },
        };
        next_step(self, &context, continuation, &stage, sent, step)
    }

    /// A flow that begins with a session takes over what was proven for it, where it
    /// is to change something. More assurance wants new proofs.
    fn take_session(&self, context: &mut FlowContext, step: &Step<'_>) -> Result<(), Refusal> {
        let person = self.person.as_ref().ok_or(Refusal::InvalidToken)?;
        person.is_open()?;
        let continuation = &mut context.continuation;
        if let Some(claimed) = &context.identifier {
            let mut rows = person.sealed.identifiers.iter();
            if !rows.any(|row| row.is_held() && row.is(claimed)) {
                return Err(Refusal::InvalidIdentifier);
            }
        }
        let mut sessions = person.check.sessions.iter();
        let session = sessions.find(|session| Some(session.id()) == continuation.session);
        let session = session.ok_or(Refusal::InvalidToken)?;
        let age_ms = step.now_ms.abs_diff(session.created_at);
        continuation.proofs = match continuation.purpose {
            Purpose::Add | Purpose::Change if age_ms <= step.policy.session.fresh_ms => {
                session.proofs()
            }
            Purpose::Add
            | Purpose::Change
            | Purpose::StepUp
            | Purpose::SignIn
            | Purpose::SignUp
            | Purpose::Recover => Proofs::default(),
        };
        Ok(())
    }

    /// What the flow waits for.
    fn stage(&self, context: &FlowContext, proofs: &Proofs, step: &Step<'_>) -> Stage {
        let person = self.person.as_ref();
        step.policy.stage(&Asked {
            purpose: context.continuation.purpose,
            kind: context.kind(),
            proofs,
            held: person.map_or_else(Methods::default, |person| person.methods(step.policy)),
            now_ms: step.now_ms,
        })
    }

    pub(super) fn answer_flow(
        &mut self,
        request: Request,
        answer: FlowAnswer,
        step: &mut Step<'_>,
    ) {
        let context = &answer.context;
        let taken = self
            .is_of_flow(&request, context, step.now_ms)
            .and_then(|()| {
                let place = context.continuation.place();
                let attempts = self.person.as_ref().map(|person| &person.sealed.attempts);
                let admitted = attempts.map_or(Ok(()), |attempts| attempts.admit(place));
                admitted.map_err(|_| Refusal::FlowOver)
            });
        if let Err(refusal) = taken {
            return step.reply(request.ticket, Reply::No(refusal));
        }
        let stage = self.stage(context, &context.continuation.proofs, step);
        let over = Reply::No(Refusal::FlowOver);
        let reply = match (&stage, answer.answered.clone()) {
            // What is not offered here: the policy changed, or the flow is another.
            (Stage::Prove(offered) | Stage::New(offered), answered)
                if !offered.contains(&answered.method()) =>
            {
                over
            }
            (Stage::Over, _) => over,
            (Stage::NewPassword, Answered::Password { password, .. }) => {
                return self.replace_password(request, answer, password, step);
            }
            (Stage::NewPassword, _) => over,
            (Stage::Prove(_), Answered::Password { password, source }) => {
                let led_by = match &context.identifier {
                    Some(claimed) if context.continuation.session.is_none() => {
                        let hashes = claimed.older.iter().chain([&claimed.hash]);
                        LedBy::Identifier(hashes.copied().collect())
                    }
                    Some(_) | None => LedBy::Id,
                };
                let sign_in = SignIn {
                    password,
                    device: answer.device,
                    remember: answer.remember,
                    source,
                    led_by,
                };
                let asked = super::sign_in::Asked {
                    sign_in,
                    flow: Some(answer.context.into()),
                };
                return self.sign_in(request, asked, step);
            }
            (Stage::Prove(_), Answered::SendCode(source)) => {
                let sent = self.send_code(&request, context, source, step);
                next_step(self, context, &context.continuation, &stage, sent, step)
            }
            (Stage::Prove(_), Answered::Code(code)) => self.answer_code(&answer, &code, step),
            (Stage::Prove(_), Answered::Passkey(response)) => {
                return self.answer_passkey(request, answer, &response, step);
            }
            (Stage::Prove(_), Answered::Totp(code)) => self.answer_totp(&answer, &code, step),
            (Stage::Prove(_), Answered::RecoveryCode(code)) => {
                self.answer_recovery_code(&answer, &code, step)
            }
            (Stage::New(_), Answered::NewPasskey { response, name }) => {
                return self.register_passkey(request, answer, &response, name, step);
            }
            (Stage::New(_), Answered::Password { password, .. }) => {
                return self.replace_password(request, answer, password, step);
            }
            (Stage::New(_), Answered::Totp(code)) => self.enrol_totp(&answer, &code, step),
            (Stage::New(_), Answered::RecoveryCode(code)) => {
                self.keep_recovery_codes(&answer, &code, step)
            }
            // A passkey is shown where one is to be made, or the other way round.
            (Stage::Prove(_), Answered::NewPasskey { .. })
            | (Stage::New(_), Answered::Passkey(_)) => Reply::No(Refusal::InvalidPasskey),
            (Stage::New(_), Answered::SendCode(_) | Answered::Code(_)) => over,
        };
        self.settle(&request, reply, step);
    }

    /// Whether a sign-up waits for its password's hash.
    fn is_being_made(&self) -> bool {
        let mut pending = self.pending.iter();
        pending.any(|pending| matches!(pending.work, Work::SignUp(_)))
    }

    /// Whether this is still the account that the flow is about.
    fn is_of_flow(
        &self,
        request: &Request,
        context: &FlowContext,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let Some(person) = &self.person else {
            // An account that was erased meanwhile is to be looked up anew.
            return match self.erased {
                Some(_) => Err(Refusal::FlowOver),
                // No decoy comes in the way of an account that is being made.
                None if self.is_being_made() => Err(Refusal::Busy { retry_after_ms: 0 }),
                None => Ok(()),
            };
        };
        let continuation = &context.continuation;
        if let Some(id) = continuation.session {
            let mut sessions = person.check.sessions.iter();
            let session = sessions.find(|session| session.id() == id);
            let live = session.map(|session| session.expiry().liveness(now_ms));
            return match (live, person.is_of(request.tenant)) {
                (Some(Liveness::Active { .. }), true) => Ok(()),
                (Some(_) | None, _) => Err(Refusal::FlowOver),
            };
        }
        let Some(claimed) = &context.identifier else {
            // The passkey that was shown led here.
            return match person.check.tenant == request.tenant.0 {
                true => Ok(()),
                false => Err(Refusal::InvalidPasskey),
            };
        };
        let hashes = claimed.older.iter().chain([&claimed.hash]).copied();
        let led_by = LedBy::Identifier(hashes.collect());
        match person.check.tenant == request.tenant.0 && person.is_led_to(&led_by) {
            true => Ok(()),
            false if continuation.step == 0 && continuation.proofs.is_empty() => {
                Err(Refusal::Busy { retry_after_ms: 0 })
            }
            false => Err(Refusal::FlowOver),
        }
    }
}

impl Answered {
    /// Of which method it is.
    #[must_use]
    pub fn method(&self) -> Method {
        match self {
            Answered::SendCode(_) | Answered::Code(_) => Method::EmailCode,
            Answered::Password { .. } => Method::Password,
            Answered::Passkey(_) | Answered::NewPasskey { .. } => Method::Passkey,
            Answered::Totp(_) => Method::Totp,
            Answered::RecoveryCode(_) => Method::RecoveryCode,
        }
    }
}

impl Person {
    /// What the account has to prove with. A decoy has nothing.
    pub(super) fn methods(&self, policy: &Policy) -> Methods {
        let factors = &self.sealed.factors;
        let has = |method: &Method| match method {
            Method::Password => self.sealed.password.is_some(),
            Method::Passkey => policy.passkeys.is_some() && !factors.passkeys.is_empty(),
            Method::Totp => factors.totp.is_some(),
            Method::RecoveryCode => {
                let held = factors.recovery_codes.as_ref();
                held.is_some_and(|held| held.codes.remaining() > 0)
            }
            Method::EmailCode | Method::SmsCode | Method::Link => false,
        };
        match self.check.status {
            Status::Decoy => Methods::default(),
            Status::Active | Status::Locked | Status::Suspended => {
                Method::ALL.into_iter().filter(has).collect()
            }
        }
    }

    /// Whether a password alone is not enough.
    pub(super) fn wants_second_factor(&self, step: &Step<'_>) -> bool {
        let mut proofs = Proofs::default();
        let (shown, at_ms) = (Shown::Password, step.now_ms);
        // Of four places none is taken.
        let _ = proofs.add(Proof { shown, at_ms });
        let stage = step.policy.stage(&Asked {
            purpose: Purpose::SignIn,
            kind: None,
            proofs: &proofs,
            held: self.methods(step.policy),
            now_ms: step.now_ms,
        });
        match stage {
            Stage::Prove(_) => true,
            Stage::NewPassword | Stage::New(_) | Stage::Over => false,
        }
    }

    /// The row of the identifier that a flow is about; a decoy has one for every.
    fn row_of(&self, context: &FlowContext) -> Option<&IdentifierRow> {
        let mut rows = self.sealed.identifiers.iter();
        match (self.check.status, &context.identifier) {
            (Status::Decoy, _) => rows.next(),
            (Status::Active | Status::Locked | Status::Suspended, Some(claimed)) => {
                rows.find(|row| row.is(claimed))
            }
            (Status::Active | Status::Locked | Status::Suspended, None) => None,
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
