//! The tables of one keyspace, held against the sums that its version names.
//!
//! `current` names the version and its sum; the version (an archive with a
//! section `tables`) names every table and its sum, XXH3 with 128 bits over the
//! whole file (lsm-tree 3, `src/version/persist.rs`, `src/version/recovery.rs`).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::{Fault, Verify};

const CURRENT_BYTES: usize = 25;
const READ_BYTES: usize = 256 * 1024;

struct Table {
    id: u64,
    sum: u128,
}

/// Verifies one keyspace and takes what it read off what may be read; how many
/// tables it has.
pub(super) fn verify(keyspace: &Path, verify: &mut Verify) -> Result<usize, Fault> {
    let current = keyspace.join("current");
    let bytes = std::fs::read(&current).map_err(|error| Fault::io(&current, &error))?;
    let Some((id, sum)) = named(&bytes) else {
        return Err(Fault::new(&current, "it does not name a version"));
    };
    let version = keyspace.join(format!("v{id}"));
    let bytes = std::fs::read(&version).map_err(|error| Fault::io(&version, &error))?;
    if xxh3_128(&bytes) != sum {
        return Err(Fault::new(
            &version,
            "its sum is not the one that was written",
        ));
    }
    let tables = tables(&version).ok_or_else(|| Fault::new(&version, "it cannot be read"))?;
    for table in &tables {
        let path = keyspace.join("tables").join(table.id.to_string());
        let file = File::open(&path).map_err(|error| Fault::io(&path, &error))?;
        let length = file
            .metadata()
            .map_err(|error| Fault::io(&path, &error))?
            .len();
        match verify {
            Verify::Everything => {}
            Verify::UpTo(bytes) => {
                let Some(left) = bytes.checked_sub(length) else {
                    *bytes = 0;
                    continue;
                };
                *bytes = left;
            }
        }
        let found = sum_of(file).map_err(|error| Fault::io(&path, &error))?;
        if found != table.sum {
            return Err(Fault::new(&path, "its sum is not the one that was written"));
        }
    }
    Ok(tables.len())
}

fn named(bytes: &[u8]) -> Option<(u64, u128)> {
    let bytes: &[u8; CURRENT_BYTES] = bytes.try_into().ok()?;
    let id = u64::from_le_bytes(*bytes.first_chunk()?);
    let sum = u128::from_le_bytes(*bytes[8..].first_chunk()?);
    (bytes[CURRENT_BYTES - 1] == 0).then_some((id, sum))
}

/// The tables that a version names.
fn tables(version: &Path) -> Option<Vec<Table>> {
    let archive = sfa::Reader::new(version).ok()?;
    let section = archive.toc().section(b"tables")?;
    let mut reader = section.buf_reader(version).ok()?;
    let mut found = Vec::new();
    for _level in 0..byte(&mut reader)? {
        for _run in 0..byte(&mut reader)? {
            let tables = u32::from_le_bytes(chunk(&mut reader)?);
            for _table in 0..tables {
                let id = u64::from_le_bytes(chunk(&mut reader)?);
                if byte(&mut reader)? != 0 {
                    return None;
                }
                let sum = u128::from_le_bytes(chunk(&mut reader)?);
                let _seqno: [u8; 8] = chunk(&mut reader)?;
                found.push(Table { id, sum });
            }
        }
    }
    Some(found)
}

fn byte(reader: &mut impl Read) -> Option<u8> {
    chunk::<1>(reader).map(|[byte]| byte)
}

fn chunk<const N: usize>(reader: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn sum_of(mut file: File) -> io::Result<u128> {
    let mut hasher = Xxh3Default::new();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(hasher.digest128()),
            read => hasher.update(&bytes[..read]),
        }
    }
}
