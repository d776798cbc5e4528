//! Which slots this node owns, and under which epoch.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;
use tidegate_account::UserId;
use tidegate_storage_api::{Check, Commit, Key, Region, SLOTS, Slot, Store, StoreError};

/// The slots of one region and the epochs under which this node owns them.
pub struct Ownership {
    region: Region,
    /// 0: not ours.
    epochs: Box<[AtomicU64]>,
}

impl Ownership {
    /// Claims every slot of a region by raising its epoch: what the one node
    /// of an embedded store does. Whoever owned them before is fenced.
    ///
    /// # Errors
    /// As the store; `Conflict` when another claims at the same time.
    pub async fn claim_all(region: Region, store: &dyn Store) -> Result<Ownership, StoreError> {
        let fences: Vec<Key> = Slot::all().map(|slot| Key::fence(region, slot)).collect();
        let reads = fences.iter().map(|key| store.get(key.clone()));
        let found = try_join_all(reads).await?;
        let mut commit = Commit::default();
        let mut epochs = Vec::with_capacity(usize::from(SLOTS));
        for (key, value) in fences.into_iter().zip(found) {
            let old = match &value {
                None => 0,
                Some(value) => {
                    u64::from_be_bytes(value[..].try_into().map_err(|_| StoreError::Corrupt)?)
                }
            };
            commit = commit.check(match value {
                None => Check::Absent(key.clone()),
                Some(value) => Check::Value(key.clone(), value),
            });
            commit = commit.put(key, (old + 1).to_be_bytes().to_vec());
            epochs.push(AtomicU64::new(old + 1));
        }
        store.commit(commit).await?;
        Ok(Ownership {
            region,
            epochs: epochs.into_boxed_slice(),
        })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> Region {
        self.region
    }

    /// The epoch under which the person's slot is ours; `None` when it is not.
    #[must_use]
    pub fn epoch_of(&self, user: UserId) -> Option<u64> {
        if user.region() != self.region.number() {
            return None;
        }
        self.epoch_of_slot(Slot::new(user.slot())?)
    }

    /// The epoch under which a slot is ours; `None` when it is not.
    #[must_use]
    pub fn epoch_of_slot(&self, slot: Slot) -> Option<u64> {
        let epoch = self.epochs.get(usize::from(slot.number()))?;
        match epoch.load(Ordering::Acquire) {
            0 => None,
            epoch => Some(epoch),
        }
    }

    /// Gives a slot up at once.
    pub fn step_down(&self, user: UserId) {
        if let Some(epoch) = self.epochs.get(usize::from(user.slot())) {
            epoch.store(0, Ordering::Release);
        }
    }

    /// A slot of ours, picked by a random number.
    #[must_use]
    pub fn pick(&self, random: u64) -> Option<Slot> {
        let start = random % u64::from(SLOTS);
        let order = (0..u64::from(SLOTS)).map(|step| (start + step) % u64::from(SLOTS));
        let mut slots = order.filter_map(|number| Slot::new(u16::try_from(number).ok()?));
        slots.find(|slot| self.epochs[usize::from(slot.number())].load(Ordering::Acquire) != 0)
    }
}
