//! Passwords: one rule to normalise them, one format to store their hashes.

mod hash;

pub use hash::{PasswordHash, PhcFault};

use alloc::string::String;
use core::fmt;

use icu_properties::props::{EnumeratedProperty, GeneralCategory};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::unicode;

/// The version of the rule by which passwords are normalised. It is stored with
/// each hash; what an earlier rule took, this one takes with the same bytes.
pub const PASSWORD_RULE_VERSION: u16 = 2;
/// The longest password, in bytes, before and after it is normalised.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Why a text cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFault {
    /// No characters.
    Empty,
    /// More than [`MAX_PASSWORD_BYTES`].
    TooLong,
    /// The first character of it that no password can have.
    Forbidden(char),
}

impl fmt::Display for PasswordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PasswordFault::Empty => f.write_str("it is empty"),
            PasswordFault::TooLong => write!(f, "it has more than {MAX_PASSWORD_BYTES} bytes"),
            // By its number: most of what is refused cannot be seen.
            PasswordFault::Forbidden(c) => {
                write!(
                    f,
                    "it has U+{:04X}, which no password can have",
                    u32::from(*c)
                )
            }
        }
    }
}

/// A password in its normal form, wiped from memory when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Password(String);

impl Password {
    /// Rule 2, by the tables of [`UNICODE_VERSION`](crate::UNICODE_VERSION):
    /// spaces other than U+0020 become U+0020, then NFC; case stays. All that a
    /// keyboard makes is taken (SP 800-63B-4, 3.1.1.2). Refused are control
    /// characters, the separators of lines and paragraphs, and what Unicode has
    /// not assigned and does not keep for emoji: a later version could give it a
    /// normal form, and the hash would be of something else.
    ///
    /// Not NFKC, which that document allows too: it would make two passwords
    /// that differ in writing the same, and not verify what is stored.
    ///
    /// # Errors
    /// [`PasswordFault`] when the text breaks the rule or the length limit.
    pub fn parse(text: &str) -> Result<Password, PasswordFault> {
        if text.is_empty() {
            return Err(PasswordFault::Empty);
        }
        if text.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordFault::TooLong);
        }
        if let Some(c) = text.chars().find(|c| is_forbidden(*c)) {
            return Err(PasswordFault::Forbidden(c));
        }
        // Large enough not to grow, which would leave a copy behind.
        let mut spaced = Zeroizing::new(String::with_capacity(text.len()));
        for c in text.chars() {
            spaced.push(match unicode::is_other_space(c) {
                true => ' ',
                false => c,
            });
        }
        let password = Password(unicode::nfc(&spaced));
        if password.0.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordFault::TooLong);
        }
        Ok(password)
    }

    /// The bytes to hash: UTF-8.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Private use is not: a Mac's keyboard has U+F8FF, and no such character is
/// ever normalised to another.
fn is_forbidden(c: char) -> bool {
    let category = GeneralCategory::for_char(c);
    let breaks = matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    );
    breaks || unicode::is_unknown(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    fn bytes(text: &str) -> Result<Vec<u8>, PasswordFault> {
        Password::parse(text).map(|password| password.expose().to_vec())
    }

    #[test]
    fn passwords_are_normalised_by_rule_2() {
        assert_eq!(bytes("caf\u{65}\u{301} \u{3000}x"), bytes("caf\u{e9}  x"));
        assert_ne!(bytes("Secret"), bytes("secret"));
        assert_ne!(bytes("x\u{b2}"), bytes("x2"));
        assert_eq!(bytes("").unwrap_err(), PasswordFault::Empty);
        assert_eq!(bytes(&"a".repeat(1024)).unwrap().len(), 1024);
        assert_eq!(
            bytes(&"a".repeat(1025)).unwrap_err(),
            PasswordFault::TooLong
        );
        // 1,023 bytes that are 2,046 once NFC has taken them apart.
        let grows = "\u{958}".repeat(341);
        assert_eq!(bytes(&grows).unwrap_err(), PasswordFault::TooLong);
    }

    #[test]
    fn what_keyboards_make_is_a_password() {
        for text in [
            // Newer than the tables of rule 1.
            "\u{1f914}".repeat(8).as_str(),
            // A heart with its selector, a skin tone, a family, a flag of tags.
            "\u{2764}\u{fe0f}secret",
            "\u{1f44d}\u{1f3fd}secret",
            "\u{1f469}\u{200d}\u{1f467}secret",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}xx",
            // Option-Shift-K on a Mac.
            "\u{f8ff}applesecret",
            // Kept for emoji, whether these tables know it or not.
            "\u{1faff}secret",
            "pa\u{b7}sword",
            // Persian with its joiner.
            "\u{645}\u{6cc}\u{200c}\u{631}\u{648}\u{645}secret",
        ] {
            assert_eq!(bytes(text), Ok(text.as_bytes().to_vec()), "{text:?}");
        }
        // Composed by one keyboard, in parts by another; Korean too.
        let composed = ["\u{e9}t\u{e9}12345", "\u{d55c}\u{ae00}12345"];
        let in_parts = [
            "e\u{301}te\u{301}12345",
            "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}12345",
        ];
        for (composed, in_parts) in composed.into_iter().zip(in_parts) {
            assert_eq!(bytes(composed), Ok(composed.as_bytes().to_vec()));
            assert_eq!(bytes(in_parts), bytes(composed));
        }
        assert_eq!(Password::parse(&"\u{1f914}".repeat(8)).unwrap().chars(), 8);
    }

    #[test]
    fn a_refusal_names_the_first_character_that_no_password_has() {
        for (text, c, said) in [
            ("bell\u{7}and\u{85}", '\u{7}', "U+0007"),
            ("a\u{85}b", '\u{85}', "U+0085"),
            ("a\u{378}b", '\u{378}', "U+0378"),
            ("a\u{fdd0}b", '\u{fdd0}', "U+FDD0"),
            ("a\u{2028}b", '\u{2028}', "U+2028"),
            ("a\u{2029}b", '\u{2029}', "U+2029"),
            ("a\u{10ffff}b", '\u{10ffff}', "U+10FFFF"),
        ] {
            let fault = bytes(text).unwrap_err();
            assert_eq!(fault, PasswordFault::Forbidden(c));
            let said = std::format!("it has {said}, which no password can have");
            assert_eq!(fault.to_string(), said);
        }
        assert_eq!(PasswordFault::Empty.to_string(), "it is empty");
        let too_long = PasswordFault::TooLong.to_string();
        assert_eq!(too_long, "it has more than 1024 bytes");
    }

    #[test]
    fn a_password_is_not_shown() {
        let password = Password::parse("correct horse").unwrap();
        assert_eq!(std::format!("{password:?}"), "Password(..)");
    }
}
