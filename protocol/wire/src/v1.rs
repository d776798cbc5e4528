//! Version 1 of the messages. Frozen: a change of any field is a new version.
//!
//! One struct per message, because an archived enum takes the size of its
//! largest variant; the opcode stands in the frame's head. Times are Unix
//! milliseconds.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use crate::secret::{SecretBytes, Text};

/// Nothing.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Ping {}

/// A session token.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Check {
    pub user: [u8; 16],
    pub session: u64,
    pub secret: SecretBytes,
}

/// A refresh token.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Refresh {
    pub user: [u8; 16],
    pub session: u64,
    pub family: SecretBytes,
    pub secret: SecretBytes,
}

/// An identifier: kind 1 mail, 2 phone, 3 user name.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Identifier {
    pub kind: u8,
    pub text: Text,
}

/// A device token.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Device {
    pub id: u64,
    pub secret: SecretBytes,
}

/// A sign-in with a password.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct SignIn {
    pub identifier: Identifier,
    pub password: Text,
    pub device: Option<Device>,
    /// 1: make a device token when there is none.
    pub remember: u8,
    pub source: Option<Source>,
}

/// Where the person is. Kind 1: an IPv4 address in the first 4 bytes; 2: an
/// IPv6 address, of which the first 8 bytes count; 3: whatever 16 bytes the
/// gateway tells sources apart by. Unused bytes are 0.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Source {
    pub kind: u8,
    pub bytes: [u8; 16],
}

/// A new account.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct SignUp {
    pub identifiers: Vec<Identifier>,
    pub password: Text,
    pub source: Option<Source>,
}

/// Ends sessions. Scope: 1 this, 2 the one in `target`, 3 the others, 4 all.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Revoke {
    pub by: Check,
    pub scope: u8,
    pub target: u64,
}

/// Lists sessions.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Sessions {
    pub by: Check,
}

/// Changes a status: 1 lock, 2 unlock, 3 suspend, 4 reinstate.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct SetStatus {
    pub user: [u8; 16],
    pub change: u8,
}

/// Erases a person.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Erase {
    pub user: [u8; 16],
}

/// Claims one more identifier.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Claim {
    pub by: Check,
    pub identifier: Identifier,
}

/// Takes it as shown that somebody has an identifier of this account. A session
/// or the account's password shows that the same person claimed it; any other
/// password becomes the account's.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Verify {
    pub user: [u8; 16],
    pub identifier: Identifier,
    pub session: Option<Check>,
    pub password: Option<Text>,
}

/// A command to the node: one JSON object (`docs/operations.md`).
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Operate {
    pub command: Text,
}

/// The session is alive.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Checked {
    pub user: [u8; 16],
    pub idle_expires_at: u64,
    pub expires_at: u64,
    pub assurance: u8,
    pub methods: u8,
}

/// What a sign-in or refresh hands out.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Granted {
    pub user: [u8; 16],
    pub session: u64,
    pub secret: SecretBytes,
    pub family: SecretBytes,
    pub refresh: SecretBytes,
    pub idle_expires_at: u64,
    pub expires_at: u64,
    pub assurance: u8,
    pub methods: u8,
    pub device: Option<Device>,
}

/// The account was made.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SignedUp {
    pub user: [u8; 16],
}

/// How many sessions ended.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Revoked {
    pub count: u32,
}

/// One session of a list.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SessionRow {
    pub session: u64,
    pub created_at: u64,
    pub used_at: u64,
    pub idle_expires_at: u64,
    pub expires_at: u64,
    pub assurance: u8,
    pub methods: u8,
}

/// A person's sessions.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SessionList {
    pub sessions: Vec<SessionRow>,
}

/// The account's status: 1 active, 2 locked, 3 suspended.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct StatusSet {
    pub status: u8,
}

/// Since when the person is erased, in Unix milliseconds.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Erased {
    pub at: u64,
}

/// Until when the identifier is claimed; 0 when it is the person's already.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Claimed {
    pub until: u64,
}

/// Who verified: 1 whoever set the account up, 2 somebody else, and everything
/// that was set up before is gone.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Verified {
    pub verification: u8,
}

/// Another node owns the slot. No address: nobody is known to, for now.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Redirect {
    pub slot: u16,
    pub address: String,
}

/// The region where the account is at home, or where it is to be made.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Elsewhere {
    pub region: u8,
}

/// What came of a command: outcome 1 done, 2 refused; one JSON object.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Operated {
    pub outcome: u8,
    pub answer: Text,
}
