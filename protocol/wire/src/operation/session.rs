//! Sessions: checks, refreshes, lists and ends.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use super::message::{Addressed, Message};
use crate::fault::limited;
use crate::secret::SecretBytes;
use crate::{Fault, MAX_SESSIONS, UserId};

/// The longest list of remembered devices.
const MAX_DEVICES: usize = 50;

/// A session token.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Check {
    pub user: [u8; 16],
    pub session: u64,
    pub secret: SecretBytes,
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

/// A refresh token.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Refresh {
    pub user: [u8; 16],
    pub session: u64,
    pub family: SecretBytes,
    pub secret: SecretBytes,
}

/// Ends sessions. Scope: 1 this, 2 the one in `target`, 3 the others, 4 all.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Revoke {
    pub by: Check,
    pub scope: u8,
    pub target: u64,
}

/// Which sessions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeScope {
    /// The one whose token is presented.
    This,
    /// One by its id.
    One(u64),
    /// All but the one whose token is presented.
    Others,
    /// All.
    All,
}

/// How many sessions ended.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Revoked {
    pub count: u32,
}

/// Lists sessions.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Sessions {
    pub by: Check,
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

/// Lists remembered devices.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Devices {
    pub by: Check,
}

/// One device of a list. Times are Unix milliseconds.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct DeviceRow {
    pub device: u64,
    pub added_at: u64,
    pub used_at: u64,
    /// How many live sessions it made.
    pub sessions: u32,
}

/// A person's remembered devices.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct DeviceList {
    pub devices: Vec<DeviceRow>,
}

/// Forgets a remembered device.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct ForgetDevice {
    pub by: Check,
    pub device: u64,
}

/// The device is remembered no more; so many of its sessions ended.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Forgotten {
    pub sessions: u32,
}

impl Revoke {
    /// Ends sessions on the word of one of them.
    #[must_use]
    pub fn new(by: Check, scope: RevokeScope) -> Revoke {
        let (scope, target) = match scope {
            RevokeScope::This => (1, 0),
            RevokeScope::One(id) => (2, id),
            RevokeScope::Others => (3, 0),
            RevokeScope::All => (4, 0),
        };
        Revoke { by, scope, target }
    }
}

impl ArchivedRevoke {
    /// Which sessions end.
    ///
    /// # Errors
    /// `Malformed`, which decoding has ruled out.
    pub fn scope(&self) -> Result<RevokeScope, Fault> {
        match self.scope {
            1 => Ok(RevokeScope::This),
            2 => Ok(RevokeScope::One(self.target.to_native())),
            3 => Ok(RevokeScope::Others),
            4 => Ok(RevokeScope::All),
            _ => Err(Fault::Malformed),
        }
    }
}

impl Message for Check {
    fn validate(_: &ArchivedCheck) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Check {
        Check {
            user: [0xA1; 16],
            session: 7,
            secret: SecretBytes([0x51; 24]),
        }
    }
}

impl Message for Checked {
    fn validate(_: &ArchivedChecked) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Checked {
        Checked {
            user: [0xA1; 16],
            idle_expires_at: 1,
            expires_at: 2,
            assurance: 1,
            methods: 1,
        }
    }
}

impl Message for Refresh {
    fn validate(_: &ArchivedRefresh) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Refresh {
        Refresh {
            user: [0xA1; 16],
            session: 7,
            family: SecretBytes([0x52; 24]),
            secret: SecretBytes([0x51; 24]),
        }
    }
}

impl Message for Revoke {
    fn validate(archived: &ArchivedRevoke) -> Result<(), Fault> {
        archived.scope().map(|_| ())
    }

    fn sample() -> Revoke {
        Revoke::new(Check::sample(), RevokeScope::One(8))
    }
}

impl Message for Revoked {
    fn validate(_: &ArchivedRevoked) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Revoked {
        Revoked { count: 2 }
    }
}

impl Message for Sessions {
    fn validate(_: &ArchivedSessions) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Sessions {
        Sessions {
            by: Check::sample(),
        }
    }
}

impl Message for SessionList {
    fn validate(archived: &ArchivedSessionList) -> Result<(), Fault> {
        limited(archived.sessions.len(), MAX_SESSIONS)
    }

    fn sample() -> SessionList {
        let row = SessionRow {
            session: 7,
            created_at: 1,
            used_at: 2,
            idle_expires_at: 3,
            expires_at: 4,
            assurance: 1,
            methods: 1,
        };
        SessionList {
            sessions: vec![row; MAX_SESSIONS],
        }
    }
}

impl Message for Devices {
    fn validate(_: &ArchivedDevices) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Devices {
        Devices {
            by: Check::sample(),
        }
    }
}

impl Message for DeviceList {
    fn validate(archived: &ArchivedDeviceList) -> Result<(), Fault> {
        limited(archived.devices.len(), MAX_DEVICES)
    }

    fn sample() -> DeviceList {
        let row = DeviceRow {
            device: 9,
            added_at: 1,
            used_at: 2,
            sessions: 3,
        };
        DeviceList {
            devices: vec![row; MAX_DEVICES],
        }
    }
}

impl Message for ForgetDevice {
    fn validate(_: &ArchivedForgetDevice) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> ForgetDevice {
        ForgetDevice {
            by: Check::sample(),
            device: 9,
        }
    }
}

impl Message for Forgotten {
    fn validate(_: &ArchivedForgotten) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Forgotten {
        Forgotten { sessions: 3 }
    }
}

impl Addressed for Check {
    fn subject(&self) -> Option<UserId> {
        Some(UserId(self.user))
    }
}

impl Addressed for Refresh {
    fn subject(&self) -> Option<UserId> {
        Some(UserId(self.user))
    }
}

impl Addressed for Revoke {
    fn subject(&self) -> Option<UserId> {
        self.by.subject()
    }
}

impl Addressed for Sessions {
    fn subject(&self) -> Option<UserId> {
        self.by.subject()
    }
}

impl Addressed for Devices {
    fn subject(&self) -> Option<UserId> {
        self.by.subject()
    }
}

impl Addressed for ForgetDevice {
    fn subject(&self) -> Option<UserId> {
        self.by.subject()
    }
}
