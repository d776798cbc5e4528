//! Opening a folder: nothing is served, and nothing is destroyed, before rows,
//! keys and mark were held against each other.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use fjall::{AbstractTree, Database, KeyspaceCreateOptions, PersistMode};
use tidegate_storage_api::Key;
use xxhash_rust::xxh3::Xxh3Default;

use super::{KEYS_SEQUENCE, MetaError, NEWEST, PLACES, REPLACED, Rows, STORE_ID};
use crate::integrity::journal::SEQUENCE;
use crate::integrity::{self, Fault, Verify, Whole};
use crate::key_file::{FILE, Header, KeyFile, PLACE_ROW_BYTES, Place};
use crate::mark::{Mark, MarkFile, StoreId};

const LOCK_TRIES: usize = 3;
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// What is done where there is no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// One is made.
    Create,
    /// Opening is refused: what is away is not begun anew.
    Refuse,
}

/// An open store.
pub(crate) struct Opened {
    pub(crate) rows: Rows,
    pub(crate) mark: MarkFile,
}

/// Where the parts of a store lie in its folder.
struct Layout {
    rows: PathBuf,
    keys: PathBuf,
    mark: PathBuf,
}

impl Layout {
    fn of(folder: &Path) -> Layout {
        Layout {
            rows: folder.join("rows"),
            keys: folder.join("keys"),
            mark: folder.join("acknowledged"),
        }
    }

    fn is_absent(&self) -> bool {
        ![&self.rows, &self.keys, &self.mark]
            .iter()
            .any(|part| part.exists())
    }
}

/// The row that ties a store together: its id, and where the key file's header is.
struct Tie {
    id: StoreId,
    header: u64,
}

impl Tie {
    fn to_row(&self) -> Vec<u8> {
        [&self.id[..], &self.header.to_be_bytes()].concat()
    }

    fn from_row(row: &[u8]) -> Option<Tie> {
        let row: &[u8; 24] = row.try_into().ok()?;
        Some(Tie {
            id: *row.first_chunk()?,
            header: u64::from_be_bytes(*row.last_chunk()?),
        })
    }
}

impl Rows {
    /// Opens the store of a folder.
    ///
    /// # Errors
    /// [`MetaError`]; a refusal has changed nothing.
    pub(crate) fn open(
        folder: &Path,
        cache_bytes: u64,
        absent: Absent,
        verify: Verify,
    ) -> Result<Opened, MetaError> {
        let layout = Layout::of(folder);
        if layout.is_absent() {
            match absent {
                Absent::Refuse => return Err(MetaError::Missing),
                Absent::Create => create(folder)?,
            }
        }
        refuse_held(&layout.rows)?;
        let whole = integrity::verify(&layout.rows, &layout.mark, verify)?;
        let keys = open_keys(&layout, &whole)?;
        whole.drop_unfinished()?;
        let opened = guarded(&layout.rows, || raw(&layout.rows, keys, cache_bytes))?;
        opened.check_format()?;
        opened.taken_up(&layout, whole, verify)
    }

    /// Holds what fjall found against mark and keys.
    fn taken_up(
        mut self,
        layout: &Layout,
        whole: Whole,
        verify: Verify,
    ) -> Result<Opened, MetaError> {
        if self.meta.get("copied")?.is_some() {
            return Err(Fault::new(&layout.rows, "it is a backup that was not put back").into());
        }
        let tie = match self.meta.get(STORE_ID)? {
            None => {
                let mark = self.adopt(layout, whole.mark)?;
                return Ok(Opened { rows: self, mark });
            }
            Some(row) => Tie::from_row(&row).ok_or(MetaError::Unreadable("its id"))?,
        };
        if !whole.marked {
            return Err(Fault::new(&layout.mark, "it is missing").into());
        }
        (self.id, self.header) = (tie.id, tie.header);
        self.compare_mark(layout, &whole)?;
        let header = self.compare_keys(layout)?;
        if verify_keys(verify, self.keys.places()) {
            self.verify_keys(layout, &header)?;
        }
        self.destroy_replaced()?;
        self.destroy_unfinished(&header)?;
        let mark = MarkFile::open(&layout.mark, self.mark()?)?;
        Ok(Opened { rows: self, mark })
    }

    fn mark(&self) -> Result<Mark, MetaError> {
        Ok(Mark {
            id: self.id,
            sequence: self.sequence()?,
            seqno: self.newest(),
            header: self.header,
        })
    }

    /// Nothing that was acknowledged is missing from either keyspace.
    fn compare_mark(&self, layout: &Layout, whole: &Whole) -> Result<(), MetaError> {
        let missing = |what: &str| Err(Fault::new(&layout.rows, what).into());
        if let Some(mark) = whole.mark {
            if mark.id != self.id {
                return Err(Fault::new(&layout.mark, "it is of another store").into());
            }
            if mark.sequence > self.sequence()? {
                return missing("acknowledged commits are missing");
            }
        }
        for keyspace in [&self.rows, &self.meta] {
            let [persisted, highest] = [
                keyspace.tree.get_highest_persisted_seqno(),
                keyspace.tree.get_highest_seqno(),
            ]
            .map(|seqno| seqno.unwrap_or(0));
            if whole.before.is_some_and(|before| persisted < before) {
                return missing("a journal or tables are missing");
            }
            if whole.mark.is_some_and(|mark| highest < mark.seqno) {
                return missing("tables are missing");
            }
        }
        Ok(())
    }

