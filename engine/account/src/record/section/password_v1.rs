//! The password credential, version 1: the row of format 1.
//! Frozen: a change of any field is a new version.

use alloc::vec::Vec;

use rkyv::Archived;
use rkyv::rancor::Error as RkyvError;

use crate::record::parts::PasswordRow;
use crate::record::{Corrupt, v1};

/// The longest PHC string: ours have 154 bytes at most (three numbers of ten
/// digits, a key's id of 4 bytes, a salt of 16, an output of 48).
const PHC_MAX_BYTES: usize = 160;

/// Its largest form.
pub(super) const MAX_BYTES: usize = size_of::<Archived<v1::PasswordRow>>() + PHC_MAX_BYTES;

pub(super) fn write(password: Option<&PasswordRow>) -> Result<Vec<u8>, Corrupt> {
    let Some(row) = password else {
        return Ok(Vec::new());
    };
    let stored = v1::PasswordRow {
        phc: row.phc.clone(),
        rule: row.rule,
        set_at: row.set_at,
    };
    let bytes = rkyv::to_bytes::<RkyvError>(&stored).map_err(|_| Corrupt)?;
    Ok(bytes.to_vec())
}

pub(super) fn read(bytes: &[u8]) -> Result<PasswordRow, Corrupt> {
    let stored = rkyv::from_bytes::<v1::PasswordRow, RkyvError>(bytes).map_err(|_| Corrupt)?;
    Ok(PasswordRow {
        phc: stored.phc,
        rule: stored.rule,
        set_at: stored.set_at,
    })
}
