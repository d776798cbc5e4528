//! What happened, for those who must know. No personal data: ids and facts.
//!
//! Format 1: version u8 | rkyv of the event. Delivery is at least once; the
//! position in the log is the event's stable id.

use alloc::vec::Vec;

use rkyv::rancor::Error as RkyvError;
use rkyv::{Archive, Deserialize, Serialize};

use crate::corrupt::Corrupt;
use crate::identifier::IdentifierKind;
use crate::reply::Verification;
use crate::status::Status;

const VERSION: u8 = 1;

/// One event of one person.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Event {
    /// The tenant.
    pub tenant: u64,
    /// The person.
    pub user: [u8; 16],
    /// When, in Unix milliseconds.
    pub at: u64,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum EventKind {
    /// The account was made.
    SignedUp,
    /// The person signed in: session, methods.
    SignedIn(u64, u8),
    /// A sign-in failed.
    SignInFailed,
    /// A session ended, and why.
    SessionEnded(u64, EndReason),
    /// A device is remembered from now on.
    DeviceAdded(u64),
    /// The password's hash was made stronger.
    PasswordUpgraded,
    /// The account's status changed.
    StatusChanged(Status),
    /// A sign-in failed with an identifier that no account holds; the id is the
    /// decoy's.
    UnknownIdentifier,
    /// An identifier was claimed.
    IdentifierClaimed(IdentifierKind),
    /// An identifier was verified, and by whom.
    IdentifierVerified(IdentifierKind, Verification),
    /// An identifier is the person's no more.
    IdentifierDropped(IdentifierKind),
    /// The password was replaced.
    PasswordReplaced,
    /// The account is gone: nothing of it was ever verified.
    Removed,
    /// The person was erased, on an administrator's word.
    Erased,
    /// A credential was added: its method.
    CredentialAdded(u8),
    /// A credential was removed: its method.
    CredentialRemoved(u8),
    /// The signature counter of a passkey went back: it may be copied. The passkey's
    /// number.
    PasskeyCountRegressed(u16),
}

/// Why a session ended.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its owner ended it.
    Revoked,
    /// An old refresh token was used again.
    RefreshReused,
    /// It made room for a new one.
    Evicted,
    /// Its time was over.
    Expired,
    /// An identifier was verified by another person than the one who set the
    /// account up.
    TakenOver,
    /// Another took its place, with more assurance or after a change.
    Replaced,
}

/// Writes an event.
///
/// # Errors
/// [`Corrupt`] when it cannot be written, which no value causes.
pub fn encode_event(event: &Event) -> Result<Vec<u8>, Corrupt> {
    let body = rkyv::to_bytes::<RkyvError>(event).map_err(|_| Corrupt)?;
    let mut bytes = Vec::with_capacity(1 + body.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Reads an event.
///
/// # Errors
/// [`Corrupt`] when the bytes are none of a version that this code reads.
pub fn decode_event(bytes: &[u8]) -> Result<Event, Corrupt> {
    match bytes {
        [VERSION, body @ ..] => rkyv::from_bytes::<Event, RkyvError>(body).map_err(|_| Corrupt),
        _ => Err(Corrupt),
    }
}
