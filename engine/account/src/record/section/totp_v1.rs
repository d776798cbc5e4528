//! TOTP, version 1. Frozen: a change of any field is a new version.
//!
//! ```text
//! authenticator 29 | enrolled u64 LE | wrong codes u16 LE, the last at u64 LE
//! ```
//! Times are Unix milliseconds.

use alloc::vec::Vec;

use crate::credential::held::HeldTotp;
use crate::credential::totp::{TOTP_BYTES, Totp};
use crate::fields::Fields;
use crate::record::Corrupt;
use crate::record::parts::Guesses;

/// Its largest form.
pub(super) const MAX_BYTES: usize = TOTP_BYTES + 8 + 2 + 8;

pub(super) fn write(held: Option<&HeldTotp>) -> Vec<u8> {
    let Some(held) = held else {
        return Vec::new();
    };
    let mut bytes = Vec::with_capacity(MAX_BYTES);
    bytes.extend_from_slice(held.totp.encode().as_slice());
    bytes.extend_from_slice(&held.added_at.to_le_bytes());
    bytes.extend_from_slice(&held.failures.failures.to_le_bytes());
    bytes.extend_from_slice(&held.failures.failed_at.to_le_bytes());
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<HeldTotp, Corrupt> {
    let mut fields = Fields(bytes);
    let held = HeldTotp {
        totp: Totp::decode(fields.take(TOTP_BYTES)?)?,
        added_at: u64::from_le_bytes(fields.next()?),
        failures: Guesses {
            failures: u16::from_le_bytes(fields.next()?),
            failed_at: u64::from_le_bytes(fields.next()?),
        },
    };
    fields.end()?;
    Ok(held)
}
