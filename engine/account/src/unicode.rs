//! What Unicode says of a character: one place, and one version of the tables.
//!
//! The tables are those of the `icu_*` crates, which are also what `idna` works
//! with. Nothing here asks `char`, whose tables are the compiler's: a normal
//! form must not change with the toolchain. `cargo update` brings the newest;
//! `the_tables_are_of_this_version_of_unicode` and the test that reads the
//! Consortium's file (`tests/normal_forms.rs`) then fail until [`UNICODE_VERSION`]
//! is raised, and the others there say whether anything that was taken before
//! is still taken in the same form.

use alloc::string::String;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};
use icu_properties::props::{
    BidiControl, BinaryProperty, DefaultIgnorableCodePoint, EnumeratedProperty,
    ExtendedPictographic, GeneralCategory, NoncharacterCodePoint,
};

/// The version of Unicode by which texts are judged and normalised.
pub const UNICODE_VERSION: &str = "18.0.0";

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();

/// Normalisation form C (UAX 15).
pub(crate) fn nfc(text: &str) -> String {
    NFC.normalize(text).into_owned()
}

/// Lower case, one character at a time and without its neighbours: no final
/// sigma, which would make two forms of one name.
pub(crate) fn lower(text: &str) -> String {
    let mut lower = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // The one character whose lower case is more than one.
            '\u{130}' => lower.push_str("i\u{307}"),
            c => lower.push(CaseMapper::new().simple_lowercase(c)),
        }
    }
    lower
}

/// Whether it is a space, but not U+0020.
pub(crate) fn is_other_space(c: char) -> bool {
    c != ' ' && GeneralCategory::for_char(c) == GeneralCategory::SpaceSeparator
}

/// Whether these tables do not know it, and it is not reserved for emoji: a
/// phone may well have newer emoji than we have tables. What is unassigned may
/// be given a normal form by a later version; what is reserved for emoji has
/// never been.
pub(crate) fn is_unknown(c: char) -> bool {
    GeneralCategory::for_char(c) == GeneralCategory::Unassigned
        && !ExtendedPictographic::for_char(c)
}

/// Whether it shows nothing of its own, turns others around, or means nothing:
/// what a name that people compare by eye must not have.
pub(crate) fn is_unseen(c: char) -> bool {
    // Blank, or in the place of what was not there or not read, and of no
    // property that says so.
    let by_name = matches!(c, '\u{2800}' | '\u{fffc}' | '\u{fffd}');
    let by_category = matches!(
        GeneralCategory::for_char(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    );
    by_name
        || by_category
        || DefaultIgnorableCodePoint::for_char(c)
        || BidiControl::for_char(c)
        || NoncharacterCodePoint::for_char(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_is_that_of_each_character_alone() {
        assert_eq!(lower("\u{c4}da I\u{307}"), "\u{e4}da i\u{307}");
        // No final sigma, no folding, a capital whose small letter is two.
        assert_eq!(lower("\u{39f}\u{3a3} \u{df}"), "\u{3bf}\u{3c3} \u{df}");
        assert_eq!(lower("\u{130}zmir"), "i\u{307}zmir");
    }

    #[test]
    fn the_tables_are_of_this_version_of_unicode() {
        let (major, minor, patch) = unicode_security::UNICODE_VERSION;
        assert_eq!(std::format!("{major}.{minor}.{patch}"), UNICODE_VERSION);
    }

    #[test]
    fn spaces_are_told_apart() {
        for c in ['\u{a0}', '\u{1680}', '\u{2003}', '\u{202f}', '\u{3000}'] {
            assert!(is_other_space(c), "{c:?}");
        }
        // The last two are no spaces any more, or never were.
        for c in [' ', 'a', '\t', '\u{2028}', '\u{180e}', '\u{200b}'] {
            assert!(!is_other_space(c), "{c:?}");
        }
    }

    #[test]
    fn what_is_unassigned_is_unknown_unless_it_is_reserved_for_emoji() {
        // U+1FAFF is an emoji or will be one; the noncharacters never will.
        for c in ['a', '\u{1f914}', '\u{1faff}', '\u{1fffd}', '\u{f8ff}'] {
            assert!(!is_unknown(c), "{c:?}");
        }
        for c in ['\u{378}', '\u{fdd0}', '\u{fffe}', '\u{1ffff}', '\u{e0080}'] {
            assert!(is_unknown(c), "{c:?}");
        }
    }

    #[test]
    fn what_is_written_in_two_ways_is_composed() {
        assert_eq!(nfc("e\u{301}"), "\u{e9}");
        assert_eq!(nfc("\u{1112}\u{1161}\u{11ab}"), "\u{d55c}");
        assert_eq!(nfc("\u{2126}"), "\u{3a9}");
        assert_eq!(nfc("\u{fb01}\u{b2}"), "\u{fb01}\u{b2}");
    }
}
