//! Wrapped person keys in a file of fixed places.
//!
//! ```text
//! place (128 bytes): state u8 (0 empty or destroyed, 1 live) | length u8
//!                  | value, zero-padded to 122 | CRC-32 of all before, LE
//! ```
//! Two places hold the header (state 2), which names the store and the newest
//! group that changed a key, so that keys and rows of two stores, or of two
//! times, are told apart:
//!
//! ```text
//! header (128 bytes): 2 | 32 | store id 16 | sequence u64 | places before u64
//!                   | zeros to 124 | CRC-32 of all before, LE
//! ```
//! They take turns, so that a torn write leaves the other.
//!
//! A key is appended once, overwritten with zeros once, never moved: destroying a key
//! removes it from the file at once. (A file system that copies on write, or
//! the wear levelling of a flash disk, can keep an old copy of a block for a
//! while; `docs/storage.md` says what to do about that.)

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidegate_storage_api::StoreError;

use crate::mark::StoreId;

/// The name of the file in its folder.
pub(crate) const FILE: &str = "person.keys";
const PLACE_BYTES: usize = 128;
/// The longest wrapped key that a place holds.
pub(crate) const PERSON_KEY_MAX_BYTES: usize = PLACE_BYTES - 6;
/// How many bytes name a place.
pub(crate) const PLACE_ROW_BYTES: usize = 8;
const LIVE: u8 = 1;
const HEADER: u8 = 2;
const HEADER_BYTES: u8 = 32;
/// How many places the header takes.
pub(crate) const HEADER_PLACES: u64 = 2;

/// What the key file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: StoreId,
    /// The newest group that changed a key.
    pub(crate) sequence: u64,
    /// How many places there were before that group.
    pub(crate) places: u64,
}

/// Where a wrapped key lies: the number of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    pub(crate) fn from_row(row: &[u8]) -> Option<Place> {
        Some(Place(u64::from_be_bytes(row.try_into().ok()?)))
    }

    pub(crate) fn to_row(self) -> [u8; PLACE_ROW_BYTES] {
        self.0.to_be_bytes()
    }

    pub(crate) fn offset(self) -> u64 {
        self.0.saturating_mul(PLACE_BYTES as u64)
    }
}

pub(crate) struct KeyFile {
    file: File,
    next: Mutex<u64>,
}

impl KeyFile {
    /// Makes an empty file where there is none.
    pub(crate) fn create(folder: &Path) -> io::Result<KeyFile> {
        std::fs::create_dir_all(folder)?;
        let mut options = OpenOptions::new();
        let path = folder.join(FILE);
        options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        File::open(folder)?.sync_all()?;
        if let Some(parent) = folder.parent() {
            File::open(parent)?.sync_all()?;
        }
        KeyFile::open(folder)
    }

    /// Opens the file, which is there: keys that are away are not made anew.
    pub(crate) fn open(folder: &Path) -> io::Result<KeyFile> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).open(folder.join(FILE))?;
        // A torn last place was never referenced; the next key goes after it.
        let next = file.metadata()?.len().div_ceil(PLACE_BYTES as u64);
        Ok(KeyFile {
            file,
            next: Mutex::new(next),
        })
    }

    /// The key at a place; `None` once it is destroyed.
    pub(crate) fn read(&self, place: Place) -> Result<Option<Bytes>, StoreError> {
        let mut bytes = [0; PLACE_BYTES];
        let read = self.file.read_exact_at(&mut bytes, place.offset());
        match read {
            Ok(()) => decode(&bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(StoreError::Corrupt),
            Err(_) => Err(StoreError::Unavailable),
        }
    }

    /// The newer of the two headers that begin at a place.
    pub(crate) fn header(&self, first: u64) -> io::Result<Option<Header>> {
        let newest = newest_header(&self.file, first)?;
        Ok(newest.map(|(_, header)| header))
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> u64 {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// CRC-32 of all places: the keys of one copy are told from those of another.
    pub(crate) fn sum(&self) -> io::Result<u32> {
        let length = self.file.metadata()?.len();
        let (mut sum, mut at) = (crc32fast::Hasher::new(), 0);
        let mut bytes = vec![0; PLACE_BYTES * 1_024];
        while at < length {
            let read = self.file.read_at(&mut bytes, at)?;
            if read == 0 {
                break;
            }
            sum.update(&bytes[..read]);
            at += read as u64;
        }
        Ok(sum.finalize())
    }

    /// Starts a group of changes; only one is under way at a time.
    pub(crate) fn edit(&self) -> Edit<'_> {
        Edit {
            file: &self.file,
            next: self.next.lock().unwrap_or_else(PoisonError::into_inner),
            changed: false,
        }
    }
}

/// A group of changes, durable after [`Edit::sync`].
pub(crate) struct Edit<'a> {
    file: &'a File,
    next: MutexGuard<'a, u64>,
    changed: bool,
}

