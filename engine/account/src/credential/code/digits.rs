//! The digits of a code: drawn without bias, read however they are typed.

use core::fmt;
use core::str;

use icu_properties::props::{EnumeratedProperty, GeneralCategory};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::credential::typed::is_passed_over;
use crate::entropy::Entropy;

/// The fewest digits of a code (SP 800-63B-4, 3.1.3.2: six).
const MIN: u8 = 6;
/// The most digits of a code.
const MAX: u8 = 10;
/// The longest text that is looked at.
const TEXT_MAX_BYTES: usize = 128;

/// How many digits a code has: 6 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeDigits(u8);

impl CodeDigits {
    /// Six: what people expect, and the least that is allowed.
    pub const SIX: CodeDigits = CodeDigits(MIN);

    /// So many; `None` when it is not 6 to 10.
    #[must_use]
    pub fn new(count: u8) -> Option<CodeDigits> {
        (MIN..=MAX).contains(&count).then_some(CodeDigits(count))
    }

    /// The count.
    #[must_use]
    pub fn count(self) -> u8 {
        self.0
    }
}

/// Why a text is not a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeFault {
    /// It has fewer than 6 digits.
    TooShort,
    /// It has more than 10 digits, or more than 128 bytes.
    TooLong,
    /// It has something that is no digit, space or hyphen.
    NotDigits,
}

impl fmt::Display for CodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodeFault::TooShort => write!(f, "it has fewer than {MIN} digits"),
            CodeFault::TooLong => write!(f, "it has more than {MAX} digits"),
            CodeFault::NotDigits => f.write_str("it has something other than digits"),
        }
    }
}

/// A code of 6 to 10 decimal digits. It is redacted, wiped when dropped, and
/// has no `==`: it is compared by its hash.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code {
    digits: [u8; MAX as usize],
    count: u8,
}

impl Code {
    /// A code of so many digits, each code as likely as any other.
    #[must_use]
    pub fn draw(digits: CodeDigits, entropy: &mut Entropy) -> Code {
        let codes = 10u64.pow(digits.0.into());
        // Numbers beyond the last whole multiple would make low codes likelier.
        let fair = u64::MAX - u64::MAX % codes;
        loop {
            let number = entropy.number();
            if number < fair {
                return Code::of_number(number % codes, digits);
            }
        }
    }

