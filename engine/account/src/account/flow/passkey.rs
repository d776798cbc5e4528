//! A passkey that is shown. The signature is verified outside the core; the step is
//! taken, and with it the challenge, when it is known to be right.

use alloc::boxed::Box;

use super::ceremony::{challenge, handle};
use super::proven::At;
use crate::account::family::{FlowAnswer, FlowContext, Reply};
use crate::account::{Account, Step, Work};
use crate::assurance::{KeyStorage, Shown, UserVerification};
use crate::command::{Completion, Effect, Request, SignatureCheck};
use crate::credential::held::Backup;
use crate::credential::passkey::{
    Asserted, Authentication, AuthenticationResponse, Found, PasskeyFault, SignCount,
};
use crate::event::EventKind;
use crate::reply::Refusal;

/// An assertion whose signature is being verified.
#[derive(Debug)]
pub(in crate::account) struct Asserting {
    context: FlowContext,
    at: At,
    number: u16,
    asserted: Asserted,
}

impl Account {
    pub(super) fn answer_passkey(
        &mut self,
        request: Request,
        answer: FlowAnswer,
        response: &AuthenticationResponse,
        step: &mut Step<'_>,
    ) {
        let at = self.at(&answer);
        let context = answer.context;
        let Ok((number, asserted)) = self.assertion(&context, response, step) else {
            // Nothing is charged here: what cannot be guessed wants no bound of its own.
            return step.reply(request.ticket, Reply::No(Refusal::InvalidPasskey));
        };
        let work = asserted.work.clone();
        let asserting = Asserting {
            context,
            at,
            number,
            asserted,
        };
        let pending = self.start(request, Work::Passkey(Box::new(asserting)));
        let work = Box::new(work);
        step.output.effects.push(Effect::Verify { pending, work });
    }

    /// What an assertion says, if its signature is right.
    fn assertion(
        &self,
        context: &FlowContext,
        response: &AuthenticationResponse,
        step: &Step<'_>,
    ) -> Result<(u16, Asserted), PasskeyFault> {
        const UNKNOWN: PasskeyFault = PasskeyFault::CredentialNotAllowed;
        let policy = step.policy.passkeys.as_ref().ok_or(UNKNOWN)?;
        let held = self.passkey(response.id()).ok_or(UNKNOWN)?;
        let user_handle = handle(self.user).ok_or(UNKNOWN)?;
        let continuation = &context.continuation;
        let authentication = Authentication {
            rp: &policy.rp,
            challenge: &challenge(context, continuation),
            allowed: &[],
            found: match (&context.identifier, continuation.session) {
                (None, None) => Found::ByUserHandle,
                (Some(_), _) | (_, Some(_)) => Found::Before,
            },
            user_verification: policy.user_verification,
        };
        let asserted = authentication.check(response, &held.stored(&user_handle))?;
        Ok((held.head.number, asserted))
    }

    pub(in crate::account) fn asserted(
        &mut self,
        asserting: &Asserting,
        completion: &Completion,
        request: &Request,
        step: &mut Step<'_>,
    ) -> Reply {
        let Asserting {
            context,
            at,
            number,
            asserted,
        } = asserting;
        if let Err(refusal) = verified(completion) {
            return Reply::No(refusal);
        }
        if let Err(refusal) = self.is_of_flow(request, context, step.now_ms) {
            return Reply::No(refusal);
        }
        let place = context.continuation.place();
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::InvalidPasskey);
        };
        if person.sealed.attempts.admit(place).is_err() {
            return Reply::No(Refusal::FlowOver);
        }
        // It may have been removed meanwhile.
        let Some(held) = person.sealed.factors.passkey_mut(*number) else {
            return Reply::No(Refusal::InvalidPasskey);
        };
        held.signed(asserted.backed_up, asserted.sign_count, step.now_ms);
        let storage = match held.backup {
            Backup::BackedUp => KeyStorage::Software,
            Backup::Ineligible | Backup::Eligible => KeyStorage::Unknown,
        };
        let verification = match asserted.user_verified {
            true => UserVerification::Verified,
            false => UserVerification::Present,
        };
        match asserted.sign_count {
            SignCount::Regressed { .. } => step.event(EventKind::PasskeyCountRegressed(*number)),
            SignCount::NotCounted | SignCount::Advanced { .. } => {}
        }
        self.proven(context, Shown::Passkey(verification, storage), *at, step)
    }
}

/// Whether a signature is right; why not, or that nothing was verified.
pub(super) fn verified(completion: &Completion) -> Result<(), Refusal> {
    match completion {
        Completion::Signature(SignatureCheck::Valid) => Ok(()),
        #[cfg(tidegate_planted)]
        Completion::Signature(SignatureCheck::Invalid)
            if crate::planted::is(crate::planted::Bug::SignatureUnchecked) =>
        {
            Ok(())
        }
        Completion::Signature(SignatureCheck::Invalid) => Err(Refusal::InvalidPasskey),
        Completion::Refused { retry_after_ms } => Err(Refusal::Busy {
            retry_after_ms: *retry_after_ms,
        }),
        Completion::Hashed(_) | Completion::Verified(_) => Err(Refusal::Busy { retry_after_ms: 0 }),
    }
}
