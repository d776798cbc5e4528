//! What a crash left half done is finished, once everything was found whole.

use fjall::PersistMode;
use tidegate_storage_api::Key;

use crate::integrity::journal::SEQUENCE;
use crate::key_file::{Header, PLACE_ROW_BYTES, Place};
use crate::rows::{KEYS_SEQUENCE, MetaError, NEWEST, PLACES, REPLACED, Rows};

impl Rows {
    /// Destroys once more what the newest group with replaced keys replaced: a
    /// crash can have come before that was durable.
    pub(super) fn destroy_replaced(&self) -> Result<(), MetaError> {
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

    /// Destroys the keys of a group whose rows never came: nothing would destroy
    /// them with their person. The header names that group; that rows are
    /// absent proves nothing. The header names it no longer afterwards, since
    /// the next group may change no key.
    pub(super) fn destroy_unfinished(&self, header: &Header) -> Result<(), MetaError> {
        if self.is_unfinished(header)? {
            let mut keys = self.keys.edit();
            keys.destroy_from(header.places)?;
            keys.sync()?;
            drop(keys);
            self.finish_deletions()?;
            let sequence = self.number(KEYS_SEQUENCE)?.unwrap_or(0);
            let mut keys = self.keys.edit();
            keys.put_header(
                self.header,
                &Header {
                    sequence,
                    ..*header
                },
            )?;
            keys.sync()?;
        }
        let places = self.keys.places();
        if self.number(PLACES)? == Some(places) {
            return Ok(());
        }
        let mut batch = self.repair()?;
        batch.insert(&self.meta, PLACES, places.to_be_bytes());
        Ok(self.commit_chained(batch)?)
    }

    /// Removes the rows whose key a deletion destroyed before a crash cut it
    /// short: the key was to go, and is gone.
    pub(super) fn finish_deletions(&self) -> Result<(), MetaError> {
        let mut batch = self.repair()?;
        let mut cut_short = 0u64;
        for row in self.rows.iter() {
            let (key, value) = row.into_inner()?;
            let person_key = key.as_ref() != NEWEST && Key::from_stored(&key).is_person_key();
            if !person_key {
                continue;
            }
            let place = Place::from_row(&value).ok_or(MetaError::Unreadable("a place"))?;
            if matches!(self.keys.read(place), Ok(None)) {
                batch.remove(&self.rows, key);
                cut_short += 1;
            }
        }
        match cut_short {
            0 => Ok(()),
            _ => Ok(self.commit_chained(batch)?),
        }
    }

    /// A batch that changes nothing of what was committed; both keyspaces have
    /// it, as they have every group.
    fn repair(&self) -> Result<fjall::OwnedWriteBatch, MetaError> {
        let sequence = self.sequence()?.to_be_bytes();
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.rows, NEWEST, sequence);
        batch.insert(&self.meta, SEQUENCE, sequence);
        Ok(batch)
    }
}
