//! An identifier's text, in a row of its own, sealed under the person's key:
//! needed when index keys change, and to write to the person.
//!
//! Format 1, before it is sealed: version u8 | kind u8 | the normal form, UTF-8.

use tidegate_account::record::Corrupt;
use tidegate_account::{Identifier, IdentifierKind, TenantId, UserId};
use zeroize::Zeroizing;

use crate::seal::{Field, SealContext};

const VERSION: u8 = 1;

pub(crate) fn context(tenant: TenantId, user: UserId, number: u16) -> SealContext {
    SealContext {
        tenant,
        user,
        field: Field::Identifier,
        revision: number.into(),
    }
}

pub(crate) fn encode(identifier: &Identifier) -> Zeroizing<Vec<u8>> {
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
    let text = std::str::from_utf8(text).map_err(|_| Corrupt)?;
    Identifier::parse(kind, text).map_err(|_| Corrupt)
}
