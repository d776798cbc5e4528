//! A consistent copy of an open store, and putting one back. Rows and wrapped
//! keys go into folders of their own, because they are to be kept apart:
//! without the keys, a copy of the rows identifies no person.

mod error;

pub use error::BackupError;

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use fjall::{Database, KeyspaceCreateOptions, PersistMode, Readable};
use tidegate_storage_api::{Key, StoreError};

use crate::integrity::Verify;
use crate::key_file::KeyFile;
use crate::rows::{Absent, MetaError, NEWEST, Rows, build, take_over};
use crate::store::{FjallStore, Options};

/// What was made for a copy, which is worth nothing unless all of it is done.
#[derive(Default)]
struct Made {
    /// Folders of the copy: all that is in them is ours.
    ours: Vec<PathBuf>,
    /// Folders above them that were not there, each behind those that hold it.
    /// Another process may have put something into them meanwhile.
    above: Vec<PathBuf>,
}

impl Made {
    /// Makes a folder of the copy, with those above it.
    fn make(&mut self, half: &Path) -> io::Result<()> {
        self.above.extend(missing_above(half));
        self.ours.push(half.to_owned());
        private_folder(half)
    }

    /// All of it is done and stays.
    fn keep(mut self) {
        self.ours.clear();
        self.above.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in &self.ours {
            // The error that is on its way says why.
            let _ = std::fs::remove_dir_all(path);
        }
        for path in self.above.iter().rev() {
            // The system refuses where something lies in it.
            let _ = std::fs::remove_dir(path);
        }
    }
}

/// Names the sum of the keys that belong to a copy of the rows.
const KEYS_SUM: &str = "keys_sum";
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

impl Rows {
    /// Copies every row as it was at one moment; how many.
    pub(crate) fn copy_to(&self, rows_to: &Path, keys_to: &Path) -> Result<u64, BackupError> {
        for path in [rows_to, keys_to] {
            if path.exists() {
                return Err(BackupError::Exists(path.to_owned()));
            }
        }
        if rows_to.starts_with(keys_to) || keys_to.starts_with(rows_to) {
            return Err(BackupError::Nested);
        }
        let (rows, keys) = (unfinished(rows_to), unfinished(keys_to));
        let mut made = Made::default();
        for half in [&rows, &keys] {
            let refused = |source| io_error(half, source);
            if half.exists() {
                // Of a copy whose process was killed.
                std::fs::remove_dir_all(half).map_err(refused)?;
            }
            made.make(half).map_err(refused)?;
        }
        let copied = self.copy(&rows, &keys).map_err(|error| match error {
            MetaError::Fjall(fjall::Error::Io(source)) | MetaError::Io(source) => {
                io_error(rows_to, source)
            }
            other => BackupError::Damaged {
                path: rows_to.to_owned(),
                reason: format!("{other:?}"),
            },
        })?;
        // The keys first: rows that are there have all that belongs to them.
        for (half, whole) in [(&keys, keys_to), (&rows, rows_to)] {
            appear(half, whole).map_err(|source| io_error(whole, source))?;
            made.ours.push(whole.to_owned());
        }
        made.keep();
        Ok(copied)
    }

    fn copy(&self, rows_to: &Path, keys_to: &Path) -> Result<u64, MetaError> {
        let target = Database::builder(rows_to)
            .cache_size(CACHE_BYTES)
            .worker_threads(1)
            .open()?;
        let rows = target.keyspace("rows", KeyspaceCreateOptions::default)?;
        let meta = target.keyspace("meta", KeyspaceCreateOptions::default)?;
        let copied_keys = KeyFile::create(keys_to)?;
        let mut keys = copied_keys.edit();
        let (snapshot, sequence) = (self.database.snapshot(), self.sequence()?);
        let mut copied = 0u64;
        let mut ingestion = rows.start_ingestion()?;
        for row in snapshot.iter(&self.rows) {
            let (key, value) = row.into_inner()?;
            if key.as_ref() == NEWEST {
                continue;
            }
            let person_key = Key::from_stored(&key);
            if !person_key.is_person_key() {
                ingestion.write(key, value)?;
                copied += 1;
                continue;
            }
            // Destroyed or rewrapped since: what holds now is what counts, and
            // an erased person stays erased.
            let now = self.resolve(&person_key, &value).map_err(unreadable)?;
            let now = match now {
                Some(found) => Some(found),
                None => self.get(&person_key).map_err(unreadable)?,
            };
            if let Some(wrapped) = now {
                let place = keys.append(&wrapped)?;
                ingestion.write(key, &place.to_row()[..])?;
                copied += 1;
            }
        }
        ingestion.finish()?;
        keys.sync()?;
        drop(keys);
        let sum = u64::from(copied_keys.sum()?);
        let mut batch = target.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(
            &meta,
            "format",
            u64::from(crate::rows::FORMAT).to_be_bytes(),
        );
        batch.insert(&meta, "sequence", sequence.to_be_bytes());
        let generation = u64::from(self.generation()?);
        batch.insert(&meta, "generation", generation.to_be_bytes());
        batch.insert(&meta, "copied", copied.to_be_bytes());
        batch.insert(&meta, KEYS_SUM, sum.to_be_bytes());
        batch.commit()?;
        Ok(copied)
    }

