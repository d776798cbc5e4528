//! Recovery codes, version 1. Frozen: a change of any field is a new version.
//!
//! ```text
//! codes 171 | wrong codes u16 LE, the last at u64 LE, Unix milliseconds
//! ```

use alloc::vec::Vec;

use crate::credential::held::HeldRecoveryCodes;
use crate::credential::recovery::{RECOVERY_BYTES, RecoveryCodes};
use crate::fields::Fields;
use crate::record::Corrupt;
use crate::record::parts::Guesses;

/// Its largest form.
pub(super) const MAX_BYTES: usize = RECOVERY_BYTES + 2 + 8;

pub(super) fn write(held: Option<&HeldRecoveryCodes>) -> Vec<u8> {
    let Some(held) = held else {
        return Vec::new();
    };
    let mut bytes = Vec::with_capacity(MAX_BYTES);
    bytes.extend_from_slice(&held.codes.encode());
    bytes.extend_from_slice(&held.failures.failures.to_le_bytes());
    bytes.extend_from_slice(&held.failures.failed_at.to_le_bytes());
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<HeldRecoveryCodes, Corrupt> {
    let mut fields = Fields(bytes);
    let held = HeldRecoveryCodes {
        codes: RecoveryCodes::decode(fields.take(RECOVERY_BYTES)?)?,
        failures: Guesses {
            failures: u16::from_le_bytes(fields.next()?),
            failed_at: u64::from_le_bytes(fields.next()?),
        },
    };
    fields.end()?;
    Ok(held)
}
