//! Values with a range: what is out of it is refused where it stands.

use serde::Deserialize;

/// At least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Count(pub(crate) u64);

impl TryFrom<u64> for Count {
    type Error = String;

    fn try_from(value: u64) -> Result<Count, String> {
        match value {
            1..=1_000_000_000_000 => Ok(Count(value)),
            _ => Err(format!("{value}: expected a number from 1 to 10^12")),
        }
    }
}

impl Count {
    pub(crate) fn u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    pub(crate) fn usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A time in seconds, 0 or more, at most a year.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Seconds(pub(crate) f64);

const YEAR_S: f64 = 366.0 * 86_400.0;

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(value: f64) -> Result<Seconds, String> {
        match (0.0..=YEAR_S).contains(&value) {
            true => Ok(Seconds(value)),
            false => Err(format!("{value}: expected seconds, from 0 to a year")),
        }
    }
}

impl Seconds {
    pub(crate) fn ns(self) -> u64 {
        crate::random::to_u64(self.0 * 1e9)
    }

    pub(crate) fn ms(self) -> u64 {
        self.ns() / 1_000_000
    }
}

/// A time in milliseconds, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct Millis(pub(crate) u32);

impl TryFrom<u32> for Millis {
    type Error = String;

    fn try_from(value: u32) -> Result<Millis, String> {
        match value {
            0 => Err("0: expected milliseconds, at least 1".into()),
            ms => Ok(Millis(ms)),
        }
    }
}

/// A time in microseconds, at most a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub(crate) struct Micros(pub(crate) u32);

impl TryFrom<u32> for Micros {
    type Error = String;

    fn try_from(value: u32) -> Result<Micros, String> {
        match value {
            us @ 0..=60_000_000 => Ok(Micros(us)),
            us => Err(format!("{us}: expected microseconds, at most a minute")),
        }
    }
}

/// A share in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Percent(pub(crate) f64);

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(value: f64) -> Result<Percent, String> {
        match (0.0..=100.0).contains(&value) {
            true => Ok(Percent(value)),
            false => Err(format!("{value}: expected percent, from 0 to 100")),
        }
    }
}

/// What something costs: 0 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Price(pub(crate) f64);

impl TryFrom<f64> for Price {
    type Error = String;

    fn try_from(value: f64) -> Result<Price, String> {
        match (0.0..=1e9).contains(&value) {
            true => Ok(Price(value)),
            false => Err(format!("{value}: expected a price, from 0 to 10^9")),
        }
    }
}
