//! Heads of passkeys, version 1. Frozen: a change of any field is a new version.
//!
//! ```text
//! count u8 | of each: number u16 LE | counter u32 LE | backup u8 | added u64 LE
//! | used u64 LE
//! ```
//! Times are Unix milliseconds.

use alloc::vec::Vec;

use crate::credential::held::{Backup, PASSKEYS_MAX, PasskeyHead};
use crate::fields::Fields;
use crate::record::Corrupt;

/// The most rows that it is made for.
const ROWS: usize = 10;
const _: () = assert!(PASSKEYS_MAX <= ROWS);

/// Its largest form.
pub(super) const MAX_BYTES: usize = 1 + ROWS * (2 + 4 + 1 + 8 + 8);

pub(super) fn write(passkeys: &[PasskeyHead]) -> Result<Vec<u8>, Corrupt> {
    let mut bytes = Vec::new();
    if passkeys.is_empty() {
        return Ok(bytes);
    }
    bytes.push(u8::try_from(passkeys.len()).map_err(|_| Corrupt)?);
    for passkey in passkeys {
        bytes.extend_from_slice(&passkey.number.to_le_bytes());
        bytes.extend_from_slice(&passkey.sign_count.to_le_bytes());
        bytes.push(passkey.backup as u8);
        bytes.extend_from_slice(&passkey.added_at.to_le_bytes());
        bytes.extend_from_slice(&passkey.used_at.to_le_bytes());
    }
    Ok(bytes)
}

pub(super) fn read(bytes: &[u8]) -> Result<Vec<PasskeyHead>, Corrupt> {
    let mut fields = Fields(bytes);
    let [count] = fields.next()?;
    if count == 0 || usize::from(count) > ROWS {
        return Err(Corrupt);
    }
    let mut passkeys = Vec::with_capacity(count.into());
    for _ in 0..count {
        passkeys.push(PasskeyHead {
            number: u16::from_le_bytes(fields.next()?),
            sign_count: u32::from_le_bytes(fields.next()?),
            backup: {
                let [number] = fields.next()?;
                Backup::of_number(number).ok_or(Corrupt)?
            },
            added_at: u64::from_le_bytes(fields.next()?),
            used_at: u64::from_le_bytes(fields.next()?),
        });
    }
    fields.end()?;
    Ok(passkeys)
}
