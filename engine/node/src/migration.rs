//! Taking an embedded store into a cluster: every deployment begins on one
//! machine and outgrows it.
//!
//! A row that says whose copy this is goes first; every other row follows; then
//! all are compared; last comes the row of the deployment, which no node serves
//! without. So a copy that was broken off is known as such, and is made again
//! from the beginning.

use thiserror::Error;
use tidegate_storage_api::{Check, Commit, Key as RowKey, KeyRange, Store, StoreError, SystemPart};

use crate::backend::{Backend, BackendError};
use crate::config::{Config, ConfigError, FoundationdbConfig, StorageConfig};
use crate::deployment::{DeploymentError, PersonKeys, StoreRow, store_row, version_row, write};
use crate::folder::{Folder, replace_private};

/// Rows that are read at once.
const PAGE: usize = 1_000;
/// What goes into one commit, in bytes: FoundationDB does best below 1 MB.
const COMMIT_BYTES: usize = 500_000;

/// Why a store was not moved. What was copied so far does no harm.
#[derive(Debug, Error)]
pub(crate) enum MoveError {
    /// There is nothing to move.
    #[error("this folder's rows are in FoundationDB already")]
    Moved,
    /// The cluster is in use.
    #[error("this FoundationDB cluster holds another deployment, or a part of one")]
    Taken,
    /// Half of the people lie under a key that goes.
    #[error("a rotation of keys is under way: let a node finish it first")]
    Rotation,
    /// A row is not what it should be.
    #[error(
        "a row of the copy differs from the original ({0:?}): did a node serve here since it was copied, or does one write there? To copy anew, empty the cluster first"
    )]
    Differs(RowKey),
    /// A row cannot be written.
    #[error("a row cannot be written")]
    Row,
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration cannot be written.
    #[error("config.toml cannot be replaced: {0}")]
    Replace(std::io::Error),
    /// A store cannot be opened.
    #[error(transparent)]
    Open(#[from] BackendError),
    /// A row of the deployment cannot be read.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// A store did not answer; the move can be repeated.
    #[error("a store did not answer, repeat the move: {0}")]
    Store(#[from] StoreError),
}

/// What was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Rows that were copied; 0 when an earlier move had copied them.
    pub(crate) rows: u64,
    /// Rows that were read on both sides and are the same.
    pub(crate) compared: u64,
    /// The life of the store in which events are written from now on.
    pub(crate) generation: u32,
}

/// Moves a folder's rows into a cluster, and its configuration with them.
pub(crate) async fn move_folder(
    folder: &Folder,
    to: FoundationdbConfig,
    entropy: &dyn tidegate_runtime::ports::Entropy,
) -> Result<Moved, MoveError> {
    let mut config = Config::read(&folder.config())?;
    if !matches!(config.storage, StorageConfig::Embedded {}) {
        return Err(MoveError::Moved);
    }
    let from = Backend::open(folder, &config, entropy)?;
    let generation = match &from {
        Backend::Embedded(store) => store.generation()? + 1,
        #[cfg(feature = "foundationdb")]
        Backend::Foundationdb(_) => return Err(MoveError::Moved),
    };
    config.storage = StorageConfig::Foundationdb(to);
    let target = Backend::open(folder, &config, entropy)?;
    let (from, to) = (from.store(), target.store());
    let row = StoreRow {
        generation,
        person_keys: PersonKeys::of(version_row(&*from).await?.active),
        ..store_row(&*from).await?
    };
    target.follow(&row);
    let moved = copy_store(&*from, &*to, row).await?;
    let text = toml::to_string(&config).map_err(|_| MoveError::Row)?;
    replace_private(&folder.config(), text.as_bytes()).map_err(MoveError::Replace)?;
    Ok(moved)
}

