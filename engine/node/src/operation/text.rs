//! Texts of requests in their normal forms.

use tidegate_account::{Identifier, IdentifierFault, IdentifierKind, Password, PasswordFault};
use tidegate_wire::{Code, v1};

use super::NotTaken;

/// How a text is made an identifier: as one that is to become an account's, or as
/// one by which an account is looked for.
type Normalise = fn(IdentifierKind, &str) -> Result<Identifier, IdentifierFault>;

pub(super) fn to_identifier(
    identifier: &v1::ArchivedIdentifier,
    normalise: Normalise,
) -> Result<Identifier, NotTaken> {
    let kind = match identifier.kind()? {
        v1::IdentifierKind::Email => IdentifierKind::Email,
        v1::IdentifierKind::Phone => IdentifierKind::Phone,
        v1::IdentifierKind::Username => IdentifierKind::Username,
    };
    let normal = normalise(kind, identifier.text.as_str());
    normal.map_err(|_| Code::InvalidIdentifier.into())
}

pub(super) fn to_password(text: &str) -> Result<Password, NotTaken> {
    Password::parse(text).map_err(|fault| match fault {
        // The code has no room for which character it is, and it belongs into
        // no log: the caller has the text and can find it by the same rule.
        PasswordFault::Empty | PasswordFault::Forbidden(_) => Code::InvalidPassword.into(),
        PasswordFault::TooLong => Code::TooLarge.into(),
    })
}
