//! The rows' journals, read without changing them.
//!
//! ```text
//! batch: 1 | items u32 | seqno u64
//!        then for each item: 2 | kind u8 | compression u8 | keyspace u64
//!             | key length u16 | value length u32 | stored length u32 | key | value
//!        or for a cleared keyspace: 4 | keyspace u64
//!        3 | XXH3 of all items u64 | "FJL" 3
//! ```
//! All little-endian; zeros follow where room was set aside (fjall 3,
//! `src/journal/entry.rs`). The sum covers no `seqno`, so each of our batches
//! says itself which numbers are possible ([`Chain`]).

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::Fault;

const TRAILER: &[u8] = b"FJL\x03";
/// `keyspaces/2`, which holds what is known of the rows.
const META: u64 = 2;
/// How far the rows' number may be ahead of what a batch says.
const SEQNO_SLACK: u64 = 1_024;

/// The row of [`Chain`] in the keyspace `meta`, written with every group.
pub(crate) const CHAIN: &str = "chain";
/// The row that names the group before, exactly; 0 where what was before is not
/// chained. A chain of an earlier program can name a number that no row has.
pub(crate) const FOLLOWS: &str = "follows";
/// The row of the newest sequence there.
pub(crate) const SEQUENCE: &str = "sequence";

/// What a group says of the group before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// No number below this was free when the group was written.
    pub(crate) floor: u64,
    /// The number of the group before or a little more; 0 for the first one.
    pub(crate) before: u64,
}

impl Chain {
    pub(crate) fn to_row(self) -> [u8; 16] {
        let mut row = [0; 16];
        row[..8].copy_from_slice(&self.floor.to_be_bytes());
        row[8..].copy_from_slice(&self.before.to_be_bytes());
        row
    }

    fn from_row(row: &[u8]) -> Option<Chain> {
        let row: &[u8; 16] = row.try_into().ok()?;
        Some(Chain {
            floor: u64::from_be_bytes(*row.first_chunk()?),
            before: u64::from_be_bytes(*row.last_chunk()?),
        })
    }
}

/// What the journals hold.
#[derive(Debug, Default)]
pub(super) struct Journals {
    /// The newest sequence, where any journal names one.
    pub(super) sequence: Option<u64>,
    /// The number of the last group, where there is any.
    pub(super) last_seqno: Option<u64>,
    pub(super) before: Option<u64>,
    pub(super) unfinished: Option<(PathBuf, u64)>,
}

/// Reads all journals of a store, of which commits up to `acknowledged` must
/// be there.
pub(super) fn read_all(rows: &Path, acknowledged: Option<u64>) -> Result<Journals, Fault> {
    let files = files(rows)?;
    let Some(((_, active), sealed)) = files.split_last() else {
        return Err(Fault::new(rows, "its journal is missing"));
    };
    let mut walk = Walk::default();
    for (_, path) in sealed {
        let bytes = std::fs::read(path).map_err(|error| Fault::io(path, &error))?;
        let end = walk.through(path, &bytes)?;
        if end != End::Clean {
            return Err(end.fault(path, "it is damaged"));
        }
    }
    let bytes = std::fs::read(active).map_err(|error| Fault::io(active, &error))?;
    let end = walk.through(active, &bytes)?;
    if let Some((acknowledged, found)) = acknowledged.zip(walk.sequence)
        && found < acknowledged
    {
        let reason = format!("commits {} to {acknowledged} are missing", found + 1);
        return Err(end.fault(active, &reason));
    }
    let unfinished = match end {
        End::Clean => None,
        // With nothing whole before it, nothing says how much is missing; and a
        // group is begun only when the one before it is durable.
        End::Broken { groups, .. } if walk.sequence.is_none() || groups > 1 => {
            return Err(end.fault(active, "it is damaged"));
        }
        End::Broken { offset, .. } => Some((active.clone(), offset)),
    };
    Ok(Journals {
        sequence: walk.sequence,
        last_seqno: walk.last_seqno,
        before: walk.before,
        unfinished,
    })
}

