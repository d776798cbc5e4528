//! How this node stands to the people of a slot: whose the slot is, whether the
//! lease holds, whether the store takes changes.

use std::sync::Arc;

use tidegate_account::UserId;
use tidegate_storage_api::{Check, Commit, Slot, StoreError};

use crate::contact::Contact;
use crate::ownership::{Lease, Ownership};
use crate::ports::Clock;
use crate::regions::Regions;

pub(crate) struct Placement {
    clock: Arc<dyn Clock>,
    contact: Contact,
    pub(crate) ownership: Arc<Ownership>,
    pub(crate) regions: Option<Arc<Regions>>,
}

/// How this node stands to the people of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It owns them, and what it knows is so.
    Owner,
    /// It owned them so long ago, when the store was last heard.
    CutOff { age_ms: u64 },
    /// It does not own them.
    NotOwner,
}

impl Placement {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        ownership: Arc<Ownership>,
        regions: Option<Arc<Regions>>,
    ) -> Placement {
        Placement {
            clock,
            contact: Contact::default(),
            ownership,
            regions,
        }
    }

    /// How this node stands to a person whom it has known since this epoch.
    pub(crate) fn standing(&self, user: UserId, epoch: u64) -> Standing {
        match self.ownership.epoch_of(user) == Some(epoch) {
            false => Standing::NotOwner,
            true => match self.lease() {
                Lease::Held => Standing::Owner,
                Lease::Over { age_ms } => Standing::CutOff { age_ms },
            },
        }
    }

    /// The same for a request that changes something: the store must take it.
    pub(crate) fn standing_to_change(&self, user: UserId, epoch: u64) -> Standing {
        let standing = self.standing(user, epoch);
        match (standing, self.lost_for_ms()) {
            (Standing::Owner, Some(age_ms)) => Standing::CutOff { age_ms },
            (standing, _) => standing,
        }
    }

    /// Whether the person's slot is still ours under this epoch, and the lease
    /// under which we answer for it is not over.
    pub(crate) fn owns(&self, user: UserId, epoch: u64) -> bool {
        self.standing(user, epoch) == Standing::Owner
    }

    /// The beginning of a commit that holds under the slot's epoch alone.
    ///
    /// # Errors
    /// `Fenced` when the slot is another node's.
    pub(crate) fn fenced(&self, slot: Slot) -> Result<Commit, StoreError> {
        let epoch = self.ownership.epoch_of_slot(slot);
        Ok(Commit::default().check(Check::Fence {
            region: self.ownership.region(),
            slot,
            epoch: epoch.ok_or(StoreError::Fenced)?,
        }))
    }

    /// The store did not take a change.
    pub(crate) fn lost(&self) {
        if self.ownership.is_alone() {
            let first = || tracing::warn!(event = "store.lost");
            self.contact.lost(self.clock.monotonic_ms(), first);
        }
    }

    /// The store took a change.
    pub(crate) fn found(&self) {
        self.contact.found(|| tracing::info!(event = "store.found"));
    }

    /// How long ago the store was lost, unless it takes changes.
    fn lost_for_ms(&self) -> Option<u64> {
        self.contact.lost_for_ms(|| self.clock.monotonic_ms())
    }

    /// Whether it is time to try a store that was lost.
    pub(crate) fn tries(&self) -> bool {
        self.lost_for_ms().is_some() && self.contact.tries(self.clock.monotonic_ms())
    }

    /// Whether the store is out of reach for the whole node.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.is_past_lease() || self.lost_for_ms().is_some()
    }

    /// Whether other nodes may own everything by now.
    pub(crate) fn is_past_lease(&self) -> bool {
        self.lease() != Lease::Held
    }

    fn lease(&self) -> Lease {
        self.ownership.leased(|| self.clock.monotonic_ms())
    }
}
