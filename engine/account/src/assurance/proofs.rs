//! A bounded list of proofs, and its stored form.
//!
//! Version 1: version u8 | count u8 | four times: method u8 | user verification
//! u8 | key storage u8, both 0 for what is no passkey | at u64 LE, Unix
//! milliseconds. Places beyond the count are 0. Frozen: a change of any field is
//! a new version.

use super::{KeyStorage, Method, Proof, Shown, UserVerification};
use crate::corrupt::Corrupt;

const VERSION: u8 = 1;
/// How many proofs a list has at most.
pub const PROOFS_MAX: usize = 4;
const PROOF_BYTES: usize = 3 + 8;
/// The stored form's length, whatever is in it.
pub const PROOFS_BYTES: usize = 2 + PROOFS_MAX * PROOF_BYTES;

/// What was proven so far, in order, one proof of a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proofs {
    places: [Option<Proof>; PROOFS_MAX],
}

/// Why a proof cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofFault {
    /// There are [`PROOFS_MAX`] already.
    Full,
}

impl Proofs {
    /// Adds a proof, in the place of one of the same method: a method that is
    /// shown again is as new as the last time, and no second factor.
    ///
    /// # Errors
    /// [`ProofFault`] when there is no room.
    pub fn add(&mut self, proof: Proof) -> Result<(), ProofFault> {
        let method = proof.shown.method();
        let same =
            |place: &Option<Proof>| place.is_none_or(|earlier| earlier.shown.method() == method);
        let place = self.places.iter_mut().find(|place| same(place));
        *place.ok_or(ProofFault::Full)? = Some(proof);
        Ok(())
    }

