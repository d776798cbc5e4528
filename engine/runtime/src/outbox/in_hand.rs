//! A message that is being delivered: where it lies, and that nothing else on this
//! node delivers it meanwhile.

use bytes::Bytes;
use tidegate_account::{PartKind, UserId};
use tidegate_storage_api::{
    AgendaKey, Check, Commit, Key as RowKey, PersonPart, Region, Slot, StoreError,
};

use crate::date::Trust;
use crate::people::People;
use crate::person::load::Home;

/// A message in hand. However the work on it ends, it is in hand no longer then, and
/// its slot's agenda is read again when it is due.
pub(super) struct InHand {
    pub(super) people: People,
    pub(super) slot: Slot,
    /// Under which epoch it was read.
    pub(super) epoch: u64,
    pub(super) place: AgendaKey,
    /// Its row as it was read.
    pub(super) value: Bytes,
    pub(super) tries: u16,
    /// Its person's key as it is stored; none where there is none, or before it was
    /// read.
    pub(super) key: Option<Bytes>,
    /// By a date that is not believed nothing is too late.
    pub(super) trust: Trust,
    pub(super) end: End,
}

/// Where a message's row is after the work on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Where it was.
    Lies { again_ms: u64 },
    /// There is one that is due then.
    Moved { due_ms: u64 },
    /// There is none.
    Gone,
}

impl Drop for InHand {
    fn drop(&mut self) {
        let shared = self.people.shared();
        shared.upkeep.outbox.in_hand().remove(&self.message());
        match self.end {
            End::Lies { again_ms } => shared.upkeep.agenda.leave(self.slot, again_ms),
            End::Moved { due_ms } => shared.upkeep.agenda.note(self.slot, due_ms),
            End::Gone => {}
        }
    }
}

impl InHand {
    /// Person and number.
    pub(super) fn message(&self) -> ([u8; 16], u64) {
        (self.place.user, self.place.number)
    }

    pub(super) fn user(&self) -> UserId {
        UserId::from_bytes(self.place.user)
    }

    pub(super) fn home(&self) -> Home {
        Home {
            user: self.user(),
            region: self.people.shared().placement.ownership.region(),
            slot: self.slot,
        }
    }

    /// Its row on the agenda.
    pub(super) fn row(&self) -> RowKey {
        let region = self.people.shared().placement.ownership.region();
        self.place.key(region, self.slot)
    }

    pub(super) fn part_row(&self) -> RowKey {
        let region = self.people.shared().placement.ownership.region();
        part_row(region, self.slot, self.place)
    }

    /// It stays where it is, and is looked at again after so long.
    pub(super) fn lies(&mut self, for_ms: u64) {
        let now_ms = self.people.shared().ports.clock.unix_ms();
        let again_ms = now_ms.saturating_add(for_ms);
        self.end = End::Lies { again_ms };
    }

    /// Whether its row is still as it was read. While it is in hand no other work of
    /// this node moves it.
    pub(super) async fn is_current(&self) -> Result<bool, StoreError> {
        let store = &self.people.shared().ports.store;
        Ok(store.get(self.row()).await?.as_ref() == Some(&self.value))
    }

    /// A commit under the epoch under which the row was read, while the row is as it
    /// was and the person still there.
    pub(super) fn fenced(&self) -> Commit {
        let fence = Check::Fence {
            region: self.people.shared().placement.ownership.region(),
            slot: self.slot,
            epoch: self.epoch,
        };
        let row = Check::Value(self.row(), self.value.clone());
        let commit = Commit::default().check(fence).check(row);
        match &self.key {
            Some(key) => commit.check(Check::Value(self.home().key_row(), key.clone())),
            None => commit,
        }
    }
}

/// Where the message of a row on the agenda is stored.
pub(super) fn part_row(region: Region, slot: Slot, place: AgendaKey) -> RowKey {
    let part = PersonPart::Cold {
        kind: PartKind::Outbox.number(),
        number: place.number,
    };
    RowKey::person(region, slot, &place.user, part)
}
