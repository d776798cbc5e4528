//! The status of accounts, and their end.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use super::message::{Addressed, Message};
use super::number::numbered;
use crate::{Fault, UserId};

/// Changes a status: a number of [`StatusChange`].
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct SetStatus {
    pub user: [u8; 16],
    pub change: u8,
}

numbered! {
    /// A change of an account's status.
    StatusChange {
        /// Close it to protect its owner.
        Lock = 1,
        /// Open it again.
        Unlock = 2,
        /// Close it by an administrator's decision.
        Suspend = 3,
        /// Take that decision back.
        Reinstate = 4,
    }
}

/// The account's status: 1 active, 2 locked, 3 suspended.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct StatusSet {
    pub status: u8,
}

/// Erases a person.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Erase {
    pub user: [u8; 16],
}

/// Since when the person is erased, in Unix milliseconds.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Erased {
    pub at: u64,
}

impl ArchivedSetStatus {
    /// How the status changes.
    ///
    /// # Errors
    /// `Malformed`, which decoding has ruled out.
    pub fn change(&self) -> Result<StatusChange, Fault> {
        StatusChange::from_number(self.change)
    }
}

impl Message for SetStatus {
    fn validate(archived: &ArchivedSetStatus) -> Result<(), Fault> {
        archived.change().map(|_| ())
    }

    fn sample() -> SetStatus {
        SetStatus {
            user: [0xA1; 16],
            change: StatusChange::Suspend.number(),
        }
    }
}

impl Message for StatusSet {
    fn validate(_: &ArchivedStatusSet) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> StatusSet {
        StatusSet { status: 3 }
    }
}

impl Message for Erase {
    fn validate(_: &ArchivedErase) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Erase {
        Erase { user: [0xA2; 16] }
    }
}

impl Message for Erased {
    fn validate(_: &ArchivedErased) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Erased {
        Erased { at: 11 }
    }
}

impl Addressed for SetStatus {
    fn subject(&self) -> Option<UserId> {
        Some(UserId(self.user))
    }
}

impl Addressed for Erase {
    fn subject(&self) -> Option<UserId> {
        Some(UserId(self.user))
    }
}
