//! Rates over time: straight lines between points, waves that repeat, or as
//! recorded.

use std::f64::consts::TAU;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::value::DAY_S;

/// Visits a second over time, with straight lines between the points.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    points: Vec<(f64, f64)>,
    /// Where they are yet to be read.
    csv: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    csv: Option<PathBuf>,
    wave: Option<Wave>,
}

/// From the lowest rate to the highest and back, again and again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wave {
    lowest: f64,
    highest: f64,
    period_s: f64,
    length_s: f64,
}

/// Straight lines for one wave.
const PIECES: u32 = 32;
const WAVES_MAX: f64 = 10_000.0;

/// Visits a second.
const RATE_MAX: f64 = 1e7;

const EXPECTED: &str = "expected pairs of seconds and rate a second, at least two, from second 0 on, \
     with growing seconds up to 86400, rates up to 10000000, and one of them above 0";
const EXPECTED_TABLE: &str = "expected [[0, 100], [60, 500]], { csv = \"rates.csv\" } or \
     { wave = { lowest = 100, highest = 900, period_s = 60, length_s = 600 } }";

impl Wave {
    fn points(&self) -> Result<Vec<(f64, f64)>, String> {
        let waves = self.length_s / self.period_s;
        let bounded = self.period_s > 0.0 && (0.0..=WAVES_MAX).contains(&waves);
        if !bounded || self.lowest > self.highest {
            return Err(EXPECTED_TABLE.to_owned());
        }
        let step_s = self.period_s / f64::from(PIECES);
        let middle = f64::midpoint(self.lowest, self.highest);
        let rate = |at_s: f64| {
            let turn = libm::cos(TAU * at_s / self.period_s);
            middle - (self.highest - self.lowest) / 2.0 * turn
        };
        let mut points = vec![(0.0, rate(0.0))];
        let mut at_s = step_s;
        while at_s < self.length_s - step_s / 2.0 {
            points.push((at_s, rate(at_s)));
            at_s += step_s;
        }
        points.push((self.length_s, rate(self.length_s)));
        Ok(points)
    }
}

fn checked(points: Vec<(f64, f64)>) -> Result<Vec<(f64, f64)>, String> {
    let grow = points.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let first = points.first().map(|(at_s, _)| *at_s);
    let short = points.last().is_some_and(|(at_s, _)| *at_s <= DAY_S as f64);
    let rates = points
        .iter()
        .all(|(_, rate)| (0.0..=RATE_MAX).contains(rate));
    let some = points.iter().any(|(_, rate)| *rate > 0.0);
    match first == Some(0.0) && points.len() > 1 && grow && short && rates && some {
        true => Ok(points),
        false => Err(EXPECTED.to_owned()),
    }
}

