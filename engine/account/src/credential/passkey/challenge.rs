//! The challenge of a ceremony.

use alloc::string::String;
use core::fmt;

use constant_time_eq::constant_time_eq_32;
use data_encoding::BASE64URL_NOPAD;

/// The bytes of a challenge. WebAuthn L3, Cryptographic Challenges, asks for at least 16.
pub const CHALLENGE_BYTES: usize = 32;

/// A challenge: 32 random bytes, for one ceremony. There is no `==`: use
/// [`Challenge::matches`].
#[derive(Clone)]
pub struct Challenge([u8; CHALLENGE_BYTES]);

impl Challenge {
    /// Takes the random bytes.
    #[must_use]
    pub fn new(bytes: [u8; CHALLENGE_BYTES]) -> Challenge {
        Challenge(bytes)
    }

    /// The bytes, to be sealed or sent.
    #[must_use]
    pub fn expose(&self) -> &[u8; CHALLENGE_BYTES] {
        &self.0
    }

    /// Whether a member of client data is this challenge, in base64url without
    /// padding. Its contents are compared in constant time.
    #[must_use]
    pub fn matches(&self, base64url: &str) -> bool {
        let decoded = BASE64URL_NOPAD.decode(base64url.as_bytes());
        let bytes = decoded.ok().and_then(|bytes| bytes.try_into().ok());
        bytes.is_some_and(|bytes: [u8; CHALLENGE_BYTES]| constant_time_eq_32(&self.0, &bytes))
    }

    pub(super) fn to_base64url(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenge(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_matches_its_one_text() {
        let challenge = Challenge::new([0xFB; 32]);
        let text = challenge.to_base64url();
        assert!(challenge.matches(&text));
        let padded = std::format!("{text}=");
        let standard = text.replace('-', "+").replace('_', "/");
        // The last digit carries two bits that are not of the challenge.
        let trailing = std::format!("{}t", &text[..42]);
        for other in ["", &text[1..], &padded, &standard, &trailing] {
            assert!(!challenge.matches(other), "{other}");
        }
        assert!(!Challenge::new([0xFA; 32]).matches(&text));
        assert_eq!(std::format!("{challenge:?}"), "Challenge(..)");
    }
}