impl Edit<'_> {
    pub(crate) fn append(&mut self, value: &[u8]) -> io::Result<Place> {
        let place = Place(*self.next);
        self.file.write_all_at(&encode(value)?, place.offset())?;
        *self.next += 1;
        self.changed = true;
        Ok(place)
    }

    /// The number of places.
    pub(crate) fn places(&self) -> u64 {
        *self.next
    }

    /// Writes both places of the header, behind all keys or where it is.
    pub(crate) fn put_header(&mut self, first: u64, header: &Header) -> io::Result<()> {
        for place in first..first + HEADER_PLACES {
            let offset = Place(place).offset();
            self.file.write_all_at(&encode_header(header), offset)?;
        }
        *self.next = (*self.next).max(first + HEADER_PLACES);
        self.changed = true;
        Ok(())
    }

    /// Says which group changes keys, in the place of the older header.
    pub(crate) fn set_header(&mut self, first: u64, header: &Header) -> io::Result<()> {
        let place = match newest_header(self.file, first)? {
            Some((newest, _)) if newest.0 == first => Place(first + 1),
            Some(_) | None => Place(first),
        };
        self.file
            .write_all_at(&encode_header(header), place.offset())?;
        self.changed = true;
        Ok(())
    }

    /// Destroys every place from this number on.
    pub(crate) fn destroy_from(&mut self, number: u64) -> io::Result<()> {
        for place in number..self.places() {
            self.destroy(Place(place))?;
        }
        Ok(())
    }

    pub(crate) fn destroy(&mut self, place: Place) -> io::Result<()> {
        self.file.write_all_at(&[0; PLACE_BYTES], place.offset())?;
        self.changed = true;
        Ok(())
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.changed) {
            true => self.file.sync_all(),
            false => Ok(()),
        }
    }
}