    /// Keys and rows are of one store and of one time, but for a group that a
    /// crash cut short after its keys and before its rows.
    fn compare_keys(&self, layout: &Layout) -> Result<Header, MetaError> {
        let path = layout.keys.join(FILE);
        let fault = |what: &str| Err(Fault::new(&path, what).into());
        let Some(header) = self.keys.header(self.header)? else {
            return fault("it does not say of which store it is: another file, or a shorter one");
        };
        if header.id != self.id {
            return fault("it is of another store");
        }
        let (places, newest) = (
            self.number(PLACES)?,
            self.number(KEYS_SEQUENCE)?.unwrap_or(0),
        );
        if places.is_some_and(|places| self.keys.places() < places) {
            return fault("it is shorter than what the rows name");
        }
        if header.sequence < newest {
            return fault("it is older than the rows");
        }
        if header.sequence > newest && header.sequence <= self.sequence()? {
            return fault("it is of another time than the rows");
        }
        if header.sequence > newest && places.is_some_and(|places| places != header.places) {
            return fault("it is newer than the rows by more than one group");
        }
        Ok(header)
    }

    /// Every key that a row names is there. What no row names proves nothing:
    /// a group that a power cut ended can leave anything behind the last place.
    fn verify_keys(&self, layout: &Layout, header: &Header) -> Result<(), MetaError> {
        let path = layout.keys.join(FILE);
        let cut_short = self.is_unfinished(header)?;
        for row in self.rows.iter() {
            let (key, value) = row.into_inner()?;
            let person_key = key.as_ref() != NEWEST && Key::from_stored(&key).is_person_key();
            if !person_key {
                continue;
            }
            let place = Place::from_row(&value).ok_or(MetaError::Unreadable("a place"))?;
            let what = match self.keys.read(place) {
                Ok(Some(_)) => continue,
                Ok(None) if cut_short => continue,
                Ok(None) => "missing",
                Err(_) => "damaged",
            };
            let reason = format!("the key at byte {} is {what}", place.offset());
            return Err(Fault::new(&path, reason).into());
        }
        Ok(())
    }

    /// Whether the newest group that changed keys never reached the rows.
    fn is_unfinished(&self, header: &Header) -> Result<bool, MetaError> {
        Ok(header.sequence > self.sequence()?)
    }

    /// Destroys once more what the newest group with replaced keys replaced: a
    /// crash can have come before that was durable.
    fn destroy_replaced(&self) -> Result<(), MetaError> {
        let Some(places) = self.meta.get(REPLACED)? else {
            return Ok(());
        };
        let mut keys = self.keys.edit();
        for place in places.chunks_exact(PLACE_ROW_BYTES) {
            if let Some(place) = Place::from_row(place) {
                keys.destroy(place)?;
            }
        }
        Ok(keys.sync()?)
    }

    /// Destroys the keys of a group whose rows never came: nobody would destroy
    /// them with their person. The header names that group; that rows are
    /// absent proves nothing.
    fn destroy_unfinished(&self, header: &Header) -> Result<(), MetaError> {
        if !self.is_unfinished(header)? {
            return Ok(());
        }
        let mut keys = self.keys.edit();
        keys.destroy_from(header.places)?;
        Ok(keys.sync()?)
    }

    /// Ties a store together that an older program made, or that was just made:
    /// the mark first, the rows last, so that a crash in between is repeated.
    fn adopt(&mut self, layout: &Layout, begun: Option<Mark>) -> Result<MarkFile, MetaError> {
        let (path, sequence) = (layout.keys.join(FILE), self.sequence()?);
        let mark = match begun {
            Some(mark) if mark.sequence > sequence => {
                return Err(Fault::new(&layout.rows, "acknowledged commits are missing").into());
            }
            Some(mark) => mark,
            None => Mark {
                id: new_id(&path)?,
                sequence,
                seqno: 0,
                header: self.keys.places(),
            },
        };
        (self.id, self.header) = (mark.id, mark.header);
        let file = MarkFile::open(&layout.mark, mark)?;
        let header = Header {
            id: self.id,
            sequence,
            places: mark.header,
        };
        let mut keys = self.keys.edit();
        keys.put_header(self.header, &header)?;
        keys.sync()?;
        let places = keys.places();
        drop(keys);
        let tie = Tie {
            id: self.id,
            header: self.header,
        };
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.meta, STORE_ID, tie.to_row());
        batch.insert(&self.meta, PLACES, places.to_be_bytes());
        batch.insert(&self.meta, KEYS_SEQUENCE, sequence.to_be_bytes());
        batch.insert(&self.meta, SEQUENCE, sequence.to_be_bytes());
        batch.insert(&self.rows, NEWEST, sequence.to_be_bytes());
        // What was before is not chained.
        *self.newest.get_mut() = 0;
        self.commit_chained(batch)?;
        Ok(file)
    }
}

