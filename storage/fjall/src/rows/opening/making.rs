//! Making a store, putting a copy in its place, and tying together what an
//! older program made.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use fjall::PersistMode;
use xxhash_rust::xxh3::Xxh3Default;

use super::compare::check_keys;
use super::{Layout, Tie, Workers, guarded, raw};
use crate::integrity::journal::SEQUENCE;
use crate::integrity::{self, Fault, Verify};
use crate::key_file::{FILE, Header, KeyFile};
use crate::mark::{Mark, MarkFile, StoreId};
use crate::rows::{FORMAT, KEYS_SEQUENCE, MetaError, NEWEST, PLACES, Rows, STORE_ID};

impl Rows {
    /// Ties a store together that an older program made, or that was just made:
    /// the mark first, the rows last, so that a crash in between is repeated.
    pub(super) fn adopt(
        &mut self,
        layout: &Layout,
        begun: Option<Mark>,
    ) -> Result<MarkFile, MetaError> {
        let (path, sequence) = (layout.keys.join(FILE), self.sequence()?);
        let mark = match begun {
            Some(mark) if mark.sequence > sequence => {
                return Err(Fault::new(&layout.rows, "acknowledged commits are missing").into());
            }
            // What an older program wrote since lies where the header was to be.
            Some(mark) if self.keys.header(mark.header)?.is_none() => Mark {
                header: self.keys.places(),
                ..mark
            },
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
        // An older program could leave them, and looked for none.
        self.finish_deletions()?;
        Ok(file)
    }
}

/// Makes a store beside its place and moves it there when it is whole.
pub(super) fn create(folder: &Path) -> Result<(), MetaError> {
    build(folder, "making", |half| {
        let layout = Layout::of(half);
        KeyFile::create(&layout.keys)?;
        let mut rows = raw(&layout, 1024 * 1024, Workers::One)?;
        rows.set_format(FORMAT)?;
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
    check_keys(&layout, &whole)?;
    let mut rows = guarded(&layout, cache_bytes, Workers::One)?;
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
