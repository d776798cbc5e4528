//! Admission: what is taken up, and what is told to come again. A mailbox has
//! no end, so whatever waits is counted here, by class, before it is queued.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::Limits;

/// What is served first when not everything can be, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Makes an account safer.
    Protection,
    /// Session checks.
    Check,
    /// Refreshes.
    Refresh,
    /// Sign-ins with a password.
    Password,
    /// New accounts.
    Registration,
}

impl Class {
    /// Every class, best first.
    pub const ALL: [Class; 5] = [
        Class::Protection,
        Class::Check,
        Class::Refresh,
        Class::Password,
        Class::Registration,
    ];

    /// How much of a limit this class may fill, in percent: a flood of one
    /// class leaves room for every better one.
    #[must_use]
    pub fn share_percent(self) -> u64 {
        match self {
            Class::Protection => 100,
            Class::Check => 95,
            Class::Refresh => 85,
            Class::Password => 70,
            Class::Registration => 50,
        }
    }

    /// The part of a limit that this class may fill.
    #[must_use]
    pub fn share_of(self, limit: u64) -> u64 {
        let share = u128::from(limit) * u128::from(self.share_percent()) / 100;
        // The smallest limit still lets one of each class in.
        u64::try_from(share).unwrap_or(u64::MAX).max(1)
    }
}

/// Which limit refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests that wait in all.
    Commands,
    /// Requests that wait for one person.
    CommandsPerPerson,
    /// People being read from storage.
    Activations,
    /// Commits that wait to be durable.
    Commits,
    /// Passwords that wait to be hashed, or would wait beyond the deadline.
    Hashing,
    /// Attempts that wait for others of their source, tenant or gateway.
    Attempts,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Limit; 6] = [
        Limit::Commands,
        Limit::CommandsPerPerson,
        Limit::Activations,
        Limit::Commits,
        Limit::Hashing,
        Limit::Attempts,
    ];

    /// Its name, in metrics and documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Limit::Commands => "commands",
            Limit::CommandsPerPerson => "commands_per_person",
            Limit::Activations => "activations",
            Limit::Commits => "commits",
            Limit::Hashing => "hashing",
            Limit::Attempts => "attempts",
        }
    }
}

/// How much waits.
#[derive(Default)]
pub(crate) struct Admission {
    /// Requests that wait for an answer.
    pub(crate) commands: Arc<AtomicU64>,
    /// People being read.
    pub(crate) activations: Arc<AtomicU64>,
    /// Commits not durable yet.
    pub(crate) commits: Arc<AtomicU64>,
}

impl Admission {
    /// Whether a request of this class is taken up now; the limit that it
    /// would break if not.
    pub(crate) fn judge(&self, class: Class, limits: &Limits) -> Result<(), Limit> {
        let rules = [
            (&self.commands, limits.commands, Limit::Commands),
            (&self.commits, limits.commits, Limit::Commits),
        ];
        for (waiting, limit, name) in rules {
            if waiting.load(Ordering::Relaxed) >= class.share_of(limit) {
                return Err(name);
            }
        }
        Ok(())
    }

    /// Room for one more person to be read, if there is any.
    pub(crate) fn activation(&self, limits: &Limits) -> Option<Counted> {
        let one_more = |waiting| (waiting < limits.activations).then_some(waiting + 1);
        let taken = self
            .activations
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Counted(Arc::clone(&self.activations)))
    }
}

/// One that waits, counted until it is dropped.
pub(crate) struct Counted(Arc<AtomicU64>);

impl Counted {
    pub(crate) fn count(waiting: &Arc<AtomicU64>) -> Counted {
        waiting.fetch_add(1, Ordering::AcqRel);
        Counted(Arc::clone(waiting))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_class_leaves_room_for_every_better_one() {
        let limits = Limits {
            commands: 100,
            ..Limits::default()
        };
        let admission = Admission::default();
        let mut waiting = Vec::new();
        let mut taken = Vec::new();
        for class in Class::ALL.into_iter().rev() {
            let before = waiting.len();
            while admission.judge(class, &limits).is_ok() {
                waiting.push(Counted::count(&admission.commands));
            }
            taken.push(waiting.len() - before);
        }
        assert_eq!(taken, [50, 20, 15, 10, 5]);
        let refused = admission.judge(Class::Protection, &limits);
        assert_eq!(refused, Err(Limit::Commands));
        waiting.clear();
        assert_eq!(admission.judge(Class::Registration, &limits), Ok(()));
    }

    #[test]
    fn commits_that_wait_hold_back_the_lower_classes_first() {
        let limits = Limits {
            commits: 10,
            ..Limits::default()
        };
        let admission = Admission::default();
        let _waiting: Vec<_> = (0..7).map(|_| Counted::count(&admission.commits)).collect();
        let judged = Class::ALL.map(|class| admission.judge(class, &limits).err());
        let full = Some(Limit::Commits);
        assert_eq!(judged, [None, None, None, full, full]);
    }
}
