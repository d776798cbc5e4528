//! How long things take: a logarithmic normal distribution by two of its
//! quantiles. Only integers, and floats through `libm`, so that every machine
//! draws the same.

/// Median and 99th percentile, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latency {
    /// Half take at most this long.
    pub p50_us: u32,
    /// All but one in a hundred take at most this long.
    pub p99_us: u32,
}

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_87;

impl Latency {
    /// The same time always.
    #[must_use]
    pub fn constant(us: u32) -> Latency {
        Latency {
            p50_us: us,
            p99_us: us,
        }
    }

    /// One of its values, in nanoseconds, drawn with 64 random bits.
    #[must_use]
    pub fn draw_ns(&self, random: u64) -> u64 {
        let median = f64::from(self.p50_us.max(1)) * 1_000.0;
        if self.p99_us <= self.p50_us {
            return to_ns(median);
        }
        let spread = libm::log(f64::from(self.p99_us) * 1_000.0 / median) / Z99;
        to_ns(median * libm::exp(spread * normal(random)))
    }
}

/// The sum of eight bytes, made to have mean 0 and variance 1: near enough to
/// a normal distribution up to its 99.9th percentile, and never beyond 4.9.
fn normal(random: u64) -> f64 {
    let sum: u32 = random.to_le_bytes().map(u32::from).iter().sum();
    // Eight uniform values of 0..=255: mean 1020, variance 8 * (256² - 1) / 12.
    (f64::from(sum) - 1_020.0) / 209.022_33
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive time far below 2^63"
)]
fn to_ns(ns: f64) -> u64 {
    ns as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_has_the_quantiles_that_were_asked_for() {
        let latency = Latency {
            p50_us: 1_250,
            p99_us: 6_000,
        };
        let mut state = 7u64;
        let mut drawn: Vec<u64> = (0..100_000)
            .map(|_| {
                // splitmix64 (Steele, Lea, Flood 2014).
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut z = state;
                z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                latency.draw_ns(z ^ (z >> 31))
            })
            .collect();
        drawn.sort_unstable();
        let near = |ns: u64, us: u64| ns.abs_diff(us * 1_000) * 20 <= us * 1_000;
        assert!(near(drawn[50_000], 1_250), "{}", drawn[50_000]);
        assert!(near(drawn[99_000], 6_000), "{}", drawn[99_000]);
    }

    #[test]
    fn a_constant_is_constant() {
        let drawn = [0, 1, u64::MAX].map(|random| Latency::constant(7).draw_ns(random));
        assert_eq!(drawn, [7_000; 3]);
    }
}
