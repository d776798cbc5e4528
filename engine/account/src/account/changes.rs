//! What becomes durable together with a record, and how what is decided later
//! goes into it.

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::agenda::AgendaChange;
use crate::audit::Audit;
use crate::command::{ClaimedIdentifier, Reservation};
use crate::credential::held::PasskeyPart;
use crate::digest::IndexHash;
use crate::erasure::Erasure;
use crate::event::EventKind;
use crate::id::TenantId;
use crate::outbox::Outgoing;
use crate::record::Hold;
use crate::record::IdentifierRow;

/// What must be committed together with the record.
#[derive(Debug, Default)]
pub struct Changes {
    /// Identifiers whose texts are to be kept from now on, each under a number;
    /// stored as [`Changes::parts`] says.
    pub(crate) texts: Vec<(u16, ClaimedIdentifier)>,
    /// Identifiers that are the person's alone from now on.
    pub held: Vec<Held>,
    /// Identifiers that the person has no more: their texts go, and their index
    /// rows where they were held.
    pub released: Vec<IdentifierRow>,
    /// Identifiers that the person merely claims again: their index rows go and
    /// their texts stay.
    pub fallen: Vec<IdentifierRow>,
    /// Index rows that are kept under a new hash.
    pub moved: Vec<Moved>,
    /// Events to append.
    pub events: Vec<EventKind>,
    /// Passkeys that are written, or go where there is nothing, by number; stored as
    /// [`Changes::parts`] says.
    pub(crate) passkeys: Vec<(u16, Option<PasskeyPart>)>,
    /// Administrative acts to keep a record of; stored as [`Changes::parts`] says.
    pub(crate) audits: Vec<Audit>,
    /// What must leave once this is durable; stored as [`Changes::parts`] says.
    /// Nothing leaves for a person who is erased in the same commit.
    pub(crate) outbox: Vec<Outgoing>,
    /// What the commit does to the person's rows on the agenda.
    pub agenda: AgendaChange,
    /// What the commit does to the record.
    pub fate: Fate,
}

/// An index row to write. It and those under older keys must be absent, or the
/// commit conflicts and the identifier is taken.
#[derive(Clone, Debug)]
pub struct Held {
    /// The row's hash.
    pub hash: IndexHash,
    /// The version of its key.
    pub key_version: u16,
    /// The same identifier under older keys.
    pub older: Vec<IndexHash>,
    /// Its place in the directory of regions, where there is one.
    pub reservation: Option<Box<Reservation>>,
}

/// An index row that moves.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// Its old hash.
    pub from: IndexHash,
    /// Its new hash.
    pub to: IndexHash,
    /// The version of the new key.
    pub key_version: u16,
}

/// What a commit does to a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is written.
    #[default]
    Kept,
    /// It goes, with everything of the person, whose tenant this was.
    Removed(TenantId),
    /// It goes, with everything of the person, and where their key was stands
    /// that they were erased.
    Erased(Erasure),
}

impl Changes {
    /// The oldest version of an index key under which it would write something.
    #[must_use]
    pub fn oldest_key_version(&self) -> Option<u16> {
        let texts = self.texts.iter().map(|(_, text)| text.key_version);
        let held = self.held.iter().map(|held| held.key_version);
        let moved = self.moved.iter().map(|moved| moved.key_version);
        texts.chain(held).chain(moved).min()
    }

    /// Takes up what was decided later. A commit deletes before it puts, in
    /// whatever order things were decided: so of each row only that is kept which
    /// they come to in the end.
    pub fn extend(&mut self, mut later: Changes) {
        for row in &mut later.released {
            self.release(row);
        }
        for row in later.fallen {
            self.fall(row);
        }
        for moved in later.moved {
            self.shift(moved);
        }
        for held in later.held {
            self.hold(held);
        }
        self.texts.extend(later.texts);
        self.released.extend(later.released);
        let again = |number: &u16| later.passkeys.iter().any(|(other, _)| other == number);
        self.passkeys.retain(|(number, _)| !again(number));
        self.passkeys.extend(later.passkeys);
        self.events.extend(later.events);
        self.audits.extend(later.audits);
        self.outbox.extend(later.outbox);
        self.agenda.extend(later.agenda);
        // No account follows an erased one.
        if !matches!(self.fate, Fate::Erased(_)) {
            self.fate = later.fate;
        }
    }

    /// What was not written yet need not go, and an index row that was not may
    /// be another account's.
    fn release(&mut self, row: &mut IdentifierRow) {
        self.texts.retain(|(number, _)| *number != row.number);
        if row.is_held() && self.withdraw(&row.hash) == Withdrawn::One {
            row.hold = Hold::Claimed { until: 0 };
        }
    }

    /// A row that falls lies where it was before it was to move.
    fn fall(&mut self, mut row: IdentifierRow) {
        if self.withdraw(&row.hash) == Withdrawn::One {
            return;
        }
        let mut moved = self.moved.iter();
        if let Some(place) = moved.position(|moved| moved.to.0 == row.hash) {
            row.hash = self.moved.remove(place).from.0;
        }
        self.fallen.push(row);
    }

    fn shift(&mut self, moved: Moved) {
        let mut all = self.held.iter_mut();
        if let Some(held) = all.find(|held| held.hash == moved.from) {
            held.older.push(held.hash);
            held.hash = moved.to;
            held.key_version = moved.key_version;
            return;
        }
        let mut all = self.moved.iter_mut();
        match all.find(|earlier| earlier.to == moved.from) {
            Some(earlier) => {
                earlier.to = moved.to;
                earlier.key_version = moved.key_version;
            }
            None => self.moved.push(moved),
        }
    }

    /// What fell and is held again has its index row still, and its place in the
    /// directory of regions with it. At most the row moves.
    fn hold(&mut self, held: Held) {
        let is_of = |row: &IdentifierRow| {
            let mut hashes = held.older.iter().chain([&held.hash]);
            hashes.any(|hash| hash.0 == row.hash)
        };
        let Some(place) = self.fallen.iter().position(is_of) else {
            return self.held.push(held);
        };
        let from = IndexHash(self.fallen.remove(place).hash);
        if from != held.hash {
            self.moved.push(Moved {
                from,
                to: held.hash,
                key_version: held.key_version,
            });
        }
    }

    /// Takes back an index row that was to be written. A place that was reserved
    /// for it in the directory of regions is given up like that of any attempt
    /// which does not come to be.
    fn withdraw(&mut self, hash: &[u8; 32]) -> Withdrawn {
        let row = self.held.iter().position(|held| held.hash.0 == *hash);
        match row {
            Some(place) => {
                self.held.remove(place);
                Withdrawn::One
            }
            None => Withdrawn::Nothing,
        }
    }
}

/// What was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Withdrawn {
    One,
    Nothing,
}
