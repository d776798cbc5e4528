//! The rows on disk: reading them, and writing one group.

mod opening;

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use fjall::{AbstractTree, Database, Keyspace, PersistMode};
use tidegate_storage_api::{Key, KeyRange, StoreError};

use crate::integrity::Fault;
use crate::integrity::journal::{CHAIN, Chain, FOLLOWS, SEQUENCE};
use crate::key_file::{Header, KeyFile, Place};
use crate::mark::StoreId;

pub use opening::Absent;
pub(crate) use opening::{build, is_held, take_over};

#[cfg(test)]
pub(crate) use opening::hold;

pub(crate) const FORMAT: u32 = 1;
const FIRST_GENERATION: u32 = 1;
/// Names the places that the newest group with replaced keys gave up.
const REPLACED: &str = "replaced";
/// Names how many places there were when the newest group with new keys was
/// written.
const PLACES: &str = "places";
/// Names the newest group that changed a key.
const KEYS_SEQUENCE: &str = "keys_sequence";
/// Names the id that rows, keys and mark share.
const STORE_ID: &str = "store_id";
/// A row that every group writes among the rows, behind every key of the
/// interface: how far this keyspace is can be read from it.
pub(crate) const NEWEST: [u8; 3] = [0xFF; 3];

/// The rows of the store and the file of wrapped person keys beside them.
///
/// The row of a person key holds only its place in the key file.
pub(crate) struct Rows {
    pub(crate) database: Database,
    pub(crate) rows: Keyspace,
    pub(crate) meta: Keyspace,
    keys: KeyFile,
    id: StoreId,
    /// Where the key file's header is.
    header: u64,
    /// The number that fjall gave the newest group.
    newest: AtomicU64,
}

#[derive(Debug)]
pub(crate) enum MetaError {
    Fjall(fjall::Error),
    Io(std::io::Error),
    NewerFormat {
        found: u32,
        known: u32,
    },
    Unreadable(&'static str),
    /// There is no store, and none is to be made.
    Missing,
    /// A file is not what it was when commits were acknowledged.
    Fault(Fault),
}

impl From<fjall::Error> for MetaError {
    fn from(error: fjall::Error) -> MetaError {
        MetaError::Fjall(error)
    }
}

impl From<std::io::Error> for MetaError {
    fn from(error: std::io::Error) -> MetaError {
        MetaError::Io(error)
    }
}

impl From<Fault> for MetaError {
    fn from(fault: Fault) -> MetaError {
        MetaError::Fault(fault)
    }
}

/// What one group writes: `None` deletes.
pub(crate) struct GroupWrites<'a> {
    pub(crate) rows: &'a mut dyn Iterator<Item = (&'a Key, &'a Option<Bytes>)>,
    pub(crate) sequence: u64,
    pub(crate) sync: Option<PersistMode>,
}

impl Rows {
    /// The number that fjall gave the newest group.
    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    pub(crate) fn keys_sum(&self) -> Result<u64, MetaError> {
        Ok(self.keys.sum()?.into())
    }

    fn check_format(&self) -> Result<(), MetaError> {
        match self.number("format")? {
            None => Err(MetaError::Unreadable("it names no format")),
            Some(found) if found > u64::from(FORMAT) => Err(MetaError::NewerFormat {
                found: u32::try_from(found).unwrap_or(u32::MAX),
                known: FORMAT,
            }),
            Some(_) => Ok(()),
        }
    }

