//! Answering in a flow: the sealed state is opened, what is shown is charged, and
//! the account is asked.

use tidegate_account::continuation::Purpose;
use tidegate_account::credential::passkey::UserHandle;
use tidegate_account::{
    Answered, Command, FlowAnswer, FlowCommand, FlowContext, Refusal, Source, UserId,
};
use tidegate_storage_api::Region;

use super::join::Joining;
use super::opened::Opened;
use super::{Follows, SecretKind, Stopped, no, of_flow};
use crate::answer::{Answer, Failure, Responder};
use crate::engine::Engine;
use crate::engine::charging::Charged;
use crate::request::{Answering, Context, Given};
use crate::sources::Origin;

impl Engine {
    pub(in crate::engine) async fn answer_flow(
        self,
        context: Context,
        answering: Answering,
        responder: Responder,
    ) {
        let opened = match self.opened(&context, &answering) {
            Ok(opened) => opened,
            Err(Stopped::Failed(failure)) => return responder.answer(Answer::Failed(failure), 0),
            Err(Stopped::No(refusal)) => {
                return self
                    .refuse_token(&context, answering.origin, refusal, responder)
                    .await;
            }
        };
        let mut opened = opened;
        if let Err(stopped) = self.led_by_passkey(&mut opened, &answering.given) {
            return match stopped {
                Stopped::Failed(failure) => responder.answer(Answer::Failed(failure), 0),
                Stopped::No(refusal) => {
                    self.refuse_token(&context, answering.origin, refusal, responder)
                        .await
                }
            };
        }
        let subject = opened.continuation.subject;
        let follows = Follows {
            joining: match opened.continuation.purpose {
                Purpose::SignUp => Joining::of(&self, &context, &opened, answering.remember),
                Purpose::SignIn
                | Purpose::StepUp
                | Purpose::Recover
                | Purpose::Add
                | Purpose::Change => None,
            },
            shown: answering.given.secret(),
        };
        let (charged, responder) = match self.charge(&context, &answering, responder).await {
            Ok(charged) => charged,
            Err((stopped, responder)) => return responder.answer(stopped.into(), 0),
        };
        let command = command(opened, answering, charged);
        self.route(subject, context, command, of_flow(responder, follows));
    }

    /// Where nobody was named, the passkey says whose it is. What it says is proven
    /// there.
    fn led_by_passkey(&self, opened: &mut Opened, given: &Given) -> Result<(), Stopped> {
        let continuation = &mut opened.continuation;
        let named = opened.identifier.is_some() || continuation.session.is_some();
        if named || !continuation.proofs.is_empty() {
            return Ok(());
        }
        let Given::Passkey(response) = given else {
            return Err(Refusal::FlowOver.into());
        };
        let handle = response.user_handle().map(UserHandle::as_bytes);
        let user = handle.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        let user = UserId::from_bytes(user.ok_or(Refusal::InvalidPasskey)?);
        let ours = self.shared().placement.ownership.region();
        match Region::new(user.region()) {
            Some(region) if region == ours => continuation.subject = user,
            Some(region) => return Err(Failure::WrongRegion(region).into()),
            None => return Err(Refusal::InvalidPasskey.into()),
        }
        Ok(())
    }

    /// Charges an answer to where it comes from: what is shown as a guess, what is
    /// sent as a message.
    async fn charge(
        &self,
        context: &Context,
        answering: &Answering,
        responder: Responder,
    ) -> Result<(Source, Responder), (Stopped, Responder)> {
        let charged = match answering.given {
            Given::SendEmailCode => {
                return match self.charge_send(context, answering.origin).await {
                    Ok(source) => Ok((source, responder)),
                    Err(failure) => Err((failure.into(), responder)),
                };
            }
            Given::Password(_)
            | Given::EmailCode(_)
            | Given::Passkey(_)
            | Given::NewPasskey { .. }
            | Given::Totp(_)
            | Given::RecoveryCode(_) => self.charge_guess(context, answering.origin).await,
        };
        match charged {
            Ok(Charged::Nothing) => Ok((Source::Clear, responder)),
            Ok(Charged::Attempt(attempt)) => {
                Ok((Source::Clear, self.concluding_guess(attempt, responder)))
            }
            // The account knows whether it knows the device.
            Ok(Charged::Held(retry_after_ms))
                if answering.device.is_some()
                    && answering.given.secret() == SecretKind::Password =>
            {
                Ok((Source::Held { retry_after_ms }, responder))
            }
            Ok(Charged::Held(retry_after_ms)) => {
                Err((Refusal::Throttled { retry_after_ms }.into(), responder))
            }
            Err(failure) => Err((failure.into(), responder)),
        }
    }

    /// A text that is none of ours is a guess, and charged like one.
    async fn refuse_token(
        &self,
        context: &Context,
        origin: Option<Origin>,
        refusal: Refusal,
        responder: Responder,
    ) {
        match self.charge_guess(context, origin).await {
            Ok(Charged::Attempt(attempt)) => {
                self.concluding_guess(attempt, responder)
                    .answer(no(refusal), 0);
            }
            Ok(Charged::Nothing) => responder.answer(no(refusal), 0),
            Ok(Charged::Held(retry_after_ms)) => {
                responder.answer(no(Refusal::Throttled { retry_after_ms }), 0);
            }
            Err(failure) => responder.answer(Answer::Failed(failure), 0),
        }
    }
}

/// What the account is asked.
fn command(opened: Opened, answering: Answering, source: Source) -> Command {
    let Opened {
        continuation,
        identifier,
        keys,
        parts,
    } = opened;
    let answered = match answering.given {
        Given::Password(password) => Answered::Password { password, source },
        Given::EmailCode(code) => Answered::Code(code),
        Given::SendEmailCode => Answered::SendCode(source),
        Given::Passkey(response) => Answered::Passkey(response),
        Given::NewPasskey { response, name } => Answered::NewPasskey { response, name },
        Given::Totp(code) => Answered::Totp(code),
        Given::RecoveryCode(code) => Answered::RecoveryCode(code),
    };
    Command::Flow(FlowCommand::Answer(Box::new(FlowAnswer {
        context: FlowContext {
            continuation,
            identifier,
            language: answering.language,
            keys,
            parts,
        },
        answered,
        device: answering.device,
        remember: answering.remember,
    })))
}
