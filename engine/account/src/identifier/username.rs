//! User names: the PRECIS profile UsernameCaseMapped (RFC 8265, 3.3), and UTS 39
//! for those that a tenant takes as new.
//!
//! The tables are those of [`UNICODE_VERSION`](crate::UNICODE_VERSION), with
//! those of `unicode-security` for UTS 39, and kept new together: `unicode.rs`
//! says how. PRECIS itself is written out here, because no crate has it by
//! newer tables than Unicode 6.3. What rule 1 took by those has the same form
//! here (`tests/normal_forms.rs`).

use alloc::string::String;
use alloc::vec::Vec;

use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{
    BidiClass, BinaryProperty, CanonicalCombiningClass, DefaultIgnorableCodePoint, EastAsianWidth,
    EnumeratedProperty, GeneralCategory, HangulSyllableType, JoiningType, NoncharacterCodePoint,
    Script,
};
use icu_properties::script::ScriptWithExtensions;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use crate::unicode;

const USERNAME_MAX_BYTES: usize = 128;

/// The profile's form, without `@` and not beginning with `+`, so that no user
/// name looks like a mail address or a phone number. At most 128 bytes.
pub(super) fn normal(text: &str) -> Option<String> {
    let normal = unicode::nfc(&unicode::lower(&narrow(text)));
    let chars: Vec<char> = normal.chars().collect();
    let allowed = (0..chars.len()).all(|at| is_allowed(&chars, at)) && is_bidi(&chars);
    let fits = (1..=USERNAME_MAX_BYTES).contains(&normal.len()) && allowed;
    (fits && !normal.contains('@') && !normal.starts_with('+')).then_some(normal)
}

/// UTS 39, 5.2, "highly restrictive": of one script, or of Latin with those of
/// Japanese, Korean, or Chinese with Bopomofo; in the profile of characters
/// that UTS 39 recommends. All of ASCII that a name can have is in ours.
pub(super) fn is_highly_restrictive(normal: &str) -> bool {
    let judged: String = normal
        .chars()
        .filter(|c| !c.is_ascii() || c.is_ascii_alphanumeric())
        .collect();
    judged.check_restriction_level(RestrictionLevel::HighlyRestrictive)
}

/// Wide and narrow forms to the common ones (RFC 8264, 5.2.1). A wide space
/// becomes one, which no name has.
fn narrow(text: &str) -> String {
    let mut narrow = String::with_capacity(text.len());
    let mut buffer = [0; 4];
    for c in text.chars() {
        match EastAsianWidth::for_char(c) {
            EastAsianWidth::Fullwidth | EastAsianWidth::Halfwidth => {
                let one = c.encode_utf8(&mut buffer);
                narrow.push_str(&DecomposingNormalizer::new_nfkd().normalize(one));
            }
            _ => narrow.push(c),
        }
    }
    narrow
}

/// Whether the character at this place may stand there: the IdentifierClass
/// (RFC 8264, 8), with the exceptions of RFC 5892 and its rules of context.
fn is_allowed(chars: &[char], at: usize) -> bool {
    let c = chars[at];
    let before = at.checked_sub(1).map(|at| chars[at]);
    let after = chars.get(at + 1).copied();
    let is_of = |c: Option<char>, script| {
        c.is_some_and(|c| ScriptWithExtensions::new().get_script_val(c) == script)
    };
    match c {
        '\u{21}'..='\u{7e}' => true,
        '\u{df}' | '\u{3c2}' | '\u{6fd}' | '\u{6fe}' | '\u{f0b}' | '\u{3007}' => true,
        '\u{640}' | '\u{7fa}' | '\u{302e}' | '\u{302f}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => {
            false
        }
        '\u{b7}' => before == Some('l') && after == Some('l'),
        '\u{375}' => is_of(after, Script::Greek),
        '\u{5f3}' | '\u{5f4}' => is_of(before, Script::Hebrew),
        '\u{30fb}' => chars.iter().any(|c| {
            [Script::Hiragana, Script::Katakana, Script::Han]
                .iter()
                .any(|script| is_of(Some(*c), *script))
        }),
        '\u{660}'..='\u{669}' => !chars.iter().any(|c| ('\u{6f0}'..='\u{6f9}').contains(c)),
        '\u{6f0}'..='\u{6f9}' => !chars.iter().any(|c| ('\u{660}'..='\u{669}').contains(c)),
        '\u{200d}' => before.is_some_and(is_virama),
        '\u{200c}' => before.is_some_and(is_virama) || joins(&chars[..at], &chars[at + 1..]),
        _ => is_letter_or_digit(c),
    }
}