/// Opens the key file, which must be the one that the mark was written for.
fn open_keys(layout: &Layout, whole: &Whole) -> Result<KeyFile, MetaError> {
    let path = layout.keys.join(FILE);
    let keys = KeyFile::open(&layout.keys).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::new(&path, "it is missing").into(),
        _ => MetaError::Io(error),
    })?;
    if let Some(mark) = whole.mark
        && let Some(header) = keys.header(mark.header)?
        && header.id != mark.id
    {
        return Err(Fault::new(&path, "it is of another store").into());
    }
    Ok(keys)
}

/// A cross-check reads every place: it is done where a table would be read too.
fn verify_keys(verify: Verify, places: u64) -> bool {
    match verify {
        Verify::Everything => true,
        Verify::UpTo(bytes) => places.saturating_mul(128) <= bytes,
    }
}

/// Opens the files, which were found whole.
fn raw(rows_at: &Path, keys: KeyFile, cache_bytes: u64) -> Result<Rows, MetaError> {
    let database = Database::builder(rows_at)
        .cache_size(cache_bytes)
        .worker_threads(1)
        .open()?;
    let rows = database.keyspace("rows", KeyspaceCreateOptions::default)?;
    let meta = database.keyspace("meta", KeyspaceCreateOptions::default)?;
    let newest = rows.tree.get_highest_seqno().unwrap_or(0);
    Ok(Rows {
        database,
        rows,
        meta,
        keys,
        id: StoreId::default(),
        header: 0,
        newest: AtomicU64::new(newest),
    })
}

/// fjall asserts things about its files that damage can break.
fn guarded(path: &Path, open: impl FnOnce() -> Result<Rows, MetaError>) -> Result<Rows, MetaError> {
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(open));
    opened.unwrap_or_else(|_| Err(Fault::new(path, "its files do not fit each other").into()))
}

/// Another process that has the folder open changes what is read here. One that
/// only asks holds the lock for a moment.
#[allow(
    clippy::disallowed_methods,
    reason = "waits for another process, before anything of the engine runs"
)]
fn refuse_held(rows: &Path) -> Result<(), MetaError> {
    for _ in 0..LOCK_TRIES {
        if !is_held(rows)? {
            return Ok(());
        }
        std::thread::sleep(LOCK_WAIT);
    }
    Err(MetaError::Fjall(fjall::Error::Locked))
}

/// Whether a process has the rows open. Changes nothing.
pub(crate) fn is_held(rows: &Path) -> std::io::Result<bool> {
    let lock = match File::open(rows.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => lock.unlock().map(|()| false),
        Err(std::fs::TryLockError::WouldBlock) => Ok(true),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Makes a store beside its place and moves it there when it is whole.
fn create(folder: &Path) -> Result<(), MetaError> {
    build(folder, "making", |half| {
        let layout = Layout::of(half);
        let keys = KeyFile::create(&layout.keys)?;
        let mut rows = raw(&layout.rows, keys, 1024 * 1024)?;
        rows.set_format(super::FORMAT)?;
        rows.adopt(&layout, None).map(drop)
    })
}

/// Lets a folder appear whole: made under another name, moved at the end. What
/// an earlier attempt left half made is taken away first.
pub(crate) fn build<T, E: From<std::io::Error>>(
    folder: &Path,
    extension: &str,
    fill: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T, E> {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    let half = folder.with_file_name(name);
    if half.exists() {
        std::fs::remove_dir_all(&half)?;
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&half)?;
    let filled = match fill(&half) {
        Ok(filled) => filled,
        Err(error) => {
            // The error says what was wrong; the half is worth nothing.
            let _ = std::fs::remove_dir_all(&half);
            return Err(error);
        }
    };
    File::open(&half)?.sync_all()?;
    std::fs::rename(&half, folder)?;
    if let Some(parent) = half
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        File::open(parent)?.sync_all()?;
    }
    Ok(filled)
}

/// Puts a copy where a store is to be; `copied` sees the rows before.
pub(crate) fn take_over(
    half: &Path,
    cache_bytes: u64,
    copied: impl FnOnce(&Rows) -> Result<u64, MetaError>,
) -> Result<u64, MetaError> {
    let layout = Layout::of(half);
    let whole = integrity::verify(&layout.rows, &layout.mark, Verify::Everything)?;
    let keys = open_keys(&layout, &whole)?;
    let mut rows = guarded(&layout.rows, || raw(&layout.rows, keys, cache_bytes))?;
    rows.check_format()?;
    let found = copied(&rows)?;
    rows.adopt(&layout, None)?;
    Ok(found)
}

/// An id for a store, from when and where its key file was made.
fn new_id(keys: &Path) -> Result<StoreId, MetaError> {
    let meta = std::fs::metadata(keys)?;
    let mut hasher = Xxh3Default::new();
    for number in [meta.dev(), meta.ino(), meta.len()] {
        hasher.update(&number.to_le_bytes());
    }
    for number in [meta.ctime(), meta.ctime_nsec()] {
        hasher.update(&number.to_le_bytes());
    }
    Ok(hasher.digest128().to_le_bytes())
}
