//! Answering in a flow: the sealed state is opened, what is shown is charged, and
//! the account is asked.

use tidegate_account::assurance::Method;
use tidegate_account::continuation::Purpose;
use tidegate_account::flow::Stage;
use tidegate_account::{
    Answered, Command, CredentialCommand, FlowAnswer, FlowCommand, FlowContext, LedBy, Refusal,
    SignIn, Source,
};

use super::join::Joining;
use super::opened::Opened;
use super::{Follows, SecretKind, Stopped, no, of_flow};
use crate::answer::{Answer, Responder};
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
        let subject = opened.continuation.subject;
        let follows = Follows {
            joining: (opened.continuation.purpose == Purpose::SignUp)
                .then(|| Joining::of(&self, &context, &opened, answering.remember)),
            shown: answering.given.secret(),
        };
        let (charged, responder) = match self.charge(&context, &answering, responder).await {
            Ok(charged) => charged,
            Err((stopped, responder)) => return responder.answer(stopped.into(), 0),
        };
        match command(opened, answering, charged) {
            Ok(command) => {
                self.route(subject, context, command, of_flow(responder, follows));
            }
            Err(refusal) => responder.answer(no(refusal), 0),
        }
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
            Given::Password(_) | Given::EmailCode(_) => {
                self.charge_guess(context, answering.origin).await
            }
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
fn command(opened: Opened, answering: Answering, source: Source) -> Result<Command, Refusal> {
    let Opened {
        continuation,
        identifier,
        keys,
        policy,
    } = opened;
    let (kind, reach) = (identifier.identifier.kind(), policy.notices.reach());
    let proofs = &continuation.proofs;
    let stage = policy.flow.stage(continuation.purpose, kind, reach, proofs);
    let answered = match (answering.given, stage) {
        (Given::Password(password), Stage::Prove(offered))
            if offered.contains(&Method::Password) =>
        {
            let hashes = identifier.older.into_iter().chain([identifier.hash]);
            return Ok(Command::Credential(CredentialCommand::SignIn(SignIn {
                password,
                device: answering.device,
                remember: answering.remember,
                source,
                led_by: LedBy::Identifier(hashes.collect()),
                flow: Some(continuation.place()),
            })));
        }
        (Given::Password(password), Stage::NewPassword) => Answered::NewPassword(password),
        (Given::EmailCode(code), _) => Answered::Code(code),
        (Given::SendEmailCode, _) => Answered::SendCode(source),
        (Given::Password(_), Stage::Prove(_) | Stage::Over) => return Err(Refusal::FlowOver),
    };
    Ok(Command::Flow(FlowCommand::Answer(Box::new(FlowAnswer {
        context: FlowContext {
            continuation,
            identifier,
            language: answering.language,
            keys,
        },
        answered,
        device: answering.device,
        remember: answering.remember,
    }))))
}
