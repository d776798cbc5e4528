//! The account that is made when a flow has proven an address that none holds.

use tidegate_account::assurance::{Proof, Proofs, Shown};
use tidegate_account::{
    ClaimedIdentifier, Command, FlowCommand, FlowJoin, Refusal, Remember, UserId,
};

use super::opened::Opened;
use super::{Follows, no, of_flow};
use crate::answer::{Answer, Responder};
use crate::engine::Engine;
use crate::engine::sign_in::id_of;
use crate::request::Context;

/// What such an account is made of.
pub(super) struct Joining {
    engine: Engine,
    context: Context,
    user: UserId,
    identifier: ClaimedIdentifier,
    proofs: Proofs,
    remember: Remember,
}

impl Joining {
    /// The account's id follows from the attempt: a repeat finds it. It lies in the
    /// decoy's slot, so that the node which judged the code makes the account.
    pub(super) fn of(
        engine: &Engine,
        context: &Context,
        opened: &Opened,
        remember: Remember,
    ) -> Option<Joining> {
        let identifier = opened.identifier.clone()?;
        let continuation = &opened.continuation;
        let tenant = context.tenant.0.to_be_bytes();
        let random = id_of("tg-user-1", &[&tenant, continuation.attempt.as_bytes()]);
        let decoy = continuation.subject;
        let mut proofs = continuation.proofs;
        let at_ms = engine.shared().ports.clock.unix_ms();
        // Of four places at most one is taken.
        let _ = proofs.add(Proof {
            shown: Shown::EmailCode,
            at_ms,
        });
        Some(Joining {
            engine: engine.clone(),
            context: Context {
                known_epoch: 0,
                ..context.clone()
            },
            user: UserId::new(decoy.region(), decoy.slot(), random),
            identifier,
            proofs,
            remember,
        })
    }

    pub(super) fn go(self, responder: Responder) {
        let people = self.engine.people.clone();
        people.spawn(self.make(responder));
    }

    async fn make(mut self, responder: Responder) {
        let engine = self.engine.clone();
        let hashes = self.identifier.older.iter().chain([&self.identifier.hash]);
        let reserved = match engine.find(hashes).await {
            Err(failure) => Err(Answer::Failed(failure)),
            // Another flow, or an attestation, was faster.
            Ok(Some(row)) if row.user != self.user => Err(no(Refusal::IdentifierTaken)),
            Ok(Some(_)) => Ok(Vec::new()),
            Ok(None) => {
                let claimed = [&mut self.identifier].into_iter();
                engine
                    .reserve(self.context.tenant, self.user, claimed)
                    .await
            }
        };
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(answer) => return responder.answer(answer, 0),
        };
        let responder = engine.concluding(reserved, of_flow(responder, Follows::nothing()));
        let join = FlowJoin {
            identifier: self.identifier,
            proofs: self.proofs,
            remember: self.remember,
        };
        let command = Command::Flow(FlowCommand::Join(Box::new(join)));
        engine.route(self.user, self.context, command, responder);
    }
}
