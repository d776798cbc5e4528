//! Regions: every person has a home, and nothing of a person leaves it.
//!
//! The directory of regions is a database that spans them. It maps the keyed
//! hash of an identifier to the region of the account that has it, and holds nothing
//! else. There is no commit across two databases, so an identifier becomes
//! an account's in steps, each of which is whole or absent, and between any two
//! of which every node may end:
//!
//! 1. at home, a pending row says what is intended;
//! 2. in the directory, the hash is reserved for the region;
//! 3. at home, one commit makes the identifier the person's and the pending row
//!    say so; it holds only while the intention stands;
//! 4. in the directory, the entry is confirmed;
//! 5. at home, the pending row goes.
//!
//! What was left in the middle is settled by what home holds, never by time:
//! time only says when to look.

mod border;
mod row;
mod settling;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tidegate_account::{Identifier, NORMALISER_VERSION, TenantId, tagged};
use tidegate_storage_api::{Commit, Key as RowKey, Region, Store, StoreError, SystemPart};

pub(crate) use border::{Border, Home, Reserved};
use row::Entry;
pub(crate) use row::{Pending, Step};

use crate::contact::Contact;
use crate::ports::Clock;
use crate::seal::Key;

/// How long the directory is waited for.
const PATIENCE_MS: u64 = 1_000;
/// For how long a number that is no region's is not asked for again.
const MISSING_MS: u64 = 2_000;
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

    /// Whether the directory did not answer when it was asked last. No
    /// request waits for it then; background work finds out when it is back.
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

    /// The region that answers for an identifier that no account has: a stranger
    /// cannot tell it from one that an account there has. Rendezvous hashing: a
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
