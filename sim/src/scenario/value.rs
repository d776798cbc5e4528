//! Values with a range: what is out of it is refused where it stands.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// No night is longer, in seconds.
pub(crate) const DAY_S: u64 = 86_400;
pub(crate) const YEAR_S: u64 = 366 * DAY_S;
/// Nodes of a fleet, those that come later among them.
pub(crate) const NODES_MAX: u64 = 1_024;

/// How many are registered, or come.
pub(crate) type People = Whole<1, 10_000_000_000>;
/// One of several parts of a whole.
pub(crate) type Part = Whole<0, 1_000_000>;
/// Nodes, or the number of one.
pub(crate) type Nodes = Whole<1, NODES_MAX>;
/// Cores of a node, or its threads of one kind.
pub(crate) type Threads = Whole<1, 1_024>;
/// What may wait in a line.
pub(crate) type Places = Whole<1, 1_000_000>;
/// How many of something a store does in a second.
pub(crate) type Rate = Whole<1, 100_000_000>;
/// Until a call is given up, or repeated.
pub(crate) type CallMillis = Whole<1, 600_000>;
pub(crate) type LeaseMillis = Whole<100, 600_000>;
/// Between two tries of one person.
pub(crate) type PauseMillis = Whole<1, 3_600_000>;
/// Of one step: at most a minute.
pub(crate) type StepMicros = Whole<0, 60_000_000>;
/// Windows begin one second apart: what there is to sort grows with their length.
pub(crate) type WindowSeconds = Whole<1, 300>;
/// A moment of the night, or a part of it.
pub(crate) type Seconds = Span<0, DAY_S>;
/// How long something may rest.
pub(crate) type RestSeconds = Span<1, YEAR_S>;
pub(crate) type Percent = Share<100>;
/// Of datagrams: with more of them lost nothing would get through in time.
pub(crate) type LossPercent = Share<50>;

/// A whole number in its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whole<const LEAST: u64, const MOST: u64>(pub(crate) u64);

impl<const MOST: u64> Default for Whole<0, MOST> {
    fn default() -> Whole<0, MOST> {
        Whole(0)
    }
}

impl<const LEAST: u64, const MOST: u64> Whole<LEAST, MOST> {
    pub(crate) fn u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    pub(crate) fn usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for Whole<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let range = WholeRange {
            least: LEAST,
            most: MOST,
        };
        Ok(Whole(deserializer.deserialize_u64(range)?))
    }
}

struct WholeRange {
    least: u64,
    most: u64,
}

impl Visitor<'_> for WholeRange {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number from {} to {}", self.least, self.most)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        match (self.least..=self.most).contains(&value) {
            true => Ok(value),
            false => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }
}

/// A time in seconds, in its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span<const LEAST: u64, const MOST: u64>(pub(crate) f64);

impl<const MOST: u64> Default for Span<0, MOST> {
    fn default() -> Span<0, MOST> {
        Span(0.0)
    }
}

impl<const LEAST: u64, const MOST: u64> Span<LEAST, MOST> {
    pub(crate) fn ns(self) -> u64 {
        crate::random::to_u64(self.0 * 1e9)
    }

    pub(crate) fn ms(self) -> u64 {
        self.ns() / 1_000_000
    }
}

impl<'de, const LEAST: u64, const MOST: u64> Deserialize<'de> for Span<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let range = RealRange {
            what: "seconds",
            least: LEAST,
            most: MOST,
        };
        Ok(Span(deserializer.deserialize_f64(range)?))
    }
}

/// A share in percent, in its range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Share<const MOST: u64>(pub(crate) f64);

impl<'de, const MOST: u64> Deserialize<'de> for Share<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let range = RealRange {
            what: "percent",
            least: 0,
            most: MOST,
        };
        Ok(Share(deserializer.deserialize_f64(range)?))
    }
}

/// What something costs: 0 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Price(pub(crate) f64);

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let range = RealRange {
            what: "a price",
            least: 0,
            most: 1_000_000_000,
        };
        Ok(Price(deserializer.deserialize_f64(range)?))
    }
}

struct RealRange {
    what: &'static str,
    least: u64,
    most: u64,
}

impl Visitor<'_> for RealRange {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, from {} to {}", self.what, self.least, self.most)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        // What is no number lies in no range.
        match (self.least as f64..=self.most as f64).contains(&value) {
            true => Ok(value),
            false => Err(E::invalid_value(Unexpected::Float(value), &self)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        self.visit_f64(value as f64)
    }
}
