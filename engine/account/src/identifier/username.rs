//! User names: the PRECIS profile UsernameCaseMapped (RFC 8265, 3.3).

use alloc::string::{String, ToString};

use precis_core::profile::PrecisFastInvocation;
use precis_profiles::UsernameCaseMapped;

const USERNAME_MAX_BYTES: usize = 128;

/// The profile's form, without `@` and not beginning with `+`, so that no user
/// name looks like a mail address or a phone number. At most 128 bytes.
pub(super) fn normal(text: &str) -> Option<String> {
    let normal = UsernameCaseMapped::enforce(text).ok()?.to_string();
    let fits = (1..=USERNAME_MAX_BYTES).contains(&normal.len());
    (fits && !normal.contains('@') && !normal.starts_with('+')).then_some(normal)
}

#[cfg(test)]
mod tests {
    use crate::identifier::{Identifier, IdentifierKind::Username};
    use alloc::borrow::ToOwned;
    use alloc::string::String;

    fn normal(text: &str) -> Option<String> {
        let taken = Identifier::parse(Username, text).ok();
        taken.map(|identifier| identifier.expose().to_owned())
    }

    #[test]
    fn user_names_have_one_form_and_look_like_nothing_else() {
        assert_eq!(normal("Ad\u{c9}"), normal("ade\u{301}"));
        assert_eq!(normal("ＡＤＡ").as_deref(), Some("ada"));
        for text in [
            "",
            "two words",
            "ada@example.com",
            "+4930901820",
            "a\u{200b}b",
            "\u{2126}@",
        ] {
            assert_eq!(normal(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_name_that_has_no_stable_form_is_refused() {
        // A Cherokee capital, whose small letter PRECIS does not allow.
        assert_eq!(normal("\u{13a0}"), None);
        assert_eq!(normal("\u{ab70}"), None);
    }
}
