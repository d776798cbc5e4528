//! Requests that wait for their account, and replies that wait for their commit.

use std::collections::BTreeMap;

use tidegate_account::{Request, SessionId, Ticket};

use crate::answer::{Answer, Failure, Responder};
use crate::directory::Waiting;
use crate::job::{Job, What};
use crate::request::Context;

/// A request that waits for its answer.
pub(super) struct Held {
    responder: Option<Responder>,
    deadline_ms: u64,
    _waiting: Waiting,
}

impl Held {
    /// What is asked, and the request that waits for it.
    pub(super) fn of(job: Job) -> (What, Held) {
        let held = Held {
            responder: job.responder,
            deadline_ms: job.deadline_ms,
            _waiting: job.waiting,
        };
        (job.what, held)
    }

    pub(super) fn answer(self, answer: Answer, epoch: u64) {
        if let Some(responder) = self.responder {
            responder.answer(answer, epoch);
        }
    }
}

/// Commands whose reply is still to come from the account.
#[derive(Default)]
pub(super) struct Requests {
    open: BTreeMap<Ticket, Held>,
    next_ticket: u64,
}

impl Requests {
    /// Names a command, so that its reply finds the request that waits for it.
    pub(super) fn enter(&mut self, held: Held, context: Context) -> Request {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.open.insert(ticket, held);
        Request {
            ticket,
            tenant: context.tenant,
            idempotency: context.idempotency,
        }
    }

    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Held> {
        self.open.remove(&ticket)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// When none of them waits any more.
    pub(super) fn deadline_ms(&self) -> Option<u64> {
        self.open.values().map(|held| held.deadline_ms).max()
    }

    pub(super) fn refuse_all(&mut self, failure: Failure, epoch: u64) {
        for held in std::mem::take(&mut self.open).into_values() {
            held.answer(Answer::Failed(failure), epoch);
        }
    }
}

/// Replies that wait until the revision is durable that they rest on.
#[derive(Default)]
pub(super) struct Replies {
    held: Vec<(u64, Held, Answer)>,
    durable: u64,
}

impl Replies {
    pub(super) fn hold(&mut self, revision: u64, held: Held, answer: Answer) {
        self.held.push((revision, held, answer));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The revision that is durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    pub(super) fn set_durable(&mut self, revision: u64) {
        self.durable = revision;
    }

    /// Answers what is durable.
    pub(super) fn release(&mut self, epoch: u64) {
        let durable = self.durable;
        let released = self.held.extract_if(.., |(needs, _, _)| *needs <= durable);
        for (_, held, answer) in released {
            held.answer(answer, epoch);
        }
    }

    /// Answers all, which are not durable and will not be: each by what is said in
    /// the place of its answer.
    pub(super) fn answer_instead(&mut self, epoch: u64, instead: impl Fn(Answer) -> Answer) {
        for (_, held, answer) in std::mem::take(&mut self.held) {
            held.answer(instead(answer), epoch);
        }
    }

    /// Whether a successor of a session's refresh token waits to be durable: it was
    /// not handed out yet.
    pub(super) fn is_replacing(&self, session: SessionId) -> bool {
        self.refreshed().any(|one| one == session)
    }

    pub(super) fn has_refreshed(&self) -> bool {
        self.refreshed().next().is_some()
    }

    fn refreshed(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.held.iter().filter_map(|(_, _, answer)| match answer {
            Answer::Reply(reply) => reply.refreshed().map(|grant| grant.session),
            Answer::Checked(_)
            | Answer::DegradedDecision { .. }
            | Answer::Done
            | Answer::Failed(_) => None,
        })
    }
}
