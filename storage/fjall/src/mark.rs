//! How far commits were acknowledged, kept apart from the rows.
//!
//! The journal of the rows cannot tell a last group that was damaged from one
//! that was never finished: both end in bytes that do not add up. The mark
//! tells, because it names the newest group whose commits were acknowledged.
//!
//! ```text
//! slot (64 bytes, each at the start of a sector of its own):
//!     magic 8 | store id 16 | sequence u64 | row seqno u64 | header place u64
//!     | exact u8 | zeros | CRC-32 of all before, LE
//! ```
//! `exact` is 1; where it is 0 an earlier program wrote the mark, whose row
//! seqno can be above every row's, so it is read as 0.
//! Two slots take turns and are not synced: they outlive the process, not a
//! power cut. Two more take turns whenever the mark is made durable, so that no
//! single torn write leaves nothing. The newest whole slot counts.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const MAGIC: [u8; 8] = *b"TGMARK1\0";
const SLOT_BYTES: usize = 64;
/// Where a slot says that its row seqno is a row's.
const EXACT: usize = 48;
const SECTOR_BYTES: u64 = 512;
const SLOTS: u64 = 4;
/// How many commits the durable slots may be behind.
const SYNCED_BEHIND_MAX: u64 = 16_384;
const FILE_BYTES: u64 = SLOTS * SECTOR_BYTES;

/// Random bytes that rows, keys and mark of one store share.
pub(crate) type StoreId = [u8; 16];

/// What a mark says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) id: StoreId,
    /// The sequence of the newest acknowledged group.
    pub(crate) sequence: u64,
    /// The number that the rows' files gave that group; 0 where that is not known.
    pub(crate) seqno: u64,
    /// The first of the two places of the key file that hold its header.
    pub(crate) header: u64,
}

/// What a mark's file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no file: a store of an older program, or one taken away.
    Missing,
    /// Nothing was ever made durable in it.
    Blank,
    /// The newest whole slot.
    Whole(Mark),
    /// Neither blank nor whole.
    Damaged,
}

/// Reads a mark without changing anything.
pub(crate) fn read(path: &Path) -> io::Result<Found> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error),
    };
    if bytes.is_empty() {
        // Made, and nothing was written yet.
        return Ok(Found::Blank);
    }
    if bytes.len() as u64 != FILE_BYTES {
        return Ok(Found::Damaged);
    }
    let slots = bytes.chunks_exact(SECTOR_BYTES as usize);
    let newest = slots.filter_map(decode).max_by_key(|mark| mark.sequence);
    Ok(match newest {
        Some(mark) => Found::Whole(mark),
        None if bytes.iter().all(|byte| *byte == 0) => Found::Blank,
        None => Found::Damaged,
    })
}

/// An open mark, written by the commit thread alone.
pub(crate) struct MarkFile {
    file: File,
    mark: Mark,
    running: u64,
    durable: u64,
    synced: u64,
}

impl MarkFile {
    /// Opens the file, making it when it does not exist, and makes a mark
    /// durable in it.
    pub(crate) fn open(path: &Path, mark: Mark) -> io::Result<MarkFile> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        file.set_len(FILE_BYTES)?;
        let mut opened = MarkFile {
            file,
            mark,
            running: 0,
            durable: 0,
            synced: 0,
        };
        for _ in 0..2 {
            opened.write_running()?;
            opened.write_durable()?;
        }
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(opened)
    }

    /// Says that a group was made durable, before its commits are acknowledged.
    pub(crate) fn advance(&mut self, sequence: u64, seqno: u64) -> io::Result<()> {
        self.mark = Mark {
            sequence,
            seqno,
            ..self.mark
        };
        match sequence - self.synced > SYNCED_BEHIND_MAX {
            true => self.write_durable(),
            false => self.write_running(),
        }
    }

    /// Makes durable what was said.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        match self.mark.sequence == self.synced {
            true => Ok(()),
            false => self.write_durable(),
        }
    }

    fn write_running(&mut self) -> io::Result<()> {
        self.running ^= 1;
        self.write(2 + self.running)
    }

    fn write_durable(&mut self) -> io::Result<()> {
        self.durable ^= 1;
        self.write(self.durable)?;
        self.file.sync_data()?;
        self.synced = self.mark.sequence;
        Ok(())
    }

    fn write(&self, slot: u64) -> io::Result<()> {
        self.file
            .write_all_at(&encode(&self.mark), slot * SECTOR_BYTES)
    }
}

