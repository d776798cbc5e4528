//! An identifier's text: needed when index keys change, and to write to the
//! person.
//!
//! Format 1: version u8 | kind u8 | the normal form, UTF-8.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::corrupt::Corrupt;
use crate::identifier::{Identifier, IdentifierKind};

const VERSION: u8 = 1;

pub(super) fn encode_text(identifier: &Identifier) -> Zeroizing<Vec<u8>> {
    let text = identifier.expose().as_bytes();
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 + text.len()));
    bytes.extend_from_slice(&[VERSION, identifier.kind() as u8]);
    bytes.extend_from_slice(text);
    bytes
}

/// Reads an opened text.
///
/// # Errors
/// [`Corrupt`] when it is none of a version that this code reads.
pub fn read_text(bytes: &[u8]) -> Result<Identifier, Corrupt> {
    let [VERSION, kind, text @ ..] = bytes else {
        return Err(Corrupt);
    };
    let kind = match kind {
        1 => IdentifierKind::Email,
        2 => IdentifierKind::Phone,
        3 => IdentifierKind::Username,
        _ => return Err(Corrupt),
    };
    let text = core::str::from_utf8(text).map_err(|_| Corrupt)?;
    // Not judged anew: a rule that refuses it today would take it from its
    // account, and a rotation of keys would never end.
    Ok(Identifier::from_stored(kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_reads_back_and_nothing_else_does() {
        let ada = Identifier::parse(IdentifierKind::Email, "ada@example.com").unwrap();
        let bytes = encode_text(&ada);
        assert_eq!(read_text(&bytes), Ok(ada));
        for (at, value) in [(0, 2), (1, 0), (1, 4), (2, 0xff)] {
            let mut other = bytes.to_vec();
            other[at] = value;
            assert_eq!(read_text(&other), Err(Corrupt), "{at} {value}");
        }
        assert_eq!(read_text(&bytes[..1]), Err(Corrupt));
    }

    #[test]
    fn a_text_that_an_earlier_rule_took_is_no_damage() {
        for (kind, text) in [
            (IdentifierKind::Email, "a\u{200b}da@example.com"),
            (IdentifierKind::Phone, "+4402079460958"),
        ] {
            assert!(Identifier::parse(kind, text).is_err());
            let known = Identifier::find(kind, text).unwrap();
            assert_eq!(read_text(&encode_text(&known)), Ok(known));
        }
    }
}