/// The journals by number, without a gap between them.
fn files(rows: &Path) -> Result<Vec<(u64, PathBuf)>, Fault> {
    let entries = std::fs::read_dir(rows).map_err(|error| Fault::io(rows, &error))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| Fault::io(rows, &error))?.path();
        if path.extension().is_none_or(|extension| extension != "jnl") {
            continue;
        }
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        let Some(number) = number else {
            return Err(Fault::new(&path, "its name is not a journal's"));
        };
        found.push((number, path));
    }
    found.sort();
    for pair in found.windows(2) {
        if pair[0].0 + 1 != pair[1].0 {
            return Err(Fault::new(&pair[1].1, "the journal before it is missing"));
        }
    }
    Ok(found)
}

/// How a journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// After its last batch there is nothing.
    Clean,
    /// From this offset on it does not add up; so many ends of batches follow.
    Broken { offset: u64, groups: usize },
}

impl End {
    fn fault(self, path: &Path, reason: &str) -> Fault {
        match self {
            End::Clean => Fault::new(path, reason),
            End::Broken { offset, .. } => {
                Fault::new(path, format!("{reason}, from byte {offset} on"))
            }
        }
    }
}

#[derive(Default)]
struct Walk {
    last_seqno: Option<u64>,
    sequence: Option<u64>,
    before: Option<u64>,
}

impl Walk {
    fn through(&mut self, path: &Path, bytes: &[u8]) -> Result<End, Fault> {
        let mut at = 0;
        while let Some((batch, length)) = Batch::read(&bytes[at..]) {
            self.take(&batch).ok_or_else(|| {
                Fault::new(path, format!("its batch at byte {at} is out of order"))
            })?;
            at += length;
        }
        let rest = &bytes[at..];
        if rest.iter().all(|byte| *byte == 0) {
            return Ok(End::Clean);
        }
        let ends = rest
            .windows(13)
            .filter(|window| window[0] == 3 && &window[9..] == TRAILER);
        Ok(End::Broken {
            offset: at as u64,
            groups: ends.count(),
        })
    }

    /// `None` where a batch cannot follow the ones before.
    fn take(&mut self, batch: &Batch) -> Option<()> {
        if self.last_seqno.is_some_and(|last| batch.seqno <= last) {
            return None;
        }
        if let Some(chain) = batch.chain {
            let possible = chain.floor..=chain.floor.checked_add(SEQNO_SLACK)?;
            if !possible.contains(&batch.seqno) {
                return None;
            }
        }
        if let Some(follows) = batch.follows {
            // 0 is said by a store that was just tied together.
            if follows != 0 && self.last_seqno.is_some_and(|last| last != follows) {
                return None;
            }
            self.before.get_or_insert(follows);
        }
        if let Some(sequence) = batch.sequence {
            if self.sequence.is_some_and(|last| sequence < last) {
                return None;
            }
            self.sequence = Some(sequence);
        }
        self.last_seqno = Some(batch.seqno);
        Some(())
    }
}

/// What counts of one whole batch.
struct Batch {
    seqno: u64,
    sequence: Option<u64>,
    chain: Option<Chain>,
    follows: Option<u64>,
}

impl Batch {
    /// The batch at the beginning of these bytes and its length; `None` where
    /// there is no whole one.
    fn read(bytes: &[u8]) -> Option<(Batch, usize)> {
        let mut cursor = Cursor { bytes, at: 0 };
        let [1] = cursor.take()? else { return None };
        let items = u32::from_le_bytes(cursor.take()?);
        let mut batch = Batch {
            seqno: u64::from_le_bytes(cursor.take()?),
            sequence: None,
            chain: None,
            follows: None,
        };
        let from = cursor.at;
        for _ in 0..items {
            batch.item(&mut cursor)?;
        }
        let sum = xxh3_64(bytes.get(from..cursor.at)?);
        let [3] = cursor.take()? else { return None };
        let whole = u64::from_le_bytes(cursor.take()?) == sum && cursor.slice(4)? == TRAILER;
        whole.then_some((batch, cursor.at))
    }

