//! The ids of a ceremony: of a credential, and of the account that has it.
//!
//! Both can lead to a person (WebAuthn L3 §14.6), so neither is shown.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use data_encoding::BASE64URL_NOPAD;

use super::fault::PasskeyFault;

/// The longest credential id (WebAuthn L3 §7.1, step 25).
pub const CREDENTIAL_ID_MAX_BYTES: usize = 1_023;
/// The longest user handle (WebAuthn L3 §5.4.3).
pub const USER_HANDLE_MAX_BYTES: usize = 64;

/// The id of a credential, 1 to 1,023 bytes, as its authenticator made it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    /// Takes the bytes of an id.
    ///
    /// # Errors
    /// [`PasskeyFault::CredentialIdLength`] for no byte, or more than 1,023.
    pub fn new(bytes: &[u8]) -> Result<CredentialId, PasskeyFault> {
        match bytes.len() {
            1..=CREDENTIAL_ID_MAX_BYTES => Ok(CredentialId(bytes.to_owned())),
            _ => Err(PasskeyFault::CredentialIdLength),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn to_base64url(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialId(..)")
    }
}

/// What an authenticator keeps of an account: 1 to 64 bytes that name it to the
/// relying party alone.
#[derive(Clone, PartialEq, Eq)]
pub struct UserHandle(Vec<u8>);

impl UserHandle {
    /// Takes the bytes of a handle.
    ///
    /// # Errors
    /// [`PasskeyFault::UserHandleLength`] for no byte, or more than 64.
    pub fn new(bytes: &[u8]) -> Result<UserHandle, PasskeyFault> {
        match bytes.len() {
            1..=USER_HANDLE_MAX_BYTES => Ok(UserHandle(bytes.to_owned())),
            _ => Err(PasskeyFault::UserHandleLength),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn to_base64url(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

impl fmt::Debug for UserHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserHandle(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_lengths() {
        let id = |bytes: usize| CredentialId::new(&std::vec![7; bytes]).map(|id| id.0.len());
        assert_eq!(
            [id(0), id(1), id(1_023), id(1_024)],
            [
                Err(PasskeyFault::CredentialIdLength),
                Ok(1),
                Ok(1_023),
                Err(PasskeyFault::CredentialIdLength),
            ]
        );
        let handle = |bytes: usize| UserHandle::new(&std::vec![7; bytes]).map(|id| id.0.len());
        assert_eq!(
            [handle(0), handle(1), handle(64), handle(65)],
            [
                Err(PasskeyFault::UserHandleLength),
                Ok(1),
                Ok(64),
                Err(PasskeyFault::UserHandleLength),
            ]
        );
    }

    #[test]
    fn ids_are_not_shown() {
        let shown = std::format!(
            "{:?} {:?}",
            CredentialId::new(&[1]).unwrap(),
            UserHandle::new(&[2]).unwrap()
        );
        assert_eq!(shown, "CredentialId(..) UserHandle(..)");
    }
}
