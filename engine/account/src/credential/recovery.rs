//! Recovery codes: ten, shown once, each used once (SP 800-63B-4, 4.2.1.1).
//!
//! A code has 120 random bits. The standard wants 64; from 112 on it takes a
//! plain hash of a look-up secret (3.1.2.2), and so a guess at one costs us no
//! password hash. The hash is bound to the account, so that no two accounts have
//! one in common. It wants a new code for each that was used: the list says how
//! many remain, and a new list replaces all of the old.
//!
//! Stored, version 1: version u8 | used u16 LE, one bit a code | made u64 LE,
//! Unix milliseconds | ten hashes, 16 bytes each. Frozen: a change of any field
//! is a new version.

mod text;

pub use text::{RECOVERY_CODE_BYTES, RecoveryCode, RecoveryCodeFault};

use core::fmt;

use constant_time_eq::constant_time_eq_16;

use crate::corrupt::Corrupt;
use crate::digest::tagged;
use crate::entropy::Entropy;
use crate::id::UserId;

const VERSION: u8 = 1;
/// How many codes a list has.
pub const RECOVERY_CODES: usize = 10;
const HASH_BYTES: usize = 16;
/// The stored form's length.
pub const RECOVERY_BYTES: usize = 1 + 2 + 8 + RECOVERY_CODES * HASH_BYTES;

/// What is kept of an account's recovery codes.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCodes {
    hashes: [[u8; HASH_BYTES]; RECOVERY_CODES],
    used: u16,
    made_ms: u64,
}

/// What a recovery code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryJudged {
    /// Right, and used from now on.
    Right {
        /// So many can still be used.
        remaining: u8,
    },
    /// It was used before.
    Spent,
    /// Wrong.
    Wrong,
}

impl RecoveryCodes {
    /// A new list for an account: what is kept, in the place of any list before,
    /// and the codes, which are shown and forgotten.
    #[must_use]
    pub fn draw(
        account: UserId,
        now_ms: u64,
        entropy: &mut Entropy,
    ) -> (RecoveryCodes, [RecoveryCode; RECOVERY_CODES]) {
        let codes = [(); RECOVERY_CODES].map(|()| RecoveryCode::draw(entropy));
        let kept = RecoveryCodes {
            hashes: codes.each_ref().map(|code| hash(account, code)),
            used: 0,
            made_ms: now_ms,
        };
        (kept, codes)
    }

    /// Judges a code and uses it up. All ten are compared, in constant time.
    pub fn judge(&mut self, account: UserId, code: &RecoveryCode) -> RecoveryJudged {
        let presented = hash(account, code);
        let mut matching = 0u16;
        for (place, stored) in self.hashes.iter().enumerate() {
            matching |= u16::from(constant_time_eq_16(&presented, stored)) << place;
        }
        if matching == 0 {
            return RecoveryJudged::Wrong;
        }
        if matching & self.used != 0 {
            return RecoveryJudged::Spent;
        }
        self.used |= matching;
        RecoveryJudged::Right {
            remaining: self.remaining(),
        }
    }

    /// How many can still be used.
    #[must_use]
    pub fn remaining(&self) -> u8 {
        // Never more than ten.
        (RECOVERY_CODES as u8).saturating_sub(self.used.count_ones() as u8)
    }