    /// Sees to it that every row that was copied is there, and starts a new
    /// generation: readers of events must know that time went back.
    fn take_up(&self) -> Result<u64, MetaError> {
        let expected = self.number("copied")?;
        let expected = expected.ok_or(MetaError::Unreadable("it is not a finished backup"))?;
        // Places are numbered in each copy anew: with those of another, people
        // would get each other's keys.
        if let Some(sum) = self.number(KEYS_SUM)?
            && sum != self.keys_sum()?
        {
            return Err(MetaError::Unreadable("the keys are of another backup"));
        }
        let mut found = 0u64;
        for row in self.rows.iter() {
            let (key, value) = row.into_inner()?;
            if key.as_ref() == NEWEST {
                continue;
            }
            let key = Key::from_stored(&key);
            let readable = self.resolve(&key, &value).map_err(unreadable)?;
            found += u64::from(readable.is_some());
        }
        if found != expected {
            return Err(MetaError::Unreadable("rows or keys are missing"));
        }
        let generation = u64::from(self.generation()?) + 1;
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.meta, "generation", generation.to_be_bytes());
        batch.remove(&self.meta, "copied");
        batch.remove(&self.meta, KEYS_SUM);
        batch.commit()?;
        Ok(found)
    }
}

fn unreadable(_: StoreError) -> MetaError {
    MetaError::Unreadable("a person's key cannot be read")
}

/// Puts a backup where a store is to be; how many rows it has. The backup
/// stays as it is. Nothing is at `store` before everything is, and `ready` has
/// done with the store what must be done before it is served; what an earlier
/// attempt left half done is begun anew.
///
/// # Errors
/// [`BackupError`], or what `ready` says; nothing is left behind.
pub fn restore<E: From<BackupError> + From<io::Error>>(
    rows: &Path,
    keys: &Path,
    store: &Path,
    ready: impl FnOnce(FjallStore) -> Result<(), E>,
) -> Result<u64, E> {
    if store.exists() {
        return Err(BackupError::Exists(store.to_owned()).into());
    }
    build(store, "restoring", |half| {
        let found = put_back(rows, keys, half)?;
        let options = Options {
            absent: Absent::Refuse,
            verify: Verify::UpTo(0),
            ..Options::default()
        };
        let opened = FjallStore::open(half, &options);
        ready(opened.map_err(|error| BackupError::Damaged {
            path: rows.to_owned(),
            reason: error.to_string(),
        })?)?;
        Ok(found)
    })
}

fn put_back(rows: &Path, keys: &Path, half: &Path) -> Result<u64, BackupError> {
    copy_folder(rows, &half.join("rows"))?;
    copy_folder(keys, &half.join("keys"))?;
    let taken = take_over(half, CACHE_BYTES, Rows::take_up);
    taken.map_err(|error| match error {
        // What is wrong with the copy is wrong with what was copied.
        MetaError::Fault(fault) => BackupError::Damaged {
            path: origin(&fault.path, half, rows, keys),
            reason: fault.reason,
        },
        MetaError::Unreadable(what) => BackupError::Damaged {
            path: rows.to_owned(),
            reason: what.to_owned(),
        },
        other => BackupError::Damaged {
            path: rows.to_owned(),
            reason: format!("{other:?}"),
        },
    })
}

/// Where a file of the half that is being put back was copied from.
fn origin(path: &Path, half: &Path, rows: &Path, keys: &Path) -> PathBuf {
    let from = |part: &str, origin: &Path| {
        let inner = path.strip_prefix(half.join(part)).ok()?;
        Some(origin.join(inner))
    };
    from("rows", rows)
        .or_else(|| from("keys", keys))
        .unwrap_or_else(|| rows.to_owned())
}