    pub(crate) fn set_format(&self, format: u32) -> Result<(), MetaError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.meta, "format", u64::from(format).to_be_bytes());
        Ok(batch.commit()?)
    }

    /// The sequence of the newest group on disk.
    pub(crate) fn sequence(&self) -> Result<u64, MetaError> {
        Ok(self.number(SEQUENCE)?.unwrap_or(0))
    }

    pub(crate) fn generation(&self) -> Result<u32, MetaError> {
        let found = self.number("generation")?;
        Ok(found.map_or(FIRST_GENERATION, |n| u32::try_from(n).unwrap_or(u32::MAX)))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, MetaError> {
        let Some(value) = self.meta.get(name)? else {
            return Ok(None);
        };
        let bytes = <[u8; 8]>::try_from(value.as_ref());
        let bytes = bytes.map_err(|_| MetaError::Unreadable("a meta row has the wrong size"))?;
        Ok(Some(u64::from_be_bytes(bytes)))
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let found = self.rows.get(key.as_bytes()).map_err(read_error)?;
        match found {
            None => Ok(None),
            Some(value) => self.resolve(key, &value),
        }
    }

    pub(crate) fn range(
        &self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Key, Bytes)>, StoreError> {
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for row in self
            .rows
            .range(range.start.as_bytes()..range.end.as_bytes())
        {
            if found.len() == limit {
                break;
            }
            let (key, value) = row.into_inner().map_err(read_error)?;
            if key.as_ref() == NEWEST {
                continue;
            }
            let key = Key::from_stored(&key);
            if let Some(value) = self.resolve(&key, &value)? {
                found.push((key, value));
            }
        }
        Ok(found)
    }

    pub(crate) fn resolve(&self, key: &Key, value: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if !key.is_person_key() {
            return Ok(Some(Bytes::copy_from_slice(value)));
        }
        let place = Place::from_row(value).ok_or(StoreError::Corrupt)?;
        self.keys.read(place)
    }

    /// Writes one group. A new person key is durable before the row that
    /// points at it. A deleted one is overwritten before its row goes, so a
    /// crash in between leaves no live key; a replaced one is overwritten only
    /// after the row points at its successor, so a crash loses no key; its place
    /// is written down with that row, so that it is overwritten at the next
    /// opening at the latest. However many keys a group destroys, they cost one
    /// sync.
    pub(crate) fn write(&self, group: GroupWrites<'_>) -> Result<(), fjall::Error> {
        let mut batch = self.database.batch().durability(group.sync);
        let mut keys = self.keys.edit();
        let (mut replaced, before) = (Vec::new(), keys.places());
        let header = Header {
            id: self.id,
            sequence: group.sequence,
            places: before,
        };
        let (mut keyed, mut destroyed) = (false, Vec::new());
        for (key, value) in group.rows {
            if key.is_person_key() && !keyed {
                keys.set_header(self.header, &header)?;
                keyed = true;
            }
            match value {
                None => {
                    destroyed.extend(self.place_of(key)?);
                    batch.remove(&self.rows, key.as_bytes());
                }
                Some(value) if key.is_person_key() => {
                    replaced.extend(self.place_of(key)?);
                    let place = keys.append(value)?;
                    batch.insert(&self.rows, key.as_bytes(), place.to_row());
                }
                Some(value) => batch.insert(&self.rows, key.as_bytes(), value.as_ref()),
            }
        }
        if !destroyed.is_empty() {
            // The header must not be younger than what it explains.
            keys.sync()?;
        }
        for place in destroyed {
            keys.destroy(place)?;
        }
        keys.sync()?;
        let sequence = group.sequence.to_be_bytes();
        batch.insert(&self.meta, SEQUENCE, sequence);
        batch.insert(&self.rows, NEWEST, sequence);
        if keyed {
            batch.insert(&self.meta, KEYS_SEQUENCE, sequence);
        }
        if keys.places() > before {
            batch.insert(&self.meta, PLACES, keys.places().to_be_bytes());
        }
        if !replaced.is_empty() {
            let places: Vec<u8> = replaced.iter().flat_map(|place| place.to_row()).collect();
            batch.insert(&self.meta, REPLACED, places);
        }
        self.commit_chained(batch)?;
        for place in replaced {
            keys.destroy(place)?;
        }
        Ok(keys.sync()?)
    }

    /// Commits a batch that writes [`NEWEST`], with what ties it to the one before.
    fn commit_chained(&self, mut batch: fjall::OwnedWriteBatch) -> Result<(), fjall::Error> {
        let chain = Chain {
            floor: self.database.seqno(),
            before: self.newest(),
        };
        batch.insert(&self.meta, CHAIN, chain.to_row());
        batch.insert(&self.meta, FOLLOWS, self.newest().to_be_bytes());
        batch.commit()?;
        // fjall's own work takes numbers meanwhile: only a row tells which one
        // the group got. It is in memory, or was written to a table since.
        let tree = &self.rows.tree;
        let newest = tree.get_highest_memtable_seqno();
        let newest = newest.or_else(|| tree.get_highest_persisted_seqno());
        self.newest.store(newest.unwrap_or(0), Ordering::Release);
        Ok(())
    }

    fn place_of(&self, key: &Key) -> Result<Option<Place>, fjall::Error> {
        if !key.is_person_key() {
            return Ok(None);
        }
        let row = self.rows.get(key.as_bytes())?;
        Ok(row.and_then(|value| Place::from_row(&value)))
    }

    #[cfg(test)]
    pub(crate) fn keys(&self) -> &KeyFile {
        &self.keys
    }

    #[cfg(test)]
    pub(crate) fn persist(&self) -> Result<(), fjall::Error> {
        self.database.persist(PersistMode::SyncAll)
    }
}

pub(crate) fn read_error(error: fjall::Error) -> StoreError {
    tracing::error!(event = "store.read_failed", %error);
    match error {
        fjall::Error::Io(_) | fjall::Error::Poisoned => StoreError::Unavailable,
        _ => StoreError::Corrupt,
    }
}
