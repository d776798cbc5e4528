//! Mail addresses: the local part by RFC 6531 and RFC 6532, the domain by UTS
//! 46.
//!
//! The tables are those of [`UNICODE_VERSION`](crate::UNICODE_VERSION), also
//! in `idna`; `unicode.rs` says how they are kept new. Rule 1 took, in the local
//! part, what shows nothing of its own. An account may have such an
//! address, so it is still found.

use alloc::string::String;

use super::Rule;
use crate::unicode;

const EMAIL_MAX_BYTES: usize = 254;
const LOCAL_PART_MAX_BYTES: usize = 64;

/// The part before the last `@` to NFC and lower case, at most 64 bytes,
/// without quotes, spaces, controls (RFC 5321, 4.5.3.1) or anything unseen; the
/// domain to lower-case ASCII by UTS 46 (non-transitional, STD3 rules), with at
/// least one dot. At most 254 bytes.
///
/// Neither NFKC nor case folding: the form is also the address that is written
/// to, and a sharp s is not two of the other.
pub(super) fn normal(text: &str, rule: Rule) -> Option<String> {
    let (local, domain) = text.trim().rsplit_once('@')?;
    let local = local_part(local, rule)?;
    let ascii = idna::domain_to_ascii_strict(domain).ok()?;
    let normal = local + "@" + &ascii;
    (ascii.contains('.') && normal.len() <= EMAIL_MAX_BYTES).then_some(normal)
}

fn local_part(text: &str, rule: Rule) -> Option<String> {
    let local = unicode::nfc(&unicode::lower(&unicode::nfc(text)));
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "\"(),:;<>@[\\]".contains(c);
    let dots_fit = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    let seen = match rule {
        Rule::Newest => !local.contains(unicode::is_unseen),
        Rule::First => true,
    };
    let fits = (1..=LOCAL_PART_MAX_BYTES).contains(&local.len()) && dots_fit && seen;
    (fits && !local.contains(forbidden)).then_some(local)
}

#[cfg(test)]
mod tests {
    use crate::identifier::{Identifier, IdentifierKind::Email};
    use alloc::borrow::ToOwned;
    use alloc::string::String;

    fn normal(text: &str) -> Option<String> {
        let taken = Identifier::parse(Email, text).ok();
        taken.map(|identifier| identifier.expose().to_owned())
    }

    #[test]
    fn mail_addresses_have_one_form() {
        let same = ["Ada@Example.COM", " ada@example.com ", "ada@EXAMPLE.com"];
        for text in same {
            assert_eq!(normal(text).as_deref(), Some("ada@example.com"), "{text}");
        }
        // A composed and a decomposed u-umlaut, a sharp s domain, a Greek capital.
        assert_eq!(
            normal("MU\u{308}LLER@stra\u{df}e.de").as_deref(),
            Some("m\u{fc}ller@xn--strae-oqa.de"),
        );
        assert_eq!(
            normal("m\u{fc}ller@xn--strae-oqa.de").as_deref(),
            Some("m\u{fc}ller@xn--strae-oqa.de"),
        );
        // What the domain's own rule drops, it drops.
        assert_eq!(
            normal("ada@exa\u{ad}mple.com").as_deref(),
            Some("ada@example.com")
        );
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
            assert_eq!(normal(text), None, "{text:?}");
            assert!(Identifier::find(Email, text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn letters_of_every_script_are_taken() {
        for text in [
            "m\u{fc}ller@example.com",
            "\u{7528}\u{6237}@example.com",
            "\u{915}\u{94d}\u{937}@example.com",
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd}@example.com",
            "o'neil+tag%x@example.com",
            "\u{1f914}@example.com",
        ] {
            assert_eq!(normal(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_mail_address_has_nothing_unseen() {
        let unseen = "\u{200b}\u{feff}\u{202e}\u{ad}\u{e0061}\u{34f}\u{3164}\u{115f}\u{1160}\u{ffa0}\
                      \u{fe0f}\u{180e}\u{200c}\u{200d}\u{2066}\u{61c}\u{600}\u{e000}\u{fdd0}\u{378}\
                      \u{2800}\u{fffc}\u{fffd}";
        for c in unseen.chars() {
            let text = std::format!("a{c}da@example.com");
            assert_eq!(normal(&text), None, "{c:?}");
            // Rule 1 took it: an account may have it, and must be found.
            let found = Identifier::find(Email, &text).unwrap();
            assert_eq!(found.expose(), text);
        }
    }
}
