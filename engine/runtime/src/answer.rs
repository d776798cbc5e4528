//! Answers on their way out. Every request is answered exactly once: a
//! responder that is dropped unanswered answers `unknown`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_account::{DegradedReply, Reply};
use tidegate_storage_api::Region;

use crate::admission::Limit;
use crate::check::Outcome;

/// The answer to a request.
#[derive(Debug)]
pub enum Answer {
    /// What the account said.
    Reply(Reply),
    /// What a check found.
    Checked(Outcome),
    /// What is said while the store is out of reach.
    DegradedDecision {
        /// What.
        reply: DegradedReply,
        /// How old the knowledge is that it rests on, in milliseconds.
        age_ms: u64,
    },
    /// Work of the engine's own is done.
    Done,
    /// No answer from the account, and why.
    Failed(Failure),
}

/// Why the account could not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A named limit is reached; nothing was done.
    Busy {
        /// Which.
        limit: Limit,
        /// When to try again, at the earliest.
        retry_after_ms: u32,
    },
    /// The deadline passed before the work began; nothing was done.
    DeadlineExceeded,
    /// The store takes no changes; nothing was changed.
    Unavailable,
    /// Another node owns this slot, or may; nothing was done.
    NotOwner(u16),
    /// The person is at home in another region; nothing was done.
    WrongRegion(Region),
    /// The tenant is not served here; nothing was done.
    UnknownTenant,
    /// What is stored about the person cannot be read; nothing was done.
    Corrupt,
    /// It is not known whether it was done.
    Unknown,
}

type Tell = Box<dyn FnOnce(Answer, u64) + Send>;

/// Where an answer goes.
pub struct Responder {
    tell: Option<Tell>,
    counted: Option<Arc<AtomicU64>>,
}

impl Responder {
    /// Calls `tell` once, with the answer and the slot's epoch (0 when that
    /// was not asked), from any thread.
    #[must_use]
    pub fn new(tell: impl FnOnce(Answer, u64) + Send + 'static) -> Responder {
        Responder {
            tell: Some(Box::new(tell)),
            counted: None,
        }
    }

    /// Counts the request as waiting until it is answered.
    pub(crate) fn count(&mut self, waiting: &Arc<AtomicU64>) {
        waiting.fetch_add(1, Ordering::Acquire);
        self.counted = Some(Arc::clone(waiting));
    }

    /// Answers.
    pub fn answer(mut self, answer: Answer, epoch: u64) {
        self.settle(answer, epoch);
    }

    fn settle(&mut self, answer: Answer, epoch: u64) {
        if let Some(tell) = self.tell.take() {
            tell(answer, epoch);
        }
        // Told first: a drain that finds no request waiting loses no answer.
        if let Some(waiting) = self.counted.take() {
            waiting.fetch_sub(1, Ordering::Release);
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.settle(Answer::Failed(Failure::Unknown), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn every_request_is_answered_once_and_a_dropped_one_is_unknown() {
        let waiting = Arc::new(AtomicU64::new(0));
        let (given, answers) = mpsc::channel();
        let responder = |given: mpsc::Sender<Answer>| {
            let mut responder = Responder::new(move |answer, _| given.send(answer).unwrap());
            responder.count(&waiting);
            responder
        };
        let (first, second) = (responder(given.clone()), responder(given));
        assert_eq!(waiting.load(Ordering::Relaxed), 2);
        first.answer(Answer::Failed(Failure::Unavailable), 1);
        drop(second);
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
        let told: Vec<_> = answers.iter().collect();
        assert!(matches!(
            told[..],
            [
                Answer::Failed(Failure::Unavailable),
                Answer::Failed(Failure::Unknown)
            ]
        ));
    }
}
