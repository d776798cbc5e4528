//! Phone numbers held against the example numbers of all countries.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

use tidegate_account::{Identifier, IdentifierKind};

const EXAMPLES: &str = include_str!("phones.tsv");
/// Where national numbers may begin with 0.
const LEADING_ZERO: [&str; 10] = [
    "225", "226", "229", "241", "242", "250", "378", "39", "881", "992",
];

fn normal(text: &str) -> Option<String> {
    let taken = Identifier::parse(IdentifierKind::Phone, text).ok();
    taken.map(|identifier| identifier.expose().to_owned())
}

/// Calling code, national number and trunk prefix.
fn examples() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let rows = EXAMPLES.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap();
        (next(), next(), next())
    })
}

#[test]
fn every_number_that_is_written_right_is_taken_as_it_is() {
    let mut seen = 0;
    for (code, national, _) in examples() {
        let text = format!("+{code}{national}");
        assert_eq!(normal(&text), Some(text.clone()));
        let spaced = format!("+{code} {national}");
        assert_eq!(normal(&spaced), Some(text));
        seen += 1;
    }
    assert_eq!(seen, 596);
}

#[test]
fn a_zero_in_brackets_is_left_out_unless_numbers_may_begin_with_it() {
    for (code, national, _) in examples() {
        let text = format!("+{code} (0){national}");
        let expected = match LEADING_ZERO.contains(&code) {
            true => None,
            false => Some(format!("+{code}{national}")),
        };
        assert_eq!(normal(&text), expected, "{text}");
    }
}

#[test]
fn a_number_with_its_trunk_prefix_is_refused() {
    for (code, national, trunk) in examples() {
        // Italy has none, and a number there may well begin with 03.
        if code == "39" {
            continue;
        }
        let prefix = match trunk {
            "-" => "0",
            trunk => trunk,
        };
        let text = format!("+{code} {prefix} {national}");
        assert_eq!(normal(&text), None, "{text}");
        // As it was under rule 1: an account may be known by it.
        let found = Identifier::find(IdentifierKind::Phone, &text).ok();
        let digits = format!("+{code}{prefix}{national}");
        let form = (digits.len() <= 16).then_some(digits);
        assert_eq!(found.map(|found| found.expose().to_owned()), form, "{text}");
    }
}
