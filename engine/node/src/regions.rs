//! The regions of a deployment, as the directory that spans them has them. Each
//! region is a deployment of its own: its store, keys, tenants and gateways.
//! What they share is the directory and its key.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tidegate_runtime::ports::Entropy;
use tidegate_runtime::{DirectoryKey, Key, Regions};
use tidegate_storage_api::{
    Check, Commit, Key as RowKey, KeyRange, Region, Store, StoreError, SystemPart,
};

use crate::deployment::{KeyRef, RegionRef, read, write};
use crate::hex::hex;

/// The directory's own row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct DirectoryRow {
    /// 64 bits of a hash of its key: with another key every identifier would be
    /// unknown.
    key: String,
}

/// A region in the directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
struct RegionRow {
    number: u8,
    /// Drawn by the deployment that is this region.
    registration: String,
}

/// Why a region cannot be, or be used.
#[derive(Debug, Error)]
pub enum RegionError {
    /// The directory does not answer.
    #[error("the directory of regions does not answer: is its FoundationDB up?")]
    Away,
    /// It has a key, which was not brought along.
    #[error(
        "this directory of regions is in use: bring its key with --directory-key \
         (secrets/directory-1.key of a node of another region)"
    )]
    KeyNeeded,
    /// It has another key.
    #[error("the key is not this directory's")]
    WrongKey,
    /// A key was brought along, and there is nothing that it belongs to.
    #[error("this directory of regions is new and needs no key yet")]
    New,
    /// There is such a region, or it is another deployment now.
    #[error("region {0} is another deployment's")]
    Taken(u8),
    /// A number that no region can have.
    #[error("a region's number is 1 to 254, not {0}")]
    Number(u8),
    /// A row cannot be read.
    #[error("a row of the directory of regions cannot be read")]
    Row,
    /// The directory cannot be read or written.
    #[error("the directory of regions did not take the row: {0}")]
    Store(StoreError),
}

impl From<StoreError> for RegionError {
    fn from(error: StoreError) -> RegionError {
        match error {
            StoreError::Unavailable => RegionError::Away,
            error => RegionError::Store(error),
        }
    }
}

/// Whether a new region brings the directory's key along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    Key,
    Nothing,
}

/// Sees to it that a deployment can become this region.
pub(crate) async fn refuse_taken(
    directory: &dyn Store,
    region: Region,
    brought: Brought,
) -> Result<(), RegionError> {
    match (directory_row(directory).await?, brought) {
        (Some(_), Brought::Nothing) => return Err(RegionError::KeyNeeded),
        (None, Brought::Key) => return Err(RegionError::New),
        _ => {}
    }
    let row = RowKey::system(SystemPart::Region(region.number()));
    match directory.get(row).await? {
        None => Ok(()),
        Some(_) => Err(RegionError::Taken(region.number())),
    }
}

/// Whether a key is the directory's; any key may become a new one's.
pub(crate) async fn refuse_wrong_key(
    directory: &dyn Store,
    key: &KeyRef,
) -> Result<(), RegionError> {
    match directory_row(directory).await? {
        Some(row) if row.key != key.check => Err(RegionError::WrongKey),
        _ => Ok(()),
    }
}