fn encode(value: &[u8]) -> io::Result<[u8; PLACE_BYTES]> {
    let length = u8::try_from(value.len()).ok();
    let Some(length) = length.filter(|n| usize::from(*n) <= PERSON_KEY_MAX_BYTES) else {
        return Err(io::Error::other("a wrapped key is longer than its place"));
    };
    let mut bytes = [0; PLACE_BYTES];
    bytes[0] = LIVE;
    bytes[1] = length;
    bytes[2..2 + value.len()].copy_from_slice(value);
    let sum = crc32fast::hash(&bytes[..PLACE_BYTES - 4]);
    bytes[PLACE_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

fn decode(bytes: &[u8; PLACE_BYTES]) -> Result<Option<Bytes>, StoreError> {
    if bytes == &[0; PLACE_BYTES] {
        return Ok(None);
    }
    let (body, sum) = bytes.split_at(PLACE_BYTES - 4);
    let length = usize::from(body[1]);
    let whole = sum == crc32fast::hash(body).to_le_bytes();
    if !whole || body[0] != LIVE || length > PERSON_KEY_MAX_BYTES {
        return Err(StoreError::Corrupt);
    }
    Ok(Some(Bytes::copy_from_slice(&body[2..2 + length])))
}

fn newest_header(file: &File, first: u64) -> io::Result<Option<(Place, Header)>> {
    let mut newest: Option<(Place, Header)> = None;
    for place in (first..first + HEADER_PLACES).map(Place) {
        let mut bytes = [0; PLACE_BYTES];
        match file.read_exact_at(&mut bytes, place.offset()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(error) => return Err(error),
        }
        let older =
            |found: &Header| newest.is_none_or(|(_, header)| header.sequence <= found.sequence);
        if let Some(found) = decode_header(&bytes).filter(older) {
            newest = Some((place, found));
        }
    }
    Ok(newest)
}

fn encode_header(header: &Header) -> [u8; PLACE_BYTES] {
    let mut bytes = [0; PLACE_BYTES];
    bytes[0] = HEADER;
    bytes[1] = HEADER_BYTES;
    bytes[2..18].copy_from_slice(&header.id);
    bytes[18..26].copy_from_slice(&header.sequence.to_le_bytes());
    bytes[26..34].copy_from_slice(&header.places.to_le_bytes());
    let sum = crc32fast::hash(&bytes[..PLACE_BYTES - 4]);
    bytes[PLACE_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode_header(bytes: &[u8; PLACE_BYTES]) -> Option<Header> {
    let (body, sum) = bytes.split_at(PLACE_BYTES - 4);
    let whole = sum == crc32fast::hash(body).to_le_bytes();
    if !whole || body[0] != HEADER || body[1] != HEADER_BYTES {
        return None;
    }
    Some(Header {
        id: *body[2..].first_chunk()?,
        sequence: u64::from_le_bytes(*body[18..].first_chunk()?),
        places: u64::from_le_bytes(*body[26..].first_chunk()?),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn append(file: &KeyFile, value: &[u8]) -> Place {
        let mut edit = file.edit();
        let place = edit.append(value).unwrap();
        edit.sync().unwrap();
        place
    }

    #[test]
    fn a_destroyed_key_is_gone_from_the_folder_and_its_neighbours_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::create(folder.path()).unwrap();
        let [first, second] = [[0xA1; 72], [0xB2; 72]].map(|value| append(&file, &value));
        let mut edit = file.edit();
        edit.destroy(first).unwrap();
        edit.sync().unwrap();
        assert_eq!(file.read(first), Ok(None));
        assert_eq!(file.read(second), Ok(Some(vec![0xB2; 72].into())));
        let bytes = std::fs::read(folder.path().join(FILE)).unwrap();
        assert!(!bytes.windows(8).any(|window| window == [0xA1; 8]));
    }

    #[test]
    fn a_torn_last_place_is_skipped_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let first = append(&KeyFile::create(folder.path()).unwrap(), b"whole");
        let path = folder.path().join(FILE);
        let torn = OpenOptions::new().append(true).open(&path).unwrap();
        io::Write::write_all(&mut &torn, b"half of a place").unwrap();
        let file = KeyFile::open(folder.path()).unwrap();
        let second = append(&file, b"next");
        assert_eq!((first, second), (Place(0), Place(2)));
        assert_eq!(file.read(first), Ok(Some(Bytes::from_static(b"whole"))));
        assert_eq!(file.read(Place(1)), Err(StoreError::Corrupt));
        assert_eq!(file.read(second), Ok(Some(Bytes::from_static(b"next"))));
    }

    #[test]
    fn a_flipped_bit_is_told_and_so_is_a_place_beyond_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::create(folder.path()).unwrap();
        let place = append(&file, b"value");
        file.file.write_all_at(b"X", 3).unwrap();
        assert_eq!(file.read(place), Err(StoreError::Corrupt));
        assert_eq!(file.read(Place(7)), Err(StoreError::Corrupt));
    }
}