    /// When the list was made, in Unix milliseconds.
    #[must_use]
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// What is stored.
    #[must_use]
    pub fn encode(&self) -> [u8; RECOVERY_BYTES] {
        let mut bytes = [0; RECOVERY_BYTES];
        bytes[0] = VERSION;
        bytes[1..3].copy_from_slice(&self.used.to_le_bytes());
        bytes[3..11].copy_from_slice(&self.made_ms.to_le_bytes());
        bytes[11..].copy_from_slice(self.hashes.as_flattened());
        bytes
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn decode(bytes: &[u8]) -> Result<RecoveryCodes, Corrupt> {
        let [VERSION, rest @ ..] = bytes else {
            return Err(Corrupt);
        };
        let (used, rest) = rest.split_first_chunk().ok_or(Corrupt)?;
        let (made, rest) = rest.split_first_chunk().ok_or(Corrupt)?;
        let (hashes, []) = rest.as_chunks::<HASH_BYTES>() else {
            return Err(Corrupt);
        };
        let used = u16::from_le_bytes(*used);
        if used >> RECOVERY_CODES != 0 {
            return Err(Corrupt);
        }
        Ok(RecoveryCodes {
            hashes: hashes.try_into().map_err(|_| Corrupt)?,
            used,
            made_ms: u64::from_le_bytes(*made),
        })
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (remaining, made_ms) = (self.remaining(), self.made_ms);
        write!(f, "RecoveryCodes({remaining} remain, made {made_ms})")
    }
}

/// Half of SHA-256 is more than a code has.
fn hash(account: UserId, code: &RecoveryCode) -> [u8; HASH_BYTES] {
    let hash = tagged("tg-recovery-1", &[account.as_bytes(), code.expose()]);
    let mut short = [0; HASH_BYTES];
    short.copy_from_slice(&hash[..HASH_BYTES]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> UserId {
        UserId::from_bytes([1; 16])
    }

    fn drawn(seed: u8) -> (RecoveryCodes, [RecoveryCode; RECOVERY_CODES]) {
        RecoveryCodes::draw(ada(), 0x0102, &mut Entropy::new([seed; 32]))
    }

    #[test]
    fn each_code_is_right_once() {
        let (mut kept, codes) = drawn(1);
        assert_eq!((kept.remaining(), kept.made_ms()), (10, 0x0102));
        // Out of order, so that no place is taken for another.
        for (used, place) in [3, 0, 9, 1, 8, 2, 7, 4, 6, 5].into_iter().enumerate() {
            let remaining = 9 - u8::try_from(used).unwrap();
            let right = RecoveryJudged::Right { remaining };
            let judged = [(); 2].map(|()| kept.judge(ada(), &codes[place]));
            assert_eq!(judged, [right, RecoveryJudged::Spent], "{place}");
            assert_eq!(kept.remaining(), remaining);
        }
    }

    #[test]
    fn what_is_of_another_list_or_account_is_wrong_and_uses_nothing() {
        let (mut kept, codes) = drawn(1);
        let before = kept.clone();
        let (_, others) = drawn(2);
        assert!(
            others
                .iter()
                .all(|code| { kept.judge(ada(), code) == RecoveryJudged::Wrong })
        );
        let bob = UserId::from_bytes([2; 16]);
        assert_eq!(kept.judge(bob, &codes[0]), RecoveryJudged::Wrong);
        assert_eq!(kept, before);
    }

    #[test]
    fn a_new_list_replaces_all_of_the_old() {
        let (mut kept, olds) = drawn(1);
        let _ = kept.judge(ada(), &olds[0]);
        let news;
        (kept, news) = drawn(2);
        assert_eq!(kept.remaining(), 10);
        let judged = olds.each_ref().map(|code| kept.judge(ada(), code));
        assert_eq!(judged, [RecoveryJudged::Wrong; 10]);
        let remaining = 9;
        let judged = kept.judge(ada(), &news[9]);
        assert_eq!(judged, RecoveryJudged::Right { remaining });
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_nothing_else_does() {
        let kept = RecoveryCodes {
            hashes: core::array::from_fn(|place| [0xA0 + place as u8; HASH_BYTES]),
            used: 0b10_0000_0101,
            made_ms: 0x0304,
        };
        let bytes = kept.encode();
        let mut golden = std::vec![1, 0b101, 0b10, 4, 3, 0, 0, 0, 0, 0, 0];
        golden.extend((0xA0..=0xA9).flat_map(|fill| [fill; 16]));
        assert_eq!(bytes[..], golden);
        assert_eq!(RecoveryCodes::decode(&bytes), Ok(kept));
        let longer = [&bytes[..], &[0; 16]].concat();
        let [mut newer, mut eleventh] = [bytes; 2];
        newer[0] = 2;
        eleventh[2] |= 0b100;
        for other in [&newer[..], &eleventh, &longer, &bytes[..170], &[1], &[]] {
            assert_eq!(RecoveryCodes::decode(other), Err(Corrupt));
        }
    }

    #[test]
    fn a_stored_list_knows_its_codes_again_and_shows_none() {
        let (kept, codes) = drawn(1);
        let mut read = RecoveryCodes::decode(&kept.encode()).unwrap();
        let remaining = 9;
        let judged = read.judge(ada(), &codes[4]);
        assert_eq!(judged, RecoveryJudged::Right { remaining });
        let shown = std::format!("{read:?}");
        assert_eq!(shown, "RecoveryCodes(9 remain, made 258)");
    }
}
