//! Authenticator data: WebAuthn L3 §6.1.

use super::cbor::{self, Value};
use super::fault::PasskeyFault;
use super::id::CredentialId;
use super::public_key::PublicKey;
use super::relying_party::{RelyingParty, UserPresence, UserVerification};

const UP: u8 = 0x01;
const UV: u8 = 0x04;
const BE: u8 = 0x08;
const BS: u8 = 0x10;
const AT: u8 = 0x40;
const ED: u8 = 0x80;

/// What an authenticator says of itself and of the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuthenticatorData<'a> {
    rp_id_hash: &'a [u8; 32],
    pub(super) flags: Flags,
    pub(super) sign_count: u32,
    pub(super) attested: Option<Attested>,
}

/// Attested credential data (§6.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attested {
    pub(super) aaguid: [u8; 16],
    pub(super) id: CredentialId,
    pub(super) public_key: PublicKey,
}

/// The flags. Reserved bits are ignored: they may come to mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    pub(super) fn user_verified(self) -> bool {
        self.has(UV)
    }

    pub(super) fn backup_eligible(self) -> bool {
        self.has(BE)
    }

    pub(super) fn backed_up(self) -> bool {
        self.has(BS)
    }
}

impl<'a> AuthenticatorData<'a> {
    /// Reads the whole of `bytes`: 37 bytes, attested credential data where AT is
    /// set, one map of extension outputs where ED is set, and nothing after it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<AuthenticatorData<'a>, PasskeyFault> {
        const FAULT: PasskeyFault = PasskeyFault::MalformedAuthenticatorData;
        let (rp_id_hash, rest) = bytes.split_first_chunk().ok_or(FAULT)?;
        let (flags, rest) = rest.split_first().ok_or(FAULT)?;
        let (sign_count, mut rest) = rest.split_first_chunk().ok_or(FAULT)?;
        let flags = Flags(*flags);
        let mut attested = None;
        if flags.has(AT) {
            let (data, after) = Attested::parse_first(rest)?;
            (attested, rest) = (Some(data), after);
        }
        match flags.has(ED) {
            true => extensions(rest)?,
            false if rest.is_empty() => {}
            false => return Err(FAULT),
        }
        Ok(AuthenticatorData {
            rp_id_hash,
            flags,
            sign_count: u32::from_be_bytes(*sign_count),
            attested,
        })
    }

    /// Steps 14 to 17 of a registration (§7.1), 15 to 18 of an authentication
    /// (§7.2).
    pub(super) fn check(
        &self,
        rp: &RelyingParty,
        presence: UserPresence,
        verification: UserVerification,
    ) -> Result<(), PasskeyFault> {
        if *self.rp_id_hash != rp.id_hash() {
            return Err(PasskeyFault::WrongRelyingParty);
        }
        match presence {
            UserPresence::Required if !self.flags.has(UP) => {
                return Err(PasskeyFault::UserNotPresent);
            }
            UserPresence::Required | UserPresence::Conditional => {}
        }
        match verification {
            UserVerification::Required if !self.flags.has(UV) => {
                return Err(PasskeyFault::UserNotVerified);
            }
            UserVerification::Required
            | UserVerification::Preferred
            | UserVerification::Discouraged => {}
        }
        if self.flags.backed_up() && !self.flags.backup_eligible() {
            return Err(PasskeyFault::BackupContradiction);
        }
        Ok(())
    }
}

impl Attested {
    fn parse_first(bytes: &[u8]) -> Result<(Attested, &[u8]), PasskeyFault> {
        const FAULT: PasskeyFault = PasskeyFault::MalformedAuthenticatorData;
        let (aaguid, rest) = bytes.split_first_chunk().ok_or(FAULT)?;
        let (length, rest) = rest.split_first_chunk().ok_or(FAULT)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (id, rest) = rest.split_at_checked(length).ok_or(FAULT)?;
        let id = CredentialId::new(id)?;
        let (public_key, rest) = PublicKey::parse_first(rest)?;
        let aaguid = *aaguid;
        let attested = Attested {
            aaguid,
            id,
            public_key,
        };
        Ok((attested, rest))
    }
}

/// Extension outputs: one map (§9.5), of which nothing is read.
fn extensions(bytes: &[u8]) -> Result<(), PasskeyFault> {
    match cbor::read_all(bytes) {
        Ok(Value::Map(_)) => Ok(()),
        Ok(
            Value::Integer(_) | Value::Bytes(_) | Value::Text(_) | Value::Array(_) | Value::Other,
        ) => Err(PasskeyFault::MalformedAuthenticatorData),
        Err(cbor::NotCanonical) => Err(PasskeyFault::MalformedCbor),
    }
}

#[cfg(test)]
mod tests;
