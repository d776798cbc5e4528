//! Which slots this node owns, and under which epoch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::try_join_all;
use tidegate_account::UserId;
use tidegate_storage_api::{Check, Commit, Fence, Key, Region, SLOTS, Slot, Store, StoreError};

/// The slots of one region and the epochs under which this node owns them.
pub struct Ownership {
    region: Region,
    /// 0: not ours.
    epochs: Box<[AtomicU64]>,
    /// Until when answers from memory may be given, by the monotonic clock.
    leased_until_ms: AtomicU64,
    /// When the lease was known to be good, by the same clock.
    known_ms: AtomicU64,
    stepped_down: Mutex<Vec<Slot>>,
}

/// How the lease stands under which we answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// No other node can own our slots.
    Held,
    /// Another node may.
    Over {
        /// How long ago the slots were known to be ours, in milliseconds.
        age_ms: u64,
    },
}

/// The fence of a node that is alone: it needs no name.
fn alone(epoch: u64) -> Vec<u8> {
    epoch.to_be_bytes().to_vec()
}

/// Where there is one node, no other waits for its silence.
const FOR_EVER: u64 = u64::MAX;

impl Ownership {
    /// Claims every slot of a region by raising its epoch: what the one node
    /// of an embedded store does. An owner before it is fenced.
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
                Some(value) => Fence::decode(value).ok_or(StoreError::Corrupt)?.epoch,
            };
            commit = commit.check(match value {
                None => Check::Absent(key.clone()),
                Some(value) => Check::Value(key.clone(), value),
            });
            commit = commit.put(key, alone(old + 1));
            epochs.push(AtomicU64::new(old + 1));
        }
        store.commit(commit).await?;
        Ok(Ownership {
            region,
            epochs: epochs.into_boxed_slice(),
            leased_until_ms: AtomicU64::new(FOR_EVER),
            known_ms: AtomicU64::new(0),
            stepped_down: Mutex::default(),
        })
    }

    /// A commit that claims again what is ours and changes nothing; `None` when
    /// nothing is ours.
    #[must_use]
    pub fn affirm(&self) -> Option<Commit> {
        let (region, slot) = (self.region, Slot::new(0)?);
        let epoch = self.epoch_of_slot(slot)?;
        let ours = Check::Fence {
            region,
            slot,
            epoch,
        };
        let fence = Key::fence(region, slot);
        Some(Commit::default().check(ours).put(fence, alone(epoch)))
    }

    /// Owns nothing, and has no lease yet.
    #[must_use]
    pub fn none(region: Region) -> Ownership {
        Ownership {
            region,
            epochs: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            leased_until_ms: AtomicU64::new(0),
            known_ms: AtomicU64::new(0),
            stepped_down: Mutex::default(),
        }
    }

    /// Takes slots under these epochs.
    pub fn take(&self, slots: &[(Slot, u64)]) {
        for (slot, epoch) in slots {
            self.epochs[usize::from(slot.number())].store(*epoch, Ordering::Release);
        }
    }

    /// Takes nothing new in these slots from now on. What is under way still
    /// commits under the epoch under which it began.
    pub fn leave(&self, slots: &[Slot]) {
        for slot in slots {
            self.epochs[usize::from(slot.number())].store(0, Ordering::Release);
        }
    }

    /// Owns nothing from now on.
    pub fn leave_everything(&self) {
        for epoch in &self.epochs {
            epoch.store(0, Ordering::Release);
        }
    }

    /// The slots were ours at `known_ms`, and answers from memory may be given
    /// until `until_ms`
    /// ([`Clock::monotonic_ms`](crate::ports::Clock::monotonic_ms)).
    pub fn lease(&self, known_ms: u64, until_ms: u64) {
        self.known_ms.store(known_ms, Ordering::Release);
        self.leased_until_ms.store(until_ms, Ordering::Release);
    }

    /// Whether there is no other node.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.leased_until_ms.load(Ordering::Acquire) == FOR_EVER
    }

    /// How the lease stands. The clock is read only where there is a lease that
    /// can end.
    #[must_use]
    pub fn leased(&self, now_ms: impl FnOnce() -> u64) -> Lease {
        match self.leased_until_ms.load(Ordering::Acquire) {
            FOR_EVER => Lease::Held,
            until_ms => match now_ms() {
                now_ms if now_ms < until_ms => Lease::Held,
                now_ms => Lease::Over {
                    age_ms: now_ms.saturating_sub(self.known_ms.load(Ordering::Acquire)),
                },
            },
        }
    }

    /// How long ago the slots were known to be ours, in milliseconds.
    #[must_use]
    pub fn lease_age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.known_ms.load(Ordering::Acquire))
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

    /// A commit under this epoch was fenced: the slot is given up at once,
    /// unless it was claimed again under another one meanwhile.
    pub fn step_down(&self, user: UserId, epoch: u64) {
        let Some(slot) = Slot::new(user.slot()) else {
            return;
        };
        let held = &self.epochs[usize::from(slot.number())];
        let ours = held.compare_exchange(epoch, 0, Ordering::AcqRel, Ordering::Relaxed);
        if ours.is_ok() {
            let mut stepped_down = self.stepped_down();
            stepped_down.push(slot);
        }
    }

    /// The slots that were given up since this was asked last, because a commit
    /// was fenced.
    pub fn take_stepped_down(&self) -> Vec<Slot> {
        std::mem::take(&mut self.stepped_down())
    }

    fn stepped_down(&self) -> MutexGuard<'_, Vec<Slot>> {
        let slots = self.stepped_down.lock();
        slots.unwrap_or_else(PoisonError::into_inner)
    }
}
