//! Normal forms held against what the first rules made, and against the
//! Unicode Consortium's own tests. What was taken once must be taken for ever
//! and in the same form: hashes of it are stored.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

use std::path::Path;
use std::process::Command;

use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};
use icu_properties::props::{
    BinaryProperty, CanonicalCombiningClass, EnumeratedProperty, ExtendedPictographic,
    GeneralCategory,
};
use precis_core::profile::PrecisFastInvocation;
use precis_profiles::{OpaqueString, UsernameCaseMapped};
use proptest::prelude::*;
use tidegate_account::{Identifier, IdentifierKind, Password, UNICODE_VERSION};

fn all() -> impl Iterator<Item = char> {
    (0..=0x0010_ffff).filter_map(char::from_u32)
}

/// The planes in which characters differ from each other, and one in 64 of the
/// rest: all of them take a minute.
fn sampled() -> impl Iterator<Item = char> {
    all().filter(|c| matches!(u32::from(*c) >> 16, 0 | 1 | 14) || u32::from(*c).is_multiple_of(64))
}

/// A file of the Consortium's out of the crate that normalises, where cargo
/// has put it.
fn normalization_test() -> String {
    let cargo = |args: &[&str]| {
        let output = Command::new(env!("CARGO")).args(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = cargo(&["-vV"]);
    let mut lines = version.lines();
    let host = lines.find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Crates of other platforms need not be there.
    let metadata = cargo(&[
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        host,
    ]);
    let mut manifests = metadata
        .split("\"manifest_path\":\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter_map(|manifest| Path::new(manifest).parent());
    let is_it = |folder: &&Path| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name == "icu_normalizer" || name.starts_with("icu_normalizer-"))
    };
    let folder = manifests.find(is_it).unwrap();
    std::fs::read_to_string(folder.join("tests/data/NormalizationTest.txt")).unwrap()
}

/// The characters of a column: hexadecimal numbers.
fn text_of(column: &str) -> String {
    let numbers = column.split_whitespace();
    let chars = numbers.map(|number| u32::from_str_radix(number, 16).unwrap());
    chars
        .map(|number| char::from_u32(number).unwrap())
        .collect()
}

#[test]
fn texts_are_composed_as_the_consortiums_test_says_and_by_that_version() {
    let file = normalization_test();
    let first = format!("# NormalizationTest-{UNICODE_VERSION}.txt");
    assert_eq!(file.lines().next(), Some(first.as_str()));
    let mut rows = 0;
    for line in file.lines() {
        if line.is_empty() || line.starts_with(['#', '@']) {
            continue;
        }
        let columns: Vec<String> = line.split(';').take(3).map(text_of).collect();
        // Passwords change other spaces first.
        let composed = columns[1]
            .chars()
            .map(|c| match GeneralCategory::for_char(c) {
                GeneralCategory::SpaceSeparator => ' ',
                _ => c,
            });
        let composed: String = composed.collect();
        for column in &columns {
            let password = Password::parse(column).unwrap();
            assert_eq!(password.expose(), composed.as_bytes(), "{line}");
        }
        rows += 1;
    }
    assert!(rows > 20_000, "{rows}");
}

#[test]
fn a_password_of_rule_1_is_one_of_rule_2_with_the_same_bytes() {
    for c in sampled() {
        for text in [
            c.to_string(),
            format!("l{c}l"),
            format!("e{c}\u{301}"),
            format!("\u{94d}{c}x"),
            format!("\u{5d0}{c}\u{3b1}\u{30a2}"),
        ] {
            if let Ok(before) = OpaqueString::enforce(text.as_str()) {
                let now = Password::parse(&text).unwrap();
                assert_eq!(now.expose(), before.as_bytes(), "{text:?}");
            }
        }
    }
}

/// What lets characters through that are only reserved for emoji: no normal
/// form has ever touched one.
#[test]
fn nothing_that_is_or_may_become_an_emoji_is_normalised() {
    let normalizer = DecomposingNormalizer::new_nfd();
    let mut reserved = 0;
    for c in all().filter(|c| ExtendedPictographic::for_char(*c)) {
        let class = CanonicalCombiningClass::for_char(c);
        assert_eq!(class, CanonicalCombiningClass::NotReordered, "{c:?}");
        assert!(normalizer.is_normalized(&c.to_string()), "{c:?}");
        reserved += usize::from(GeneralCategory::for_char(c) == GeneralCategory::Unassigned);
    }
    assert!(reserved > 1_000, "{reserved}");
}

#[test]
fn every_emoji_is_a_password_as_it_is() {
    let mut seen = 0;
    for emoji in emojis::iter() {
        let toned = emoji.skin_tones().into_iter().flatten();
        for emoji in toned.chain([emoji]) {
            let password = Password::parse(emoji.as_str()).unwrap();
            assert_eq!(password.expose(), emoji.as_str().as_bytes(), "{emoji}");
            seen += 1;
        }
    }
    assert!(seen > 4_000, "{seen}");
}

/// Rule 1 for user names.
fn name_of_rule_1(text: &str) -> Option<String> {
    let form = |text: &str| {
        let form = UsernameCaseMapped::enforce(text).ok()?;
        Some(form.into_owned())
    };
    let fits = |form: &String| {
        (1..=128).contains(&form.len()) && !form.contains('@') && !form.starts_with('+')
    };
    form(text)
        .filter(fits)
        .filter(|once| form(once).as_ref() == Some(once))
}

fn name(text: &str) -> Option<String> {
    let found = Identifier::find(IdentifierKind::Username, text).ok();
    found.map(|identifier| identifier.expose().to_owned())
}

#[test]
fn a_user_name_of_rule_1_has_the_same_form() {
    let mut seen = 0;
    for c in sampled() {
        for text in [
            c.to_string(),
            format!("a{c}b"),
            format!("l{c}l"),
            format!("\u{94d}{c}x"),
            format!("\u{628}{c}\u{628}"),
            format!("\u{5d0}{c}\u{5d0}"),
            format!("\u{30a2}{c}\u{3b1}"),
            format!("\u{391}{c}\u{301}"),
        ] {
            if let Some(before) = name_of_rule_1(&text) {
                assert_eq!(name(&text), Some(before), "{text:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100_000, "{seen}");
}

/// Rule 1 for local parts, with the lower case of the compiler.
fn local_part_of_rule_1(local: &str) -> Option<String> {
    let nfc = ComposingNormalizer::new_nfc();
    let composed = nfc.normalize(local);
    let lower: String = composed.chars().flat_map(char::to_lowercase).collect();
    let local = nfc.normalize(&lower).into_owned();
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "\"(),:;<>@[\\]".contains(c);
    (!local.contains(forbidden)).then_some(local)
}

#[test]
fn a_mail_address_of_rule_1_is_found_in_its_form() {
    for c in sampled() {
        let local = format!("a{c}b");
        let found = Identifier::find(IdentifierKind::Email, &format!("{local}@example.com"));
        let found = found.ok().map(|identifier| identifier.expose().to_owned());
        let before = local_part_of_rule_1(&local)
            .filter(|once| local_part_of_rule_1(once).as_ref() == Some(once))
            .map(|local| local + "@example.com");
        // A capital that is newer than the compiler's tables.
        let newer = c.to_lowercase().eq([c]) && found.is_some() && before.is_some();
        assert!(found == before || newer, "{c:?}: {found:?} {before:?}");
    }
}

proptest! {
    #[test]
    fn any_password_of_rule_1_is_one_of_rule_2(text in "[\\pL\\pM\\pN\\pS\\pZ]{1,8}") {
        if let Ok(before) = OpaqueString::enforce(text.as_str()) {
            let now = Password::parse(&text).unwrap();
            prop_assert_eq!(now.expose(), before.as_bytes());
        }
    }

    #[test]
    fn any_user_name_of_rule_1_has_the_same_form(text in "[\\pL\\pM\\pN]{1,6}") {
        if let Some(before) = name_of_rule_1(&text) {
            prop_assert_eq!(name(&text), Some(before));
        }
    }
}
