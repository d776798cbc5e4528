//! Values that must not be seen: redacted, zeroized, compared in constant time.

use core::fmt;

use constant_time_eq::constant_time_eq_n;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The bytes of a token's secret: 192 bits.
pub const SECRET_BYTES: usize = 24;

/// Secret bytes. There is no `==`: use [`Secret::matches`].
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize = SECRET_BYTES>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes in.
    #[must_use]
    pub fn new(bytes: [u8; N]) -> Secret<N> {
        Secret(bytes)
    }

    /// The bytes, for callers that must send or hash them.
    #[must_use]
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// Compares in time that does not depend on the contents.
    #[must_use]
    pub fn matches(&self, other: &Secret<N>) -> bool {
        constant_time_eq_n(&self.0, &other.0)
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(std::format!("{:?}", Secret::new([7; 24])), "Secret(..)");
    }

    #[test]
    fn secrets_match_when_every_byte_does() {
        let [a, b] = [[1; 24], [2; 24]].map(Secret::new);
        assert_eq!([a.matches(&a.clone()), a.matches(&b)], [true, false]);
    }
}