/// Copies every row, compares them, and makes the copy a deployment's store,
/// whose row this is.
async fn copy_store(from: &dyn Store, to: &dyn Store, row: StoreRow) -> Result<Moved, MoveError> {
    let original = store_row(from).await?;
    let generation = row.generation;
    let rotation = from.get(RowKey::system(SystemPart::Rotation));
    if rotation.await?.is_some() {
        return Err(MoveError::Rotation);
    }
    if let Some(stored) = to.get(RowKey::system(SystemPart::Store)).await? {
        if Some(stored.as_ref()) != write(&row).as_deref() {
            return Err(MoveError::Taken);
        }
        // It was whole when the configuration was not yet replaced. A node may
        // have served here since, and what it did is not there.
        return Ok(Moved {
            rows: 0,
            compared: compare(from, to).await?,
            generation,
        });
    }
    let mark = write(&original).ok_or(MoveError::Row)?;
    begin(to, &mark).await?;
    let rows = copy_rows(from, to).await?;
    let compared = compare(from, to).await?;
    let bytes = write(&row).ok_or(MoveError::Row)?;
    let commit = Commit::default()
        .check(Check::Value(migration_key(), mark.into()))
        .check(Check::Absent(RowKey::system(SystemPart::Store)))
        .delete(migration_key())
        .put(RowKey::system(SystemPart::Store), bytes);
    match to.commit(commit).await {
        Err(StoreError::Conflict) => return Err(MoveError::Taken),
        outcome => outcome?,
    };
    Ok(Moved {
        rows,
        compared,
        generation,
    })
}

/// Marks the target as this deployment's, and empties it of an earlier attempt.
async fn begin(to: &dyn Store, mark: &[u8]) -> Result<(), MoveError> {
    let check = match to.get(migration_key()).await? {
        Some(found) if found == mark => Check::Value(migration_key(), found),
        Some(_) => return Err(MoveError::Taken),
        None => {
            let found = to.range(KeyRange::everything(), PAGE).await?;
            if found.iter().any(|(key, _)| !key.is_marker()) {
                return Err(MoveError::Taken);
            }
            Check::Absent(migration_key())
        }
    };
    let commit = Commit::default()
        .check(check)
        .clear(KeyRange::everything())
        .put(migration_key(), mark.to_vec());
    to.commit(commit).await?;
    Ok(())
}

async fn copy_rows(from: &dyn Store, to: &dyn Store) -> Result<u64, MoveError> {
    let (mut pages, mut copied) = (Pages::of(from), 0);
    let (mut commit, mut bytes) = (Commit::default(), 0);
    while let Some(page) = pages.next().await? {
        for (key, value) in page {
            bytes += key.as_bytes().len() + value.len();
            commit = commit.put(key, value);
            copied += 1;
            if bytes >= COMMIT_BYTES {
                to.commit(std::mem::take(&mut commit)).await?;
                bytes = 0;
            }
        }
    }
    to.commit(commit).await?;
    Ok(copied)
}

/// Reads both sides to their ends, a page of each at a time.
async fn compare(from: &dyn Store, to: &dyn Store) -> Result<u64, MoveError> {
    let (mut left, mut right) = (Pages::of(from), Pages::of(to));
    let (mut ours, mut theirs) = (Vec::new().into_iter(), Vec::new().into_iter());
    let mut compared = 0;
    loop {
        let one = match ours.next() {
            Some(row) => Some(row),
            None => {
                ours = left.next().await?.unwrap_or_default().into_iter();
                ours.next()
            }
        };
        let other = match theirs.next() {
            Some(row) => Some(row),
            None => {
                theirs = right.next().await?.unwrap_or_default().into_iter();
                theirs.next()
            }
        };
        match (one, other) {
            (None, None) => return Ok(compared),
            (one, other) if one == other => compared += 1,
            (one, other) => {
                let key = one.or(other).map_or_else(migration_key, |(key, _)| key);
                return Err(MoveError::Differs(key));
            }
        }
    }
}

/// The rows that are copied, in their order: all but the deployment's own and
/// what belongs to the copying.
struct Pages<'a> {
    store: &'a dyn Store,
    left: Option<KeyRange>,
}

