//! The ranges of what flags and mixes take: what lies outside of them is refused
//! before anything is measured.

use std::ops::RangeInclusive;

use clap::builder::RangedU64ValueParser;

/// Seeds beyond do not survive JSON.
pub(crate) const SEED_MAX: u64 = (1 << 53) - 1;
/// No load is longer, in seconds.
pub(crate) const LENGTH_MAX_S: f64 = 86_400.0;
/// Requests a second.
pub(crate) const RATES: RangeInclusive<f64> = 1.0..=1e7;
/// One of several parts of a mix.
pub(crate) const PART_MAX: u32 = 1_000_000;
/// Connections, or requests in flight on one: as many frames as a node takes
/// on a connection.
pub(crate) const PLACES: RangeInclusive<u64> = 1..=4_096;
const PEOPLE: RangeInclusive<u64> = 1..=10_000_000;

/// A number in a range: what is no number lies in none.
fn real(text: &str, range: &RangeInclusive<f64>) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if range.contains(&value) => Ok(value),
        _ => Err(format!(
            "a number from {} to {}",
            range.start(),
            range.end()
        )),
    }
}

/// Seconds of a load that counts.
pub(crate) fn length_s(text: &str) -> Result<f64, String> {
    real(text, &(1.0..=LENGTH_MAX_S))
}

/// Seconds before anything is counted.
pub(crate) fn warm_up_s(text: &str) -> Result<f64, String> {
    real(text, &(0.0..=3_600.0))
}

/// Seconds of one of many turns.
pub(crate) fn turn_s(text: &str) -> Result<f64, String> {
    real(text, &(1.0..=3_600.0))
}

/// Requests a second.
pub(crate) fn rate_per_s(text: &str) -> Result<f64, String> {
    real(text, &RATES)
}

/// Requests a second by way of the client library.
pub(crate) fn calls_per_s(text: &str) -> Result<f64, String> {
    real(text, &(1.0..=1e6))
}

pub(crate) fn people() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(PEOPLE)
}

pub(crate) fn places() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(PLACES)
}

pub(crate) fn threads() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(0..=1_024)
}

pub(crate) fn turns() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=1_000)
}

#[cfg(test)]
mod tests;
