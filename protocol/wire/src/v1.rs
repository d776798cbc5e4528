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
}

/// A new account.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct SignUp {
    pub identifiers: Vec<Identifier>,
    pub password: Text,
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
