//! The secret of a link, and the number that ties a link that is opened
//! elsewhere to the browser that asked for it.

use alloc::string::String;
use core::fmt;

use constant_time_eq::constant_time_eq_n;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::secret::Secret;

/// The bytes of a link's secret: 128 bits.
pub const LINK_SECRET_BYTES: usize = 16;
const TEXT_BYTES: usize = 22;

/// A text that is no link's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkFault;

/// The secret of a link: 128 random bits.
#[derive(Clone, Debug)]
pub struct LinkSecret(Secret<LINK_SECRET_BYTES>);

impl LinkSecret {
    /// A new one.
    #[must_use]
    pub fn draw(entropy: &mut Entropy) -> LinkSecret {
        LinkSecret(Secret::new(entropy.bytes()))
    }

    /// Reads the 22 characters of base64url without padding (RFC 4648, 5).
    ///
    /// # Errors
    /// [`LinkFault`] when it is anything else.
    pub fn parse(text: &str) -> Result<LinkSecret, LinkFault> {
        let mut bytes = Zeroizing::new([0; LINK_SECRET_BYTES]);
        if text.len() != TEXT_BYTES {
            return Err(LinkFault);
        }
        let read = BASE64URL_NOPAD.decode_mut(text.as_bytes(), bytes.as_mut_slice());
        read.map_err(|_| LinkFault)?;
        Ok(LinkSecret(Secret::new(*bytes)))
    }

    /// The text that stands in the link.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64URL_NOPAD.encode(self.0.expose()))
    }

    pub(super) fn hashed(&self) -> &[u8] {
        self.0.expose()
    }
}

/// Two digits that the browser which asked for a link shows. A link that is
/// opened in another asks for them, so that a link which an attacker asked for
/// lets nobody in who only opens it.
#[derive(Clone, Copy)]
pub struct MatchNumber(u8);

impl MatchNumber {
    /// A new one, each as likely as any other.
    #[must_use]
    pub fn draw(entropy: &mut Entropy) -> MatchNumber {
        loop {
            let [byte] = entropy.bytes();
            // 200 and above would make low numbers likelier.
            if byte < 200 {
                return MatchNumber(byte % 100);
            }
        }
    }

    /// The number of a value; `None` when it has more than two digits.
    #[must_use]
    pub fn new(value: u8) -> Option<MatchNumber> {
        (value < 100).then_some(MatchNumber(value))
    }

    /// Its value, 0 to 99. It is shown with two digits.
    #[must_use]
    pub fn value(self) -> u8 {
        self.0
    }

    pub(super) fn matches(self, other: MatchNumber) -> bool {
        constant_time_eq_n(&[self.0], &[other.0])
    }
}

impl fmt::Debug for MatchNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MatchNumber(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_secret_reads_back_and_nothing_else_does() {
        let secret = LinkSecret(Secret::new(core::array::from_fn(|at| at as u8 * 17)));
        let text = secret.to_text();
        assert_eq!(text.as_str(), "ABEiM0RVZneImaq7zN3u_w");
        assert_eq!(LinkSecret::parse(&text).unwrap().hashed(), secret.hashed());
        for other in [
            "",
            "ABEiM0RVZneImaq7zN3u_",
            "ABEiM0RVZneImaq7zN3u_w=",
            "ABEiM0RVZneImaq7zN3u/w",
            // The last character has bits that no byte takes.
            "ABEiM0RVZneImaq7zN3u_x",
            "ABEiM0RVZneImaq7zN3u w",
            "ABEiM0RVZneImaq7zN3u\u{e4}",
        ] {
            assert_eq!(LinkSecret::parse(other).err(), Some(LinkFault), "{other}");
        }
    }

    #[test]
    fn numbers_are_of_two_digits_and_drawn_evenly() {
        let mut entropy = Entropy::new([2; 32]);
        let mut seen = [0u32; 100];
        for _ in 0..20_000 {
            seen[usize::from(MatchNumber::draw(&mut entropy).value())] += 1;
        }
        // 200 each are expected; six standard deviations are 84.
        assert!(seen.iter().all(|n| (116..284).contains(n)), "{seen:?}");
        let known = (0..=u8::MAX).filter_map(MatchNumber::new);
        assert!(known.map(MatchNumber::value).eq(0..100));
    }

    #[test]
    fn neither_is_ever_shown() {
        let secret = LinkSecret(Secret::new([7; 16]));
        assert_eq!(std::format!("{secret:?}"), "LinkSecret(Secret(..))");
        let number = MatchNumber::new(42).unwrap();
        assert_eq!(std::format!("{number:?}"), "MatchNumber(..)");
        assert!(number.matches(number) && !number.matches(MatchNumber(43)));
    }
}
