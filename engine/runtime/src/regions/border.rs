//! A node at the border of its region: looking up where an identifier is at home,
//! and reserving it there.

use bytes::Bytes;
use tidegate_account::{ClaimedIdentifier, Reservation, UserId};
use tidegate_storage_api::{Check, Commit, Key as RowKey, Region, StoreError, SystemPart};

use super::Regions;
use super::row::{Entry, Pending, State, Step};
use crate::identifiers::IndexKeys;
use crate::meters::Meters;
use crate::ownership::Ownership;
use crate::ports::{Clock, Ports};

/// How often a step is tried anew when others get between.
pub(super) const TRIES: usize = 8;

/// A region and the directory, as seen by a node of that region.
#[derive(Clone, Copy)]
pub(crate) struct Border<'a> {
    pub(crate) regions: &'a Regions,
    pub(crate) ownership: &'a Ownership,
    pub(crate) ports: &'a Ports,
    pub(crate) index_keys: &'a IndexKeys,
    pub(crate) meters: &'a Meters,
}

/// Where an identifier is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Here,
    There(Region),
    /// The directory does not say.
    Unknown,
}

/// What came of the wish to make an identifier an account's.
#[derive(Debug)]
pub(crate) enum Reserved {
    Done(Reservation),
    /// An account in another region has it.
    Taken,
    /// An account is about to have it, or not to have it any more.
    Later,
}

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Done,
    /// Its attempt may still be carried out.
    UnderWay,
}

