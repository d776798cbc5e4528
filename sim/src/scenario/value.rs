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

/// A rate over time: pairs of seconds and rate, with straight lines between.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Vec<(f64, f64)>")]
pub(crate) struct Curve(Vec<(f64, f64)>);

impl TryFrom<Vec<(f64, f64)>> for Curve {
    type Error = String;

    fn try_from(points: Vec<(f64, f64)>) -> Result<Curve, String> {
        let grow = points.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let first = points.first().map(|(at_s, _)| *at_s);
        let rates = points.iter().all(|(_, rate)| (0.0..=1e9).contains(rate));
        match first == Some(0.0) && points.len() > 1 && grow && rates {
            true => Ok(Curve(points)),
            false => Err(
                "expected pairs of seconds and rate a second, at least two, from second 0 on, \
                 with growing seconds"
                    .into(),
            ),
        }
    }
}

impl Curve {
    pub(crate) fn length_s(&self) -> f64 {
        self.0.last().map_or(0.0, |(at_s, _)| *at_s)
    }

    pub(crate) fn greatest(&self) -> f64 {
        self.0.iter().fold(0.0, |most, (_, rate)| rate.max(most))
    }

    /// When the rate is at its greatest for the first time.
    pub(crate) fn greatest_at_s(&self) -> f64 {
        let greatest = self.greatest();
        let first = self.0.iter().find(|(_, rate)| *rate >= greatest);
        first.map_or(0.0, |(at_s, _)| *at_s)
    }

    pub(crate) fn rate_at(&self, at_s: f64) -> f64 {
        let after = self.0.iter().position(|(time_s, _)| *time_s > at_s);
        match after {
            None => self.0.last().map_or(0.0, |(_, rate)| *rate),
            Some(0) => self.0[0].1,
            Some(after) => {
                let (from, to) = (self.0[after - 1], self.0[after]);
                from.1 + (to.1 - from.1) * (at_s - from.0) / (to.0 - from.0)
            }
        }
    }
}