/// Enters a region in the directory; the last step of making a deployment.
pub(crate) async fn register(directory: &dyn Store, region: &RegionRef) -> Result<(), RegionError> {
    let key = RowKey::system(SystemPart::Directory);
    let row = DirectoryRow {
        key: region.directory.check.clone(),
    };
    let known = directory_row(directory).await?;
    let mut commit = Commit::default();
    match known {
        None => {
            let row = write(&row).ok_or(RegionError::Row)?;
            commit = commit.check(Check::Absent(key.clone())).put(key, row);
        }
        Some(known) if known != row => return Err(RegionError::WrongKey),
        Some(_) => {}
    }
    let place = RowKey::system(SystemPart::Region(region.number));
    let row = RegionRow {
        number: region.number,
        registration: region.registration.clone(),
    };
    let row = write(&row).ok_or(RegionError::Row)?;
    let absent = Check::Absent(place.clone());
    let commit = commit.check(absent).put(place.clone(), row.clone());
    match directory.commit(commit).await {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict | StoreError::CommitUnknown) => {
            refuse_wrong_key(directory, &region.directory).await?;
            match directory.get(place).await? {
                Some(stored) if stored == row => Ok(()),
                Some(_) => Err(RegionError::Taken(region.number)),
                None => Err(RegionError::Away),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Every region, when this deployment is the one that it says it is.
pub(crate) async fn all(
    directory: &dyn Store,
    ours: &RegionRef,
) -> Result<Vec<Region>, RegionError> {
    refuse_wrong_key(directory, &ours.directory).await?;
    let rows = directory.range(KeyRange::regions(), 256).await?;
    let rows = rows.iter().map(|(_, value)| read::<RegionRow>(value));
    let rows = rows.collect::<Option<Vec<_>>>().ok_or(RegionError::Row)?;
    let registered = rows
        .iter()
        .any(|row| (row.number, &row.registration) == (ours.number, &ours.registration));
    if !registered {
        return Err(RegionError::Taken(ours.number));
    }
    let number = |row: &RegionRow| Region::new(row.number).ok_or(RegionError::Row);
    rows.iter().map(number).collect()
}

async fn directory_row(directory: &dyn Store) -> Result<Option<DirectoryRow>, RegionError> {
    let row = directory.get(RowKey::system(SystemPart::Directory)).await?;
    row.map(|row| read(&row).ok_or(RegionError::Row))
        .transpose()
}

/// What no other deployment draws.
pub(crate) fn registration(entropy: &dyn Entropy) -> String {
    hex(&entropy.seed()[..16])
}

/// The regions of an open deployment.
pub(crate) struct Bordered {
    pub(crate) regions: Arc<Regions>,
    directory: Arc<dyn Store>,
    ours: RegionRef,
}

impl Bordered {
    pub(crate) fn new(directory: Arc<dyn Store>, key: Key, ours: RegionRef) -> Bordered {
        let key = DirectoryKey(key);
        Bordered {
            regions: Arc::new(Regions::new(Arc::clone(&directory), key)),
            directory,
            ours,
        }
    }

    /// Looks which regions there are. A directory that is away says nothing, and
    /// what was known stays so.
    pub(crate) async fn look(&self) -> Result<(), RegionError> {
        match all(&*self.directory, &self.ours).await {
            Ok(all) => self.regions.set(all),
            Err(RegionError::Away) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tidegate_storage_api::MemoryStore;

    use super::*;

    fn ours(number: u8, registration: &str, key: &str) -> RegionRef {
        RegionRef {
            number,
            registration: registration.to_owned(),
            directory: KeyRef {
                number: 1,
                check: key.to_owned(),
            },
        }
    }

    fn region(number: u8) -> Region {
        Region::new(number).unwrap()
    }

    #[tokio::test]
    async fn a_region_is_one_deployment_and_all_know_the_directory_by_one_key() {
        let directory = MemoryStore::new();
        let brings = |number, brought| refuse_taken(&directory, region(number), brought);
        assert!(matches!(
            brings(1, Brought::Key).await,
            Err(RegionError::New)
        ));
        brings(1, Brought::Nothing).await.unwrap();
        let first = ours(1, "a", "key");
        register(&directory, &first).await.unwrap();
        assert_eq!(all(&directory, &first).await.unwrap(), [region(1)]);
        let needed = brings(2, Brought::Nothing).await;
        assert!(matches!(needed, Err(RegionError::KeyNeeded)));
        let taken = brings(1, Brought::Key).await;
        assert!(matches!(taken, Err(RegionError::Taken(1))));
        brings(2, Brought::Key).await.unwrap();
        let wrong = ours(2, "b", "another");
        let refused = refuse_wrong_key(&directory, &wrong.directory).await;
        assert!(matches!(refused, Err(RegionError::WrongKey)));
        let refused = register(&directory, &wrong).await;
        assert!(matches!(refused, Err(RegionError::WrongKey)));
        let second = ours(2, "b", "key");
        register(&directory, &second).await.unwrap();
        let known = all(&directory, &second).await.unwrap();
        assert_eq!(known, [region(1), region(2)]);
        let again = register(&directory, &ours(2, "c", "key")).await;
        assert!(matches!(again, Err(RegionError::Taken(2))));
        let stranger = all(&directory, &ours(2, "c", "key")).await;
        assert!(matches!(stranger, Err(RegionError::Taken(2))));
    }
}
