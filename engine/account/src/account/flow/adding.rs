//! One more credential for an account whose session, or whose proofs in this flow,
//! are not old.

use alloc::boxed::Box;

use super::ceremony::{challenge, new_recovery_codes, totp_secret};
use super::passkey::verified;
use super::proven::At;
use crate::account::family::{FlowAnswer, FlowContext, Reply};
use crate::account::{Account, Step, Work};
use crate::assurance::Method;
use crate::command::{Completion, Effect, Request};
use crate::credential::code::Code;
use crate::credential::held::{
    HeldRecoveryCodes, HeldTotp, PASSKEYS_MAX, PasskeyHead, PasskeyName, PasskeyPart,
};
use crate::credential::passkey::{
    Algorithm, NewPasskey, PasskeyFault, Registered, Registration, RegistrationResponse,
    UserPresence,
};
use crate::credential::recovery::{RecoveryCode, RecoveryJudged};
use crate::credential::totp::{Enrolment, Totp};
use crate::event::EventKind;
use crate::guess::Guesses;
use crate::record::PasswordRow;
use crate::reply::Refusal;

/// What is added.
pub(super) enum New {
    Password(PasswordRow),
    Passkey(PasskeyHead, PasskeyPart),
    Totp(HeldTotp),
    RecoveryCodes(HeldRecoveryCodes),
}

impl New {
    fn method(&self) -> Method {
        match self {
            New::Password(_) => Method::Password,
            New::Passkey(..) => Method::Passkey,
            New::Totp(_) => Method::Totp,
            New::RecoveryCodes(_) => Method::RecoveryCode,
        }
    }
}

/// A passkey whose own signature over its registration is being verified.
#[derive(Debug)]
pub(in crate::account) struct Registering {
    context: FlowContext,
    at: At,
    name: PasskeyName,
    passkey: NewPasskey,
}

impl Account {
    pub(super) fn register_passkey(
        &mut self,
        request: Request,
        answer: FlowAnswer,
        response: &RegistrationResponse,
        name: PasskeyName,
        step: &mut Step<'_>,
    ) {
        let at = self.at(&answer);
        let context = answer.context;
        let Ok(Registered { passkey, work }) = registration(&context, response, step) else {
            return step.reply(request.ticket, Reply::No(Refusal::InvalidPasskey));
        };
        let registering = Registering {
            context,
            at,
            name,
            passkey,
        };
        match work {
            Some(work) => {
                let work = Box::new(work);
                let pending = self.start(request, Work::Register(Box::new(registering)));
                step.output.effects.push(Effect::Verify { pending, work });
            }
            None => {
                let reply = self.keep_passkey(registering, &request, step);
                self.settle(&request, reply, step);
            }
        }
    }

    pub(in crate::account) fn registered(
        &mut self,
        registering: Registering,
        completion: &Completion,
        request: &Request,
        step: &mut Step<'_>,
    ) -> Reply {
        match verified(completion) {
            Ok(()) => self.keep_passkey(registering, request, step),
            Err(refusal) => Reply::No(refusal),
        }
    }

    fn keep_passkey(
        &mut self,
        registering: Registering,
        request: &Request,
        step: &mut Step<'_>,
    ) -> Reply {
        let Registering {
            context,
            at,
            name,
            passkey,
        } = registering;
        if let Err(refusal) = self.is_of_flow(request, &context, step.now_ms) {
            return Reply::No(refusal);
        }
        // The browser was told to make none where there is one.
        if self.passkey(&passkey.id).is_some() {
            return Reply::No(Refusal::InvalidPasskey);
        }
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::FlowOver);
        };
        let factors = &person.sealed.factors;
        let number = factors.free_number();
        if factors.passkeys.len() >= PASSKEYS_MAX {
            return Reply::No(Refusal::LimitReached);
        }
        let (head, part) = PasskeyPart::registered(number, passkey, name, step.now_ms);
        self.added(&context, New::Passkey(head, part), at, step)
    }

    pub(super) fn enrol_totp(
        &mut self,
        answer: &FlowAnswer,
        code: &Code,
        step: &mut Step<'_>,
    ) -> Reply {
        let context = &answer.context;
        let secret = totp_secret(context, &context.continuation);
        let Enrolment::Enrolled(totp) = Totp::enrol(secret, code, step.now_ms) else {
            return Reply::No(Refusal::InvalidCode);
        };
        let at = self.at(answer);
        let held = HeldTotp {
            totp,
            added_at: step.now_ms,
            failures: Guesses::default(),
        };
        self.added(context, New::Totp(held), at, step)
    }

    /// Keeps the codes that were shown, when one of them is shown back: who has not
    /// saved them would find out too late.
    pub(super) fn keep_recovery_codes(
        &mut self,
        answer: &FlowAnswer,
        code: &RecoveryCode,
        step: &mut Step<'_>,
    ) -> Reply {
        let context = &answer.context;
        let (codes, _) = new_recovery_codes(context, &context.continuation, step.now_ms);
        match codes.clone().judge(self.user, code) {
            RecoveryJudged::Right { .. } => {}
            RecoveryJudged::Spent | RecoveryJudged::Wrong => {
                return Reply::No(Refusal::InvalidCode);
            }
        }
        let at = self.at(answer);
        let held = HeldRecoveryCodes {
            codes,
            failures: Guesses::default(),
        };
        self.added(context, New::RecoveryCodes(held), at, step)
    }

    /// Something was added: the step is taken, and the flow is over.
    pub(super) fn added(
        &mut self,
        context: &FlowContext,
        new: New,
        at: At,
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(person) = &mut self.person else {
            return Reply::No(Refusal::FlowOver);
        };
        if let Err(refusal) = person.is_open() {
            return Reply::No(refusal);
        }
        let place = context.continuation.place();
        if person.sealed.attempts.advance(place, step.now_ms).is_err() {
            return Reply::No(Refusal::FlowOver);
        }
        step.event(EventKind::CredentialAdded(new.method().number()));
        let factors = &mut person.sealed.factors;
        match new {
            New::Password(row) => person.sealed.password = Some(row),
            New::Totp(held) => factors.totp = Some(held),
            New::RecoveryCodes(held) => factors.recovery_codes = Some(held),
            New::Passkey(head, part) => {
                let number = head.number;
                factors.passkeys.push(head);
                step.change().passkeys.push((number, Some(part.clone())));
                if let Some(loaded) = &mut self.passkeys {
                    loaded.retain(|(other, _)| *other != number);
                    loaded.push((number, part));
                }
            }
        }
        self.let_in(&context.continuation, at, step)
    }
}

/// What a registration says, if its signature is right.
fn registration(
    context: &FlowContext,
    response: &RegistrationResponse,
    step: &Step<'_>,
) -> Result<Registered, PasskeyFault> {
    let policy = step.policy.passkeys.as_ref();
    let policy = policy.ok_or(PasskeyFault::CredentialNotAllowed)?;
    let registration = Registration {
        rp: &policy.rp,
        challenge: &challenge(context, &context.continuation),
        algorithms: &Algorithm::ALL,
        user_presence: UserPresence::Required,
        user_verification: policy.user_verification,
    };
    registration.check(response)
}
