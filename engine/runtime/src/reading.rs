//! What is read of a person for an operator: through the
//! person's actor, so that it is what the account stands on, and opened with their
//! key. And what is to leave, on the same way.

use tidegate_account::{Audit, Outgoing, Part, PartKind, UserId, decode_audits};
use tokio::sync::oneshot;

use crate::answer::{Answer, Failure, Responder};
use crate::engine::Engine;
use crate::person::{Wanted, What};

/// How long an operator waits until the person's turn comes.
const WAIT_MS: u64 = 10_000;

impl Engine {
    /// The administrative acts on a person that are still kept, oldest first; none
    /// where there is nobody.
    ///
    /// # Errors
    /// [`Failure`], which says why they cannot be read here and now.
    pub async fn audits(&self, user: UserId) -> Result<Vec<Audit>, Failure> {
        let mut acts = Vec::new();
        for part in self.parts(user, Wanted::All(PartKind::Audits)).await? {
            acts.extend(decode_audits(&part.plain).map_err(|_| Failure::Corrupt)?);
        }
        Ok(acts)
    }

    /// Lets something leave that is about a person, at once and in the name of
    /// their tenant: it is durable when this is. Nothing leaves about nobody.
    ///
    /// # Errors
    /// [`Failure`]; with `Unknown` it may leave all the same.
    pub async fn post(&self, user: UserId, outgoing: Outgoing) -> Result<(), Failure> {
        self.done(user, What::Post(Box::new(outgoing))).await
    }

    /// Parts of a person's, in clear.
    pub(crate) async fn parts(&self, user: UserId, wanted: Wanted) -> Result<Vec<Part>, Failure> {
        let (told, parts) = oneshot::channel();
        self.done(user, What::Parts { wanted, told }).await?;
        parts.await.map_err(|_| Failure::Unknown)
    }

    /// Has work of the engine's own done by a person's actor, and waits for it.
    async fn done(&self, user: UserId, what: What) -> Result<(), Failure> {
        let (answered, answer) = oneshot::channel();
        let responder = Responder::new(move |answer, _| drop(answered.send(answer)));
        let now_ms = self.shared().clock.monotonic_ms();
        let deadline_ms = now_ms.saturating_add(WAIT_MS);
        self.seat(user, what, deadline_ms, Some(responder));
        match answer.await {
            Ok(Answer::Done) => Ok(()),
            Ok(Answer::Failed(failure)) => Err(failure),
            Ok(Answer::Reply(_) | Answer::Checked(_) | Answer::DegradedDecision { .. })
            | Err(_) => Err(Failure::Unknown),
        }
    }
}
