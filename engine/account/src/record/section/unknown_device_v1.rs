//! Failed guesses from unknown devices, version 1: the row of format 1.
//! Frozen: a change of any field is a new version.

use alloc::vec::Vec;

use rkyv::Archived;
use rkyv::rancor::Error as RkyvError;

use crate::record::parts::Guesses;
use crate::record::{Corrupt, v1};

/// Its largest form.
pub(super) const MAX_BYTES: usize = size_of::<Archived<v1::Guesses>>();

pub(super) fn write(guesses: &Guesses) -> Result<Vec<u8>, Corrupt> {
    if *guesses == Guesses::default() {
        return Ok(Vec::new());
    }
    let bytes = rkyv::to_bytes::<RkyvError>(&v1::Guesses::from(guesses));
    Ok(bytes.map_err(|_| Corrupt)?.to_vec())
}

pub(super) fn read(bytes: &[u8]) -> Result<Guesses, Corrupt> {
    let stored = rkyv::from_bytes::<v1::Guesses, RkyvError>(bytes);
    Ok(stored.map_err(|_| Corrupt)?.into())
}
