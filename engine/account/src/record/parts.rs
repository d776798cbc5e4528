//! The record in the form in which it is changed. None of these types is
//! stored: each format has types of its own and a step from and to these, so
//! that a change here cannot change what lies on a disk. Times are Unix
//! milliseconds; hashes are SHA-256.

use alloc::string::String;
use alloc::vec::Vec;

use crate::credential::held::HeldFactors;
use crate::flow::Attempts;
pub use crate::guess::Guesses;
use crate::id::{DeviceId, SessionId};
use crate::identifier::IdentifierKind;
use crate::session::Expiry;
use crate::status::Status;

/// What is stored in clear, with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPart {
    /// The person's tenant.
    pub tenant: u64,
    /// Whose record it is.
    pub user: [u8; 16],
    /// How often the record was written.
    pub revision: u64,
    /// When the account was made.
    pub created_at: u64,
    /// Whether the account may be used.
    pub status: Status,
    /// When the record is no longer needed, unless something happens before;
    /// 0: never.
    pub abandoned_at: u64,
    /// At most [`super::SESSIONS_MAX`].
    pub sessions: Vec<Session>,
}

/// One session and its refresh family.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Its id.
    pub id: u64,
    /// The hash of its secret.
    pub secret_hash: [u8; 32],
    /// When the person signed in.
    pub created_at: u64,
    /// The durable time of its last use.
    pub used_at: u64,
    /// For how long it may be unused.
    pub idle_ms: u64,
    /// When it ends.
    pub expires_at: u64,
    /// How sure the sign-in was: 1, 2 or 3 (SP 800-63B AAL).
    pub assurance: u8,
    /// How the person signed in, one bit per method.
    pub methods: u8,
    /// The device it was made on; 0: none.
    pub device: u64,
    /// The hash of the current refresh token.
    pub refresh_hash: [u8; 32],
    /// The refresh token before.
    pub rotated: Option<Rotated>,
}

/// The refresh token before the current one, and its successor sealed for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotated {
    /// The token's hash.
    pub hash: [u8; 32],
    /// When it was replaced.
    pub at: u64,
    /// Nonce (12), ciphertext (24), tag (16); none when it was given up for
    /// those of other sessions ([`super::SUCCESSORS_MAX`]).
    pub successor: Option<[u8; 52]>,
}

/// What only a hot person's actor reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SealedPart {
    /// At most [`super::IDENTIFIERS_MAX`].
    pub identifiers: Vec<IdentifierRow>,
    /// The password credential.
    pub password: Option<PasswordRow>,
    /// Failed guesses from unknown devices.
    pub unknown_device: Guesses,
    /// At most [`super::DEVICES_MAX`].
    pub devices: Vec<Device>,
    /// At most [`super::OUTCOMES_MAX`].
    pub outcomes: Vec<OutcomeRow>,
    /// Flows under way, and what was sent for them.
    pub attempts: Attempts,
    /// Passkeys, TOTP, recovery codes.
    pub factors: HeldFactors,
}

/// An identifier, by its keyed hash. Its text lies in a row of its own, under
/// `number`.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentifierRow {
    /// Names it among the person's.
    pub number: u16,
    /// Mail address, phone number or user name.
    pub kind: IdentifierKind,
    /// The keyed hash.
    pub hash: [u8; 32],
    /// The version of the hash's key.
    pub key_version: u16,
    /// The rules by which the identifier was normalised.
    pub normaliser: u16,
    /// Whether it is claimed or held.
    pub hold: Hold,
    /// Its hash in the directory of regions, when it was entered there.
    pub directory: Option<[u8; 32]>,
}

/// Whether it has been shown that the identifier is the person's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hold {
    /// Said, not shown. Others may say the same.
    Claimed {
        /// When the claim ends.
        until: u64,
    },
    /// Shown, or a user name: the person's alone, by an index row.
    Held {
        /// Since when.
        since: u64,
    },
}

/// The password credential.
#[derive(Clone, Debug, PartialEq)]
pub struct PasswordRow {
    /// The hash, as a PHC string.
    pub phc: String,
    /// The version of the rule by which the password was prepared.
    pub rule: u16,
    /// When it was set.
    pub set_at: u64,
}

/// A remembered device.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Its id.
    pub id: u64,
    /// The hash of its secret.
    pub secret_hash: [u8; 32],
    /// When it was first remembered.
    pub added_at: u64,
    /// When it was last signed in from.
    pub used_at: u64,
    /// Failed guesses from it.
    pub guesses: Guesses,
}

/// The outcome of a past request, sealed under a key derived from it.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeRow {
    /// The hash of the request's idempotency key.
    pub key_hash: [u8; 16],
    /// When it is dropped.
    pub kept_until: u64,
    /// 1: hands something out, and is given up last.
    pub grants: u8,
    /// Nonce (12), ciphertext, tag (16).
    pub sealed: Vec<u8>,
}

impl Session {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId(self.id)
    }

    /// The device it was made on.
    #[must_use]
    pub fn device(&self) -> Option<DeviceId> {
        (self.device != 0).then_some(DeviceId(self.device))
    }

    pub(crate) fn expiry(&self) -> Expiry {
        Expiry {
            used_at: self.used_at,
            touched_at: self.used_at,
            idle_ms: self.idle_ms,
            expires_at: self.expires_at,
        }
    }
}