impl Pages<'_> {
    fn of(store: &dyn Store) -> Pages<'_> {
        Pages {
            store,
            left: Some(KeyRange::everything()),
        }
    }

    /// `None` at the end; a page that is not the last is never empty.
    async fn next(&mut self) -> Result<Option<Vec<(RowKey, bytes::Bytes)>>, StoreError> {
        let skipped = [migration_key(), RowKey::system(SystemPart::Store)];
        while let Some(range) = self.left.take() {
            let mut page = self.store.range(range.clone(), PAGE).await?;
            let Some((last, _)) = page.last() else {
                break;
            };
            self.left = Some(range.after(last));
            page.retain(|(key, _)| !skipped.contains(key) && !key.is_marker());
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}

fn migration_key() -> RowKey {
    RowKey::system(SystemPart::Move)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::KeyRef;
    use tidegate_storage_api::{MemoryStore, PersonPart, Region, Slot};

    fn row(master: &str, generation: u32) -> StoreRow {
        let key = |check: &str| KeyRef {
            number: 1,
            check: check.to_owned(),
        };
        StoreRow {
            master: key(master),
            index: vec![key("i")],
            pepper: vec![key("p")],
            generation,
            lease_ms: 3_000,
            region: None,
            person_keys: PersonKeys::Apart,
        }
    }

    async fn put(store: &MemoryStore, key: RowKey, value: Vec<u8>) {
        store
            .commit(Commit::default().put(key, value))
            .await
            .unwrap();
    }

    fn person(number: u16) -> RowKey {
        let slot = Slot::new(number % 4_096).unwrap();
        RowKey::person(Region::FIRST, slot, &[7; 16], PersonPart::Record)
    }

    async fn filled() -> MemoryStore {
        let store = MemoryStore::default();
        let bytes = write(&row("m", 1)).unwrap();
        put(&store, RowKey::system(SystemPart::Store), bytes).await;
        for number in 0..2_500 {
            put(&store, person(number), vec![1; 400]).await;
        }
        store
    }

    async fn rows(store: &MemoryStore) -> Vec<(RowKey, bytes::Bytes)> {
        store.range(KeyRange::everything(), 10_000).await.unwrap()
    }

    #[tokio::test]
    async fn a_store_is_moved_whole_and_in_a_generation_of_its_own() {
        let (from, to) = (filled().await, MemoryStore::default());
        put(&to, RowKey::marker(None, 1, 1), vec![1]).await;
        let moved = copy_store(&from, &to, row("m", 2)).await.unwrap();
        let expected = Moved {
            rows: 2_500,
            compared: 2_500,
            generation: 2,
        };
        assert_eq!(moved, expected);
        let mut there = rows(&from).await;
        for (key, value) in &mut there {
            if *key == RowKey::system(SystemPart::Store) {
                *value = write(&row("m", 2)).unwrap().into();
            }
        }
        assert_eq!(rows(&to).await, there);
        let again = copy_store(&from, &to, row("m", 2)).await.unwrap();
        assert_eq!((again.rows, again.compared), (0, 2_500));
        // A person was served from here after all.
        put(&from, person(9), vec![3]).await;
        let late = copy_store(&from, &to, row("m", 2)).await;
        assert!(matches!(late, Err(MoveError::Differs(at)) if at == person(9)));
    }

    #[tokio::test]
    async fn what_was_broken_off_is_made_again_without_what_is_gone_meanwhile() {
        let (from, to) = (filled().await, MemoryStore::default());
        begin(&to, &write(&row("m", 1)).unwrap()).await.unwrap();
        put(&to, person(3), vec![9; 4]).await;
        put(&to, RowKey::system(SystemPart::Tenant(99)), vec![9]).await;
        copy_store(&from, &to, row("m", 2)).await.unwrap();
        assert_eq!(rows(&to).await.len(), rows(&from).await.len());
        assert_eq!(to.get(person(3)).await.unwrap().unwrap(), vec![1; 400]);
    }

    #[tokio::test]
    async fn nothing_of_another_deployment_is_touched() {
        let from = filled().await;
        let whole = MemoryStore::default();
        let bytes = write(&row("other", 1)).unwrap();
        put(&whole, RowKey::system(SystemPart::Store), bytes.clone()).await;
        let begun = MemoryStore::default();
        put(&begun, migration_key(), bytes).await;
        let stray = MemoryStore::default();
        put(&stray, person(1), vec![1]).await;
        for to in [whole, begun, stray] {
            let before = rows(&to).await;
            let outcome = copy_store(&from, &to, row("m", 2)).await;
            assert!(matches!(outcome, Err(MoveError::Taken)), "{outcome:?}");
            assert_eq!(rows(&to).await, before);
        }
    }

    #[tokio::test]
    async fn nothing_is_moved_while_keys_are_rotated() {
        let (from, to) = (filled().await, MemoryStore::default());
        put(&from, RowKey::system(SystemPart::Rotation), vec![1]).await;
        let outcome = copy_store(&from, &to, row("m", 2)).await;
        assert!(matches!(outcome, Err(MoveError::Rotation)), "{outcome:?}");
        assert_eq!(rows(&to).await, Vec::new());
    }

    #[tokio::test]
    async fn a_row_that_differs_is_found() {
        for (key, value) in [(person(2_400), vec![2]), (person(3_000), vec![2])] {
            let (from, to) = (filled().await, filled().await);
            put(&to, key.clone(), value).await;
            let outcome = compare(&from, &to).await;
            assert!(matches!(outcome, Err(MoveError::Differs(at)) if at == key));
        }
    }
}