    /// The proofs, in the order in which their methods were first shown.
    pub fn iter(&self) -> impl Iterator<Item = &Proof> {
        self.places.iter().flatten()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// What is stored: the same length for every list.
    #[must_use]
    pub fn encode(&self) -> [u8; PROOFS_BYTES] {
        let mut bytes = [0; PROOFS_BYTES];
        // Four at most.
        bytes[..2].copy_from_slice(&[VERSION, self.len() as u8]);
        let places = bytes[2..].chunks_exact_mut(PROOF_BYTES);
        for (place, proof) in places.zip(self.iter()) {
            place.copy_from_slice(&encode_proof(proof));
        }
        bytes
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn decode(bytes: &[u8]) -> Result<Proofs, Corrupt> {
        let [VERSION, count, rest @ ..] = bytes else {
            return Err(Corrupt);
        };
        let (places, []) = rest.as_chunks::<PROOF_BYTES>() else {
            return Err(Corrupt);
        };
        let places: &[_; PROOFS_MAX] = places.try_into().map_err(|_| Corrupt)?;
        let (used, free) = places.split_at_checked((*count).into()).ok_or(Corrupt)?;
        let mut proofs = Proofs::default();
        for (number, place) in used.iter().enumerate() {
            proofs.add(decode_proof(place)?).map_err(|_| Corrupt)?;
            // A method that stands there twice was not written here.
            if proofs.len() != number + 1 {
                return Err(Corrupt);
            }
        }
        match free.iter().all(|place| *place == [0; PROOF_BYTES]) {
            true => Ok(proofs),
            false => Err(Corrupt),
        }
    }
}

fn encode_proof(proof: &Proof) -> [u8; PROOF_BYTES] {
    let (user, key) = match proof.shown {
        Shown::Passkey(user, key) => (user as u8, key as u8),
        Shown::Password
        | Shown::EmailCode
        | Shown::SmsCode
        | Shown::Link
        | Shown::Totp
        | Shown::RecoveryCode => (0, 0),
    };
    let mut bytes = [0; PROOF_BYTES];
    bytes[..3].copy_from_slice(&[proof.shown.method().number(), user, key]);
    bytes[3..].copy_from_slice(&proof.at_ms.to_le_bytes());
    bytes
}

fn decode_proof(bytes: &[u8; PROOF_BYTES]) -> Result<Proof, Corrupt> {
    let [method, user, key, at @ ..] = *bytes;
    let plain = |shown| match (user, key) {
        (0, 0) => Ok(shown),
        _ => Err(Corrupt),
    };
    let shown = match Method::of(method).ok_or(Corrupt)? {
        Method::Password => plain(Shown::Password)?,
        Method::Passkey => Shown::Passkey(user_of(user)?, key_of(key)?),
        Method::EmailCode => plain(Shown::EmailCode)?,
        Method::SmsCode => plain(Shown::SmsCode)?,
        Method::Link => plain(Shown::Link)?,
        Method::Totp => plain(Shown::Totp)?,
        Method::RecoveryCode => plain(Shown::RecoveryCode)?,
    };
    let at_ms = u64::from_le_bytes(at);
    Ok(Proof { shown, at_ms })
}

fn user_of(number: u8) -> Result<UserVerification, Corrupt> {
    match number {
        1 => Ok(UserVerification::Present),
        2 => Ok(UserVerification::Verified),
        _ => Err(Corrupt),
    }
}

fn key_of(number: u8) -> Result<KeyStorage, Corrupt> {
    match number {
        1 => Ok(KeyStorage::Unknown),
        2 => Ok(KeyStorage::Hardware),
        3 => Ok(KeyStorage::Software),
        _ => Err(Corrupt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn proof(shown: Shown, at_ms: u64) -> Proof {
        Proof { shown, at_ms }
    }

    const PASSKEY: Shown = Shown::Passkey(UserVerification::Verified, KeyStorage::Software);

    fn two() -> Proofs {
        let mut proofs = Proofs::default();
        proofs.add(proof(Shown::Password, 0x0102)).unwrap();
        proofs.add(proof(PASSKEY, 0x0304)).unwrap();
        proofs
    }

    #[test]
    fn a_list_has_four_and_a_method_once() {
        let mut proofs = two();
        proofs.add(proof(Shown::Password, 5)).unwrap();
        proofs.add(proof(Shown::Totp, 6)).unwrap();
        proofs.add(proof(Shown::SmsCode, 7)).unwrap();
        let full = proofs.add(proof(Shown::Link, 8));
        assert_eq!(full, Err(ProofFault::Full));
        proofs.add(proof(Shown::SmsCode, 9)).unwrap();
        let listed: Vec<_> = proofs.iter().map(|one| (one.shown, one.at_ms)).collect();
        assert_eq!(
            listed,
            [
                (Shown::Password, 5),
                (PASSKEY, 0x0304),
                (Shown::Totp, 6),
                (Shown::SmsCode, 9)
            ]
        );
        assert_eq!((proofs.len(), proofs.is_empty()), (4, false));
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_nothing_else_does() {
        let bytes = two().encode();
        let golden = [
            &[1, 2][..],
            &[1, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0],
            &[2, 2, 3, 4, 3, 0, 0, 0, 0, 0, 0],
            &[0; 22],
        ];
        assert_eq!(bytes[..], golden.concat());
        assert_eq!(Proofs::decode(&bytes), Ok(two()));
        let none = Proofs::default();
        assert_eq!(Proofs::decode(&none.encode()), Ok(none));
        for (at, value) in [
            (0, 2),
            (1, 1),
            (1, 3),
            (1, 5),
            (2, 0),
            (2, 8),
            (2, 2),
            (3, 1),
            (4, 1),
            (13, 1),
            (14, 0),
            (14, 3),
            (15, 0),
            (15, 4),
            (24, 1),
            (45, 1),
        ] {
            let mut other = bytes;
            other[at] = value;
            assert_eq!(Proofs::decode(&other), Err(Corrupt), "{at} {value}");
        }
        let longer = [&bytes[..], &[0; 11]].concat();
        for other in [&longer[..], &bytes[..35], &bytes[..45], &[1], &[]] {
            assert_eq!(Proofs::decode(other), Err(Corrupt));
        }
    }

    #[test]
    fn every_proof_reads_back() {
        use KeyStorage::{Hardware, Software, Unknown};
        use UserVerification::{Present, Verified};
        let passkeys = [Present, Verified]
            .into_iter()
            .flat_map(|user| [Unknown, Hardware, Software].map(|key| Shown::Passkey(user, key)));
        let others = [
            Shown::Password,
            Shown::EmailCode,
            Shown::SmsCode,
            Shown::Link,
            Shown::Totp,
            Shown::RecoveryCode,
        ];
        for shown in passkeys.chain(others) {
            let mut proofs = Proofs::default();
            proofs.add(proof(shown, u64::MAX)).unwrap();
            assert_eq!(Proofs::decode(&proofs.encode()), Ok(proofs), "{shown:?}");
        }
    }
}