    fn item(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        match cursor.take()? {
            [2] => {}
            [4] => return cursor.take::<8>().map(|_| ()),
            _ => return None,
        }
        let [_kind, _compression] = cursor.take()?;
        let keyspace = u64::from_le_bytes(cursor.take()?);
        let key = usize::from(u16::from_le_bytes(cursor.take()?));
        let _length: [u8; 4] = cursor.take()?;
        let stored = usize::try_from(u32::from_le_bytes(cursor.take()?)).ok()?;
        let (key, value) = (cursor.slice(key)?, cursor.slice(stored)?);
        if keyspace == META && key == SEQUENCE.as_bytes() {
            self.sequence = Some(u64::from_be_bytes(value.try_into().ok()?));
        }
        if keyspace == META && key == FOLLOWS.as_bytes() {
            self.follows = Some(u64::from_be_bytes(value.try_into().ok()?));
        }
        if keyspace == META && key == CHAIN.as_bytes() {
            self.chain = Some(Chain::from_row(value)?);
        }
        Some(())
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let slice = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(slice)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn item(key: &str, value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0];
        bytes.extend(META.to_le_bytes());
        bytes.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
        let length = u32::try_from(value.len()).unwrap().to_le_bytes();
        bytes.extend([length, length].concat());
        bytes.extend(key.as_bytes());
        bytes.extend(value);
        bytes
    }

    /// The group with this number, after the one with that number.
    fn group(number: u64, before: u64) -> Vec<u8> {
        let chain = Chain {
            floor: number,
            before,
        };
        let items = [
            item(SEQUENCE, &number.to_be_bytes()),
            item(CHAIN, &chain.to_row()),
            item(FOLLOWS, &before.to_be_bytes()),
        ];
        let count = u32::try_from(items.len()).unwrap();
        let items = items.concat();
        let mut bytes = vec![1];
        bytes.extend(count.to_le_bytes());
        bytes.extend(number.to_le_bytes());
        bytes.extend(&items);
        bytes.push(3);
        bytes.extend(xxh3_64(&items).to_le_bytes());
        bytes.extend(TRAILER);
        bytes
    }

    fn read(journals: &[&[Vec<u8>]]) -> Result<Option<u64>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (number, groups) in journals.iter().enumerate() {
            let mut bytes = groups.concat();
            bytes.resize(bytes.len() + 4_096, 0);
            std::fs::write(folder.path().join(format!("{number}.jnl")), bytes).unwrap();
        }
        let read = read_all(folder.path(), Some(1));
        read.map(|found| found.sequence)
            .map_err(|fault| fault.reason)
    }

    #[test]
    fn a_group_that_is_missing_between_two_journals_is_told() {
        let sealed = [group(4, 0), group(6, 4), group(7, 6)];
        let active = [group(9, 7), group(10, 9)];
        assert_eq!(read(&[&sealed, &active]), Ok(Some(10)));
        let told = Err("its batch at byte 0 is out of order".to_owned());
        // An older copy of a journal is its beginning.
        assert_eq!(read(&[&sealed[..2], &active]), told);
        let gap = [active[0].clone(), group(12, 11)];
        let at = active[0].len();
        let told = Err(format!("its batch at byte {at} is out of order"));
        assert_eq!(read(&[&sealed, &gap]), told);
    }

    #[test]
    fn a_group_of_a_store_that_was_tied_together_anew_follows_anything() {
        let groups = [group(4, 0), group(6, 4), group(9, 0), group(10, 9)];
        assert_eq!(read(&[&groups]), Ok(Some(10)));
    }
}
