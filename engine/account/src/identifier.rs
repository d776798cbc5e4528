//! Mail addresses, phone numbers and user names, each in one normal form. Each
//! form is a file of its own in `identifier/`, which names its rules.

mod email;
mod phone;
mod username;

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use rkyv::{Archive, Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The version of the normal forms. It is a part of what the index and the
/// directory of regions hash, so it stays as it is when a rule only refuses
/// more or takes more: under another number no account would be found.
pub const NORMALISER_VERSION: u16 = 1;

const INPUT_MAX_BYTES: usize = 320;

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

/// By which rule a text is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// That of today, for what is to become an account's.
    Newest,
    /// The first, for what an account may have since then.
    First,
}

/// An identifier in its normal form. It names a person: it is redacted in
/// debug output and wiped from memory.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Identifier {
    #[zeroize(skip)]
    kind: IdentifierKind,
    text: String,
}

impl Identifier {
    /// Normalises a text that is to become an account's identifier. The input has
    /// at most 320 bytes.
    ///
    /// A text whose normal form is not its own normal form is refused (RFC 8264
    /// §7): such a name could not be written the way it is kept.
    ///
    /// # Errors
    /// [`IdentifierFault`] when the text breaks the rules of its kind.
    pub fn parse(kind: IdentifierKind, text: &str) -> Result<Identifier, IdentifierFault> {
        let text = normal(kind, Rule::Newest, text).ok_or(IdentifierFault(kind))?;
        Ok(Identifier { kind, text })
    }

    /// Normalises a text by which an account is looked for. What an earlier rule
    /// took is taken here: an account may have it, and where none has, the answer
    /// must be the same.
    ///
    /// # Errors
    /// [`IdentifierFault`] when no rule ever took it.
    pub fn find(kind: IdentifierKind, text: &str) -> Result<Identifier, IdentifierFault> {
        Identifier::parse(kind, text).or_else(|fault| {
            let text = normal(kind, Rule::First, text).ok_or(fault)?;
            Ok(Identifier { kind, text })
        })
    }

    /// A normal form that was stored. The account has it whatever the rules have
    /// become, so it is taken as it is.
    #[must_use]
    pub fn from_stored(kind: IdentifierKind, normal: &str) -> Identifier {
        let text = normal.to_owned();
        Identifier { kind, text }
    }

    /// What rule 1 made of another way to write this one, where that was another
    /// form: a phone number with its trunk zero. An account that was registered
    /// so is still to be found, and to hold the line.
    #[must_use]
    pub fn older_form(&self) -> Option<Identifier> {
        let text = match self.kind {
            IdentifierKind::Phone => phone::older_form(&self.text)?,
            IdentifierKind::Email | IdentifierKind::Username => return None,
        };
        let kind = self.kind;
        Some(Identifier { kind, text })
    }

    /// Whether it mixes no scripts that are not written together (UTS 39, 5.2);
    /// `None` where that is not asked of its kind: who receives what is sent
    /// there has it, however it looks.
    pub(crate) fn is_highly_restrictive(&self) -> Option<bool> {
        match self.kind {
            IdentifierKind::Username => Some(username::is_highly_restrictive(&self.text)),
            IdentifierKind::Email | IdentifierKind::Phone => None,
        }
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

fn normal(kind: IdentifierKind, rule: Rule, text: &str) -> Option<String> {
    let form = |text: &str| match kind {
        IdentifierKind::Email => email::normal(text, rule),
        IdentifierKind::Phone => phone::normal(text, rule),
        IdentifierKind::Username => username::normal(text),
    };
    if text.len() > INPUT_MAX_BYTES {
        return None;
    }
    form(text).filter(|normal| form(normal).as_ref() == Some(normal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use IdentifierKind::{Email, Phone, Username};
    use proptest::prelude::*;

    type Taken = Result<Identifier, IdentifierFault>;

    #[test]
    fn an_identifier_is_not_shown() {
        let id = Identifier::parse(Email, "ada@example.com").unwrap();
        assert_eq!(std::format!("{id:?}"), "Identifier(Email, ..)");
    }

    #[test]
    fn what_is_too_long_is_looked_at_by_no_rule() {
        for kind in [Email, Phone, Username] {
            let text = "+49 30 901820 ".repeat(23);
            assert!(text.len() > INPUT_MAX_BYTES);
            assert_eq!(Identifier::parse(kind, &text), Err(IdentifierFault(kind)));
            assert_eq!(Identifier::find(kind, &text), Err(IdentifierFault(kind)));
        }
    }

    #[test]
    fn a_stored_form_is_taken_as_it_is() {
        for (kind, text) in [
            (Email, "a\u{200b}da@example.com"),
            (Phone, "+4402079460958"),
            (Username, "\u{430}dmin"),
        ] {
            let stored = Identifier::from_stored(kind, text);
            assert_eq!((stored.kind(), stored.expose()), (kind, text));
        }
    }

    #[test]
    fn only_a_phone_number_had_another_form() {
        let older = |kind, text| Identifier::parse(kind, text).unwrap().older_form();
        let london = older(Phone, "+44 (0)20 7946 0958").unwrap();
        let stored = Identifier::from_stored(Phone, "+4402079460958");
        assert_eq!(london, stored);
        assert_eq!(stored.older_form(), None);
        assert_eq!(older(Phone, "+39 06 1234 5678"), None);
        assert_eq!(older(Email, "ada@example.com"), None);
        assert_eq!(older(Username, "442079460958"), None);
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,24}(@[a-zA-Z\u{e4}\u{df}.]{1,12})?") {
            let rules: [fn(IdentifierKind, &str) -> Taken; 2] =
                [Identifier::parse, Identifier::find];
            for kind in [Email, Phone, Username] {
                for rule in rules {
                    if let Ok(once) = rule(kind, &text) {
                        prop_assert_eq!(rule(kind, once.expose()), Ok(once.clone()));
                    }
                }
            }
        }

        #[test]
        fn what_is_taken_is_found(text in "\\PC{0,24}(@[a-zA-Z\u{e4}\u{df}.]{1,12})?") {
            for kind in [Email, Phone, Username] {
                if let Ok(taken) = Identifier::parse(kind, &text) {
                    prop_assert_eq!(Identifier::find(kind, &text), Ok(taken));
                }
            }
        }
    }
}
