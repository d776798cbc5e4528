//! The profile row: what a person is called, in clear, sealed under the
//! person's own key.
//!
//! Format 1, before it is sealed: version u8 | rkyv of the profile.

use rkyv::rancor::Error as RkyvError;
use rkyv::{Archive, Deserialize, Serialize};
use tidegate_account::ClaimedIdentifier;
use tidegate_account::record::Corrupt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const VERSION: u8 = 1;

/// A person's profile.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Profile {
    /// The identifiers in clear, each with its kind's number.
    pub identifiers: Vec<(u8, String)>,
}

impl Profile {
    pub(crate) fn of(claims: &[ClaimedIdentifier]) -> Profile {
        let clear = claims.iter().map(|claim| {
            let kind = claim.identifier.kind() as u8;
            (kind, claim.identifier.expose().to_owned())
        });
        Profile {
            identifiers: clear.collect(),
        }
    }

    pub(crate) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let body = rkyv::to_bytes::<RkyvError>(self).map_err(|_| Corrupt)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + body.len()));
        bytes.push(VERSION);
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }
}

/// Reads an opened profile.
///
/// # Errors
/// [`Corrupt`] when it is none of a version that this code reads.
pub fn read_profile(bytes: &[u8]) -> Result<Profile, Corrupt> {
    match bytes {
        [VERSION, body @ ..] => rkyv::from_bytes::<Profile, RkyvError>(body).map_err(|_| Corrupt),
        _ => Err(Corrupt),
    }
}
