//! Ranges of addresses, as operators write them: `10.1.0.0/16`, `fd00::/8` (RFC 4632,
//! RFC 4291).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const RULE: &str = "an address and the length of its prefix, as in 10.1.0.0/16";

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    first: IpAddr,
    prefix: u8,
}

/// An address as a number of the most significant bits.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

impl Range {
    /// Whether an address of the same version lies in it.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        let ((first, width), (bits, other)) = (bits(self.first), bits(address));
        let differing = 128 - u32::from(self.prefix);
        let same = (first ^ bits).checked_shr(differing).unwrap_or(0) == 0;
        width == other && same
    }
}

impl FromStr for Range {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Range, &'static str> {
        let (first, prefix) = text.split_once('/').ok_or(RULE)?;
        let first: IpAddr = first.parse().map_err(|_| RULE)?;
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().map_err(|_| RULE)?;
        let (number, width) = bits(first);
        let rest = number.checked_shl(prefix.into()).unwrap_or(0);
        match digits && prefix <= width && rest == 0 {
            true => Ok(Range { first, prefix }),
            false => Err(RULE),
        }
    }
}

impl TryFrom<String> for Range {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Range, &'static str> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> String {
        range.to_string()
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_shares_its_prefix() {
        for (range, address, held) in [
            ("127.0.0.0/8", "127.255.0.1", true),
            ("127.0.0.0/8", "128.0.0.0", false),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.2", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "1.2.3.4", false),
            ("::/0", "ffff::", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1/128", "::1", true),
            ("::1/128", "::2", false),
        ] {
            let range: Range = range.parse().unwrap();
            assert_eq!(
                range.holds(address.parse().unwrap()),
                held,
                "{range} {address}"
            );
            assert_eq!(range.to_string().parse(), Ok(range));
        }
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "a/8",
        ] {
            assert_eq!(text.parse::<Range>(), Err(RULE), "{text}");
        }
    }
}
