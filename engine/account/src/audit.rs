//! Administrative acts on an account, for its audit trail. Sealed where it is
//! stored, because the trail is about a person.
//!
//! Format 1: version u8 | rkyv of the act.

use alloc::string::String;
use alloc::vec::Vec;

use rkyv::rancor::Error as RkyvError;
use rkyv::{Archive, Deserialize, Serialize};

use crate::corrupt::Corrupt;
use crate::identifier::IdentifierKind;
use crate::reply::Verification;
use crate::status::Status;

const VERSION: u8 = 1;

/// One act.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Audit {
    /// When, in Unix milliseconds.
    pub at: u64,
    /// By whose authority: the gateway's name.
    pub by: String,
    /// What was done.
    pub act: Act,
}

/// What was done.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub enum Act {
    /// The account has this status now.
    StatusSet(Status),
    /// An identifier of this kind was taken as shown.
    IdentifierVerified(IdentifierKind, Verification),
}

/// Writes acts that were done together.
///
/// # Errors
/// [`Corrupt`] when they cannot be written, which no value causes.
pub fn encode_audits(audits: &Vec<Audit>) -> Result<Vec<u8>, Corrupt> {
    let body = rkyv::to_bytes::<RkyvError>(audits).map_err(|_| Corrupt)?;
    let mut bytes = Vec::with_capacity(1 + body.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Reads them.
///
/// # Errors
/// [`Corrupt`] when the bytes are none of a version that this code reads.
pub fn decode_audits(bytes: &[u8]) -> Result<Vec<Audit>, Corrupt> {
    match bytes {
        [VERSION, body @ ..] => {
            rkyv::from_bytes::<Vec<Audit>, RkyvError>(body).map_err(|_| Corrupt)
        }
        _ => Err(Corrupt),
    }
}
