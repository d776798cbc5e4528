//! What calls give back.

use thiserror::Error;
use tidegate_wire::{Code, DeviceToken, RefreshToken, SessionToken, UserId};

use crate::transport::Refused;

/// Yes or no. Both are answers.
#[derive(Clone, Debug)]
pub enum Decision<T> {
    /// Yes, and what comes with it.
    Yes(T),
    /// No, and why.
    No(Refusal),
}

impl<T> Decision<T> {
    /// Changes what comes with a yes.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Decision<U> {
        match self {
            Decision::Yes(value) => Decision::Yes(change(value)),
            Decision::No(refusal) => Decision::No(refusal),
        }
    }
}

/// A "no" of the domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The stable code.
    pub code: Code,
    /// When asking again makes sense, for `throttled`.
    pub retry_after_ms: Option<u32>,
}

/// The answer is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// No node could be reached, and nothing was asked.
    #[error("no node could be reached")]
    Unreachable,
    /// A node was asked and did not answer in time. If something was done all the
    /// same, a repeat with the same key ([`crate::Client::with_key`]) finds it.
    #[error("no answer in {waited_ms} ms, asked {asked} times: {over}")]
    NoAnswer {
        /// How long was waited, in milliseconds.
        waited_ms: u32,
        /// How often a node was asked.
        asked: u32,
        /// Why no longer, or no more often.
        over: Over,
    },
    /// The node refused for now; nothing was done.
    #[error("not done: {} ({})", .code.message(), .code.name())]
    NotDone {
        /// The stable code.
        code: Code,
        /// When to try again.
        retry_after_ms: u32,
    },
    /// The node and this client do not accept each other. It is told at once
    /// where it holds for every node. What was under way when it came may have
    /// been done.
    #[error("refused: {} ({})", .reason.message(), .reason.name())]
    Refused {
        /// Why.
        reason: Refused,
    },
    /// Another region is the account's home, and this client knows no node of it
    /// ([`crate::Client::with_region`]); nothing was done.
    #[error("region {region} is the account's home, and no node of it is known")]
    WrongRegion {
        /// Its number.
        region: u8,
    },
    /// Whether it was done is not known.
    #[error("unknown: {} ({})", .code.message(), .code.name())]
    Unknown {
        /// The stable code.
        code: Code,
    },
    /// The node's answer could not be read.
    #[error("the node's answer could not be read")]
    BadAnswer,
    /// The request is longer than a frame may be; nothing was sent.
    #[error("the request is longer than a frame may be")]
    TooLarge,
    /// The system gave no randomness for an idempotency key; nothing was sent.
    #[error("the system gives no randomness")]
    NoRandomness,
}

/// Why a call was not tried any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Over {
    /// Its deadline came.
    #[error("the deadline came")]
    Deadline,
    /// So many calls of its class were tried again that this one was not.
    #[error("the budget for retries is spent")]
    Retries,
}

/// What a yes rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// On what is so, and durable where it has to be.
    Current,
    /// On what was so that long ago: the node cannot reach its store. A session
    /// that was refreshed goes on under the same refresh token.
    Degraded {
        /// How old it is, in milliseconds.
        age_ms: u32,
    },
    /// The same for a sign-in: the session ends soon, and may be lost with its
    /// node, unless it is refreshed when the store is back.
    Provisional {
        /// How old it is, in milliseconds.
        age_ms: u32,
    },
}

impl Knowledge {
    pub(crate) fn of(reply: &tidegate_wire::Reply<'_>) -> Knowledge {
        let age_ms = reply.head.age_ms;
        match reply.code {
            Code::Degraded => Knowledge::Degraded { age_ms },
            Code::Provisional => Knowledge::Provisional { age_ms },
            _ => Knowledge::Current,
        }
    }
}

/// A session that is alive. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whose it is.
    pub user: UserId,
    /// When it ends unused; never sooner, unless it is revoked.
    pub idle_expires_at: u64,
    /// When it ends.
    pub expires_at: u64,
    /// How sure the sign-in was: 1, 2 or 3 (SP 800-63B AAL).
    pub assurance: u8,
    /// What this rests on.
    pub knowledge: Knowledge,
}

/// What a sign-in or a refresh hands out. Times are Unix milliseconds.
#[derive(Clone, Debug)]
pub struct Granted {
    /// Who is in.
    pub user: UserId,
    /// Proves the session.
    pub session: SessionToken,
    /// Prolongs the session and replaces itself.
    pub refresh: RefreshToken,
    /// A device token, when a device was remembered: guesses from unknown
    /// devices do not hold that device off.
    pub device: Option<DeviceToken>,
    /// When the session ends unused.
    pub idle_expires_at: u64,
    /// When the session ends.
    pub expires_at: u64,
    /// How sure the sign-in was: 1, 2 or 3 (SP 800-63B AAL).
    pub assurance: u8,
    /// What this rests on.
    pub knowledge: Knowledge,
}

/// One session of a list. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: u64,
    /// When the person signed in.
    pub created_at: u64,
    /// When it was last used, give or take a tenth of the idle time.
    pub used_at: u64,
    /// When it ends unused.
    pub idle_expires_at: u64,
    /// When it ends.
    pub expires_at: u64,
    /// How sure the sign-in was: 1, 2 or 3 (SP 800-63B AAL).
    pub assurance: u8,
}

/// The outcome of an operator's order; one JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operated {
    /// It was carried out.
    Done(String),
    /// It was not: `code` and `message` say why.
    Refused(String),
}