fn encode(mark: &Mark) -> [u8; SLOT_BYTES] {
    let mut bytes = [0; SLOT_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..24].copy_from_slice(&mark.id);
    bytes[24..32].copy_from_slice(&mark.sequence.to_le_bytes());
    bytes[32..40].copy_from_slice(&mark.seqno.to_le_bytes());
    bytes[40..48].copy_from_slice(&mark.header.to_le_bytes());
    bytes[EXACT] = 1;
    let sum = crc32fast::hash(&bytes[..SLOT_BYTES - 4]);
    bytes[SLOT_BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(sector: &[u8]) -> Option<Mark> {
    let (bytes, rest) = sector.split_first_chunk::<SLOT_BYTES>()?;
    let (body, sum) = bytes.split_at(SLOT_BYTES - 4);
    let whole = sum == crc32fast::hash(body).to_le_bytes() && rest.iter().all(|byte| *byte == 0);
    if !whole || body[..8] != MAGIC {
        return None;
    }
    let number = |at: usize| {
        body[at..]
            .first_chunk()
            .map(|bytes| u64::from_le_bytes(*bytes))
    };
    Some(Mark {
        id: *body[8..].first_chunk()?,
        sequence: number(24)?,
        seqno: match body[EXACT] {
            0 => 0,
            _ => number(32)?,
        },
        header: number(40)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mark(sequence: u64) -> Mark {
        Mark {
            id: [7; 16],
            sequence,
            seqno: sequence + 3,
            header: 0,
        }
    }

    #[test]
    fn the_newest_word_counts_synced_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acknowledged");
        assert_eq!(read(&path).unwrap(), Found::Missing);
        let mut file = MarkFile::open(&path, mark(1)).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Whole(mark(1)));
        for sequence in 2..7 {
            file.advance(sequence, sequence + 3).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Whole(mark(sequence)));
        }
        file.sync().unwrap();
        assert_eq!(read(&path).unwrap(), Found::Whole(mark(6)));
    }

    #[test]
    fn the_row_number_of_a_mark_that_does_not_call_it_exact_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acknowledged");
        drop(MarkFile::open(&path, mark(4)).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        for slot in bytes.chunks_exact_mut(SECTOR_BYTES as usize) {
            slot[EXACT] = 0;
            let sum = crc32fast::hash(&slot[..SLOT_BYTES - 4]);
            slot[SLOT_BYTES - 4..SLOT_BYTES].copy_from_slice(&sum.to_le_bytes());
        }
        std::fs::write(&path, &bytes).unwrap();
        let unknown = Mark {
            seqno: 0,
            ..mark(4)
        };
        assert_eq!(read(&path).unwrap(), Found::Whole(unknown));
    }

    #[test]
    fn a_power_cut_leaves_what_was_made_durable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acknowledged");
        let mut file = MarkFile::open(&path, mark(1)).unwrap();
        file.advance(2, 5).unwrap();
        file.advance(3, 6).unwrap();
        // Neither of the last two was synced.
        file.file.write_all_at(&[0; 1024], 1024).unwrap();
        assert_eq!(read(&path).unwrap(), Found::Whole(mark(1)));
    }

    #[test]
    fn any_flipped_bit_leaves_an_older_word_or_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acknowledged");
        drop(MarkFile::open(&path, mark(9)).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Whole(mark(9)), "bit {bit}");
        }
        for length in [1, 64, 2_047, 2_049] {
            std::fs::write(&path, vec![1; length]).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Damaged, "{length} bytes");
        }
        for blank in [0, 2_048] {
            std::fs::write(&path, vec![0; blank]).unwrap();
            assert_eq!(read(&path).unwrap(), Found::Blank);
        }
    }
}
