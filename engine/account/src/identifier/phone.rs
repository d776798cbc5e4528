//! Phone numbers: E.164, and what E.164 leaves open.
//!
//! No Unicode: digits are ASCII. What stands here of countries is what
//! libphonenumber 9.0.43 (Apache-2.0) says of the lines of persons: its fixed,
//! mobile, personal and VoIP numbers. `tests/phones.tsv` has its example numbers.
//! A newer one is due when a country changes its plan: read its patterns anew and
//! replace the file.

use alloc::string::String;

use super::Rule;

const PHONE_DIGITS: core::ops::RangeInclusive<usize> = 7..=15;

/// The calling codes in which national numbers may begin with 0, how such a
/// number begins, and its length where there is one. In all others a 0 behind
/// the calling code is a trunk prefix, which is dialled inside the country only:
/// the number without it is the same line.
const LEADING_ZERO: &[(&str, &str, Option<usize>)] = &[
    ("225", "0", Some(10)),
    ("226", "0", Some(8)),
    ("229", "0", Some(10)),
    ("241", "0", Some(8)),
    ("242", "0", Some(9)),
    ("250", "06", Some(8)),
    ("378", "0549", Some(10)),
    ("39", "0", None),
    ("881", "0", Some(9)),
    ("992", "0", Some(9)),
];

/// Those of them in which the second digit may be 0 too.
const TWO_ZEROS: &[&str] = &["881", "992"];

/// Where another digit than 0 is or was dialled before national numbers, their
/// one length: with that digit they are longer.
const ONE_LENGTH: &[(&str, usize)] = &[
    ("1", 10),
    ("370", 8),
    ("375", 9),
    ("52", 10),
    ("692", 7),
    ("7", 10),
    ("993", 8),
];

/// The calling codes of one and of two digits (ITU-T E.164). All others have
/// three.
const SHORT_CODES: &[&str] = &[
    "1", "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46",
    "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64",
    "65", "66", "7", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// E.164 with its `+`, 7 to 15 digits; spaces, `-`, `.`, `(`, `)` between digits
/// are dropped. `(0)` right behind the calling code is dropped where no number
/// begins with 0: it says that it is left out from abroad. A bare 0 there is
/// refused and not dropped, since a plan may change after this was written: to
/// refuse costs a try, to drop would make two lines one.
pub(super) fn normal(text: &str, rule: Rule) -> Option<String> {
    let text = text.trim().strip_prefix('+')?;
    let mut digits = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '0'..='9' => digits.push(c),
            '(' if rule == Rule::Newest && is_left_out(&digits, rest.as_str()) => {
                if begins_with_zero(&digits) {
                    // People mean both by it there.
                    return None;
                }
                rest.next();
            }
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return None,
        }
    }
    let one_line = match rule {
        Rule::Newest => is_dialled_from_abroad(&digits),
        Rule::First => true,
    };
    let fits = PHONE_DIGITS.contains(&digits.len()) && !digits.starts_with('0');
    (fits && one_line).then(|| String::from("+") + &digits)
}

/// The form that rule 1 kept of this line when it was written with a trunk
/// zero: an account may be known by it.
pub(super) fn older_form(normal: &str) -> Option<String> {
    let digits = normal.strip_prefix('+')?;
    let (code, national) = digits.split_at_checked(code_length(digits)?)?;
    let written = !begins_with_zero(code)
        && !national.starts_with('0')
        && PHONE_DIGITS.contains(&(digits.len() + 1));
    written.then(|| ["+", code, "0", national].concat())
}

/// Whether what was read is a calling code and nothing more, and a zero in
/// brackets follows.
fn is_left_out(digits: &str, rest: &str) -> bool {
    rest.starts_with("0)") && code_length(digits) == Some(digits.len())
}

fn begins_with_zero(code: &str) -> bool {
    LEADING_ZERO.iter().any(|(of, ..)| *of == code)
}

/// How many of these digits are the calling code; none when it is not whole.
/// No code begins with another, so this can be told.
fn code_length(digits: &str) -> Option<usize> {
    let short = SHORT_CODES.iter().find(|code| digits.starts_with(**code));
    short.map_or((digits.len() >= 3).then_some(3), |code| Some(code.len()))
}

