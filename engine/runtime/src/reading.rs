//! What is read of a person for an operator: through the person's actor, so that
//! it is what the account stands on, and opened with their key.

use tidegate_account::{Audit, Part, PartKind, UserId, decode_audits};
use tokio::sync::oneshot;

use crate::answer::{Answer, Failure, Responder};
use crate::engine::Engine;
use crate::person::What;

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
        for part in self.parts(user, PartKind::Audits).await? {
            acts.extend(decode_audits(&part.plain).map_err(|_| Failure::Corrupt)?);
        }
        Ok(acts)
    }

    async fn parts(&self, user: UserId, kind: PartKind) -> Result<Vec<Part>, Failure> {
        let (told, parts) = oneshot::channel();
        let (answered, answer) = oneshot::channel();
        let responder = Responder::new(move |answer, _| drop(answered.send(answer)));
        let now_ms = self.shared().clock.monotonic_ms();
        let deadline_ms = now_ms.saturating_add(WAIT_MS);
        let what = What::Parts { kind, told };
        self.seat(user, what, deadline_ms, Some(responder));
        match answer.await {
            Ok(Answer::Done) => parts.await.map_err(|_| Failure::Unknown),
            Ok(Answer::Failed(failure)) => Err(failure),
            Ok(Answer::Reply(_) | Answer::Checked(_) | Answer::Interim { .. }) | Err(_) => {
                Err(Failure::Unknown)
            }
        }
    }
}