impl Border<'_> {
    pub(super) fn here(&self) -> Region {
        self.ownership.region()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.ports.clock
    }

    pub(super) async fn pending(&self, hash: &[u8; 32]) -> Result<Option<Pending>, StoreError> {
        let row = self.ports.store.get(RowKey::pending(self.here(), hash));
        let pending = row.await?.map(|row| Pending::decode(&row));
        pending
            .map(|row| row.ok_or(StoreError::Corrupt))
            .transpose()
    }

    /// Changes the pending row of a hash from what it was read as.
    pub(super) async fn change(
        &self,
        hash: &[u8; 32],
        from: Option<&Pending>,
        to: Option<&Pending>,
    ) -> Result<(), StoreError> {
        let row = RowKey::pending(self.here(), hash);
        let commit = replacing(row, from.map(Pending::encode), to.map(Pending::encode));
        self.ports.store.commit(commit).await.map(drop)
    }

    /// Changes the entry of a hash from what it was read as.
    pub(super) async fn enter(
        &self,
        hash: &[u8; 32],
        from: Option<&Entry>,
        to: Option<&Entry>,
    ) -> Result<(), StoreError> {
        let row = RowKey::entry(hash);
        let commit = replacing(row, from.map(Entry::encode), to.map(Entry::encode));
        self.regions.commit(self.clock(), commit).await
    }

    /// Where the account with this identifier is at home. Where there is none, that is
    /// somewhere too, always in the same place: where its tenant's people are, or
    /// where its hash says.
    pub(crate) async fn home_of(&self, hash: &[u8; 32], pinned: Option<Region>) -> Home {
        if self.regions.is_away() {
            return Home::Unknown;
        }
        let region = match self.regions.entry(self.clock(), hash).await {
            Ok(Some(entry)) => Some(entry.region),
            Ok(None) => pinned.or_else(|| self.regions.decoy(hash)),
            Err(_) => return Home::Unknown,
        };
        match region {
            Some(region) if region == self.here() => Home::Here,
            Some(region) => Home::There(region),
            None => Home::Unknown,
        }
    }

    /// Reserves an identifier for an attempt of this person's: steps 1 and 2.
    ///
    /// # Errors
    /// As the stores; nothing was made an account's.
    pub(crate) async fn reserve(
        &self,
        hash: [u8; 32],
        claimed: &ClaimedIdentifier,
        user: UserId,
    ) -> Result<Reserved, StoreError> {
        if self.regions.is_away() {
            return Err(StoreError::Unavailable);
        }
        for _ in 0..TRIES {
            let Some(intended) = self.intend(&hash, user).await? else {
                return Ok(Reserved::Later);
            };
            let entry = self.regions.entry(self.clock(), &hash).await?;
            let wish = Entry {
                state: State::Reserved,
                region: self.here(),
                attempt: intended.attempt,
            };
            let refusal = match &entry {
                Some(entry) if *entry == wish => None,
                // Home has no other attempt, so that one fell.
                Some(Entry { state, region, .. }) if *region == self.here() => match state {
                    State::Reserved => None,
                    // As long as the intention stands, no other account here comes
                    // to have it. Home may have been put back from an older copy.
                    State::Confirmed if self.is_free_at_home(claimed).await? => None,
                    State::Confirmed => Some(Reserved::Later),
                },
                Some(Entry { state, region, .. }) => match state {
                    State::Confirmed => Some(Reserved::Taken),
                    State::Reserved => {
                        self.question(*region, &hash).await?;
                        Some(Reserved::Later)
                    }
                },
                None => None,
            };
            if let Some(refusal) = refusal {
                self.give_up(&hash, intended.attempt).await?;
                return Ok(refusal);
            }
            match self.enter(&hash, entry.as_ref(), Some(&wish)).await {
                Ok(()) => return Ok(Reserved::Done(intended.reservation(hash))),
                // Another got between, or it may be there: look again.
                Err(StoreError::Conflict | StoreError::CommitUnknown) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable)
    }

    /// Whether it is certain that no account at home has an identifier.
    async fn is_free_at_home(&self, claimed: &ClaimedIdentifier) -> Result<bool, StoreError> {
        for hash in claimed.older.iter().chain([&claimed.hash]) {
            let row = RowKey::identifier(self.here(), &hash.0);
            if self.ports.store.get(row).await?.is_some() {
                return Ok(false);
            }
        }
        // Under a newer key an account may have it by now.
        Ok(self.index_keys.version() == claimed.key_version)
    }

    /// Whether the directory knows a region.
    pub(crate) async fn is_there(&self, region: Region) -> Result<bool, StoreError> {
        let now_ms = self.clock().monotonic_ms();
        if self.regions.was_missing(region, now_ms) {
            return Ok(false);
        }
        if self.regions.is_away() {
            return Err(StoreError::Unavailable);
        }
        let row = RowKey::system(SystemPart::Region(region.number()));
        let read = self.regions.directory.get(row);
        let row = self
            .regions
            .ask(self.clock(), StoreError::Unavailable, read)
            .await?;
        if row.is_none() {
            self.regions.missing(region, now_ms);
        }
        Ok(row.is_some())
    }

    /// Says at home what is intended; `None` while another attempt intends it.
    async fn intend(&self, hash: &[u8; 32], user: UserId) -> Result<Option<Pending>, StoreError> {
        for _ in 0..TRIES {
            let now_ms = self.clock().unix_ms();
            let pending = self.pending(hash).await?;
            match pending {
                None => {}
                Some(pending) if pending.is_fresh(now_ms) => {
                    // A repeat goes on where the first attempt stands.
                    return Ok((pending.user == user).then_some(pending));
                }
                Some(_) => match self.settle(hash).await? {
                    Settled::Done => {}
                    Settled::UnderWay => return Ok(None),
                },
            }
            let intended = Pending::begun(Step::Intended, user, self.ports);
            match self.change(hash, None, Some(&intended)).await {
                Ok(()) => return Ok(Some(intended)),
                Err(StoreError::Conflict | StoreError::CommitUnknown) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable)
    }

    /// Takes an intention back, so that its commit cannot happen any more.
    pub(crate) async fn give_up(
        &self,
        hash: &[u8; 32],
        attempt: [u8; 16],
    ) -> Result<(), StoreError> {
        if let Some(pending) = self.pending(hash).await?
            && pending.step == Step::Intended
            && pending.attempt == attempt
        {
            let withdrawn = pending.then(Step::Withdrawn);
            match self.change(hash, Some(&pending), Some(&withdrawn)).await {
                Ok(()) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        self.settle(hash).await.map(drop)
    }

    /// Asks another region to settle an entry of its own.
    async fn question(&self, region: Region, hash: &[u8; 32]) -> Result<(), StoreError> {
        let commit = Commit::default().put(RowKey::question(region, hash), Vec::new());
        self.regions.commit(self.clock(), commit).await
    }
}

/// Changes a row from what it was read as.
fn replacing(row: RowKey, from: Option<Bytes>, to: Option<Bytes>) -> Commit {
    let commit = Commit::default().check(match from {
        None => Check::Absent(row.clone()),
        Some(from) => Check::Value(row.clone(), from),
    });
    match to {
        None => commit.delete(row),
        Some(to) => commit.put(row, to),
    }
}
