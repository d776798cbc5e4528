//! What an account holds besides its password, in the form in which it is
//! changed. Times are Unix milliseconds.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::passkey::{
    CredentialId, Descriptor, NewPasskey, PublicKey, SignCount, StoredPasskey, Transport,
    UserHandle,
};
use super::recovery::RecoveryCodes;
use super::totp::Totp;
use crate::guess::Guesses;

/// The most passkeys of one person.
pub const PASSKEYS_MAX: usize = 10;
/// The longest name of a passkey, in bytes.
pub const PASSKEY_NAME_MAX_BYTES: usize = 64;

/// What a person calls a passkey; may be empty. It is theirs, and not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PasskeyName(String);

impl PasskeyName {
    /// A name as it was typed: its first characters, as many as fit.
    #[must_use]
    pub fn new(text: &str) -> PasskeyName {
        let text = text.trim();
        let ends = text.char_indices().map(|(at, one)| at + one.len_utf8());
        let end = ends.take_while(|end| *end <= PASSKEY_NAME_MAX_BYTES).last();
        PasskeyName(text[..end.unwrap_or(0)].into())
    }

    /// One that was stored; `None` for a longer one.
    pub(crate) fn of_stored(text: &str) -> Option<PasskeyName> {
        (text.len() <= PASSKEY_NAME_MAX_BYTES).then(|| PasskeyName(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasskeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasskeyName(..)")
    }
}

/// What the record says of a passkey: what a sign-in changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyHead {
    /// Names it among the person's, and its part.
    pub number: u16,
    /// The signature counter of the last ceremony.
    pub sign_count: u32,
    /// Whether it is or may be copied to other devices.
    pub backup: Backup,
    /// When it was added.
    pub added_at: u64,
    /// When it was last signed in with.
    pub used_at: u64,
}

/// What a part holds of a passkey: what never changes (WebAuthn L3 §4, credential
/// record).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyPart {
    /// Its id.
    pub id: CredentialId,
    /// Its key.
    pub public_key: PublicKey,
    /// How it is reached.
    pub transports: Vec<Transport>,
    /// The model of the authenticator, unproven; zeros where it is not told.
    pub aaguid: [u8; 16],
    /// What its person calls it.
    pub name: PasskeyName,
}

/// A passkey with both of its parts at hand.
#[derive(Clone, Copy, Debug)]
pub struct HeldPasskey<'a> {
    /// What the record says.
    pub head: &'a PasskeyHead,
    /// What its part holds.
    pub part: &'a PasskeyPart,
}

/// Whether a passkey is copied (WebAuthn L3 §6.1.3). The numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Backup {
    /// It stays on its device.
    Ineligible = 0,
    /// It may be, and is not yet.
    Eligible = 1,
    /// It is.
    BackedUp = 2,
}

impl Backup {
    /// By the two flags.
    #[must_use]
    pub fn of(eligible: bool, backed_up: bool) -> Backup {
        match (eligible, backed_up) {
            (false, _) => Backup::Ineligible,
            (true, false) => Backup::Eligible,
            (true, true) => Backup::BackedUp,
        }
    }

    /// The one of a number.
    pub(crate) fn of_number(number: u8) -> Option<Backup> {
        let mut all = [Backup::Ineligible, Backup::Eligible, Backup::BackedUp].into_iter();
        all.find(|backup| *backup as u8 == number)
    }
}

impl PasskeyPart {
    /// The two parts of a passkey that was registered now.
    #[must_use]
    pub fn registered(
        number: u16,
        new: NewPasskey,
        name: PasskeyName,
        now_ms: u64,
    ) -> (PasskeyHead, PasskeyPart) {
        let head = PasskeyHead {
            number,
            sign_count: new.sign_count,
            backup: Backup::of(new.backup_eligible, new.backed_up),
            added_at: now_ms,
            used_at: now_ms,
        };
        let part = PasskeyPart {
            id: new.id,
            public_key: new.public_key,
            transports: new.transports,
            aaguid: new.aaguid,
            name,
        };
        (head, part)
    }
}

impl<'a> HeldPasskey<'a> {
    /// What an assertion is held against.
    #[must_use]
    pub fn stored(&self, user_handle: &'a UserHandle) -> StoredPasskey<'a> {
        StoredPasskey {
            id: &self.part.id,
            user_handle,
            public_key: &self.part.public_key,
            sign_count: self.head.sign_count,
            backup_eligible: self.head.backup != Backup::Ineligible,
        }
    }

    /// How it is named in options.
    #[must_use]
    pub fn descriptor(&self) -> Descriptor {
        Descriptor {
            id: self.part.id.clone(),
            transports: self.part.transports.clone(),
        }
    }
}

impl PasskeyHead {
    /// It signed.
    pub(crate) fn signed(&mut self, backed_up: bool, count: SignCount, now_ms: u64) {
        self.backup = Backup::of(self.backup != Backup::Ineligible, backed_up);
        self.used_at = self.used_at.max(now_ms);
        match count {
            SignCount::NotCounted | SignCount::Regressed { .. } => {}
            SignCount::Advanced { to } => self.sign_count = to,
        }
    }
}

/// A TOTP authenticator, and failures at it alone.
#[derive(Clone, Debug)]
pub struct HeldTotp {
    /// The secret, and the last step.
    pub totp: Totp,
    /// When it was enrolled.
    pub added_at: u64,
    /// Codes that were wrong.
    pub failures: Guesses,
}

impl PartialEq for HeldTotp {
    fn eq(&self, other: &HeldTotp) -> bool {
        let parts = |held: &HeldTotp| (held.added_at, held.failures.clone());
        parts(self) == parts(other) && *self.totp.encode() == *other.totp.encode()
    }
}

/// A list of recovery codes, and failures at it alone.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldRecoveryCodes {
    /// The codes.
    pub codes: RecoveryCodes,
    /// Codes that were wrong.
    pub failures: Guesses,
}

/// What an account holds besides its password.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldFactors {
    /// At most [`PASSKEYS_MAX`].
    pub passkeys: Vec<PasskeyHead>,
    /// An authenticator app.
    pub totp: Option<HeldTotp>,
    /// Recovery codes.
    pub recovery_codes: Option<HeldRecoveryCodes>,
}

impl HeldFactors {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.passkeys.is_empty() && self.totp.is_none() && self.recovery_codes.is_none()
    }

    pub(crate) fn passkey_mut(&mut self, number: u16) -> Option<&mut PasskeyHead> {
        let mut passkeys = self.passkeys.iter_mut();
        passkeys.find(|passkey| passkey.number == number)
    }

    /// A number that no passkey of the person has.
    pub(crate) fn free_number(&self) -> u16 {
        let numbers = self.passkeys.iter().map(|passkey| passkey.number);
        numbers.max().map_or(1, |highest| highest.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_as_far_as_it_fits_and_not_shown() {
        assert_eq!(PasskeyName::new("  Ada's phone ").expose(), "Ada's phone");
        assert_eq!(PasskeyName::new("").expose(), "");
        let long = "\u{1F511}".repeat(17);
        assert_eq!(PasskeyName::new(&long).expose().chars().count(), 16);
        let shown = std::format!("{:?}", PasskeyName::new("Ada's phone"));
        assert_eq!(shown, "PasskeyName(..)");
    }
}
