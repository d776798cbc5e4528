//! What does not count where a code is typed.

use icu_properties::props::{BinaryProperty, EnumeratedProperty, GeneralCategory, WhiteSpace};

/// Spaces and hyphens of every kind that a keyboard or a copy makes.
pub(super) fn is_passed_over(c: char) -> bool {
    let is_minus = c == '\u{2212}';
    let is_dash = GeneralCategory::for_char(c) == GeneralCategory::DashPunctuation;
    is_minus || is_dash || WhiteSpace::for_char(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_hyphens_are_passed_over_and_nothing_else_is() {
        let passed = " \t\r\n\u{a0}\u{2003}\u{202f}\u{3000}-\u{2010}\u{2011}\u{2013}\u{2014}\u{2212}\u{ff0d}";
        for c in passed.chars() {
            assert!(is_passed_over(c), "{c:?}");
        }
        for c in "0aA._+/'\0\u{200b}\u{ad}\u{660}".chars() {
            assert!(!is_passed_over(c), "{c:?}");
        }
    }
}
