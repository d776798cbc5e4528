//! Randomness as a value: a seed goes in with each input.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::digest::tagged;

/// An endless stream of bytes from one 256-bit seed: SHA-256 of seed and
/// counter. The same seed gives the same bytes.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Entropy {
    seed: [u8; 32],
    drawn: u64,
}

impl Entropy {
    /// Starts the stream of a seed, which must be used once.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Entropy {
        Entropy { seed, drawn: 0 }
    }

    /// The next `N` bytes, at most 32.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 32) };
        self.drawn += 1;
        let block = tagged("tg-entropy-1", &[&self.seed, &self.drawn.to_le_bytes()]);
        let mut bytes = [0; N];
        bytes.copy_from_slice(&block[..N]);
        bytes
    }

    pub(crate) fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
}
