//! Version 1 of the record. Frozen: a change of any field is a new version.
//! Times are Unix milliseconds; hashes are SHA-256.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use alloc::string::String;
use alloc::vec::Vec;

use rkyv::{Archive, Deserialize, Serialize};

/// Whether the account may be used.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Status {
    Active = 1,
    Locked = 2,
    Suspended = 3,
    Decoy = 4,
}

/// What names a person.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum IdentifierKind {
    Email = 1,
    Phone = 2,
    Username = 3,
}

/// Who verified an identifier.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum Verification {
    Confirmed = 1,
    TakenOver = 2,
}

/// What a check reads, in clear.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct CheckPart {
    pub tenant: u64,
    pub user: [u8; 16],
    pub revision: u64,
    pub created_at: u64,
    pub status: Status,
    /// When the record expires, unless something happens before; 0: never.
    pub abandoned_at: u64,
    pub sessions: Vec<Session>,
}

/// One session and its refresh family.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Session {
    pub id: u64,
    pub secret_hash: [u8; 32],
    pub created_at: u64,
    pub used_at: u64,
    pub idle_ms: u64,
    pub expires_at: u64,
    pub assurance: u8,
    pub methods: u8,
    /// 0: none.
    pub device: u64,
    pub refresh_hash: [u8; 32],
    pub rotated: Option<Rotated>,
}

/// The refresh token before the current one, and its successor sealed for it.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Rotated {
    pub hash: [u8; 32],
    pub at: u64,
    /// Nonce (12), ciphertext (24), tag (16).
    pub successor: [u8; 52],
}

/// What only a hot person's actor reads.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SealedPart {
    pub identifiers: Vec<IdentifierRow>,
    pub password: Option<PasswordRow>,
    pub unknown_device: Guesses,
    pub devices: Vec<Device>,
    pub outcomes: Vec<OutcomeRow>,
}

/// An identifier, by its keyed hash. Its text lies in a row of its own, under
/// `number`.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct IdentifierRow {
    pub number: u16,
    pub kind: IdentifierKind,
    pub hash: [u8; 32],
    pub key_version: u16,
    pub normaliser: u16,
    pub hold: Hold,
}

/// Whether it has been shown that the identifier is the person's.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
pub enum Hold {
    /// Said, not shown. Others may say the same.
    Claimed { until: u64 },
    /// Shown, or a user name: the person's alone, by an index row.
    Held { since: u64 },
}

/// The password credential.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct PasswordRow {
    pub phc: String,
    pub rule: u16,
    pub set_at: u64,
}

/// Failed guesses of one lane.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct Guesses {
    pub failures: u16,
    pub failed_at: u64,
}

/// A remembered device.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Device {
    pub id: u64,
    pub secret_hash: [u8; 32],
    pub added_at: u64,
    pub used_at: u64,
    pub guesses: Guesses,
}

/// The outcome of a past request, sealed under a key derived from it.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct OutcomeRow {
    pub key_hash: [u8; 16],
    pub kept_until: u64,
    /// 1: hands something out, and is given up last.
    pub grants: u8,
    /// Nonce (12), ciphertext, tag (16).
    pub sealed: Vec<u8>,
}

/// What an outcome row holds.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Outcome {
    SignedUp,
    SignedIn(GrantRow),
    InvalidCredentials,
    Revoked(u32),
    StatusSet(Status),
    Claimed(u64),
    Verified(Verification),
}

/// A sign-in's grant.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct GrantRow {
    pub session: u64,
    pub family: [u8; 24],
    pub refresh: [u8; 24],
    pub idle_expires_at: u64,
    pub expires_at: u64,
    pub assurance: u8,
    pub methods: u8,
    pub device: Option<(u64, [u8; 24])>,
}
