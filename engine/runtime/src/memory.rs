//! What this node holds of people in memory: who is warm, hot or broken, what was
//! decided while the store was out of reach, who could not be answered for a while.

use std::sync::Arc;

use tidegate_account::{Late, SecretHash, UserId};
use tokio::sync::mpsc::Sender;

use crate::check::{Ask, Outcome};
use crate::degraded_states::DegradedStates;
use crate::directory::Directory;
use crate::job::Mailbox;
use crate::lates::Lates;
use crate::lookups::Lookups;
use crate::ports::Clock;
use crate::warm::{Warm, WriteBehind};

pub(crate) struct Memory {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) directory: Directory<Mailbox>,
    pub(crate) degraded_states: DegradedStates,
    pub(crate) lates: Lates,
    pub(crate) lookups: Lookups,
    /// People whose times of use lag too far behind.
    pub(crate) due: Sender<UserId>,
}

/// What a look-up of a session found.
pub(crate) struct Found {
    pub(crate) outcome: Outcome,
    /// Whether this node has decided it itself, whichever node owns the slot by now.
    pub(crate) origin: DecidedBy,
    pub(crate) write_behind: WriteBehind,
    pub(crate) epoch: u64,
}

/// What an outcome rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecidedBy {
    /// The record.
    Record,
    /// This node, while the store was out of reach.
    Degraded,
}

impl Memory {
    /// Looks a session up. What was decided of it while the store was away is
    /// looked at before the warm form: an account that takes it over publishes
    /// first, so a look-up that finds it gone finds the newer form.
    pub(crate) fn look_up(&self, ask: &Ask, secret: &SecretHash, now_ms: u64) -> Option<Found> {
        let degraded = self.degraded_states.check(ask, secret, now_ms);
        let (outcome, write_behind, epoch) = self.directory.check(ask, secret, now_ms)?;
        Some(Found {
            outcome: degraded.unwrap_or(outcome),
            origin: match degraded {
                Some(_) => DecidedBy::Degraded,
                None => DecidedBy::Record,
            },
            write_behind,
            epoch,
        })
    }

    /// This person could not be answered for a while.
    pub(crate) fn late(&self, user: UserId, late: Late) {
        self.lates.add(user, late, self.clock.monotonic_ms());
    }

    /// For how long this person could not be answered, if that was lately.
    pub(crate) fn late_of(&self, user: UserId) -> Option<Late> {
        #[cfg(tidegate_planted)]
        if tidegate_account::planted::is(tidegate_account::planted::Bug::LateForgotten) {
            return None;
        }
        self.lates.of(user, self.clock.monotonic_ms())
    }

    /// Whether the person is warm.
    pub(crate) fn is_warm(&self, user: UserId) -> bool {
        self.directory.with_warm(user, |_| ()).is_some()
    }

    /// Queues a person whose times of use lag too far behind. When there is no
    /// room the next check asks again: nothing that was told depends on it.
    pub(crate) fn write_behind(&self, user: UserId) {
        if self.due.try_send(user).is_err() {
            self.not_written(user);
        }
    }

    /// Lets the next check ask for the write again.
    pub(crate) fn not_written(&self, user: UserId) {
        self.directory.with_warm(user, Warm::not_written);
    }
}
