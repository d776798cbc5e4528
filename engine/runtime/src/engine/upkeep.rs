//! What operators ask of an engine, and what it tells of itself.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use tidegate_account::{Audit, Outgoing, UserId};
use tidegate_storage_api::{Slot, StoreError};

use super::Engine;
use crate::admission::Limit;
use crate::answer::Failure;
use crate::outbox::{ToLeave, Undelivered};
use crate::reading;
use crate::rekeying::{self, Rekeyed};
use crate::sweeping::{self, Swept};

impl Engine {
    /// How many people are warm.
    #[must_use]
    pub fn warm_people(&self) -> usize {
        self.shared().memory.directory.warm_people()
    }

    /// How many people are hot.
    #[must_use]
    pub fn hot_people(&self) -> usize {
        self.shared().memory.directory.hot_people()
    }

    /// Of how many people something was decided while the store was out of reach
    /// that their accounts have not taken over yet.
    #[must_use]
    pub fn degraded_people(&self) -> usize {
        self.shared().memory.degraded_states.people_count()
    }

    /// The longest that a commit took lately, in milliseconds, at least 1; 0 when
    /// there was none.
    #[must_use]
    pub fn commits_ms(&self) -> u32 {
        self.shared()
            .bounds
            .pace
            .most_ms(self.shared().ports.clock.monotonic_ms())
    }

    /// The slots of hot people.
    #[must_use]
    pub fn hot_slots(&self) -> BTreeSet<u16> {
        self.shared().memory.directory.hot_slots()
    }

    /// How many requests wait for an answer.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waits()[0].1
    }

    /// How much waits, under the names of its limits; requests first.
    #[must_use]
    pub fn waits(&self) -> [(Limit, u64); 3] {
        let admission = &self.shared().bounds.admission;
        [
            (Limit::Commands, &admission.commands),
            (Limit::Activations, &admission.activations),
            (Limit::Commits, &admission.commits),
        ]
        .map(|(limit, waiting)| (limit, waiting.load(Ordering::Relaxed)))
    }

    /// Works off everything that is due in this node's slots, and begins what must
    /// leave; for a day after the date jumped, only that. How many rows were worked
    /// off.
    ///
    /// # Errors
    /// As the store; what was worked off before stays so.
    pub async fn work_off(&self) -> Result<u64, StoreError> {
        self.people.work_off().await
    }

    /// Walks every slot of this node once, and what belongs to no slot if the
    /// first is this node's; not at all for a day after the date jumped.
    ///
    /// # Errors
    /// As the store; what was dropped before stays dropped.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        sweeping::sweep(&self.people).await
    }

    /// Renews every person of a slot: index hashes, the password's encryption,
    /// and the wrapping of the person's own key.
    ///
    /// # Errors
    /// As the store, when it cannot be walked.
    pub async fn rekey(&self, slot: Slot) -> Result<Rekeyed, StoreError> {
        rekeying::rekey(&self.people, slot).await
    }

    /// What is to leave to people of this node's slots, at most `limit`; of each slot
    /// what lies within the first page of its agenda.
    ///
    /// # Errors
    /// As the store.
    pub async fn to_leave(&self, limit: usize) -> Result<Vec<ToLeave>, StoreError> {
        self.people.to_leave(limit).await
    }

    /// What could not be delivered to people of this node's slots, at most `limit`.
    ///
    /// # Errors
    /// As the store; `Corrupt` when a row cannot be read.
    pub async fn undelivered(&self, limit: usize) -> Result<Vec<Undelivered>, StoreError> {
        self.people.undelivered(limit).await
    }

    /// The administrative acts on a person that are still kept, oldest first; none
    /// where there is no account.
    ///
    /// # Errors
    /// [`Failure`], which says why they cannot be read here and now.
    pub async fn audits(&self, user: UserId) -> Result<Vec<Audit>, Failure> {
        reading::audits(&self.people, user).await
    }

    /// Lets something leave that is about a person, at once and in the name of
    /// their tenant: it is durable when this is. Where there is no account, nothing
    /// leaves.
    ///
    /// # Errors
    /// [`Failure`]; with `Unknown` it may leave all the same.
    pub async fn post(&self, user: UserId, outgoing: Outgoing) -> Result<(), Failure> {
        reading::post(&self.people, user, outgoing).await
    }
}
