//! Opening the folder, and the `Store` trait on top of reader and writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tidegate_storage_api::{Commit, Key, KeyRange, Stamp, Store, StoreError, StoreFuture};

use crate::backup::BackupError;
use crate::reader::Reader;
use crate::rows::{MetaError, Rows};
use crate::writer::{Health, SyncOrder, Writer};

/// How a store uses the machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for cached blocks, in bytes.
    pub cache_bytes: u64,
    /// Threads that read.
    pub read_threads: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cache_bytes: 128 * 1024 * 1024,
            read_threads: 2,
        }
    }
}

/// Why a folder could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has the folder open.
    #[error("the store in {0} is in use by another process")]
    InUse(PathBuf),
    /// The folder was written by a newer version of Tidegate.
    #[error("the store in {path} has format {found}; this version reads up to {known}")]
    NewerFormat {
        /// The store's folder.
        path: PathBuf,
        /// The format found there.
        found: u32,
        /// The newest format that this version reads.
        known: u32,
    },
    /// The folder holds something that is not a whole store.
    #[error("the store in {path} cannot be read: {reason}")]
    Damaged {
        /// The store's folder.
        path: PathBuf,
        /// What was wrong, without any stored data.
        reason: String,
    },
    /// The operating system refused.
    #[error("the store in {path} cannot be opened: {source}")]
    Io {
        /// The store's folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A store in a folder of the local disk.
pub struct FjallStore {
    rows: Arc<Rows>,
    reader: Reader,
    writer: Writer,
}

impl FjallStore {
    /// Opens the folder, making it when it does not exist: `rows/` for the
    /// rows and `keys/` for the wrapped person keys.
    ///
    /// # Errors
    /// [`OpenError`]; a folder that another process holds is `InUse`.
    pub fn open(folder: &Path, options: &Options) -> Result<FjallStore, OpenError> {
        FjallStore::open_with(folder, options, SyncOrder::SyncThenAcknowledge)
    }

    pub(crate) fn open_with(
        folder: &Path,
        options: &Options,
        order: SyncOrder,
    ) -> Result<FjallStore, OpenError> {
        let opened = Rows::open(folder, options.cache_bytes);
        let rows = Arc::new(opened.map_err(|error| describe(folder, error))?);
        let started = Writer::start(Arc::clone(&rows), order).and_then(|writer| {
            let reader = Reader::start(Arc::clone(&rows), options.read_threads)?;
            Ok(FjallStore {
                rows,
                reader,
                writer,
            })
        });
        started.map_err(|source| OpenError::Io {
            path: folder.to_owned(),
            source,
        })
    }
}

impl FjallStore {
    /// Copies the store as it is at one moment, while it serves, into two
    /// folders that do not exist yet; how many rows. Takes as long as reading
    /// everything: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`BackupError`]; what was begun is left for whoever looks into it.
    pub fn backup(&self, rows: &Path, keys: &Path) -> Result<u64, BackupError> {
        self.rows.copy_to(rows, keys)
    }

    /// Which life of the store this is: raised by a restore.
    ///
    /// # Errors
    /// `Corrupt` when that cannot be read.
    pub fn generation(&self) -> Result<u32, StoreError> {
        self.rows.generation().map_err(|_| StoreError::Corrupt)
    }

    /// Whether commits are still taken; not after an I/O error.
    #[must_use]
    pub fn health(&self) -> Health {
        self.writer.health()
    }

    /// How many groups were made durable since the store was opened, each
    /// with one sync of the rows' journal.
    #[must_use]
    pub fn groups_written(&self) -> u64 {
        self.writer.groups_written()
    }
}

fn describe(folder: &Path, error: MetaError) -> OpenError {
    let path = folder.to_owned();
    match error {
        MetaError::Fjall(fjall::Error::Locked) => OpenError::InUse(path),
        MetaError::Fjall(fjall::Error::Io(source)) | MetaError::Io(source) => {
            OpenError::Io { path, source }
        }
        MetaError::Fjall(other) => OpenError::Damaged {
            path,
            reason: other.to_string(),
        },
        MetaError::NewerFormat { found, known } => OpenError::NewerFormat { path, found, known },
        MetaError::Unreadable(what) => OpenError::Damaged {
            path,
            reason: what.to_owned(),
        },
    }
}

impl Store for FjallStore {
    fn get(&self, key: Key) -> StoreFuture<Option<Bytes>> {
        let answer = self.reader.submit(move |rows| rows.get(&key));
        Box::pin(async move { answer?.await.unwrap_or(Err(StoreError::Unavailable)) })
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(Key, Bytes)>> {
        let answer = self.reader.submit(move |rows| rows.range(&range, limit));
        Box::pin(async move { answer?.await.unwrap_or(Err(StoreError::Unavailable)) })
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        let answer = self.writer.submit(commit);
        // A writer that died holding the commit may or may not have written it.
        Box::pin(async move { answer?.await.unwrap_or(Err(StoreError::CommitUnknown)) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tidegate_storage_api::{Region, Slot};

    tidegate_storage_api::conformance_tests!(|| async {
        let folder = tempfile::tempdir().unwrap();
        let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
        (folder, store)
    });

    #[tokio::test]
    async fn a_second_opening_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _first = FjallStore::open(folder.path(), &Options::default()).unwrap();
        let second = FjallStore::open(folder.path(), &Options::default());
        assert!(matches!(second, Err(OpenError::InUse(_))));
    }

    #[tokio::test]
    async fn after_an_io_error_nothing_is_written_any_more_and_reads_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::system(tidegate_storage_api::SystemPart::Tenant(1));
        let put = || Commit::default().put(key.clone(), &b"value"[..]);
        let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
        store.commit(put()).await.unwrap();
        drop(store);
        let options = Options::default();
        let store = FjallStore::open_with(folder.path(), &options, SyncOrder::Fail).unwrap();
        assert_eq!(store.commit(put()).await, Err(StoreError::CommitUnknown));
        assert_eq!(store.commit(put()).await, Err(StoreError::Unavailable));
        let found = store.get(key).await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"value"[..]));
    }

    #[tokio::test]
    async fn a_person_key_too_long_for_its_place_is_refused_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
        let region = tidegate_storage_api::Region::FIRST;
        let slot = tidegate_storage_api::Slot::new(1).unwrap();
        let put = |user: u8, bytes| {
            let key = Key::person_key(region, slot, &[user; 16]);
            Commit::default().put(key, vec![7; bytes])
        };
        assert_eq!(store.commit(put(1, 123)).await, Err(StoreError::TooLarge));
        store.commit(put(2, 122)).await.unwrap();
    }

    #[tokio::test]
    async fn a_replaced_key_is_destroyed_at_the_next_opening_at_the_latest() {
        let folder = tempfile::tempdir().unwrap();
        let key = |user: u8| Key::person_key(Region::FIRST, Slot::new(1).unwrap(), &[user; 16]);
        let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
        let first = Commit::default().put(key(1), vec![0xA1; 72]);
        store
            .commit(first.put(key(2), vec![0xB2; 72]))
            .await
            .unwrap();
        let file = folder.path().join("keys/person.keys");
        let before = std::fs::read(&file).unwrap();
        let replaced = Commit::default().put(key(1), vec![0xC3; 96]);
        store.commit(replaced).await.unwrap();
        store
            .commit(Commit::default().put(key(3), vec![0xD4; 72]))
            .await
            .unwrap();
        drop(store);
        // The power was cut before the destruction was on the disk.
        let mut after = std::fs::read(&file).unwrap();
        after[..before.len()].copy_from_slice(&before);
        std::fs::write(&file, &after).unwrap();

        let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(8).any(|window| window == [0xA1; 8]));
        for (user, value) in [
            (1, vec![0xC3; 96]),
            (2, vec![0xB2; 72]),
            (3, vec![0xD4; 72]),
        ] {
            assert_eq!(store.get(key(user)).await, Ok(Some(value.into())));
        }
    }

    #[tokio::test]
    async fn a_key_whose_row_never_came_is_destroyed_at_the_next_opening() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::person_key(Region::FIRST, Slot::new(1).unwrap(), &[1; 16]);
        let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
        let first = Commit::default().put(key.clone(), vec![0xA1; 72]);
        store.commit(first).await.unwrap();
        drop(store);
        // The power was cut after the next key, and before the row that names it.
        let file = folder.path().join("keys/person.keys");
        let mut bytes = std::fs::read(&file).unwrap();
        let whole = bytes.len();
        bytes.extend_from_within(..);
        bytes[whole..].iter_mut().for_each(|byte| *byte |= 0x0F);
        std::fs::write(&file, &bytes).unwrap();

        let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
        let after = std::fs::read(&file).unwrap();
        assert_eq!(after[..whole], bytes[..whole]);
        assert!(after[whole..].iter().all(|byte| *byte == 0));
        assert_eq!(store.get(key).await, Ok(Some(vec![0xA1; 72].into())));
    }

    #[tokio::test]
    async fn a_folder_of_a_newer_format_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(FjallStore::open(folder.path(), &Options::default()).unwrap());
        Rows::open(folder.path(), 1 << 20)
            .unwrap()
            .set_format(9)
            .unwrap();
        let refused = FjallStore::open(folder.path(), &Options::default());
        let Err(OpenError::NewerFormat { found, known, .. }) = refused else {
            unreachable!("a newer format was opened");
        };
        assert_eq!((found, known), (9, 1));
    }

    #[tokio::test]
    async fn stamps_go_on_growing_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut last = Stamp(0);
        for _ in 0..3 {
            let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
            let stamp = store.commit(Commit::default()).await.unwrap();
            assert!(stamp > last);
            last = stamp;
        }
    }
}
