//! The hot record: how one person is stored, and how a check reads it in place.
//!
//! ```text
//! version u8 | 0 0 0 | length of the check part u32 LE
//! | check part (rkyv, in clear) | sealed part (nonce and ciphertext)
//! ```
//! The stored bytes are the warm form. The version stands outside rkyv; each
//! version is a frozen module with types of its own, and a step from and to
//! the form in which an account is changed.

mod older;
mod parts;
pub mod v1;
pub mod v2;
mod view;

use alloc::vec::Vec;

use rkyv::rancor::Error as RkyvError;
use zeroize::Zeroizing;

pub use parts::{
    CheckPart, Device, Guesses, Hold, IdentifierRow, OutcomeRow, PasswordRow, Rotated, SealedPart,
    Session,
};
pub use view::{Found, View};

/// The largest record, in bytes.
pub const RECORD_MAX_BYTES: usize = 16 * 1024;
/// The most sessions of one person; the least recently used one makes room.
pub const SESSIONS_MAX: usize = 50;
/// The most refresh tokens whose successors are kept for whoever was not told
/// them; the one that was made longest ago makes room.
pub const SUCCESSORS_MAX: usize = 16;
/// The most devices that are remembered; a further one is not.
pub const DEVICES_MAX: usize = 20;
/// The most identifiers of one person.
pub const IDENTIFIERS_MAX: usize = 8;
/// The most outcomes of past requests that are kept for their repeats.
pub const OUTCOMES_MAX: usize = 8;
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
}

impl Format {
    /// The newest.
    pub const NEWEST: Format = Format::V2;

    /// The newest one whose number is not greater than this.
    #[must_use]
    pub fn up_to(number: u16) -> Format {
        match number {
            0 | 1 => Format::V1,
            _ => Format::V2,
        }
    }
}

/// Stored bytes that are no record of a version that this code reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// What is written of an account: to be sealed and put together by
/// [`assemble`].
pub struct Written {
    /// Head and check part, as they are stored.
    pub clear: Vec<u8>,
    /// The plaintext of the sealed part: to be sealed and forgotten.
    pub plain: Zeroizing<Vec<u8>>,
}

/// Writes an account's state in a format.
///
/// # Errors
/// [`Corrupt`] when the format cannot say what it holds.
pub fn write(format: Format, check: &CheckPart, sealed: &SealedPart) -> Result<Written, Corrupt> {
    let clear = rkyv::to_bytes::<RkyvError>(&v1::CheckPart::from(check)).map_err(|_| Corrupt)?;
    let sealed = v2::SealedPart::from(sealed);
    let plain = match format {
        Format::V1 => rkyv::to_bytes::<RkyvError>(&sealed.to_v1()?),
        Format::V2 => rkyv::to_bytes::<RkyvError>(&sealed),
    };
    let plain = plain.map_err(|_| Corrupt)?;
    Ok(Written {
        clear: with_head(format, &clear)?,
        plain: Zeroizing::new(plain.to_vec()),
    })
}

/// The check part behind the record's head.
fn with_head(format: Format, check: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let length = u32::try_from(check.len()).map_err(|_| Corrupt)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + check.len());
    bytes.extend_from_slice(&[format as u8, 0, 0, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(check);
    Ok(bytes)
}

/// Puts a record together from what stays in clear and the sealed bytes.
///
/// # Errors
/// [`Corrupt`] when the record would be over [`RECORD_MAX_BYTES`].
pub fn assemble(mut clear: Vec<u8>, sealed: &[u8]) -> Result<Vec<u8>, Corrupt> {
    clear.extend_from_slice(sealed);
    match clear.len() <= RECORD_MAX_BYTES {
        true => Ok(clear),
        false => Err(Corrupt),
    }
}