/// Where a copy lies until it is whole, so that none is taken for one before.
fn unfinished(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    folder.with_file_name(name)
}

/// Moves a folder to its place, durably.
fn appear(half: &Path, whole: &Path) -> io::Result<()> {
    std::fs::File::open(half)?.sync_all()?;
    std::fs::rename(half, whole)?;
    let above = whole.parent().filter(|above| !above.as_os_str().is_empty());
    above.map_or(Ok(()), |above| std::fs::File::open(above)?.sync_all())
}

/// The folders above a path that are not there, the outermost first.
fn missing_above(path: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().skip(1);
    let missing = above.take_while(|above| !above.as_os_str().is_empty() && !above.exists());
    let mut missing: Vec<_> = missing.map(Path::to_owned).collect();
    missing.reverse();
    missing
}

fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), BackupError> {
    let reading = |source| io_error(from, source);
    private_folder(to).map_err(|source| io_error(to, source))?;
    for entry in std::fs::read_dir(from).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target)?;
            continue;
        }
        let copied =
            std::fs::copy(&path, &target).and_then(|_| std::fs::File::open(&target)?.sync_all());
        copied.map_err(|source| io_error(&path, source))?;
    }
    let synced = std::fs::File::open(to).and_then(|folder| folder.sync_all());
    synced.map_err(|source| io_error(to, source))
}

