//! Reproducible draws: SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast
//! splittable pseudorandom number generators", OOPSLA 2014).

use std::time::{SystemTime, UNIX_EPOCH};

/// A stream of draws from one seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// From this moment and this process: another one every time.
    pub(crate) fn unforeseen() -> Random {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let ns = since.map_or(0, |since| since.as_nanos() as u64);
        let mut random = Random(ns ^ u64::from(std::process::id()) << 32);
        Random(random.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next()) * bound as u128;
        (wide >> 64) as usize
    }

    /// Above 0, at most 1.
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// Of `bound` ranks, the n-th in proportion to 1/n (continuous
    /// approximation: the logarithm of the rank is uniform).
    pub(crate) fn zipf(&mut self, bound: usize) -> usize {
        let rank = (bound as f64 + 1.0).powf(self.unit()) as usize;
        rank.clamp(1, bound) - 1
    }

    pub(crate) fn key(&mut self) -> [u8; 16] {
        let (a, b) = (self.next().to_le_bytes(), self.next().to_le_bytes());
        let mut key = [0; 16];
        key[..8].copy_from_slice(&a);
        key[8..].copy_from_slice(&b);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_lie_in_their_range_and_repeat_with_the_seed() {
        let draws = |seed| {
            let mut random = Random::new(seed);
            let mut draw = || (random.below(10), random.zipf(10), random.unit());
            (0..1_000).map(|_| draw()).collect::<Vec<_>>()
        };
        let all = draws(1);
        assert!(
            all.iter()
                .all(|(a, b, u)| *a < 10 && *b < 10 && *u > 0.0 && *u <= 1.0)
        );
        assert_eq!(all, draws(1));
        assert_ne!(all, draws(2));
        let first = |rank| all.iter().filter(|(_, zipf, _)| *zipf == rank).count();
        assert!(first(0) > first(3) && first(3) > first(9));
    }
}
