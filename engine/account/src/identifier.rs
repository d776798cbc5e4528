//! Mail addresses, phone numbers and user names, each in one normal form.

use alloc::string::{String, ToString};
use core::fmt;

use precis_core::profile::PrecisFastInvocation;
use precis_profiles::UsernameCaseMapped;
use rkyv::{Archive, Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The version of the rules in this file. A change of rules gets a new number,
/// and index rows say under which they were made.
pub const NORMALISER_VERSION: u16 = 1;

const EMAIL_MAX_BYTES: usize = 254;
const LOCAL_PART_MAX_BYTES: usize = 64;
const USERNAME_MAX_BYTES: usize = 128;
const INPUT_MAX_BYTES: usize = 320;
const PHONE_DIGITS: core::ops::RangeInclusive<usize> = 7..=15;

/// What names a person.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum IdentifierKind {
    /// A mail address.
    Email = 1,
    /// A phone number.
    Phone = 2,
    /// A user name.
    Username = 3,
}

/// Why a text is not an identifier of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdentifierFault(pub IdentifierKind);

/// An identifier in its normal form. It names a person: it is redacted in
/// debug output and wiped from memory.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Identifier {
    #[zeroize(skip)]
    kind: IdentifierKind,
    text: String,
}

impl Identifier {
    /// Normalises a text.
    ///
    /// - Mail: the part before the last `@` to Unicode lower case and NFC, at
    ///   most 64 bytes, without quotes, spaces or controls (RFC 5321 §4.5.3.1,
    ///   RFC 6531); the domain to lower-case ASCII by UTS 46 (non-transitional,
    ///   STD3 rules), with at least one dot. At most 254 bytes.
    /// - Phone: E.164 with its `+`, 7 to 15 digits; spaces, `-`, `.`, `(`, `)`
    ///   between digits are dropped.
    /// - User name: the PRECIS profile UsernameCaseMapped (RFC 8265 §3.3),
    ///   without `@` and not beginning with `+`, so that no user name looks
    ///   like a mail address or a phone number. At most 128 bytes.
    ///
    /// A text whose normal form is not its own normal form is refused (RFC 8264
    /// §7): such a name could not be written the way it is kept.
    ///
    /// # Errors
    /// [`IdentifierFault`] when the text breaks these rules.
    pub fn parse(kind: IdentifierKind, text: &str) -> Result<Identifier, IdentifierFault> {
        let rule = match kind {
            IdentifierKind::Email => email,
            IdentifierKind::Phone => phone,
            IdentifierKind::Username => username,
        };
        let normal = Some(text)
            .filter(|text| text.len() <= INPUT_MAX_BYTES)
            .and_then(rule)
            .filter(|normal| rule(normal).as_ref() == Some(normal));
        let text = normal.ok_or(IdentifierFault(kind))?;
        Ok(Identifier { kind, text })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// The normal form, in clear.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({:?}, ..)", self.kind)
    }
}

fn email(text: &str) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let local: String = local.nfc().flat_map(char::to_lowercase).nfc().collect();
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "\"(),:;<>@[\\]".contains(c);
    let dots_fit = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    let local_fits = (1..=LOCAL_PART_MAX_BYTES).contains(&local.len()) && dots_fit;
    if !local_fits || local.contains(forbidden) {
        return None;
    }
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    let normal = local + "@" + &domain;
    (domain.contains('.') && normal.len() <= EMAIL_MAX_BYTES).then_some(normal)
}

fn phone(text: &str) -> Option<String> {
    let digits = text.trim().strip_prefix('+')?;
    let mut normal = String::from("+");
    for c in digits.chars() {
        match c {
            '0'..='9' => normal.push(c),
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return None,
        }
    }
    let fits = PHONE_DIGITS.contains(&(normal.len() - 1)) && !normal.starts_with("+0");
    fits.then_some(normal)
}

fn username(text: &str) -> Option<String> {
    let normal = UsernameCaseMapped::enforce(text).ok()?.to_string();
    let fits = (1..=USERNAME_MAX_BYTES).contains(&normal.len());
    (fits && !normal.contains('@') && !normal.starts_with('+')).then_some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use IdentifierKind::{Email, Phone, Username};
    use proptest::prelude::*;

    fn normal(kind: IdentifierKind, text: &str) -> Option<String> {
        Identifier::parse(kind, text).ok().map(|id| id.text.clone())
    }

    #[test]
    fn mail_addresses_have_one_form() {
        let same = ["Ada@Example.COM", " ada@example.com ", "ada@EXAMPLE.com"];
        for text in same {
            assert_eq!(
                normal(Email, text).as_deref(),
                Some("ada@example.com"),
                "{text}"
            );
        }
        // A composed and a decomposed u-umlaut, a sharp s domain, a Greek capital.
        assert_eq!(
            normal(Email, "MU\u{308}LLER@stra\u{df}e.de"),
            normal(Email, "m\u{fc}ller@xn--strae-oqa.de"),
        );
        assert!(normal(Email, "m\u{fc}ller@example.com").is_some());
    }

    #[test]
    fn what_is_no_mail_address_is_refused() {
        let long = "a".repeat(65) + "@example.com";
        let bad = [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@localhost",
            "a b@example.com",
            "a\u{0}@example.com",
            "\"a\"@example.com",
            ".a@example.com",
            "a..b@example.com",
            "a@exa mple.com",
            "a@-x.com",
            "a@b@example.com",
            long.as_str(),
        ];
        for text in bad {
            assert_eq!(normal(Email, text), None, "{text:?}");
        }
    }

    #[test]
    fn phone_numbers_have_one_form() {
        assert_eq!(
            normal(Phone, "+49 (30) 901-820").as_deref(),
            Some("+4930901820")
        );
        for text in [
            "",
            "030901820",
            "+",
            "+0301234567",
            "+12345",
            "+1234567890123456",
            "+49 30x9018",
        ] {
            assert_eq!(normal(Phone, text), None, "{text:?}");
        }
    }

    #[test]
    fn user_names_have_one_form_and_look_like_nothing_else() {
        assert_eq!(normal(Username, "Ad\u{c9}"), normal(Username, "ade\u{301}"));
        assert_eq!(normal(Username, "ＡＤＡ").as_deref(), Some("ada"));
        for text in [
            "",
            "two words",
            "ada@example.com",
            "+4930901820",
            "a\u{200b}b",
            "\u{2126}@",
        ] {
            assert_eq!(normal(Username, text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_that_has_no_stable_form_is_refused() {
        // A Cherokee capital, whose small letter PRECIS does not allow.
        assert_eq!(normal(Username, "\u{13a0}"), None);
        assert_eq!(normal(Username, "\u{ab70}"), None);
    }

    #[test]
    fn an_identifier_is_not_shown() {
        let id = Identifier::parse(Email, "ada@example.com").unwrap();
        assert_eq!(std::format!("{id:?}"), "Identifier(Email, ..)");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,24}(@[a-zA-Z\u{e4}\u{df}.]{1,12})?") {
            for kind in [Email, Phone, Username] {
                if let Some(once) = normal(kind, &text) {
                    prop_assert_eq!(normal(kind, &once), Some(once.clone()));
                }
            }
        }
    }
}
