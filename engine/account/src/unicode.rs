//! What Unicode says of a character: one place, and one version of the tables.
//!
//! The tables are those of the `icu_*` crates, which are also what `idna` works
//! with. Nothing here asks `char`, whose tables are the compiler's: a normal
//! form must not change with the toolchain. `cargo update` brings the newest;
//! `the_tables_are_of_this_version_of_unicode` then fails until
//! [`UNICODE_VERSION`] is raised, and the tests of `tests/normal_forms.rs` say
//! whether anything that was taken before is still taken in the same form.

use alloc::string::String;

use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};
use icu_properties::props::{
    BinaryProperty, EnumeratedProperty, ExtendedPictographic, GeneralCategory,
};

/// The version of Unicode by which texts are judged and normalised.
pub const UNICODE_VERSION: &str = "18.0.0";

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();

/// Normalisation form C (UAX 15).
pub(crate) fn nfc(text: &str) -> String {
    NFC.normalize(text).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;

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
