//! Where a row of the agenda lies: what must happen to the people of a slot, in
//! the order in which it is due.
//!
//! ```text
//! due u64 BE, Unix milliseconds | user 16 | what u8 | number u64 BE
//! ```

use crate::key::{Key, Region, Slot};

const BYTES: usize = 8 + 16 + 1 + 8;

/// The place of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgendaKey {
    /// When it is due, in Unix milliseconds.
    pub due_ms: u64,
    /// The person.
    pub user: [u8; 16],
    /// What must happen. What there is, is the account core's to say.
    pub what: u8,
    /// Tells rows of one kind apart; 0 where a person has at most one.
    pub number: u64,
}

impl AgendaKey {
    /// The key under which the row is stored.
    #[must_use]
    pub fn key(self, region: Region, slot: Slot) -> Key {
        let mut rest = [0u8; BYTES];
        rest[..8].copy_from_slice(&self.due_ms.to_be_bytes());
        rest[8..24].copy_from_slice(&self.user);
        rest[24] = self.what;
        rest[25..].copy_from_slice(&self.number.to_be_bytes());
        Key::agenda(region, slot, &rest)
    }

    /// Reads the place from a key; `None` when it is none of the agenda's.
    #[must_use]
    pub fn of(key: &Key) -> Option<AgendaKey> {
        let (due, rest) = key.agenda_place()?.split_first_chunk::<8>()?;
        let (user, rest) = rest.split_first_chunk::<16>()?;
        let [what, number @ ..] = rest else {
            return None;
        };
        Some(AgendaKey {
            due_ms: u64::from_be_bytes(*due),
            user: *user,
            what: *what,
            number: u64::from_be_bytes(number.try_into().ok()?),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::key::{KeyRange, PersonPart};

    #[test]
    fn a_place_reads_back_and_what_is_due_first_lies_first() {
        let slot = Slot::new(7).unwrap();
        let place = |due_ms, user, what, number| AgendaKey {
            due_ms,
            user: [user; 16],
            what,
            number,
        };
        let in_order = [
            place(0, 9, 3, 0),
            place(255, 9, 1, 0),
            place(256, 1, 1, 0),
            place(256, 1, 1, u64::MAX),
            place(256, 1, 2, 0),
            place(256, 2, 1, 0),
            place(u64::MAX, 0xFF, u8::MAX, u64::MAX),
        ];
        let keys = in_order.map(|place| place.key(Region::FIRST, slot));
        assert!(keys.is_sorted());
        let range = KeyRange::agenda(Region::FIRST, slot);
        for (key, place) in keys.iter().zip(in_order) {
            assert!(range.contains(key) && key.as_bytes().len() == 37);
            assert_eq!(AgendaKey::of(key), Some(place));
            assert_eq!(PersonPart::of(key), None);
        }
        let next = Slot::new(8).unwrap();
        assert!(!range.contains(&in_order[0].key(Region::FIRST, next)));
        let record = Key::person(Region::FIRST, slot, &[1; 16], PersonPart::Record);
        for other in [record, keys[0].successor()] {
            assert_eq!(AgendaKey::of(&other), None);
        }
    }
}