fn io_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::key_file::FILE;
    use tidegate_storage_api::{Commit, KeyRange, Region, Slot, Store, SystemPart};

    fn restored(rows: &Path, keys: &Path, store: &Path) -> Result<u64, BackupError> {
        restore(rows, keys, store, |_| Ok(()))
    }

    fn person_key(user: u8) -> Key {
        Key::person_key(Region::FIRST, Slot::new(1).unwrap(), &[user; 16])
    }

    fn everything() -> KeyRange {
        KeyRange {
            start: Key::from_stored(&[]),
            end: Key::from_stored(&[0xFF; 40]),
        }
    }

    async fn filled(folder: &Path) -> FjallStore {
        let store = FjallStore::open(folder, &Options::default()).unwrap();
        for n in 0..100u8 {
            let commit = Commit::default()
                .put(Key::system(SystemPart::Tenant(n.into())), vec![n; 300])
                .put(person_key(n), vec![n; 72]);
            store.commit(commit).await.unwrap();
        }
        let erased = Commit::default().delete(person_key(7));
        store.commit(erased).await.unwrap();
        store
    }

    #[tokio::test]
    async fn what_is_put_back_is_what_was_there_when_it_was_copied() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let store = filled(&at("store")).await;
        let before = store.range(everything(), 10_000).await.unwrap();
        assert_eq!(store.backup(&at("rows"), &at("keys")).unwrap(), 199);
        let later = Commit::default()
            .delete(person_key(8))
            .put(Key::system(SystemPart::Tenant(1)), vec![0]);
        store.commit(later).await.unwrap();
        drop(store);
        assert_eq!(
            restored(&at("rows"), &at("keys"), &at("back")).unwrap(),
            199
        );
        let back = FjallStore::open(&at("back"), &Options::default()).unwrap();
        assert_eq!(back.range(everything(), 10_000).await.unwrap(), before);
        back.commit(Commit::default().put(person_key(7), vec![1; 72]))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn rows_are_not_put_back_with_the_keys_of_another_backup() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let store = filled(&at("store")).await;
        store.backup(&at("rows"), &at("keys")).unwrap();
        // The keys of a person who comes later stand before those of the
        // others.
        let newcomer = Commit::default().put(person_key(7), vec![7; 72]);
        store.commit(newcomer).await.unwrap();
        store.backup(&at("rows-2"), &at("keys-2")).unwrap();
        for (rows, keys) in [("rows", "keys-2"), ("rows-2", "keys")] {
            let refused = restored(&at(rows), &at(keys), &at("back"));
            let why = refused.unwrap_err().to_string();
            assert!(why.contains("the keys are of another backup"), "{why}");
            assert!(!at("back").exists());
        }
        assert_eq!(
            restored(&at("rows-2"), &at("keys-2"), &at("back")).unwrap(),
            200
        );
    }

    #[tokio::test]
    async fn an_erased_persons_key_is_in_no_copy() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let store = filled(&at("store")).await;
        store.backup(&at("rows"), &at("keys")).unwrap();
        let bytes = std::fs::read(at("keys").join(FILE)).unwrap();
        assert!(bytes.windows(72).any(|window| window == [8; 72]));
        assert!(!bytes.windows(72).any(|window| window == [7; 72]));
    }

    #[tokio::test]
    async fn nothing_is_overwritten_and_half_a_backup_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let store = filled(&at("store")).await;
        store.backup(&at("rows"), &at("keys")).unwrap();
        let again = store.backup(&at("rows"), &at("other"));
        assert!(matches!(again, Err(BackupError::Exists(path)) if path == at("rows")));
        let over = restored(&at("rows"), &at("keys"), &at("store"));
        assert!(matches!(over, Err(BackupError::Exists(_))));
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(at("keys").join(FILE))
            .unwrap();
        file.set_len(128 * 50).unwrap();
        let half = restored(&at("rows"), &at("keys"), &at("back"));
        assert!(matches!(half, Err(BackupError::Damaged { .. })), "{half:?}");
        assert!(!at("back").exists());
    }

    #[tokio::test]
    async fn a_copy_that_cannot_be_made_leaves_no_folder_behind() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let store = filled(&at("store")).await;
        for (rows, keys) in [
            ("b", "b"),
            ("b", "b/keys"),
            ("b/rows", "b"),
            ("c/../b", "c/../b/k"),
        ] {
            let nested = store.backup(&at(rows), &at(keys));
            assert!(matches!(nested, Err(BackupError::Nested)), "{nested:?}");
        }
        std::fs::write(at("file"), b"in the way").unwrap();
        for (rows, keys) in [("new/deep/rows", "file/keys"), ("file/rows", "new/keys")] {
            let refused = store.backup(&at(rows), &at(keys));
            assert!(
                matches!(refused, Err(BackupError::Io { .. })),
                "{refused:?}"
            );
            assert!(!at("new").exists(), "{rows}");
        }
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["file", "store"]);
        assert_eq!(store.backup(&at("new/rows"), &at("new/keys")).unwrap(), 199);
    }

    #[test]
    fn a_copy_that_fails_takes_away_what_is_its_own_and_nothing_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let begun = |rows: &str, keys: &str| {
            let mut made = Made::default();
            for half in [rows, keys] {
                made.make(&at(half)).unwrap();
                std::fs::write(at(half).join("part"), b"of the copy").unwrap();
            }
            made
        };
        let made = begun("new/deep/rows.unfinished", "new/keys/keys.unfinished");
        // Another backup finds the folder there and goes into it as well.
        std::fs::create_dir(at("new/other")).unwrap();
        std::fs::write(at("new/other/part"), b"of another").unwrap();
        drop(made);
        assert_eq!(
            std::fs::read(at("new/other/part")).unwrap(),
            b"of another".to_vec()
        );
        assert!(!at("new/deep").exists() && !at("new/keys").exists());
        // Where no other backup wrote, no folder is left.
        drop(begun("b/c/d/rows.unfinished", "b/c/keys.unfinished"));
        assert!(!at("b").exists());
        begun("b/rows", "b/c/keys").keep();
        assert!(at("b/rows/part").exists() && at("b/c/keys/part").exists());
    }

    #[tokio::test]
    async fn what_a_killed_copy_left_is_no_backup_and_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let store = filled(&at("store")).await;
        // As it is while it is copied, and with nothing in it.
        let half = Database::builder(at("rows.unfinished")).open().unwrap();
        half.keyspace("rows", KeyspaceCreateOptions::default)
            .unwrap();
        half.keyspace("meta", KeyspaceCreateOptions::default)
            .unwrap();
        drop(half);
        KeyFile::create(&at("keys.unfinished")).unwrap();
        let halves = ("rows.unfinished", "keys.unfinished");
        std::fs::create_dir(at("empty")).unwrap();
        for (rows, keys) in [halves, ("empty", "keys.unfinished"), (halves.0, "empty")] {
            let refused = restored(&at(rows), &at(keys), &at("back"));
            assert!(
                matches!(refused, Err(BackupError::Damaged { .. })),
                "{refused:?}"
            );
            assert!(!at("back").exists());
        }
        assert_eq!(store.backup(&at("rows"), &at("keys")).unwrap(), 199);
        assert!(!at("rows.unfinished").exists() && !at("keys.unfinished").exists());
        assert_eq!(
            restored(&at("rows"), &at("keys"), &at("back")).unwrap(),
            199
        );
    }
}