fn is_virama(c: char) -> bool {
    CanonicalCombiningClass::for_char(c) == CanonicalCombiningClass::Virama
}

/// RFC 5892, A.1: between letters that would join.
fn joins(before: &[char], after: &[char]) -> bool {
    let class = |c: &char| JoiningType::for_char(*c);
    let joining = |class: &JoiningType| *class != JoiningType::Transparent;
    let left = before.iter().rev().map(class).find(joining);
    let right = after.iter().map(class).find(joining);
    matches!(
        left,
        Some(JoiningType::LeftJoining | JoiningType::DualJoining)
    ) && matches!(
        right,
        Some(JoiningType::RightJoining | JoiningType::DualJoining)
    )
}

/// LetterDigits (RFC 8264, 9.1) without OldHangulJamo, PrecisIgnorableProperties
/// and HasCompat.
fn is_letter_or_digit(c: char) -> bool {
    let category = matches!(
        GeneralCategory::for_char(c),
        GeneralCategory::LowercaseLetter
            | GeneralCategory::UppercaseLetter
            | GeneralCategory::OtherLetter
            | GeneralCategory::DecimalNumber
            | GeneralCategory::ModifierLetter
            | GeneralCategory::NonspacingMark
            | GeneralCategory::SpacingMark
    );
    let old_jamo = matches!(
        HangulSyllableType::for_char(c),
        HangulSyllableType::LeadingJamo
            | HangulSyllableType::VowelJamo
            | HangulSyllableType::TrailingJamo
    );
    category
        && !old_jamo
        && !DefaultIgnorableCodePoint::for_char(c)
        && !NoncharacterCodePoint::for_char(c)
        && ComposingNormalizer::new_nfkc().is_normalized(c.encode_utf8(&mut [0; 4]))
}

