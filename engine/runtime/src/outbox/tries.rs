//! What is being tried, and how often what waits was: the value of its row on the
//! agenda.
//!
//! Row, format 1: version u8 | tries u16 LE.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::answered::Answered;
use super::lanes::Lanes;
use crate::breakers::Breakers;

const ROW_VERSION: u8 = 1;

/// What is being delivered, and to whom nothing can be at the moment.
#[derive(Default)]
pub(crate) struct Outbox {
    /// By person and number.
    in_hand: Mutex<BTreeSet<([u8; 16], u64)>>,
    pub(super) answered: Answered,
    pub(super) lanes: Lanes,
    pub(super) breakers: Breakers,
    /// Set once that there is something of a newer program was said.
    newer: OnceLock<()>,
}

impl Outbox {
    pub(super) fn in_hand(&self) -> MutexGuard<'_, BTreeSet<([u8; 16], u64)>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Said once in a node's life: there may be many.
    pub(super) fn is_newer(&self) {
        self.newer
            .get_or_init(|| tracing::warn!(event = "outbox.newer"));
    }
}

/// The value of the agenda's row of a message that was tried so often.
pub(crate) fn row(tries: u16) -> Vec<u8> {
    [&[ROW_VERSION], &tries.to_le_bytes()[..]].concat()
}

pub(super) fn tries_of(row: &[u8]) -> Option<u16> {
    match row {
        [ROW_VERSION, low, high] => Some(u16::from_le_bytes([*low, *high])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_tries_and_no_other_is_read() {
        assert_eq!(row(0x0102), [1, 2, 1]);
        assert_eq!(tries_of(&row(u16::MAX)), Some(u16::MAX));
        for other in [&[][..], &[1], &[2, 0, 0], &[1, 0, 0, 0]] {
            assert_eq!(tries_of(other), None);
        }
    }
}