    fn of_number(mut number: u64, digits: CodeDigits) -> Code {
        let mut code = Code {
            digits: [0; MAX as usize],
            count: digits.0,
        };
        for place in code.digits[..usize::from(digits.0)].iter_mut().rev() {
            // Less than ten, so nothing is cut off.
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
        code
    }

    /// Reads a code as it was typed. Spaces and hyphens of every kind are passed
    /// over; a decimal digit of any script stands for its value, because phones
    /// write the digits of their language.
    ///
    /// # Errors
    /// [`CodeFault`] when it has anything else, or not 6 to 10 digits.
    pub fn parse(text: &str) -> Result<Code, CodeFault> {
        if text.len() > TEXT_MAX_BYTES {
            return Err(CodeFault::TooLong);
        }
        let mut code = Code {
            digits: [0; MAX as usize],
            count: 0,
        };
        for c in text.chars().filter(|c| !is_passed_over(*c)) {
            let digit = value(c).ok_or(CodeFault::NotDigits)?;
            let place = code.digits.get_mut(usize::from(code.count));
            *place.ok_or(CodeFault::TooLong)? = b'0' + digit;
            code.count += 1;
        }
        match code.count < MIN {
            true => Err(CodeFault::TooShort),
            false => Ok(code),
        }
    }

    /// The digits in ASCII, for what is sent and what must hash them.
    #[must_use]
    pub fn expose(&self) -> &str {
        let digits = self.digits.get(..usize::from(self.count));
        // ASCII digits are UTF-8.
        str::from_utf8(digits.unwrap_or_default()).unwrap_or_default()
    }

    /// All places and how many of them are used: the same length for every code.
    pub(super) fn hashed(&self) -> [&[u8]; 2] {
        [core::slice::from_ref(&self.count), &self.digits]
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// The value of a decimal digit. Each script's stand in a row from 0 to 9, and
/// rows that touch are whole (Unicode, 4.6), so a digit's distance from the
/// beginning of the rows says it.
fn value(c: char) -> Option<u8> {
    if c.is_ascii_digit() {
        return Some(c as u8 - b'0');
    }
    let is_digit = |c| GeneralCategory::for_char(c) == GeneralCategory::DecimalNumber;
    if !is_digit(c) {
        return None;
    }
    let before = (0..u32::from(c)).rev();
    let row = before.map_while(|code| char::from_u32(code).filter(|c| is_digit(*c)));
    u8::try_from(row.count() % 10).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn read(text: &str) -> Result<String, CodeFault> {
        Code::parse(text).map(|code| code.expose().into())
    }

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for text in [
            "012345",
            " 012 345\n",
            "012-345",
            "012\u{2013}345",
            "0\u{a0}1\u{202f}2\u{2212}3 4\t5",
            "\u{660}\u{661}\u{662}\u{663}\u{664}\u{665}",
            "\u{6f0}\u{6f1}\u{6f2} \u{6f3}\u{6f4}\u{6f5}",
            "\u{966}\u{967}\u{968}\u{969}\u{96a}\u{96b}",
            "\u{ff10}\u{ff11}\u{ff12}\u{ff0d}\u{ff13}\u{ff14}\u{ff15}",
            // The last of five rows that touch.
            "\u{1d7f6}\u{1d7f7}\u{1d7f8}\u{1d7f9}\u{1d7fa}\u{1d7fb}",
        ] {
            assert_eq!(read(text), Ok("012345".into()), "{text:?}");
        }
        assert_eq!(read("9876543210"), Ok("9876543210".into()));
    }

    #[test]
    fn what_is_no_code_is_a_fault_that_says_why() {
        for (text, fault) in [
            ("", CodeFault::TooShort),
            ("- -", CodeFault::TooShort),
            ("12345", CodeFault::TooShort),
            ("12345678901", CodeFault::TooLong),
            ("12345x", CodeFault::NotDigits),
            ("O12345", CodeFault::NotDigits),
            ("+12345", CodeFault::NotDigits),
            ("12345\u{b2}", CodeFault::NotDigits),
            ("12345\u{2460}", CodeFault::NotDigits),
            ("12345\u{216b}", CodeFault::NotDigits),
            ("123456\0", CodeFault::NotDigits),
        ] {
            assert_eq!(read(text), Err(fault), "{text:?}");
        }
        assert_eq!(read(&" ".repeat(129)), Err(CodeFault::TooLong));
    }

    #[test]
    fn rows_of_digits_are_whole() {
        let digits: Vec<char> = ('\0'..=char::MAX)
            .filter(|c| GeneralCategory::for_char(*c) == GeneralCategory::DecimalNumber)
            .collect();
        assert!(digits.len() >= 770, "{}", digits.len());
        for row in digits.chunks(10) {
            let values: Vec<_> = row.iter().map(|c| value(*c).unwrap()).collect();
            assert_eq!(values, (0..10).collect::<Vec<_>>(), "{row:?}");
            assert_eq!(row[9] as u32 - row[0] as u32, 9, "{row:?}");
        }
    }

    #[test]
    fn codes_are_drawn_in_their_length_and_evenly() {
        let mut entropy = Entropy::new([1; 32]);
        for count in 0..=u8::MAX {
            let digits = CodeDigits::new(count);
            assert_eq!(digits.map(CodeDigits::count), {
                (6..=10).contains(&count).then_some(count)
            });
            let drawn = digits.map(|digits| Code::draw(digits, &mut entropy));
            assert!(drawn.is_none_or(|code| code.expose().len() == usize::from(count)));
        }
        let mut seen = [[0u32; 10]; 6];
        for _ in 0..10_000 {
            let code = Code::draw(CodeDigits::SIX, &mut entropy);
            for (place, digit) in code.expose().bytes().enumerate() {
                seen[place][usize::from(digit - b'0')] += 1;
            }
        }
        // 1,000 each are expected; six standard deviations are 180.
        assert!(
            seen.iter().flatten().all(|n| (820..1_180).contains(n)),
            "{seen:?}"
        );
    }

    #[test]
    fn a_number_becomes_the_digits_that_it_is_written_with() {
        let written = |number, count| {
            let digits = CodeDigits::new(count).unwrap();
            String::from(Code::of_number(number, digits).expose())
        };
        assert_eq!(written(0, 6), "000000");
        assert_eq!(written(42, 8), "00000042");
        assert_eq!(written(9_999_999_999, 10), "9999999999");
    }

    #[test]
    fn a_code_is_never_shown() {
        let code = Code::parse("123456").unwrap();
        assert_eq!(std::format!("{code:?}"), "Code(..)");
    }
}
