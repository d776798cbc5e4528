//! CBOR (RFC 8949) in the canonical form of CTAP2, and in no other: shortest
//! heads, definite lengths, keys in order and once each, no tags. WebAuthn L3 §2
//! says that what is not in this form should be rejected.
//!
//! One form means that a value has one shape: a reader of it matches the slice
//! of a map's entries, and need not look for members.

use alloc::vec::Vec;

/// How deep arrays and maps may lie in each other. CTAP2 has four levels; the
/// statement of a `compound` attestation (WebAuthn L3 §8.9) begins one deeper.
const DEPTH_MAX: usize = 8;

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Integer(i128),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// A number with a fraction, a truth value, null: nothing that is read.
    Other,
}

/// The bytes are not one item in the canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotCanonical;

/// Reads one item, after which there is nothing.
pub(super) fn read_all(bytes: &[u8]) -> Result<Value<'_>, NotCanonical> {
    match read_first(bytes)? {
        (value, []) => Ok(value),
        (_, _) => Err(NotCanonical),
    }
}

/// Reads one item, and says what follows it.
pub(super) fn read_first(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), NotCanonical> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(DEPTH_MAX)?;
    Ok((value, reader.rest))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: u64) -> Result<&'a [u8], NotCanonical> {
        let bytes = usize::try_from(bytes).map_err(|_| NotCanonical)?;
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(NotCanonical)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The major type, the low bits of the first byte, and the argument.
    fn head(&mut self) -> Result<(u8, u8, u64), NotCanonical> {
        let (&first, rest) = self.rest.split_first().ok_or(NotCanonical)?;
        self.rest = rest;
        let low = first & 0x1F;
        let argument_bytes = match low {
            0..=23 => return Ok((first >> 5, low, low.into())),
            24..=27 => 1_u64 << (low - 24),
            // Reserved, or of an indefinite length.
            _ => return Err(NotCanonical),
        };
        let argument = self.take(argument_bytes)?;
        let argument = argument
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        Ok((first >> 5, low, argument))
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, NotCanonical> {
        let (major, low, argument) = self.head()?;
        if major < 7 && !is_shortest(low, argument) {
            return Err(NotCanonical);
        }
        match major {
            0 => Ok(Value::Integer(argument.into())),
            1 => Ok(Value::Integer(-1 - i128::from(argument))),
            2 => Ok(Value::Bytes(self.take(argument)?)),
            3 => {
                let text = core::str::from_utf8(self.take(argument)?);
                Ok(Value::Text(text.map_err(|_| NotCanonical)?))
            }
            4 => self.array(argument, depth.checked_sub(1).ok_or(NotCanonical)?),
            5 => self.map(argument, depth.checked_sub(1).ok_or(NotCanonical)?),
            // A simple value below 32 has no byte of its own (RFC 8949 §3.3).
            7 if low != 24 || argument >= 32 => Ok(Value::Other),
            _ => Err(NotCanonical),
        }
    }

    // Neither makes room for the length that is claimed: each item that is there
    // has taken a byte at least.
    fn array(&mut self, items: u64, depth: usize) -> Result<Value<'a>, NotCanonical> {
        let mut array = Vec::new();
        for _ in 0..items {
            array.push(self.value(depth)?);
        }
        Ok(Value::Array(array))
    }

    fn map(&mut self, entries: u64, depth: usize) -> Result<Value<'a>, NotCanonical> {
        let mut map = Vec::new();
        let mut before = None;
        for _ in 0..entries {
            let from = self.rest;
            let key = self.value(depth)?;
            let encoded = from.get(..from.len() - self.rest.len());
            let rank = rank(encoded.unwrap_or_default());
            if before.is_some_and(|before| before >= rank) {
                return Err(NotCanonical);
            }
            before = Some(rank);
            map.push((key, self.value(depth)?));
        }
        Ok(Value::Map(map))
    }
}

/// Where a key stands among others: by type, then by length, then by bytes.
fn rank(key: &[u8]) -> (u8, usize, &[u8]) {
    let major = key.first().map_or(0, |first| first >> 5);
    (major, key.len(), key)
}

fn is_shortest(low: u8, argument: u64) -> bool {
    match low {
        24 => argument > 23,
        25 => argument > 0xFF,
        26 => argument > 0xFFFF,
        27 => argument > 0xFFFF_FFFF,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    fn is_taken(hex: &str) -> bool {
        read_all(&HEXLOWER.decode(hex.as_bytes()).unwrap()).is_ok()
    }

    #[test]
    fn a_map_is_read_in_its_order() {
        let bytes = HEXLOWER.decode(b"a3012020f6617841aa").unwrap();
        let map = std::vec![
            (Value::Integer(1), Value::Integer(-1)),
            (Value::Integer(-1), Value::Other),
            (Value::Text("x"), Value::Bytes(&[0xAA])),
        ];
        assert_eq!(read_all(&bytes), Ok(Value::Map(map)));
        let (first, rest) = read_first(&[0x81, 0x18, 0x18, 0xFF]).unwrap();
        assert_eq!(first, Value::Array(std::vec![Value::Integer(24)]));
        assert_eq!(rest, [0xFF]);
    }

    #[test]
    fn the_ends_of_what_numbers_can_say_are_read() {
        let ends = [
            ("1bffffffffffffffff", i128::from(u64::MAX)),
            ("3bffffffffffffffff", -1 - i128::from(u64::MAX)),
        ];
        for (hex, number) in ends {
            let bytes = HEXLOWER.decode(hex.as_bytes()).unwrap();
            assert_eq!(read_all(&bytes), Ok(Value::Integer(number)));
        }
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        for (hex, why) in [
            ("", "nothing"),
            ("0101", "something follows"),
            ("1817", "23 in two bytes"),
            ("190018", "24 in three bytes"),
            ("1a0000ffff", "a number in five bytes"),
            ("1b00000000ffffffff", "a number in nine bytes"),
            ("5801aa", "a length in two bytes"),
            ("5f41aaff", "bytes of an indefinite length"),
            ("9fff", "an array of an indefinite length"),
            ("bfff", "a map of an indefinite length"),
            ("1c", "a reserved head"),
            ("ff", "an end of nothing"),
            ("c001", "a tag"),
            ("f810", "a simple value in two bytes"),
            ("61ff", "text that is not UTF-8"),
            ("a201010102", "a key twice"),
            ("a220010102", "a negative key before a positive one"),
            ("a203010102", "keys that descend"),
            ("a262616101616202", "a longer key first"),
            ("818181818181818181", "nine levels and no end"),
            ("81818181818181818101", "nine levels"),
            ("9bffffffffffffffff", "a length that is not there"),
            ("bbffffffffffffffff", "entries that are not there"),
            ("5bffffffffffffffff", "bytes that are not there"),
        ] {
            let taken = is_taken(hex);
            assert!(!taken, "{hex}: {why}");
        }
        for hex in ["1818", "f93c00", "f5", "f820", "818181818181818101", "a0"] {
            assert!(is_taken(hex), "{hex}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok((_, rest)) = read_first(&bytes) {
                let item = &bytes[..bytes.len() - rest.len()];
                prop_assert!(read_all(item).is_ok());
                for cut in 0..item.len() {
                    prop_assert_eq!(read_all(&item[..cut]), Err(NotCanonical));
                }
            }
        }
    }
}
