//! The erasure tombstone: it replaces the key of an erased person. It names
//! them only by a retired user id. Should an older copy of the person's rows
//! come back, it keeps them from being read.
//!
//! Format 1, 96 bytes, so that it is not taken for a wrapped key (72 bytes):
//! version u8 | tenant u64 LE | at u64 LE | the gateway's name, UTF-8, filled up
//! with zeros.

use alloc::borrow::ToOwned;

use crate::command::Administrator;
use crate::corrupt::Corrupt;
use crate::id::TenantId;

/// How many bytes it takes.
pub const ERASURE_BYTES: usize = 96;

const VERSION: u8 = 1;
const NAME_AT: usize = 17;

/// One erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Whose person it was.
    pub tenant: TenantId,
    /// When, in Unix milliseconds.
    pub at: u64,
    /// By whose authority.
    pub by: Administrator,
}

impl Erasure {
    /// The tombstone's bytes, stored in place of the key. A name that is too
    /// long is cut.
    #[must_use]
    pub fn encode(&self) -> [u8; ERASURE_BYTES] {
        let name = self.by.0.as_str();
        let mut end = name.len().min(ERASURE_BYTES - NAME_AT);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let name = &name.as_bytes()[..end];
        let mut bytes = [0; ERASURE_BYTES];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.tenant.0.to_le_bytes());
        bytes[9..NAME_AT].copy_from_slice(&self.at.to_le_bytes());
        bytes[NAME_AT..NAME_AT + name.len()].copy_from_slice(name);
        bytes
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Corrupt`] when the bytes are none of a version that this code reads.
    pub fn decode(bytes: &[u8]) -> Result<Erasure, Corrupt> {
        let whole = bytes.len() == ERASURE_BYTES;
        let [VERSION, rest @ ..] = bytes else {
            return Err(Corrupt);
        };
        let (tenant, rest) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
        let (at, name) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
        let name = core::str::from_utf8(name).ok().filter(|_| whole);
        Ok(Erasure {
            tenant: TenantId(u64::from_le_bytes(*tenant)),
            at: u64::from_le_bytes(*at),
            by: Administrator(name.ok_or(Corrupt)?.trim_end_matches('\0').to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erasure(name: &str) -> Erasure {
        Erasure {
            tenant: TenantId(7),
            at: 1_764_000_000_000,
            by: Administrator(name.to_owned()),
        }
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_nothing_else_does() {
        let bytes = erasure("office").encode();
        let mut golden = std::vec![1, 7, 0, 0, 0, 0, 0, 0, 0];
        golden.extend_from_slice(&[0, 232, 151, 182, 154, 1, 0, 0]);
        golden.extend_from_slice(b"office");
        golden.resize(ERASURE_BYTES, 0);
        assert_eq!(bytes.as_slice(), golden);
        assert_eq!(Erasure::decode(&bytes), Ok(erasure("office")));
        let newer = [&[2], &bytes[1..]].concat();
        let no_text = [&bytes[..17], &[0xFF; 79]].concat();
        let longer = [&bytes[..], &[0]].concat();
        for bytes in [&newer, &no_text, &longer, &bytes[..72], &[]] {
            assert_eq!(Erasure::decode(bytes), Err(Corrupt));
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_cut_between_two_letters() {
        let long = erasure(&"\u{e4}".repeat(60));
        let cut = erasure(&"\u{e4}".repeat(39));
        assert_eq!(Erasure::decode(&long.encode()), Ok(cut));
    }
}
