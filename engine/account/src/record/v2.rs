//! Version 2 of the record. Frozen: a change of any field is a new version.
//! It differs from version 1 in what it keeps of an identifier: where the
//! directory of regions has it.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use alloc::vec::Vec;

use rkyv::{Archive, Deserialize, Serialize};

use super::{Corrupt, v1};

/// What only a hot person's actor reads.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SealedPart {
    pub identifiers: Vec<IdentifierRow>,
    pub password: Option<v1::PasswordRow>,
    pub unknown_device: v1::Guesses,
    pub devices: Vec<v1::Device>,
    pub outcomes: Vec<v1::OutcomeRow>,
}

/// An identifier, by its keyed hash. Its text lies in a row of its own, under
/// `number`.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct IdentifierRow {
    pub number: u16,
    pub kind: v1::IdentifierKind,
    pub hash: [u8; 32],
    pub key_version: u16,
    pub normaliser: u16,
    pub hold: v1::Hold,
    /// Its hash in the directory of regions, when it was entered there.
    pub directory: Option<[u8; 32]>,
}

impl From<v1::SealedPart> for SealedPart {
    fn from(older: v1::SealedPart) -> SealedPart {
        SealedPart {
            identifiers: older.identifiers.into_iter().map(Into::into).collect(),
            password: older.password,
            unknown_device: older.unknown_device,
            devices: older.devices,
            outcomes: older.outcomes,
        }
    }
}

impl From<v1::IdentifierRow> for IdentifierRow {
    fn from(older: v1::IdentifierRow) -> IdentifierRow {
        IdentifierRow {
            number: older.number,
            kind: older.kind,
            hash: older.hash,
            key_version: older.key_version,
            normaliser: older.normaliser,
            hold: older.hold,
            directory: None,
        }
    }
}

impl SealedPart {
    /// The same in version 1.
    ///
    /// # Errors
    /// [`Corrupt`] when an identifier was entered in the directory, which
    /// version 1 cannot say.
    pub fn to_v1(&self) -> Result<v1::SealedPart, Corrupt> {
        let identifiers = self.identifiers.iter().map(|row| match row.directory {
            Some(_) => Err(Corrupt),
            None => Ok(v1::IdentifierRow {
                number: row.number,
                kind: row.kind,
                hash: row.hash,
                key_version: row.key_version,
                normaliser: row.normaliser,
                hold: row.hold,
            }),
        });
        Ok(v1::SealedPart {
            identifiers: identifiers.collect::<Result<_, _>>()?,
            password: self.password.clone(),
            unknown_device: self.unknown_device.clone(),
            devices: self.devices.clone(),
            outcomes: self.outcomes.clone(),
        })
    }
}
