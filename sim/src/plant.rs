//! Bugs that are planted to see whether they are found. They live in what the
//! simulator's ports do, and no production code knows of them; those inside the
//! engine are there only in a build of its own, with `--cfg tidegate_planted`,
//! which no release build takes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
#[cfg(tidegate_planted)]
use tidegate_account::planted::Bug;
use tidegate_account::{Due, PartKind};
use tidegate_storage_api::{AgendaKey, Check, Commit, Key, PersonPart, Put, StoreError};

/// Which bug, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// None: the engine as it is.
    #[default]
    None,
    /// A change is answered before its commit came back.
    ReplyBeforeCommit,
    /// A commit about a person carries no fence.
    NoFence,
    /// An indeterminate commit is taken for one that did not happen.
    UnknownIsFailure,
    /// That a row is absent is a conflict key, and is not read.
    AbsenceUnread,
    /// A read, now and then, never comes back.
    LostWakeUp,
    /// A read, now and then, gives what the node read long ago.
    StaleLoad,
    /// A repeat carries an idempotency key of its own.
    KeyRedrawn,
    /// A node renews its row although it was expelled.
    RenewsAnyway,
    /// A silent node's slots are claimed, and it is not expelled.
    ClaimWithoutExpulsion,
    /// A node's clock stands still while the node does.
    ClockSleeps,
    /// A change, now and then, is acknowledged and never made.
    AcknowledgedAndLost,
    /// An erasure leaves no tombstone.
    ErasureForgotten,
    /// What must happen to a person at a time is put on no agenda.
    AgendaForgotten,
    /// What must leave is put on no agenda.
    OutboxForgotten,
    /// What must leave becomes durable, now and then, and its change does not.
    UncommittedLeaves,
    /// Inside the engine.
    #[cfg(tidegate_planted)]
    Engine(Bug),
}

