//! Opening the folder, and the `Store` trait on top of reader and writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tidegate_storage_api::{Commit, Key, KeyRange, Stamp, Store, StoreError, StoreFuture};

use crate::backup::BackupError;
use crate::integrity::Verify;
use crate::reader::Reader;
use crate::rows::{Absent, MetaError, Rows, is_held};
use crate::writer::{Health, SyncOrder, Writer};

/// How a store uses the machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Memory for cached blocks, in bytes.
    pub cache_bytes: u64,
    /// Threads that read.
    pub read_threads: usize,
    /// What is done where there is no store.
    pub absent: Absent,
    /// How much of the tables is read at opening.
    pub verify: Verify,
}

/// Tables beyond this are not read at every opening, in bytes.
const VERIFIED_BYTES: u64 = 2 * 1024 * 1024 * 1024;

impl Default for Options {
    fn default() -> Options {
        Options {
            cache_bytes: 128 * 1024 * 1024,
            read_threads: 2,
            absent: Absent::Create,
            verify: Verify::UpTo(VERIFIED_BYTES),
        }
    }
}

/// Why a folder could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has the folder open.
    #[error("the store in {0} is in use by another process")]
    InUse(PathBuf),
    /// There is none.
    #[error("there is no store in {0}")]
    Missing(PathBuf),
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
    /// A file is missing, damaged, or not of this store or this time. Nothing
    /// was changed: with the right file in its place the store opens.
    #[error("{path}: {reason}; nothing was changed: put the right file in its place")]
    Damaged {
        /// The file, or the folder where no single file is to blame.
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
    /// Opens the folder: `rows/` for the rows, `keys/` for the wrapped person
    /// keys, `acknowledged` for how far commits were acknowledged. Before
    /// anything is changed, all of it is held against each other.
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
        let opened = Rows::open(folder, options.cache_bytes, options.absent, options.verify);
        let opened = opened.map_err(|error| describe(folder, error))?;
        let rows = Arc::new(opened.rows);
        let started = Writer::start(Arc::clone(&rows), opened.mark, order).and_then(|writer| {
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
    /// Whether a process has the store of a folder open. Takes its lock for no
    /// longer than asking needs, and makes nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_in_use(folder: &Path) -> std::io::Result<bool> {
        is_held(&folder.join("rows"))
    }

    /// Copies the store as it is at one moment, while it serves, into two
    /// folders that do not exist yet; how many rows. Takes as long as reading
    /// everything: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left behind.
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

    /// What the system said when commits ended.
    #[must_use]
    pub fn fault(&self) -> Option<std::io::ErrorKind> {
        self.writer.fault()
    }

    /// How many groups were made durable since the store was opened, each
    /// with one sync of the rows' journal.
    #[must_use]
    pub fn groups_written(&self) -> u64 {
        self.writer.groups_written()
    }
}

/// Whether it is the disk that refuses, whatever is in a file.
fn is_of_the_disk(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(
        kind,
        PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull
    )
}

fn describe(folder: &Path, error: MetaError) -> OpenError {
    let path = folder.to_owned();
    match error {
        MetaError::Fjall(fjall::Error::Locked) => OpenError::InUse(path),
        MetaError::Fjall(fjall::Error::Io(source)) | MetaError::Io(source) => {
            OpenError::Io { path, source }
        }
        // Other errors of reading a table say that it is not whole.
        MetaError::Fjall(fjall::Error::Storage(fjall::LsmError::Io(source)))
            if is_of_the_disk(source.kind()) =>
        {
            OpenError::Io { path, source }
        }
        MetaError::Fjall(other) => OpenError::Damaged {
            path,
            reason: other.to_string(),
        },
        MetaError::Missing => OpenError::Missing(path),
        MetaError::Fault(fault) => OpenError::Damaged {
            path: fault.path,
            reason: fault.reason,
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
    use crate::key_file::{HEADER_PLACES, Header, KeyFile, Place};
    use crate::mark::{Mark, MarkFile};
    use crate::rows::hold;
    use fjall::AbstractTree;
    use tidegate_storage_api::{Region, Slot, SystemPart};

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
        assert_eq!(store.fault(), Some(std::io::ErrorKind::Other));
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
        let header = usize::try_from(HEADER_PLACES).unwrap() * 128;
        after[header..before.len()].copy_from_slice(&before[header..]);
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

    /// Writes a key behind those of a closed store; `said` is what its header
    /// says of the group that it belongs to.
    fn write_key(folder: &Path, said: Option<u64>) {
        let keys = KeyFile::open(&folder.join("keys")).unwrap();
        let header = keys.header(0).unwrap().unwrap();
        let mut edit = keys.edit();
        if let Some(sequence) = said {
            let places = edit.places();
            edit.set_header(
                0,
                &Header {
                    sequence,
                    places,
                    ..header
                },
            )
            .unwrap();
        }
        edit.append(&[0xEE; 72]).unwrap();
        edit.sync().unwrap();
    }

    fn holds_that_key(folder: &Path) -> bool {
        let bytes = std::fs::read(folder.join("keys/person.keys")).unwrap();
        bytes.windows(72).any(|window| window == [0xEE; 72])
    }

    #[tokio::test]
    async fn the_keys_of_a_group_that_was_never_finished_are_destroyed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::person_key(Region::FIRST, Slot::new(1).unwrap(), &[1; 16]);
        let open = || FjallStore::open(folder.path(), &Options::default());
        let store = open().unwrap();
        let first = Commit::default().put(key.clone(), vec![0xA1; 72]);
        store.commit(first).await.unwrap();
        drop(store);
        // Nothing says which group it is of, so its row may be what is missing.
        write_key(folder.path(), None);
        let store = open().unwrap();
        assert!(holds_that_key(folder.path()));
        assert_eq!(
            store.get(key.clone()).await,
            Ok(Some(vec![0xA1; 72].into()))
        );
        store
            .commit(Commit::default().put(key.clone(), vec![0xB2; 72]))
            .await
            .unwrap();
        drop(store);
        // The power was cut after the next group's key, and before its row.
        write_key(folder.path(), Some(3));
        let store = open().unwrap();
        let bytes = std::fs::read(folder.path().join("keys/person.keys")).unwrap();
        assert!(bytes[bytes.len() - 128..].iter().all(|byte| *byte == 0));
        assert_eq!(store.get(key).await, Ok(Some(vec![0xB2; 72].into())));
    }

    fn key(user: u8) -> Key {
        Key::person_key(Region::FIRST, Slot::new(1).unwrap(), &[user; 16])
    }

    fn row(number: u64) -> Commit {
        Commit::default().put(Key::system(SystemPart::Tenant(number)), &b"value"[..])
    }

    async fn join(store: &FjallStore, user: u8) {
        let joins = Commit::default().put(key(user), vec![user; 72]);
        store.commit(joins).await.unwrap();
    }

    #[tokio::test]
    async fn a_crash_in_a_group_with_keys_is_forgotten_by_the_starts_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let open = || FjallStore::open(folder.path(), &Options::default());
        join(&open().unwrap(), 1).await;
        // The unfinished group had many commits, or one; another crash follows
        // with no whole group of keys in between.
        for ahead in [500, 1, 1] {
            let sequence = open().unwrap().rows.sequence().unwrap();
            write_key(folder.path(), Some(sequence + ahead));
            for number in 0..3 {
                let store = open().unwrap();
                store.commit(row(number)).await.unwrap();
            }
            assert!(!holds_that_key(folder.path()));
        }
        let store = open().unwrap();
        join(&store, 2).await;
        drop(store);
        let store = open().unwrap();
        for user in [1, 2] {
            let found = store.get(key(user)).await;
            assert_eq!(found, Ok(Some(vec![user; 72].into())));
        }
    }

    #[tokio::test]
    async fn a_deletion_that_a_crash_cut_short_is_finished_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let open = || FjallStore::open(folder.path(), &Options::default());
        let store = open().unwrap();
        for user in [1, 2] {
            join(&store, user).await;
        }
        let sequence = store.rows.sequence().unwrap();
        let place = store.rows.rows.get(key(1).as_bytes()).unwrap().unwrap();
        let place = Place::from_row(&place).unwrap();
        drop(store);
        // The key was destroyed, and the power was cut before its row went.
        let keys = KeyFile::open(&folder.path().join("keys")).unwrap();
        let header = Header {
            sequence: sequence + 1,
            places: keys.places(),
            ..keys.header(0).unwrap().unwrap()
        };
        let mut edit = keys.edit();
        edit.set_header(0, &header).unwrap();
        edit.destroy(place).unwrap();
        edit.sync().unwrap();
        drop(edit);
        for user in [3, 4] {
            let store = open().unwrap();
            assert!(store.rows.rows.get(key(1).as_bytes()).unwrap().is_none());
            assert_eq!(store.get(key(1)).await, Ok(None));
            join(&store, user).await;
        }
        let found = open().unwrap().get(key(2)).await;
        assert_eq!(found, Ok(Some(vec![2; 72].into())));
    }

    #[tokio::test]
    async fn no_work_of_the_files_own_raises_what_the_mark_says() {
        let folder = tempfile::tempdir().unwrap();
        let store = FjallStore::open(folder.path(), &Options::default()).unwrap();
        let rows = Arc::clone(&store.rows);
        let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let until = Arc::clone(&ended);
        let flushing = std::thread::spawn(move || {
            while !until.load(std::sync::atomic::Ordering::Relaxed) {
                rows.meta.rotate_memtable_and_wait().unwrap();
            }
        });
        for number in 0..400 {
            store.commit(row(number)).await.unwrap();
            let highest = store.rows.rows.tree.get_highest_seqno();
            assert_eq!(Some(store.rows.newest()), highest, "commit {number}");
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        flushing.join().unwrap();
    }

    #[tokio::test]
    async fn a_store_whose_mark_was_emptied_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = || FjallStore::open(folder.path(), &Options::default());
        open().unwrap().commit(row(1)).await.unwrap();
        let mark = folder.path().join("acknowledged");
        let whole = std::fs::read(&mark).unwrap();
        for empty in [0, whole.len()] {
            std::fs::write(&mark, vec![0; empty]).unwrap();
            let refused = open().err().unwrap().to_string();
            assert!(refused.contains("acknowledged: it is empty"), "{refused}");
        }
        std::fs::write(&mark, whole).unwrap();
        open().unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_is_being_read_is_opened_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        drop(FjallStore::open(folder.path(), &Options::default()).unwrap());
        let rows = folder.path().join("rows");
        let lock = hold(&rows).unwrap();
        assert!(FjallStore::is_in_use(folder.path()).unwrap());
        let refused = FjallStore::open(folder.path(), &Options::default());
        assert!(matches!(refused, Err(OpenError::InUse(_))));
        drop(lock);
        FjallStore::open(folder.path(), &Options::default()).unwrap();
    }

    /// An older program went on after the first start of this one had failed.
    #[tokio::test]
    async fn keys_that_an_older_program_wrote_since_are_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folders/unmarked");
        copy(&old, &store);
        let keys = KeyFile::open(&store.join("keys")).unwrap();
        let begun = Mark {
            id: [9; 16],
            sequence: 0,
            seqno: 0,
            header: keys.places(),
        };
        drop(MarkFile::open(&store.join("acknowledged"), begun).unwrap());
        let mut edit = keys.edit();
        let places = [0xA1, 0xB2].map(|fill| (edit.append(&[fill; 72]).unwrap(), fill));
        edit.sync().unwrap();
        drop(edit);
        for _ in 0..2 {
            let opened = FjallStore::open(&store, &Options::default()).unwrap();
            for (place, fill) in places {
                let found = opened.rows.keys().read(place).unwrap();
                assert_eq!(found, Some(vec![fill; 72].into()));
            }
        }
    }

    /// A journal of a node whose store was never out of reach.
    #[tokio::test]
    async fn a_store_of_an_older_program_without_a_commit_opens_unless_there_are_keys() {
        let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folders/unused");
        let opened = |keys: &[u8]| {
            let folder = tempfile::tempdir().unwrap();
            let store = folder.path().join("store");
            copy(&old, &store);
            std::fs::write(store.join("keys/person.keys"), keys).unwrap();
            FjallStore::open(&store, &Options::default()).map(|store| (folder, store))
        };
        let (_folder, store) = opened(&[]).unwrap();
        store.commit(row(1)).await.unwrap();
        let refused = opened(&[7; 384]).map(|_| ()).unwrap_err();
        assert!(
            refused.to_string().contains("its journal is empty"),
            "{refused}"
        );
    }

    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            match path.is_dir() {
                true => copy(&path, &target),
                false => drop(std::fs::copy(&path, &target).unwrap()),
            }
        }
    }

    #[tokio::test]
    async fn keys_that_are_more_than_one_group_ahead_of_the_rows_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let key = |user: u8| Key::person_key(Region::FIRST, Slot::new(1).unwrap(), &[user; 16]);
        let open = || FjallStore::open(folder.path(), &Options::default());
        let store = open().unwrap();
        store
            .commit(Commit::default().put(key(1), vec![1; 72]))
            .await
            .unwrap();
        drop(store);
        // As after rows, and the mark with them, were put back from an older copy.
        write_key(folder.path(), Some(2));
        write_key(folder.path(), Some(3));
        let refused = open().err().unwrap().to_string();
        assert!(
            refused.contains("newer than the rows by more than one group"),
            "{refused}"
        );
        assert!(holds_that_key(folder.path()));
    }

    #[tokio::test]
    async fn a_folder_of_a_newer_format_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(FjallStore::open(folder.path(), &Options::default()).unwrap());
        let opened = Rows::open(folder.path(), 1 << 20, Absent::Refuse, Verify::Everything);
        opened.unwrap().rows.set_format(9).unwrap();
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
