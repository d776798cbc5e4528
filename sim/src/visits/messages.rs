//! Messages about people: posted at a node, to leave once that is durable.

use tidegate_account::UserId;
use tidegate_runtime::Failure;

use super::Crowd;
use crate::diary::Who;

/// So long an answer is waited for; a node that ends gives none.
const ANSWER_NS: u64 = 30_000_000_000;

impl Crowd {
    /// Something is posted about a person.
    pub(super) async fn message(&self) {
        let person = self.person();
        self.post(Who::Person(person), self.people.user(person))
            .await;
    }

    /// At one node after the other, until one does not say that it is another's.
    pub(super) async fn post(&self, who: Who, user: UserId) {
        let mut nodes = {
            let running = self.running.lock();
            let running = running.unwrap_or_else(std::sync::PoisonError::into_inner);
            running.clone()
        };
        nodes.retain(|node| !node.machine.is_off());
        if nodes.is_empty() {
            return;
        }
        let first = self.messages.below(nodes.len() as u64);
        nodes.rotate_left(usize::try_from(first).unwrap_or(0));
        for node in nodes {
            let Some((number, outgoing)) = self.mailbox.write(who, user) else {
                return;
            };
            let post = std::pin::pin!(node.post(user, outgoing));
            let wait = self.agenda.sleep_ns(ANSWER_NS);
            let outcome = match futures_util::future::select(post, wait).await {
                futures_util::future::Either::Left((outcome, _)) => outcome,
                futures_util::future::Either::Right(((), _)) => Err(Failure::Unknown),
            };
            let words = || format!("message {number} at node {}: {outcome:?}", node.number);
            self.book.diary.note(who, self.agenda.now_ns(), words);
            self.mailbox.posted(number, outcome);
            match outcome {
                Err(Failure::NotOwner(_)) => {}
                Ok(())
                | Err(
                    Failure::Busy { .. }
                    | Failure::DeadlineExceeded
                    | Failure::Unavailable
                    | Failure::WrongRegion(_)
                    | Failure::UnknownTenant
                    | Failure::Corrupt
                    | Failure::Unknown,
                ) => return,
            }
        }
    }
}
