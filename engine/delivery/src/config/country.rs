//! Countries that text messages are sent to (ISO 3166-1 alpha-2), and which of them a
//! phone number may be of (ITU-T E.164, list of assigned country codes). Numbers of
//! countries that share a code count for each of them, except where the plan of North
//! America and that of Russia and Kazakhstan tell them apart by what follows.

mod prefixes;

use std::fmt;

use serde::{Deserialize, Serialize};

use prefixes::PREFIXES;

const RULE: &str = "two capital letters of a country (ISO 3166-1), as in DE";

/// A country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

impl Country {
    fn parse(text: &str) -> Option<Country> {
        let mut known = PREFIXES.iter().flat_map(|(names, _)| names.split(' '));
        let name = known.find(|name| *name == text)?;
        name.as_bytes().try_into().ok().map(Country)
    }

    /// The countries that a number in E.164 form (`+` and digits) may be of; none when
    /// it is of no country: ships, satellites, networks.
    pub(crate) fn of_number(number: &str) -> Vec<Country> {
        let Some(digits) = number.strip_prefix('+') else {
            return Vec::new();
        };
        let entries = PREFIXES.iter();
        let entries = entries.flat_map(|(names, all)| all.split(' ').map(move |one| (*names, one)));
        let begun = entries.filter(|(_, prefix)| digits.starts_with(prefix));
        let longest = begun.max_by_key(|(_, prefix)| prefix.len());
        let names = longest.map_or("", |(names, _)| names).split(' ');
        names.filter_map(Country::parse).collect()
    }
}

impl TryFrom<String> for Country {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Country, &'static str> {
        Country::parse(&text).ok_or(RULE)
    }
}

impl From<Country> for String {
    fn from(country: Country) -> String {
        country.to_string()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_of_the_country_of_its_longest_prefix() {
        for (number, countries) in [
            ("+12025550123", "US"),
            ("+14165550123", "CA"),
            ("+18765550123", "JM"),
            ("+79161234567", "RU"),
            ("+77011234567", "KZ"),
            ("+4915112345678", "DE"),
            ("+447400123456", "GB GG JE IM"),
            ("+3906698", "IT VA"),
            ("+8816", ""),
            ("+9991", ""),
            ("4915112345678", ""),
            ("+", ""),
        ] {
            let names = Country::of_number(number).into_iter().map(String::from);
            assert_eq!(names.collect::<Vec<_>>().join(" "), countries, "{number}");
        }
    }

    #[test]
    fn every_prefix_stands_once_and_every_country_has_two_letters() {
        let all = PREFIXES.iter().flat_map(|(_, all)| all.split(' '));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        let before = all.len();
        all.dedup();
        assert_eq!(all.len(), before);
        for name in PREFIXES.iter().flat_map(|(names, _)| names.split(' ')) {
            assert_eq!(Country::parse(name).unwrap().to_string(), name);
        }
        for text in ["", "de", "DEU", "ZZ", "D"] {
            assert_eq!(Country::try_from(text.to_owned()), Err(RULE));
        }
    }
}