impl Plant {
    /// Every bug that this build can plant.
    pub const ALL: &[Plant] = &[
        Plant::ReplyBeforeCommit,
        Plant::NoFence,
        Plant::UnknownIsFailure,
        Plant::AbsenceUnread,
        Plant::LostWakeUp,
        Plant::StaleLoad,
        Plant::KeyRedrawn,
        Plant::RenewsAnyway,
        Plant::ClaimWithoutExpulsion,
        Plant::ClockSleeps,
        Plant::AcknowledgedAndLost,
        Plant::ErasureForgotten,
        Plant::AgendaForgotten,
        Plant::OutboxForgotten,
        Plant::UncommittedLeaves,
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::ReuseUndetected),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::SecondSuccessor),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::GuessUncounted),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::TenthLost),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::PublishedLate),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::LateForgotten),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::PlantedOutlives),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::SessionsOutlive),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::RushHeld),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::CodeUncharged),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::CodeTwice),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::SignatureUnchecked),
        #[cfg(tidegate_planted)]
        Plant::Engine(Bug::ChallengeConstant),
    ];

    /// Plants what is inside the engine, in all that this thread plays.
    pub(crate) fn take_root(self) {
        #[cfg(tidegate_planted)]
        tidegate_account::planted::plant(match self {
            Plant::Engine(bug) => Some(bug),
            _ => None,
        });
    }

    /// Its name, as the command line takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Plant::None => "none",
            Plant::ReplyBeforeCommit => "reply-before-commit",
            Plant::NoFence => "no-fence",
            Plant::UnknownIsFailure => "unknown-is-failure",
            Plant::AbsenceUnread => "absence-unread",
            Plant::LostWakeUp => "lost-wake-up",
            Plant::StaleLoad => "stale-load",
            Plant::KeyRedrawn => "key-redrawn",
            Plant::RenewsAnyway => "renews-anyway",
            Plant::ClaimWithoutExpulsion => "claim-without-expulsion",
            Plant::ClockSleeps => "clock-sleeps",
            Plant::AcknowledgedAndLost => "acknowledged-and-lost",
            Plant::ErasureForgotten => "erasure-forgotten",
            Plant::AgendaForgotten => "agenda-forgotten",
            Plant::OutboxForgotten => "outbox-forgotten",
            Plant::UncommittedLeaves => "uncommitted-leaves",
            #[cfg(tidegate_planted)]
            Plant::Engine(bug) => match bug {
                Bug::ReuseUndetected => "reuse-undetected",
                Bug::SecondSuccessor => "second-successor",
                Bug::GuessUncounted => "guess-uncounted",
                Bug::TenthLost => "tenth-lost",
                Bug::PublishedLate => "published-late",
                Bug::LateForgotten => "late-forgotten",
                Bug::PlantedOutlives => "planted-outlives",
                Bug::SessionsOutlive => "sessions-outlive",
                Bug::RushHeld => "rush-held",
                Bug::CodeUncharged => "code-uncharged",
                Bug::CodeTwice => "code-twice",
                Bug::SignatureUnchecked => "signature-unchecked",
                Bug::ChallengeConstant => "challenge-constant",
            },
        }
    }

    /// The bug of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Plant> {
        Plant::ALL
            .iter()
            .copied()
            .find(|plant| plant.name() == name)
    }

    /// What is done to a commit on its way to the store: `number` of this node's.
    pub(crate) fn bend(self, mut commit: Commit, number: u64) -> Commit {
        let of_person = commit
            .puts
            .iter()
            .any(|put| PersonPart::of(&put.key).is_some());
        match self {
            Plant::NoFence if of_person => {
                commit
                    .checks
                    .retain(|check| !matches!(check, Check::Fence { .. }));
            }
            Plant::AbsenceUnread => {
                for check in &mut commit.checks {
                    if let Check::Absent(key) = check {
                        *check = Check::Untouched(key.clone());
                    }
                }
            }
            Plant::ClaimWithoutExpulsion if commit.puts.len() > 1 => {
                commit.puts.retain(|put| !is_node(&put.key));
                let of_node = |check: &Check| matches!(check, Check::Value(key, _) if is_node(key));
                commit.checks.retain(|check| !of_node(check));
            }
            Plant::ErasureForgotten => {
                let erasure = |put: &Put| {
                    put.key.is_person_key() && put.value.len() == tidegate_account::ERASURE_BYTES
                };
                let erased = commit.puts.extract_if(.., |put| erasure(put));
                commit.deletes.extend(erased.map(|put| put.key));
            }
            Plant::AgendaForgotten => {
                commit.puts.retain(|put| AgendaKey::of(&put.key).is_none());
            }
            Plant::OutboxForgotten => commit.puts.retain(|put| !leaves(put)),
            Plant::UncommittedLeaves if self.tears(&commit, number) => {
                commit.deletes.clear();
                commit.puts.retain(|put| leaves(put) || is_message(put));
            }
            Plant::RenewsAnyway if commit.puts.len() == 1 && is_node(&commit.puts[0].key) => {
                commit.checks.clear();
            }
            _ => {}
        }
        commit
    }

    /// Whether a commit is not sent at all, and answered as done: `number` of
    /// this node's.
    pub(crate) fn swallows(self, commit: &Commit, number: u64) -> bool {
        let of_person = commit
            .puts
            .iter()
            .any(|put| PersonPart::of(&put.key).is_some());
        match self {
            Plant::AcknowledgedAndLost => of_person && number % 40 == 39,
            _ => false,
        }
    }

    /// Whether only what must leave is made durable, and the commit answered as not
    /// made: `number` of this node's.
    pub(crate) fn tears(self, commit: &Commit, number: u64) -> bool {
        let posts = commit.puts.iter().any(is_message);
        self == Plant::UncommittedLeaves && posts && number.is_multiple_of(4)
    }

    /// What is done to a commit's outcome on its way back.
    pub(crate) fn bend_outcome<T>(self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match (self, outcome) {
            (Plant::UnknownIsFailure, Err(StoreError::CommitUnknown)) => {
                Err(StoreError::Unavailable)
            }
            (_, outcome) => outcome,
        }
    }
}

/// Whether it is the agenda's row of something that must leave.
fn leaves(put: &Put) -> bool {
    AgendaKey::of(&put.key).is_some_and(|row| row.what == Due::Delivery.number())
}

/// Whether it is what must leave.
fn is_message(put: &Put) -> bool {
    let outbox = PartKind::Outbox.number();
    let part = PersonPart::of(&put.key);
    part.is_some_and(|(_, part)| matches!(part, PersonPart::Cold { kind, .. } if kind == outbox))
}

fn is_node(key: &Key) -> bool {
    key.as_bytes().len() > 4 && key.as_bytes()[4..].starts_with(b"node/")
}

/// What a node with a stale memory remembers of its reads.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<BTreeMap<Key, Option<Bytes>>>);

impl Remembered {
    /// What was read first, if anything; otherwise this is it.
    pub(crate) fn first(&self, key: &Key, read: Option<Bytes>) -> Option<Bytes> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key.clone()).or_insert(read).clone()
    }
}
