//! Remembered devices, version 1: a list of rows as in format 1.
//! Frozen: a change of any field is a new version.

use alloc::vec::Vec;

use rkyv::Archived;
use rkyv::rancor::Error as RkyvError;

use crate::record::parts::Device;
use crate::record::{Corrupt, DEVICES_MAX, v1};

/// The most rows that it is made for.
const ROWS: usize = 20;
const _: () = assert!(DEVICES_MAX <= ROWS);

type Stored = Vec<v1::Device>;

/// Its largest form.
pub(super) const MAX_BYTES: usize =
    size_of::<Archived<Stored>>() + ROWS * size_of::<Archived<v1::Device>>();

pub(super) fn write(rows: &[Device]) -> Result<Vec<u8>, Corrupt> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let stored: Stored = rows.iter().map(Into::into).collect();
    let bytes = rkyv::to_bytes::<RkyvError>(&stored).map_err(|_| Corrupt)?;
    Ok(bytes.to_vec())
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<Device>, Corrupt> {
    let stored = rkyv::from_bytes::<Stored, RkyvError>(bytes).map_err(|_| Corrupt)?;
    Ok(stored.into_iter().map(Into::into).collect())
}
