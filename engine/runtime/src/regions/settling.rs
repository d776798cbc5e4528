//! Finishing what was left in the middle. The home region decides, by what it
//! holds itself; the directory follows.

use tidegate_storage_api::{Commit, Key as RowKey, KeyRange, Partition, StoreError};

use super::border::{Border, Settled, TRIES};
use super::row::{Entry, State, Step};

/// How much of it is taken at once.
const AT_ONCE: usize = 1_000;

impl Border<'_> {
    /// Finishes what is pending of an identifier.
    ///
    /// # Errors
    /// As the stores; what is left is settled the next time.
    pub(crate) async fn settle(&self, hash: &[u8; 32]) -> Result<Settled, StoreError> {
        for _ in 0..TRIES {
            match self.settle_once(hash).await {
                Ok(Some(settled)) => return Ok(settled),
                // One step further, or another got between: look again.
                Ok(None) | Err(StoreError::Conflict | StoreError::CommitUnknown) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable)
    }

    async fn settle_once(&self, hash: &[u8; 32]) -> Result<Option<Settled>, StoreError> {
        // The entry first: when no intention is found afterwards, the one that
        // it was reserved for has fallen.
        let entry = self.regions.entry(self.clock(), hash).await?;
        let is_ours = |entry: &Entry| entry.region == self.here();
        let Some(pending) = self.pending(hash).await? else {
            let ours = entry.filter(is_ours);
            if let Some(entry) = ours.filter(|entry| entry.state == State::Reserved) {
                self.enter(hash, Some(&entry), None).await?;
            }
            return Ok(Some(Settled::Done));
        };
        // And once more afterwards: what is pending may be younger than the first.
        let entry = self.regions.entry(self.clock(), hash).await?;
        match pending.step {
            Step::Intended if pending.is_fresh(self.clock().unix_ms()) => {
                return Ok(Some(Settled::UnderWay));
            }
            Step::Intended => {
                let withdrawn = pending.then(Step::Withdrawn);
                self.change(hash, Some(&pending), Some(&withdrawn)).await?;
                return Ok(None);
            }
            Step::Held => {
                let confirmed = Entry {
                    state: State::Confirmed,
                    region: self.here(),
                    attempt: pending.attempt,
                };
                match entry {
                    Some(entry) if entry == confirmed => {}
                    Some(entry) if entry.region != self.here() => {
                        // Only a directory that was put back from a copy says so.
                        tracing::error!(event = "directory.contradicts");
                        return Err(StoreError::Corrupt);
                    }
                    entry => self.enter(hash, entry.as_ref(), Some(&confirmed)).await?,
                }
            }
            Step::Released => {
                if let Some(entry) = entry.filter(is_ours) {
                    self.enter(hash, Some(&entry), None).await?;
                }
            }
            // Another account here may have it.
            Step::Withdrawn => {
                let reserved = Entry {
                    state: State::Reserved,
                    region: self.here(),
                    attempt: pending.attempt,
                };
                if entry == Some(reserved) {
                    self.enter(hash, Some(&reserved), None).await?;
                }
            }
        }
        self.change(hash, Some(&pending), None).await?;
        Ok(Some(Settled::Done))
    }

    /// Whether the directory is away, asking it once more when it was.
    pub(crate) async fn is_away_still(&self) -> bool {
        if self.regions.is_away() {
            self.regions.look(self.clock()).await;
        }
        self.regions.is_away()
    }

    /// Settles everything that this node looks after.
    pub(crate) async fn settle_all(&self) -> Result<(), StoreError> {
        let ownership = self.ownership;
        let first = |slot: tidegate_storage_api::Slot| slot.first_of_partition();
        let partitions: Vec<Partition> = tidegate_storage_api::Slot::all()
            .filter(|slot| ownership.epoch_of_slot(*slot).is_some())
            .filter_map(first)
            .collect();
        if partitions.iter().any(|partition| partition.number() == 0) && !self.regions.is_away() {
            self.answer_questions().await?;
        }
        let mut left = 0;
        for partition in &partitions {
            let range = KeyRange::pending(self.here(), *partition);
            for (key, _) in self.ports.store.range(range, AT_ONCE).await? {
                let hash = key.directory_hash().ok_or(StoreError::Corrupt)?;
                // A directory that is away is not waited for once for each of them.
                if self.regions.is_away() || self.settle(&hash).await != Ok(Settled::Done) {
                    left += 1;
                }
            }
        }
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        self.meters.directory_pending.set(f64::from(left));
        Ok(())
    }

    /// Other regions wait until entries of ours are settled.
    async fn answer_questions(&self) -> Result<(), StoreError> {
        let range = KeyRange::questions(self.here());
        let asked = self.regions.directory.range(range, AT_ONCE);
        let asked = self
            .regions
            .ask(self.clock(), StoreError::Unavailable, asked);
        for (key, _) in asked.await? {
            let hash = key.directory_hash().ok_or(StoreError::Corrupt)?;
            if self.settle(&hash).await == Ok(Settled::Done) {
                let answered = Commit::default().delete(RowKey::question(self.here(), &hash));
                self.regions.commit(self.clock(), answered).await?;
            }
        }
        Ok(())
    }
}
