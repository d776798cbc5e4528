//! Phone numbers: E.164.

use alloc::string::String;

const PHONE_DIGITS: core::ops::RangeInclusive<usize> = 7..=15;

/// E.164 with its `+`, 7 to 15 digits; spaces, `-`, `.`, `(`, `)` between digits
/// are dropped.
pub(super) fn normal(text: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use crate::identifier::{Identifier, IdentifierKind::Phone};
    use alloc::borrow::ToOwned;
    use alloc::string::String;

    fn normal(text: &str) -> Option<String> {
        let taken = Identifier::parse(Phone, text).ok();
        taken.map(|identifier| identifier.expose().to_owned())
    }

    #[test]
    fn phone_numbers_have_one_form() {
        assert_eq!(normal("+49 (30) 901-820").as_deref(), Some("+4930901820"));
        for text in [
            "",
            "030901820",
            "+",
            "+0301234567",
            "+12345",
            "+1234567890123456",
            "+49 30x9018",
        ] {
            assert_eq!(normal(text), None, "{text:?}");
        }
    }
}
