//! Regions: everybody has a home, and nothing of a person leaves it.
//!
//! The directory of regions is a database that spans them. It maps the keyed
//! hash of an identifier to the region of whoever has it, and holds nothing
//! else. There is no commit across two databases, so an identifier becomes
//! somebody's in steps, each of which is whole or absent, and between any two
//! of which everybody may die:
//!
//! 1. at home, a pending row says what is intended;
//! 2. in the directory, the hash is reserved for the region;
//! 3. at home, one commit makes the identifier the person's and the pending row
//!    say so; it holds only while the intention stands;
//! 4. in the directory, the entry is confirmed;
//! 5. at home, the pending row goes.
//!
//! What was left in the middle is settled by what home holds, never by time:
//! time only says when to look ([`settling`]).

mod row;
pub(crate) mod settling;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tidegate_account::{
    ClaimedIdentifier, Identifier, NORMALISER_VERSION, Reservation, TenantId, UserId, tagged,
};
use tidegate_storage_api::{Check, Commit, Key as RowKey, Region, Store, StoreError, SystemPart};

pub(crate) use row::{Entry, Pending, State, Step};
use settling::Settled;

use crate::contact::Contact;
use crate::ports::Clock;
use crate::seal::Key;
use crate::shared::Shared;

/// How long the directory is waited for.
const PATIENCE_MS: u64 = 1_000;
/// For how long a number that is no region's is not asked for again.
const MISSING_MS: u64 = 2_000;
/// How often a step is tried anew when others get between.
const TRIES: usize = 8;

/// The key under which the directory knows identifiers: one for all regions,
/// and used for nothing else.
pub struct DirectoryKey(pub Key);

impl DirectoryKey {
    /// HMAC-SHA-256 (RFC 2104) over tenant, kind, normaliser version and the
    /// identifier's normal form.
    fn hash(&self, tenant: TenantId, identifier: &Identifier) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose()) else {
            // HMAC takes keys of any length.
            return [0; 32];
        };
        mac.update(b"tidegate-directory-1");
        mac.update(&tenant.0.to_be_bytes());
        mac.update(&[identifier.kind() as u8]);
        mac.update(&NORMALISER_VERSION.to_be_bytes());
        mac.update(identifier.expose().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

/// The regions of a deployment, and the directory that spans them.
pub struct Regions {
    directory: Arc<dyn Store>,
    key: DirectoryKey,
    /// None as long as the directory has not said.
    all: RwLock<Option<Vec<Region>>>,
    contact: Contact,
    /// Numbers that were asked for and are no region's, and when.
    missing: Mutex<BTreeMap<Region, u64>>,
}

/// Where an identifier is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Here,
    There(Region),
    /// The directory does not say.
    Unknown,
}

/// What came of the wish to make an identifier somebody's.
#[derive(Debug)]
pub(crate) enum Reserved {
    Done(Reservation),
    /// Somebody in another region has it.
    Taken,
    /// Somebody is about to have it, or not to have it any more.
    Later,
}

impl Regions {
    /// Takes the directory and its key. Which regions there are is not known yet.
    #[must_use]
    pub fn new(directory: Arc<dyn Store>, key: DirectoryKey) -> Regions {
        Regions {
            directory,
            key,
            all: RwLock::default(),
            contact: Contact::default(),
            missing: Mutex::default(),
        }
    }

    /// These are the regions from now on.
    pub fn set(&self, all: Vec<Region>) {
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = Some(all);
    }

    /// Whether there is such a region, as far as is known.
    pub(crate) fn knows(&self, region: Region) -> bool {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.as_ref().is_none_or(|all| all.contains(&region))
    }

    /// Whether the directory did not answer when it was asked last. Nobody's
    /// request waits for it then; [`settling`] finds out when it is back.
    pub(crate) fn is_away(&self) -> bool {
        self.contact.lost_for_ms(|| 0).is_some()
    }

    /// Whether a number was lately found to be no region's.
    fn was_missing(&self, region: Region, now_ms: u64) -> bool {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let asked_ms = missing.get(&region);
        asked_ms.is_some_and(|asked_ms| now_ms < asked_ms + MISSING_MS)
    }

