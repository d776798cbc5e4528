//! Rows, keys and mark held against each other; nothing is changed.

use fjall::AbstractTree;
use tidegate_storage_api::Key;

use super::{Layout, Tie};
use crate::integrity::{EMPTY, Fault, Held, Verify, Whole};
use crate::key_file::{FILE, Header, KeyFile, Place};
use crate::rows::{KEYS_SEQUENCE, MetaError, NEWEST, PLACES, Rows, STORE_ID};

/// How the parts of a store were found to fit.
pub(super) enum Compared {
    /// An older program made it, or it was just made.
    Untied,
    /// They are of one store and one time; the key file's header.
    Tied(Header),
}

impl Rows {
    /// Holds what fjall found against mark and keys, and changes nothing.
    pub(super) fn compare(
        &mut self,
        layout: &Layout,
        whole: &Whole,
        verify: Verify,
    ) -> Result<Compared, MetaError> {
        if self.meta.get("copied")?.is_some() {
            return Err(Fault::new(&layout.rows, "it is a backup that was not put back").into());
        }
        let tie = match self.meta.get(STORE_ID)? {
            None => return Ok(Compared::Untied),
            Some(row) => Tie::from_row(&row).ok_or(MetaError::Unreadable("its id"))?,
        };
        if whole.mark.is_none() {
            // It was durable before the store was tied together.
            let what = match whole.marked {
                true => "it is empty",
                false => "it is missing",
            };
            return Err(Fault::new(&layout.mark, what).into());
        }
        (self.id, self.header) = (tie.id, tie.header);
        self.compare_mark(layout, whole)?;
        let header = self.compare_keys(layout)?;
        if verify_keys(verify, self.keys.places(), self.rows.disk_space()) {
            self.verify_keys(layout, &header)?;
        }
        Ok(Compared::Tied(header))
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
    pub(super) fn is_unfinished(&self, header: &Header) -> Result<bool, MetaError> {
        Ok(header.sequence > self.sequence()?)
    }
}

/// The key file must be there, and be the one that the mark was written for.
pub(super) fn check_keys(layout: &Layout, whole: &Whole) -> Result<(), MetaError> {
    let path = layout.keys.join(FILE);
    let keys = KeyFile::open(&layout.keys).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::new(&path, "it is missing").into(),
        _ => MetaError::Io(error),
    })?;
    if whole.held == Held::FormatAlone && keys.places() > 0 {
        return Err(Fault::new(&layout.rows, EMPTY).into());
    }
    if let Some(mark) = whole.mark
        && let Some(header) = keys.header(mark.header)?
        && header.id != mark.id
    {
        return Err(Fault::new(&path, "it is of another store").into());
    }
    Ok(())
}

/// A cross-check reads every place and every row: it is done where tables of
/// that size would be read too.
fn verify_keys(verify: Verify, places: u64, rows_bytes: u64) -> bool {
    match verify {
        Verify::Everything => true,
        Verify::UpTo(bytes) => places.saturating_mul(128).saturating_add(rows_bytes) <= bytes,
    }
}