impl<'de> Deserialize<'de> for Curve {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Curve, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Curve;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED_TABLE.trim_start_matches("expected "))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, pairs: A) -> Result<Curve, A::Error> {
        let points = Vec::deserialize(SeqAccessDeserializer::new(pairs))?;
        let points = checked(points).map_err(A::Error::custom)?;
        Ok(Curve { points, csv: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Curve, A::Error> {
        match Table::deserialize(MapAccessDeserializer::new(table))? {
            Table {
                csv: None,
                wave: Some(wave),
            } => {
                let points = wave.points().and_then(checked).map_err(A::Error::custom)?;
                Ok(Curve { points, csv: None })
            }
            Table {
                csv: Some(path),
                wave: None,
            } => Ok(Curve {
                points: Vec::new(),
                csv: Some(path),
            }),
            _ => Err(A::Error::custom(EXPECTED_TABLE)),
        }
    }
}

impl Curve {
    /// One rate for so long.
    pub(crate) fn level(rate: f64, length_s: f64) -> Curve {
        Curve {
            points: vec![(0.0, rate), (length_s, rate)],
            csv: None,
        }
    }

    /// Reads what was recorded, if it lies in a file; the file's text. Its path
    /// counts from the scenario's folder.
    pub(crate) fn read(&mut self, folder: &Path) -> Result<String, String> {
        let Some(csv) = self.csv.take() else {
            return Ok(String::new());
        };
        let path = folder.join(csv);
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| format!("curve: {}: {error}", path.display()))?;
        let pairs = super::csv::pairs(&path, &text, "seconds,rate")?;
        let wrong = |message| format!("curve: {}: {message}", path.display());
        self.points = checked(pairs).map_err(wrong)?;
        Ok(text)
    }

    /// The same with every rate so many times as high.
    pub(crate) fn times(&mut self, factor: f64) {
        for (_, rate) in &mut self.points {
            *rate *= factor;
        }
    }

    pub(crate) fn length_s(&self) -> f64 {
        self.points.last().map_or(0.0, |(at_s, _)| *at_s)
    }

    pub(crate) fn greatest(&self) -> f64 {
        let rates = self.points.iter().map(|(_, rate)| *rate);
        rates.fold(0.0, f64::max)
    }

    /// When the rate is at its greatest for the first time.
    pub(crate) fn greatest_at_s(&self) -> f64 {
        let greatest = self.greatest();
        let first = self.points.iter().find(|(_, rate)| *rate >= greatest);
        first.map_or(0.0, |(at_s, _)| *at_s)
    }

    pub(crate) fn rate_at(&self, at_s: f64) -> f64 {
        let after = self.points.partition_point(|(time_s, _)| *time_s <= at_s);
        match (after.checked_sub(1), self.points.get(after)) {
            (None, first) => first.map_or(0.0, |(_, rate)| *rate),
            (Some(before), None) => self.points[before].1,
            (Some(before), Some(to)) => {
                let from = self.points[before];
                from.1 + (to.1 - from.1) * (at_s - from.0) / (to.0 - from.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Night {
        curve: Curve,
    }

    fn night(text: &str) -> Result<Curve, String> {
        let night: Result<Night, _> = toml::from_str(text);
        night
            .map(|night| night.curve)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn rates_lie_on_straight_lines_and_hold_at_both_ends() {
        let curve = night("curve = [[0, 10], [2, 30], [4, 30]]").unwrap();
        let rates = [0.0, 1.0, 3.0, 4.0, 9.0].map(|at_s| curve.rate_at(at_s));
        assert_eq!(rates, [10.0, 20.0, 30.0, 30.0, 30.0]);
        assert_eq!((curve.greatest_at_s(), curve.length_s()), (2.0, 4.0));
    }

    #[test]
    fn waves_rise_and_fall_again_and_again() {
        let text =
            "curve = { wave = { lowest = 100, highest = 900, period_s = 60, length_s = 600 } }";
        let mut curve = night(text).unwrap();
        for wave in 0..10 {
            let from_s = f64::from(wave) * 60.0;
            assert!((curve.rate_at(from_s) - 100.0).abs() < 1.0);
            assert!((curve.rate_at(from_s + 30.0) - 900.0).abs() < 1.0);
        }
        assert_eq!(curve.length_s(), 600.0);
        curve.times(2.0);
        assert!((curve.greatest() - 1_800.0).abs() < 2.0);
    }

    #[test]
    fn what_was_recorded_is_read_from_beside_the_scenario() {
        let folder = std::env::temp_dir().join(format!("tidegate-curve-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let csv = folder.join("rates.csv");
        let text = "# an evening\nseconds,rate\n0,100\n\n60, 500\n";
        std::fs::write(&csv, text).unwrap();
        let mut curve = night("curve = { csv = \"rates.csv\" }").unwrap();
        assert_eq!(curve.read(&folder).unwrap(), text);
        assert_eq!((curve.rate_at(30.0), curve.length_s()), (300.0, 60.0));
        std::fs::write(&csv, "0,100\n60,many\n").unwrap();
        let mut curve = night("curve = { csv = \"rates.csv\" }").unwrap();
        let refused = curve.read(&folder).unwrap_err();
        assert!(
            refused.contains("rates.csv, line 2: expected seconds,rate"),
            "{refused}"
        );
        std::fs::remove_dir_all(&folder).unwrap();
        let mut curve = night("curve = { csv = \"rates.csv\" }").unwrap();
        assert!(curve.read(&folder).unwrap_err().contains("rates.csv"));
    }

    #[test]
    fn what_is_no_curve_is_refused_with_what_was_expected() {
        let cases = [
            ("curve = [[3, 1], [2, 1]]", "growing seconds"),
            ("curve = { cvs = \"x\" }", "unknown field `cvs`"),
            ("curve = [[0, 1], [86_401, 1]]", "up to 86400"),
            ("curve = [[0, 1], [inf, 1]]", "up to 86400"),
            ("curve = [[0, 1], [nan, 1]]", "growing seconds"),
            ("curve = [[0, 1], [5, 10_000_001]]", "rates up to 10000000"),
            ("curve = [[0, 1], [5, nan]]", "rates up to 10000000"),
            ("curve = [[0, 0], [5, 0]]", "one of them above 0"),
            ("curve = [[0, 1]]", "at least two"),
            ("curve = {}", "rates.csv"),
            ("curve = 3", "rates.csv"),
            (
                "curve = { wave = { lowest = 9, highest = 1, period_s = 1, length_s = 9 } }",
                "lowest",
            ),
        ];
        for (text, expected) in cases {
            let refused = night(text).unwrap_err();
            assert!(refused.contains(expected), "{text}: {refused}");
        }
    }
}
