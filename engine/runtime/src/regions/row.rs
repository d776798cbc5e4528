//! The rows by which an identifier becomes an account's across two databases.
//!
//! Entry in the directory, format 1: version u8 | state u8 (1 reserved, 2
//! confirmed) | region u8 | 0 | attempt 16.
//!
//! Pending row at home, format 1: version u8 | step u8 (1 intended, 2 held, 3
//! released, 4 withdrawn) | 0 0 | at u64 LE, Unix milliseconds | attempt 16 | user id 16.
//!
//! The attempt is random, so that no two rows of one identifier are ever the
//! same, and a change from what was read cannot meet what only looks like it.

use bytes::Bytes;
use tidegate_account::{Reservation, UserId};
use tidegate_storage_api::Region;

use crate::ports::Ports;

const VERSION: u8 = 1;
const ENTRY_BYTES: usize = 20;
const PENDING_BYTES: usize = 44;

/// For how long an intention is left alone. Its outcome afterwards
/// is decided by what home holds.
const FRESH_MS: u64 = 30_000;

/// What the directory says of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) state: State,
    /// Where the account that has it is at home.
    pub(crate) region: Region,
    pub(crate) attempt: [u8; 16],
}

/// How sure an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Only the region knows whether an account has it.
    Reserved,
    Confirmed,
}

impl Entry {
    pub(crate) fn encode(&self) -> Bytes {
        let state = match self.state {
            State::Reserved => 1,
            State::Confirmed => 2,
        };
        let mut bytes = Vec::with_capacity(ENTRY_BYTES);
        bytes.extend_from_slice(&[VERSION, state, self.region.number(), 0]);
        bytes.extend_from_slice(&self.attempt);
        bytes.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Entry> {
        let bytes = <&[u8; ENTRY_BYTES]>::try_from(bytes).ok()?;
        let [VERSION, state, region, 0, attempt @ ..] = bytes else {
            return None;
        };
        Some(Entry {
            state: match state {
                1 => State::Reserved,
                2 => State::Confirmed,
                _ => return None,
            },
            region: Region::new(*region)?,
            attempt: *attempt,
        })
    }
}

/// What is not finished of an identifier, at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) step: Step,
    pub(crate) at_ms: u64,
    pub(crate) attempt: [u8; 16],
    /// Who wants it, has it or had it.
    pub(crate) user: UserId,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// No account has it yet.
    Intended,
    /// It is the person's; the directory is to be told.
    Held,
    /// It was an account's and is free; the directory is to be told.
    Released,
    /// The attempt was given up; its reservation goes, and nothing else.
    Withdrawn,
}

impl Pending {
    /// The row of an attempt that no other has been.
    pub(crate) fn begun(step: Step, user: UserId, ports: &Ports) -> Pending {
        Pending {
            step,
            at_ms: ports.clock.unix_ms(),
            attempt: ports.random(),
            user,
        }
    }

    /// The row that a reservation rests on.
    pub(crate) fn intended(reserved: &Reservation, user: UserId) -> Pending {
        Pending {
            step: Step::Intended,
            at_ms: reserved.at_ms,
            attempt: reserved.attempt,
            user,
        }
    }

    pub(crate) fn reservation(&self, hash: [u8; 32]) -> Reservation {
        Reservation {
            hash,
            attempt: self.attempt,
            at_ms: self.at_ms,
        }
    }

    /// The same attempt, one step on.
    pub(crate) fn then(&self, step: Step) -> Pending {
        Pending { step, ..*self }
    }

    /// Whether the intention may still be about to be carried out.
    pub(crate) fn is_fresh(&self, now_ms: u64) -> bool {
        self.step == Step::Intended && now_ms < self.at_ms.saturating_add(FRESH_MS)
    }

    pub(crate) fn encode(&self) -> Bytes {
        let step = match self.step {
            Step::Intended => 1,
            Step::Held => 2,
            Step::Released => 3,
            Step::Withdrawn => 4,
        };
        let mut bytes = Vec::with_capacity(PENDING_BYTES);
        bytes.extend_from_slice(&[VERSION, step, 0, 0]);
        bytes.extend_from_slice(&self.at_ms.to_le_bytes());
        bytes.extend_from_slice(&self.attempt);
        bytes.extend_from_slice(self.user.as_bytes());
        bytes.into()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Pending> {
        let bytes = <&[u8; PENDING_BYTES]>::try_from(bytes).ok()?;
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let (at_ms, rest) = rest.split_first_chunk::<8>()?;
        let (attempt, user) = rest.split_first_chunk::<16>()?;
        let [VERSION, step, 0, 0] = head else {
            return None;
        };
        Some(Pending {
            step: match step {
                1 => Step::Intended,
                2 => Step::Held,
                3 => Step::Released,
                4 => Step::Withdrawn,
                _ => return None,
            },
            at_ms: u64::from_le_bytes(*at_ms),
            attempt: *attempt,
            user: UserId::from_bytes(user.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_and_nothing_else_does() {
        for state in [State::Reserved, State::Confirmed] {
            let entry = Entry {
                state,
                region: Region::FIRST,
                attempt: [7; 16],
            };
            assert_eq!(Entry::decode(&entry.encode()), Some(entry));
            assert_eq!(Pending::decode(&entry.encode()), None);
            let mut other = entry.encode().to_vec();
            other[0] = 2;
            assert_eq!(Entry::decode(&other), None);
        }
        for step in [Step::Intended, Step::Held, Step::Released, Step::Withdrawn] {
            let pending = Pending {
                step,
                at_ms: 5,
                attempt: [7; 16],
                user: UserId::from_bytes([9; 16]),
            };
            assert_eq!(Pending::decode(&pending.encode()), Some(pending));
            assert_eq!(Pending::decode(&pending.encode()[1..]), None);
        }
    }

    #[test]
    fn an_entry_says_a_region_an_attempt_and_nothing_else() {
        let entry = Entry {
            state: State::Reserved,
            region: Region::FIRST,
            attempt: [7; 16],
        };
        let mut bytes = vec![1, 1, 1, 0];
        bytes.extend([7; 16]);
        assert_eq!(entry.encode(), bytes);
    }

    #[test]
    fn only_an_intention_is_left_alone_and_only_for_a_while() {
        let pending = |step| Pending {
            step,
            at_ms: 1_000,
            attempt: [7; 16],
            user: UserId::from_bytes([9; 16]),
        };
        let fresh = [1_000, 30_999, 31_000].map(|now_ms| pending(Step::Intended).is_fresh(now_ms));
        assert_eq!(fresh, [true, true, false]);
        assert!(!pending(Step::Held).is_fresh(1_000));
        assert!(!pending(Step::Released).is_fresh(1_000));
    }
}
