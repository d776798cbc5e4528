//! Opening a folder: nothing is served, and nothing is destroyed, before rows,
//! keys and mark were held against each other.

mod compare;
mod lock;
mod making;
mod repair;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use fjall::{AbstractTree, Database, KeyspaceCreateOptions};

use super::{MetaError, Rows};
use crate::integrity::{self, Fault, Verify};
use crate::key_file::KeyFile;
use crate::mark::{Mark, MarkFile, StoreId};
use compare::{Compared, check_keys};
use making::create;

pub(crate) use lock::{hold, is_held};
pub(crate) use making::{build, take_over};

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
        let lock = hold(&layout.rows)?;
        let whole = integrity::verify(&layout.rows, &layout.mark, verify)?;
        check_keys(&layout, &whole)?;
        whole.drop_unfinished()?;
        // fjall takes the lock itself.
        drop(lock);
        // Its workers move what recovery found in journals to tables and drop
        // the journals: not before all was held against each other.
        let mut compared = guarded(&layout, cache_bytes, Workers::None)?;
        compared.check_format()?;
        compared.compare(&layout, &whole, verify)?;
        drop(compared);
        let mut opened = guarded(&layout, cache_bytes, Workers::One)?;
        let mark = match opened.compare(&layout, &whole, Verify::UpTo(0))? {
            Compared::Untied => opened.adopt(&layout, whole.mark)?,
            Compared::Tied(header) => {
                opened.destroy_replaced()?;
                opened.destroy_unfinished(&header)?;
                MarkFile::open(&layout.mark, opened.mark()?)?
            }
        };
        Ok(Opened { rows: opened, mark })
    }

    fn mark(&self) -> Result<Mark, MetaError> {
        Ok(Mark {
            id: self.id,
            sequence: self.sequence()?,
            seqno: self.newest(),
            header: self.header,
        })
    }
}

/// Background threads beside the one that opened the files.
#[derive(Clone, Copy)]
enum Workers {
    /// Nothing: files stay as they are until the first commit.
    None,
    /// What moves rows from journals to tables.
    One,
}

/// Opens the files, which were found whole.
fn raw(layout: &Layout, cache_bytes: u64, workers: Workers) -> Result<Rows, MetaError> {
    let builder = Database::builder(&layout.rows).cache_size(cache_bytes);
    let database = match workers {
        Workers::None => builder.worker_threads_unchecked(0).open()?,
        Workers::One => builder.worker_threads(1).open()?,
    };
    let rows = database.keyspace("rows", KeyspaceCreateOptions::default)?;
    let meta = database.keyspace("meta", KeyspaceCreateOptions::default)?;
    let newest = rows.tree.get_highest_seqno().unwrap_or(0);
    Ok(Rows {
        database,
        rows,
        meta,
        // Only now that the lock is held, no other process appends to it.
        keys: KeyFile::open(&layout.keys)?,
        id: StoreId::default(),
        header: 0,
        newest: AtomicU64::new(newest),
    })
}

/// fjall asserts things about its files that damage can break.
fn guarded(layout: &Layout, cache_bytes: u64, workers: Workers) -> Result<Rows, MetaError> {
    let open = || raw(layout, cache_bytes, workers);
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(open));
    let unfit = || Err(Fault::new(&layout.rows, "its files do not fit each other").into());
    opened.unwrap_or_else(|_| unfit())
}
