//! The hot record: how one person is stored, and how a check reads it in place.
//!
//! ```text
//! version u8 | 0 0 0 | length of the check part u32 LE
//! | check part (rkyv, in clear) | sealed part (nonce and ciphertext)
//! ```
//! The stored bytes are the warm form. The version stands outside rkyv; each
//! version is a frozen module with types of its own, and a step from and to
//! the form in which an account is changed.
//!
//! In format 3 the sealed part is made of sections, and everything in clear is
//! associated data of its seal. That is verified whenever a record is loaded,
//! and never by a check. While formats 1 and 2 are read as well, an attacker
//! who can write rows and has kept such an older record can put it back with
//! another check part.

mod budget;
mod older;
mod parts;
mod section;
#[cfg(test)]
mod tests;
pub mod v1;
pub mod v2;
pub mod v3;
mod view;

use alloc::vec::Vec;

use rkyv::rancor::Error as RkyvError;
use zeroize::Zeroizing;

pub use crate::corrupt::Corrupt;
pub use parts::{
    CheckPart, Device, Guesses, Hold, IdentifierRow, OutcomeRow, PasswordRow, Rotated, SealedPart,
    Session,
};
pub use view::{Found, View};

/// The largest record, in bytes.
pub const RECORD_MAX_BYTES: usize = 16 * 1024;
/// The most sessions of one person; the least recently used one makes room.
pub const SESSIONS_MAX: usize = 50;
/// The most refresh tokens whose successors are kept for clients that were not
/// told them; the one that was made longest ago makes room.
pub const SUCCESSORS_MAX: usize = 16;
/// The most devices that are remembered; a further one is not.
pub const DEVICES_MAX: usize = 20;
/// The most identifiers of one person.
pub const IDENTIFIERS_MAX: usize = 8;
/// The most outcomes of past requests that are kept for their repeats.
pub const OUTCOMES_MAX: usize = 8;
/// What sealing adds to a plaintext: a nonce and a tag.
pub const SEAL_BYTES: usize = 24 + 16;
const HEAD_BYTES: usize = 8;

/// A version of the record. All are read; which one is written is the
/// deployment's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Format {
    /// Without regions.
    V1 = 1,
    /// With the hashes of the directory of regions.
    V2 = 2,
    /// In sections; what is in clear is authenticated.
    V3 = 3,
}

impl Format {
    /// The newest.
    pub const NEWEST: Format = Format::V3;

    /// The newest one whose number is not greater than this.
    #[must_use]
    pub fn up_to(number: u16) -> Format {
        match number {
            0 | 1 => Format::V1,
            2 => Format::V2,
            _ => Format::V3,
        }
    }
}

/// Why an account's state cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritable {
    /// The record would be over [`RECORD_MAX_BYTES`], or a section of it over
    /// what it may take.
    TooLarge,
    /// The format cannot say what the account holds.
    Corrupt,
}

impl From<Corrupt> for Unwritable {
    fn from(_: Corrupt) -> Unwritable {
        Unwritable::Corrupt
    }
}

/// What is written of an account: to be sealed and put together by
/// [`assemble`].
pub struct Written {
    /// Head and check part, as they are stored.
    pub clear: Vec<u8>,
    /// The plaintext of the sealed part: to be sealed and forgotten.
    pub plain: Zeroizing<Vec<u8>>,
    format: Format,
}

impl Written {
    /// What the seal must bind besides its context, as associated data.
    #[must_use]
    pub fn bound(&self) -> &[u8] {
        bound(self.format, &self.clear)
    }
}

fn bound(format: Format, clear: &[u8]) -> &[u8] {
    match format {
        Format::V1 | Format::V2 => &[],
        Format::V3 => clear,
    }
}

/// Writes an account's state in a format.
///
/// # Errors
/// [`Unwritable`], which says why.
pub fn write(
    format: Format,
    check: &CheckPart,
    sealed: &SealedPart,
) -> Result<Written, Unwritable> {
    let (clear, plain) = match format {
        Format::V1 | Format::V2 => (older::check(check)?, older::sealed(format, sealed)?),
        Format::V3 => {
            let clear = rkyv::to_bytes::<RkyvError>(&v3::CheckPart::from(check));
            let clear = clear.map_err(|_| Corrupt)?.to_vec();
            (clear, section::write(check, sealed)?)
        }
    };
    Ok(Written {
        clear: with_head(format, &clear)?,
        plain,
        format,
    })
}

/// The check part behind the record's head.
fn with_head(format: Format, check: &[u8]) -> Result<Vec<u8>, Unwritable> {
    let length = u32::try_from(check.len()).map_err(|_| Unwritable::TooLarge)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + check.len());
    bytes.extend_from_slice(&[format as u8, 0, 0, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(check);
    Ok(bytes)
}

/// Puts a record together from what stays in clear and the sealed bytes.
///
/// # Errors
/// [`Unwritable::TooLarge`] when the record would be over [`RECORD_MAX_BYTES`].
pub fn assemble(mut clear: Vec<u8>, sealed: &[u8]) -> Result<Vec<u8>, Unwritable> {
    clear.extend_from_slice(sealed);
    match clear.len() <= RECORD_MAX_BYTES {
        true => Ok(clear),
        false => Err(Unwritable::TooLarge),
    }
}
