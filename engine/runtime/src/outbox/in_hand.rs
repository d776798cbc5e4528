//! A message that is being delivered: where it lies, and that it is delivered once at a
//! time.

use tidegate_account::{PartId, PartKind, UserId};
use tidegate_storage_api::{
    AgendaKey, Check, Commit, Key as RowKey, PersonPart, Region, Slot, StoreError,
};

use crate::date::Trust;
use crate::people::People;

/// A message in hand. However the work on it ends, it is in hand no longer then, and
/// its slot's agenda is read again when it is due.
pub(super) struct InHand {
    pub(super) people: People,
    pub(super) slot: Slot,
    pub(super) place: AgendaKey,
    /// By a date that is not believed nothing is too late.
    pub(super) trust: Trust,
    pub(super) again_ms: Option<u64>,
}

impl Drop for InHand {
    fn drop(&mut self) {
        let shared = self.people.shared();
        let message = (self.place.user, self.place.number);
        shared.upkeep.outbox.in_hand().remove(&message);
        if let Some(again_ms) = self.again_ms {
            shared.upkeep.agenda.note(self.slot, again_ms);
        }
    }
}

impl InHand {
    pub(super) fn user(&self) -> UserId {
        UserId::from_bytes(self.place.user)
    }

    pub(super) fn id(&self) -> PartId {
        PartId {
            kind: PartKind::Outbox,
            number: self.place.number,
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

    /// A commit under the slot's epoch.
    pub(super) fn fenced(&self) -> Result<Commit, StoreError> {
        let ownership = &self.people.shared().placement.ownership;
        let epoch = ownership.epoch_of_slot(self.slot);
        Ok(Commit::default().check(Check::Fence {
            region: ownership.region(),
            slot: self.slot,
            epoch: epoch.ok_or(StoreError::Fenced)?,
        }))
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
