//! A recovery code as text: Crockford's base32 in groups of four.
//!
//! The alphabet (crockford.com/base32.html) leaves I, L, O and U out. What is
//! typed as I or L is a 1, what is typed as O a 0; case, spaces and hyphens do
//! not count. 120 bits are 24 characters, with no bit left over.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroizing;

use crate::credential::typed::is_passed_over;
use crate::entropy::Entropy;
use crate::secret::Secret;

/// The bytes of a recovery code: 120 bits.
pub const RECOVERY_CODE_BYTES: usize = 15;
const CHARS: usize = RECOVERY_CODE_BYTES * 8 / 5;
const GROUP: usize = 4;
/// The longest text that is looked at.
const TEXT_MAX_BYTES: usize = 128;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is not a recovery code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryCodeFault {
    /// It has not 24 letters and digits.
    Length,
    /// It has a character that no code has.
    Character,
}

impl fmt::Display for RecoveryCodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecoveryCodeFault::Length => write!(f, "it has not {CHARS} letters and digits"),
            RecoveryCodeFault::Character => f.write_str("it has a character that no code has"),
        }
    }
}

/// A recovery code: 120 random bits.
#[derive(Clone, Debug)]
pub struct RecoveryCode(Secret<RECOVERY_CODE_BYTES>);

impl RecoveryCode {
    pub(super) fn draw(entropy: &mut Entropy) -> RecoveryCode {
        RecoveryCode(Secret::new(entropy.bytes()))
    }

    pub(super) fn expose(&self) -> &[u8; RECOVERY_CODE_BYTES] {
        self.0.expose()
    }

    /// Reads a code as it was typed.
    ///
    /// # Errors
    /// [`RecoveryCodeFault`] when it is none.
    pub fn parse(text: &str) -> Result<RecoveryCode, RecoveryCodeFault> {
        if text.len() > TEXT_MAX_BYTES {
            return Err(RecoveryCodeFault::Length);
        }
        let mut bits = 0u128;
        let mut count = 0;
        for c in text.chars().filter(|c| !is_passed_over(*c)) {
            let value = value(c).ok_or(RecoveryCodeFault::Character)?;
            if count == CHARS {
                return Err(RecoveryCodeFault::Length);
            }
            bits = bits << 5 | u128::from(value);
            count += 1;
        }
        if count != CHARS {
            return Err(RecoveryCodeFault::Length);
        }
        let bytes = Zeroizing::new(bits.to_be_bytes());
        let [_, code @ ..] = *bytes;
        Ok(RecoveryCode(Secret::new(code)))
    }

    /// The code as it is shown: six groups of four characters.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 16]);
        bytes[1..].copy_from_slice(self.expose());
        let bits = u128::from_be_bytes(*bytes);
        let mut text = Zeroizing::new(String::with_capacity(CHARS + CHARS / GROUP));
        for place in 0..CHARS {
            if place > 0 && place % GROUP == 0 {
                text.push('-');
            }
            let value = bits >> (5 * (CHARS - 1 - place)) & 0x1F;
            text.push(ALPHABET[value as usize].into());
        }
        text
    }
}

fn value(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    };
    let place = ALPHABET.iter().position(|letter| char::from(*letter) == c);
    place.and_then(|place| u8::try_from(place).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(bytes: [u8; 15]) -> RecoveryCode {
        RecoveryCode(Secret::new(bytes))
    }

    #[test]
    fn a_code_is_shown_in_groups() {
        let text = |bytes| code(bytes).to_text();
        assert_eq!(text([0; 15]).as_str(), "0000-0000-0000-0000-0000-0000");
        assert_eq!(text([0xFF; 15]).as_str(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        let alphabet = [
            0x00, 0x44, 0x32, 0x14, 0xC7, 0x42, 0x54, 0xB6, 0x35, 0xCF, 0x84, 0x65, 0x3A, 0x56,
            0xD7,
        ];
        assert_eq!(text(alphabet).as_str(), "0123-4567-89AB-CDEF-GHJK-MNPQ");
        assert_eq!(
            std::format!("{:?}", code([1; 15])),
            "RecoveryCode(Secret(..))"
        );
    }

    #[test]
    fn what_looks_alike_is_the_same_code() {
        let code = RecoveryCode::parse("0123-4567-89AB-CDEF-GHJK-1001").unwrap();
        for text in [
            "0123456789ABCDEFGHJK1001",
            "o123-4567-89ab-cdef-ghjk-lOoI",
            "OI23 4567 89AB CDEF GHJK iooL",
            " 0123\u{2013}4567\u{a0}89ab\tcdef\u{2011}ghjk\u{2212}100l\n",
        ] {
            let read = RecoveryCode::parse(text).unwrap();
            assert_eq!(read.expose(), code.expose(), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_code_is_a_fault_that_says_why() {
        let fault = |text: &str| RecoveryCode::parse(text).err();
        for text in ["", "0123-4567", "0123456789ABCDEFGHJKMNPQR"] {
            assert_eq!(fault(text), Some(RecoveryCodeFault::Length), "{text:?}");
        }
        assert_eq!(fault(&" ".repeat(129)), Some(RecoveryCodeFault::Length));
        for c in ['U', 'u', '*', '_', '\u{ff11}', '\u{130}'] {
            let text = std::format!("{c}123456789ABCDEFGHJKMNPQ");
            assert_eq!(fault(&text), Some(RecoveryCodeFault::Character), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn every_code_reads_back(bytes: [u8; 15]) {
            let text = code(bytes).to_text();
            let read = RecoveryCode::parse(&text).unwrap();
            prop_assert_eq!(read.expose(), &bytes);
            let lower = RecoveryCode::parse(&text.to_lowercase()).unwrap();
            prop_assert_eq!(lower.expose(), &bytes);
        }
    }
}