    fn missing(&self, region: Region, now_ms: u64) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.insert(region, now_ms);
    }

    pub(crate) fn hash(&self, tenant: TenantId, identifier: &Identifier) -> [u8; 32] {
        self.key.hash(tenant, identifier)
    }

    /// The region that answers for an identifier that nobody has: a stranger
    /// cannot tell it from one that somebody there has. Rendezvous hashing: a
    /// further region moves no more than its share.
    fn decoy(&self, hash: &[u8; 32]) -> Option<Region> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let weight = |region: &&Region| tagged("tg-stand-in-region-1", &[hash, &[region.number()]]);
        all.as_ref()?.iter().max_by_key(weight).copied()
    }

    /// Waits for the directory, and no longer than it is worth.
    async fn ask<T>(
        &self,
        clock: &dyn Clock,
        late: StoreError,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = tokio::select! {
            biased;
            answer = asked => answer,
            () = clock.sleep(PATIENCE_MS) => Err(late),
        };
        match &answer {
            Err(StoreError::Unavailable | StoreError::CommitUnknown) => {
                let first = || tracing::warn!(event = "directory.lost");
                self.contact.lost(clock.monotonic_ms(), first);
            }
            _ => self
                .contact
                .found(|| tracing::info!(event = "directory.found")),
        }
        answer
    }

    /// Finds out whether the directory answers.
    async fn look(&self, clock: &dyn Clock) {
        let read = self.directory.get(RowKey::system(SystemPart::Directory));
        // What it says does not matter, and whether it does is noted.
        let _ = self.ask(clock, StoreError::Unavailable, read).await;
    }

    async fn entry(&self, clock: &dyn Clock, hash: &[u8; 32]) -> Result<Option<Entry>, StoreError> {
        let read = self.directory.get(RowKey::entry(hash));
        let row = self.ask(clock, StoreError::Unavailable, read).await?;
        let entry = row.map(|row| Entry::decode(&row).ok_or(StoreError::Corrupt));
        entry.transpose()
    }

    async fn commit(&self, clock: &dyn Clock, commit: Commit) -> Result<(), StoreError> {
        let commit = self.directory.commit(commit);
        let committed = self.ask(clock, StoreError::CommitUnknown, commit).await;
        committed.map(drop)
    }
}

/// A region and the directory, as seen by a node of that region.
#[derive(Clone, Copy)]
pub(crate) struct Border<'a> {
    shared: &'a Shared,
    regions: &'a Regions,
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

impl Shared {
    /// A pending row of an attempt that no other has been.
    pub(crate) fn begun(&self, step: Step, user: UserId) -> Pending {
        let mut attempt = [0; 16];
        attempt.copy_from_slice(&self.entropy.seed()[..16]);
        Pending {
            step,
            at_ms: self.clock.unix_ms(),
            attempt,
            user,
        }
    }

    /// The border, where there are regions.
    pub(crate) fn border(&self) -> Option<Border<'_>> {
        let regions = self.regions.as_deref()?;
        Some(Border {
            shared: self,
            regions,
        })
    }
}

impl Border<'_> {
    fn here(&self) -> Region {
        self.shared.ownership.region()
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    async fn pending(&self, hash: &[u8; 32]) -> Result<Option<Pending>, StoreError> {
        let row = self.shared.store.get(RowKey::pending(self.here(), hash));
        let pending = row.await?.map(|row| Pending::decode(&row));
        pending
            .map(|row| row.ok_or(StoreError::Corrupt))
            .transpose()
    }

    /// Changes the pending row of a hash from what it was read as.
    async fn change(
        &self,
        hash: &[u8; 32],
        from: Option<&Pending>,
        to: Option<&Pending>,
    ) -> Result<(), StoreError> {
        let row = RowKey::pending(self.here(), hash);
        let commit = replacing(row, from.map(Pending::encode), to.map(Pending::encode));
        self.shared.store.commit(commit).await.map(drop)
    }

    /// Changes the entry of a hash from what it was read as.
    async fn enter(
        &self,
        hash: &[u8; 32],
        from: Option<&Entry>,
        to: Option<&Entry>,
    ) -> Result<(), StoreError> {
        let row = RowKey::entry(hash);
        let commit = replacing(row, from.map(Entry::encode), to.map(Entry::encode));
        self.regions.commit(self.clock(), commit).await
    }

    /// Where whoever has this identifier is at home. What nobody has is somewhere
    /// too, always in the same place: where its tenant's people are, or where its
    /// hash says.
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
    /// As the stores; nothing was made anybody's.
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
                    // As long as the intention stands, nobody else here comes to
                    // have it. Home may have been put back from an older copy.
                    State::Confirmed if self.is_nobodys(claimed).await? => None,
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
                // Somebody got between, or it may be there: look again.
                Err(StoreError::Conflict | StoreError::CommitUnknown) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Unavailable)
    }

    /// Whether it is certain that nobody at home has an identifier.
    async fn is_nobodys(&self, claimed: &ClaimedIdentifier) -> Result<bool, StoreError> {
        for hash in claimed.older.iter().chain([&claimed.hash]) {
            let row = RowKey::identifier(self.here(), &hash.0);
            if self.shared.store.get(row).await?.is_some() {
                return Ok(false);
            }
        }
        // Under a newer key somebody may have it by now.
        Ok(self.shared.index_keys.version() == claimed.key_version)
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

    /// Says at home what is intended; `None` while somebody else intends it.
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
            let intended = self.shared.begun(Step::Intended, user);
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

    /// Asks another region what became of an entry of its own.
    async fn question(&self, region: Region, hash: &[u8; 32]) -> Result<(), StoreError> {
        let commit = Commit::default().put(RowKey::question(region, hash), Vec::new());
        self.regions.commit(self.clock(), commit).await
    }
}