/// The rule of RFC 5893, 2, for names with letters that are written right to
/// left.
fn is_bidi(chars: &[char]) -> bool {
    let classes: Vec<BidiClass> = chars.iter().map(|c| BidiClass::for_char(*c)).collect();
    let has = |wanted: &[BidiClass]| classes.iter().any(|class| wanted.contains(class));
    let to_the_left = [
        BidiClass::RightToLeft,
        BidiClass::ArabicLetter,
        BidiClass::ArabicNumber,
    ];
    if !has(&to_the_left) {
        return true;
    }
    let neutral = [
        BidiClass::EuropeanNumber,
        BidiClass::EuropeanSeparator,
        BidiClass::CommonSeparator,
        BidiClass::EuropeanTerminator,
        BidiClass::OtherNeutral,
        BidiClass::BoundaryNeutral,
        BidiClass::NonspacingMark,
    ];
    let begins = matches!(
        classes.first(),
        Some(&(BidiClass::RightToLeft | BidiClass::ArabicLetter))
    );
    let marks = |class: &&BidiClass| **class != BidiClass::NonspacingMark;
    let ends = matches!(
        classes.iter().rev().find(marks),
        Some(
            &(BidiClass::RightToLeft
                | BidiClass::ArabicLetter
                | BidiClass::EuropeanNumber
                | BidiClass::ArabicNumber)
        )
    );
    let only = classes
        .iter()
        .all(|class| neutral.contains(class) || to_the_left.contains(class));
    let two_digits = has(&[BidiClass::EuropeanNumber]) && has(&[BidiClass::ArabicNumber]);
    begins && ends && only && !two_digits
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
        assert_eq!(normal("Ad\u{c9}").as_deref(), Some("ad\u{e9}"));
        assert_eq!(normal("ade\u{301}").as_deref(), Some("ad\u{e9}"));
        assert_eq!(normal("ＡＤＡ").as_deref(), Some("ada"));
        let long = "a".repeat(129);
        for text in [
            "",
            "two words",
            "ada@example.com",
            "+4930901820",
            "a\u{200b}b",
            "\u{2126}@",
            long.as_str(),
        ] {
            assert_eq!(normal(text), None, "{text:?}");
            assert!(Identifier::find(Username, text).is_err(), "{text:?}");
        }
    }

    /// A text, its form, and whether that is highly restrictive.
    const NAMES: [(&str, &str, bool); 26] = [
        ("admin", "admin", true),
        ("ada+1", "ada+1", true),
        ("user!x", "user!x", true),
        ("\u{430}dmin", "\u{430}dmin", false),
        (
            "\u{438}\u{432}\u{430}\u{43d}_1980",
            "\u{438}\u{432}\u{430}\u{43d}_1980",
            true,
        ),
        ("ivan\u{438}", "ivan\u{438}", false),
        ("\u{5c71}\u{7530}taro", "\u{5c71}\u{7530}taro", true),
        ("\u{3084}\u{307e}\u{7530}", "\u{3084}\u{307e}\u{7530}", true),
        ("\u{30a2}-b", "\u{30a2}-b", true),
        ("\u{d55c}kim", "\u{d55c}kim", true),
        ("\u{1112}\u{1161}\u{11ab}kim", "\u{d55c}kim", true),
        ("\u{3b1}\u{3b2}a", "\u{3b1}\u{3b2}a", false),
        ("M\u{dc}LLER", "m\u{fc}ller", true),
        (
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            true,
        ),
        ("\u{627}\u{645}1", "\u{627}\u{645}1", true),
        ("\u{e01}\u{e19}", "\u{e01}\u{e19}", true),
        ("l\u{b7}l", "l\u{b7}l", true),
        ("\u{130}zmir", "i\u{307}zmir", true),
        // Two ways to write one letter.
        ("\u{2126}", "\u{3c9}", true),
        ("\u{212a}im", "kim", true),
        // Letters that UTS 39 does not recommend in names.
        ("\u{1d00}dmin", "\u{1d00}dmin", false),
        ("\u{251}da", "\u{251}da", false),
        // Scripts of limited use: Cherokee, Inuktitut.
        ("\u{13a0}", "\u{ab70}", false),
        ("\u{ab70}", "\u{ab70}", false),
        ("\u{1403}\u{14c4}", "\u{1403}\u{14c4}", false),
        // A joiner where it may stand.
        (
            "\u{915}\u{94d}\u{200d}\u{937}",
            "\u{915}\u{94d}\u{200d}\u{937}",
            false,
        ),
    ];

    #[test]
    fn names_of_every_script_have_a_form_and_those_that_mix_them_are_told() {
        for (text, form, restrictive) in NAMES {
            assert_eq!(normal(text).as_deref(), Some(form), "{text}");
            assert_eq!(super::is_highly_restrictive(form), restrictive, "{text}");
        }
    }

    #[test]
    fn what_stands_where_it_may_not_is_refused() {
        for text in [
            "a\u{b7}b",
            "a\u{5f3}",
            "a\u{200d}b",
            "a\u{200c}b",
            "\u{660}\u{6f0}",
            "\u{640}",
            "\u{fb01}x",
            // Right to left and left to right in one.
            "\u{5e9}a",
            "a\u{5e9}",
            "1\u{5e9}",
            "\u{627}\u{660}1",
        ] {
            assert_eq!(normal(text), None, "{text:?}");
        }
    }
}
