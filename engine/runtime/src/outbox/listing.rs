//! What could not be delivered, listed until it is discarded.
//!
//! Row, format 1: version u8 | reason u8 | tries u16 LE | at u64 LE, Unix milliseconds.

use tidegate_account::{Due, UserId};
use tidegate_storage_api::{AgendaKey, KeyRange, Slot, StoreError};

use super::tries::tries_of;
use crate::people::People;

const VERSION: u8 = 1;
const PAGE: usize = 512;

/// Why something could not be delivered. The numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum UndeliveredReason {
    /// Its destination will never take it.
    Refused = 1,
    /// Its last date passed before it could be delivered.
    Late = 2,
    /// What is stored of it cannot be read.
    Unreadable = 3,
}

impl UndeliveredReason {
    fn of(number: u8) -> Option<UndeliveredReason> {
        match number {
            1 => Some(UndeliveredReason::Refused),
            2 => Some(UndeliveredReason::Late),
            3 => Some(UndeliveredReason::Unreadable),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            UndeliveredReason::Refused => "refused",
            UndeliveredReason::Late => "late",
            UndeliveredReason::Unreadable => "unreadable",
        }
    }
}

/// Something that is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToLeave {
    /// To whom.
    pub user: UserId,
    /// Its number.
    pub number: u64,
    /// How often it was tried in vain.
    pub tries: u16,
    /// When it is tried next, in Unix milliseconds.
    pub due_ms: u64,
}

/// Something that could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// To whom.
    pub user: UserId,
    /// Its number.
    pub number: u64,
    /// Why.
    pub reason: UndeliveredReason,
    /// How often it was tried in vain before.
    pub tries: u16,
    /// When it was given up, in Unix milliseconds.
    pub at_ms: u64,
}

pub(super) fn encode(reason: UndeliveredReason, tries: u16, at_ms: u64) -> Vec<u8> {
    let mut row = vec![VERSION, reason as u8];
    row.extend_from_slice(&tries.to_le_bytes());
    row.extend_from_slice(&at_ms.to_le_bytes());
    row
}

fn decode(row: &[u8]) -> Option<(UndeliveredReason, u16, u64)> {
    let [VERSION, reason, low, high, at @ ..] = row else {
        return None;
    };
    let at = u64::from_le_bytes(at.try_into().ok()?);
    let tries = u16::from_le_bytes([*low, *high]);
    Some((UndeliveredReason::of(*reason)?, tries, at))
}

impl People {
    /// What is to leave to people of this node's slots, at most `limit`; of each
    /// slot what is due within its first page of the agenda.
    ///
    /// # Errors
    /// As the store.
    pub(crate) async fn to_leave(&self, limit: usize) -> Result<Vec<ToLeave>, StoreError> {
        let shared = self.shared();
        let mut all = Vec::new();
        for slot in Slot::all() {
            if all.len() >= limit {
                break;
            }
            if shared.placement.ownership.epoch_of_slot(slot).is_none() {
                continue;
            }
            let range = KeyRange::agenda(shared.placement.ownership.region(), slot);
            let rows = shared.ports.store.range(range, PAGE).await?;
            let messages = rows.iter().filter_map(|(key, row)| {
                let place = AgendaKey::of(key)?;
                let tries = tries_of(row)?;
                (place.what == Due::Delivery.number()).then_some(ToLeave {
                    user: UserId::from_bytes(place.user),
                    number: place.number,
                    tries,
                    due_ms: place.due_ms,
                })
            });
            all.extend(messages);
        }
        all.truncate(limit);
        Ok(all)
    }

    /// What could not be delivered to people of this node's slots, at most `limit`.
    ///
    /// # Errors
    /// As the store; `Corrupt` when a row cannot be read.
    pub(crate) async fn undelivered(&self, limit: usize) -> Result<Vec<Undelivered>, StoreError> {
        let shared = self.shared();
        let mut all = Vec::new();
        for slot in Slot::all() {
            if shared.placement.ownership.epoch_of_slot(slot).is_none() {
                continue;
            }
            let mut range = KeyRange::undelivered(shared.placement.ownership.region(), slot);
            while all.len() < limit {
                let page = PAGE.min(limit - all.len());
                let rows = shared.ports.store.range(range.clone(), page).await?;
                for (key, row) in &rows {
                    let message = key.undelivered_message().ok_or(StoreError::Corrupt)?;
                    let (reason, tries, at_ms) = decode(row).ok_or(StoreError::Corrupt)?;
                    all.push(Undelivered {
                        user: UserId::from_bytes(message.0),
                        number: message.1,
                        reason,
                        tries,
                        at_ms,
                    });
                }
                let Some((last, _)) = rows.last() else {
                    break;
                };
                range = range.after(last);
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_and_nothing_else_does() {
        let row = encode(UndeliveredReason::Late, 0x0102, 5);
        assert_eq!(row, [1, 2, 2, 1, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(decode(&row), Some((UndeliveredReason::Late, 0x0102, 5)));
        for (at, value) in [(0, 2), (1, 0), (1, 4)] {
            let mut other = row.clone();
            other[at] = value;
            assert_eq!(decode(&other), None);
        }
        assert_eq!(decode(&row[1..]), None);
        assert_eq!(decode(&[&row[..], &[0]].concat()), None);
    }
}
