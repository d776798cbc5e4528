//! The trace: everything that the outside of the engine sees, in order, as one
//! hash. Same seed and inputs, same hash.

use std::sync::{Mutex, PoisonError};

use crate::random::mixed;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// An input of the world: a part of its scenario or calibration.
    Given = 1,
    /// A frame reached a node.
    Asked = 2,
    /// A frame left a node.
    Answered = 3,
    /// A node handed a commit to the store.
    Committing = 4,
    /// A commit came back.
    Committed = 5,
    /// A node read something.
    Read = 6,
    /// A password was hashed.
    Hashed = 7,
    /// Something broke, or was mended.
    Fault = 8,
    /// A person's visit ended.
    Visited = 9,
    /// A node handed a letter over.
    Sent = 10,
}

#[derive(Default)]
pub(crate) struct Trace(Mutex<State>);

#[derive(Clone, Copy, Default)]
struct State {
    hash: u64,
    count: u64,
}

impl Trace {
    pub(crate) fn note(&self, at_ns: u64, what: Happened, values: &[u64]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hash = mixed(state.hash ^ at_ns ^ ((what as u64) << 56));
        for value in values {
            hash = mixed(hash ^ value);
        }
        state.hash = hash;
        state.count += 1;
    }

    /// The hash so far, and of how much it is.
    pub(crate) fn hash(&self) -> (u64, u64) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (state.hash, state.count)
    }
}
