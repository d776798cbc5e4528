//! Seeded randomness: a stream of its own for each subsystem, so that drawing
//! more in one place changes nothing in another.

use std::sync::{Mutex, PoisonError};

use tidegate_account::tagged;

/// xoshiro256++ (Blackman, Vigna 2021).
pub(crate) struct Stream(Mutex<[u64; 4]>);

/// One step of splitmix64's finaliser (Steele, Lea, Flood 2014).
pub(crate) fn mixed(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Stream {
    /// The stream of this name in the world of this seed.
    pub(crate) fn new(seed: u64, name: &str, number: u64) -> Stream {
        let parts: &[&[u8]] = &[&seed.to_le_bytes(), &number.to_le_bytes(), name.as_bytes()];
        let hash = tagged("tg-sim-stream-1", parts);
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(hash.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Stream(Mutex::new(state))
    }

    pub(crate) fn draw(&self) -> u64 {
        let mut s = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Below `bound`, which is not 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        // Multiply and shift (Lemire 2019), without its rejection: the bias is
        // below one in 2^32 for every bound used here.
        let product = u128::from(self.draw()) * u128::from(bound);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// In 0..1, never 0.
    pub(crate) fn fraction(&self) -> f64 {
        let bits = self.draw() >> 11;
        (bits as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Until the next arrival when so many a second come by chance, in
    /// nanoseconds.
    pub(crate) fn gap_ns(&self, per_s: f64) -> u64 {
        let seconds = -libm::log(self.fraction()) / per_s;
        to_u64(seconds * 1e9)
    }

    /// A rank below `count`, the one of rank n in proportion to 1/n.
    pub(crate) fn zipf(&self, count: u64) -> u64 {
        let rank = libm::exp(self.fraction() * libm::log(count as f64 + 1.0));
        to_u64(rank).clamp(1, count) - 1
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.draw().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and nothing here is negative"
)]
pub(crate) fn to_u64(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_seed_name_and_number_alone() {
        let first = |seed, name, number| Stream::new(seed, name, number).draw();
        assert_eq!(first(1, "network", 0), first(1, "network", 0));
        let all = [
            first(1, "network", 0),
            first(2, "network", 0),
            first(1, "store", 0),
            first(1, "network", 1),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 4);
    }

    #[test]
    fn ranks_fall_off_as_they_should() {
        let stream = Stream::new(1, "people", 0);
        let mut seen = [0u32; 1_000];
        for _ in 0..200_000 {
            seen[usize::try_from(stream.zipf(1_000)).unwrap()] += 1;
        }
        // ln 2 / ln 1001 is a tenth of all.
        assert!((19_000..21_200).contains(&seen[0]), "{}", seen[0]);
        let tens: u32 = seen[9..20].iter().sum();
        let hundreds: u32 = seen[99..200].iter().sum();
        assert!(tens.abs_diff(hundreds) * 5 < tens, "{tens} {hundreds}");
    }

    #[test]
    fn arrivals_come_at_their_rate() {
        let stream = Stream::new(1, "arrivals", 0);
        let sum: u64 = (0..100_000).map(|_| stream.gap_ns(1_000.0)).sum();
        assert!((98_000_000_000..102_000_000_000).contains(&sum), "{sum}");
    }
}