/// Whether this is how the line is dialled from abroad, and not the same with a
/// trunk prefix between.
fn is_dialled_from_abroad(digits: &str) -> bool {
    let parts = code_length(digits).and_then(|at| digits.split_at_checked(at));
    let Some((code, national)) = parts else {
        return false;
    };
    let length = ONE_LENGTH.iter().find(|(of, _)| *of == code);
    if length.is_some_and(|(_, length)| national.len() != *length) {
        return false;
    }
    if code == "1" && national.starts_with('1') {
        return false;
    }
    if !national.starts_with('0') {
        return true;
    }
    let fits = |(of, start, length): &(&str, &str, Option<usize>)| {
        *of == code
            && national.starts_with(start)
            && length.is_none_or(|length| national.len() == length)
    };
    let second = TWO_ZEROS.contains(&code) || !national.starts_with("00");
    second && LEADING_ZERO.iter().any(fits)
}

#[cfg(test)]
mod tests {
    use super::older_form;
    use crate::identifier::{Identifier, IdentifierKind::Phone};
    use alloc::borrow::ToOwned;
    use alloc::string::String;

    fn normal(text: &str) -> Option<String> {
        let taken = Identifier::parse(Phone, text).ok();
        taken.map(|identifier| identifier.expose().to_owned())
    }

    fn found(text: &str) -> Option<String> {
        let found = Identifier::find(Phone, text).ok();
        found.map(|identifier| identifier.expose().to_owned())
    }

    #[test]
    fn what_is_no_phone_number_is_refused() {
        for text in [
            "",
            "030901820",
            "+",
            "+0301234567",
            "+12345",
            "+1234567890123456",
            "+49 30x9018",
            "+49 (0",
            "+(0)30901820",
        ] {
            assert_eq!((normal(text), found(text)), (None, None), "{text:?}");
        }
    }

    #[test]
    fn one_line_has_one_form() {
        for (text, form) in [
            ("+44 20 7946 0958", "+442079460958"),
            ("+44 (0)20 7946 0958", "+442079460958"),
            ("+44(0) 20 7946 0958", "+442079460958"),
            ("+61 (0)412 345 678", "+61412345678"),
            ("+1 (0)212 555 1234", "+12125551234"),
            ("+49 (30) 901-820", "+4930901820"),
            ("+7 (495) 123-45-67", "+74951234567"),
            // Brackets around what is no calling code's zero.
            ("+44 20 (0)946 0958", "+442009460958"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(form), "{text}");
            assert_eq!(found(text).as_deref(), Some(form), "{text}");
        }
    }

    #[test]
    fn where_numbers_begin_with_zero_it_stays() {
        for (text, form) in [
            ("+39 06 1234 5678", "+390612345678"),
            ("+225 07 07 12 34 56", "+2250707123456"),
            ("+226 01 23 45 67", "+22601234567"),
            ("+229 01 95 12 34 56", "+2290195123456"),
            ("+241 06 03 12 34", "+24106031234"),
            ("+242 06 123 4567", "+242061234567"),
            ("+250 06 123 456", "+25006123456"),
            ("+378 0549 886377", "+3780549886377"),
            ("+881 012 345 678", "+881012345678"),
            ("+992 00 123 4567", "+992001234567"),
        ] {
            assert_eq!(normal(text).as_deref(), Some(form), "{text}");
            assert_eq!(older_form(form), None, "{text}");
        }
    }

    #[test]
    fn a_trunk_prefix_is_no_part_of_a_number_and_is_still_found() {
        for text in [
            "+44 020 7946 0958",
            "+44 (00)20 7946 0958",
            "+61 0412 345 678",
            "+4 4(0)0 20 7946 0958",
            "+39 (0)6 12345678",
            "+39 00612345678",
            "+36 06 1 234 5678",
            "+7 8 916 123 45 67",
            "+1 1 212 555 1234",
            "+52 1 55 1234 5678",
            "+250 0788123456",
            "+241 011441234",
            "+370 8 612 34567",
            "+375 8 029 1234567",
            "+375 80 29 1234567",
            "+47 0 22 12 34 56",
            "+992 0 917123456",
            "+62 0812 3456 789",
            "+81 090 1234 5678",
        ] {
            assert_eq!(normal(text), None, "{text}");
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            assert_eq!(found(text), Some(String::from("+") + &digits), "{text}");
        }
    }

    #[test]
    fn the_form_that_rule_1_kept_is_known() {
        let older = older_form("+442079460958");
        assert_eq!(older.as_deref(), Some("+4402079460958"));
        assert_eq!(older, found("+44 020 7946 0958"));
        // One of rule 1 itself; no room for one more digit; no number.
        for form in ["+4402079460958", "+442079460958123", "+44", "44", ""] {
            assert_eq!(older_form(form), None, "{form}");
        }
    }
}
