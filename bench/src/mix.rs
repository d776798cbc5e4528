//! Mixes: what is asked, and how many arrive when.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::ranges::{LENGTH_MAX_S, PART_MAX, RATES};

/// What is asked, and when. Unknown keys are refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mix {
    /// A sentence for the report.
    pub(crate) about: String,
    /// Parts of each kind; their sum is the whole.
    pub(crate) ask: Parts,
    /// Arrivals per second over time: pairs of seconds and rate, with straight
    /// lines between them. One pair: a constant rate.
    pub(crate) curve: Vec<(f64, f64)>,
    /// How people are drawn.
    #[serde(default)]
    pub(crate) people: Draw,
    /// Whether a request that is refused for now comes again when told to.
    #[serde(default)]
    pub(crate) refused: Refused,
}

/// Parts of each kind of request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Parts {
    /// Checks of sessions that are alive.
    pub(crate) check: u32,
    /// Checks with a secret that was never given out.
    pub(crate) forged: u32,
    /// Refreshes.
    pub(crate) refresh: u32,
    /// Sign-ins with the right password.
    pub(crate) sign_in: u32,
    /// New accounts.
    pub(crate) sign_up: u32,
}

/// How people are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Draw {
    /// All alike.
    #[default]
    Uniform,
    /// The one of rank n in proportion to 1/n.
    Zipf,
    /// One after the other.
    InTurn,
}

/// What a request that is refused for now does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refused {
    /// Does not come again.
    #[default]
    GoAway,
    /// Comes again after the time that the answer named, up to ten times.
    ComeAgain,
}

const KNOWN: [(&str, &str); 6] = [
    ("checks", include_str!("../mixes/checks.toml")),
    ("evening", include_str!("../mixes/evening.toml")),
    ("flash-sale", include_str!("../mixes/flash-sale.toml")),
    ("passwords", include_str!("../mixes/passwords.toml")),
    ("refreshes", include_str!("../mixes/refreshes.toml")),
    ("registrations", include_str!("../mixes/registrations.toml")),
];

impl Mix {
    /// A mix by its name, or from a file.
    pub(crate) fn named(name: &str) -> anyhow::Result<Mix> {
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        let text = match known {
            Some((_, text)) => (*text).to_owned(),
            None => std::fs::read_to_string(Path::new(name)).with_context(|| {
                let names = KNOWN.map(|(known, _)| known).join(", ");
                format!("{name} is neither a file nor one of {names}")
            })?,
        };
        let mix: Mix = toml::from_str(&text).with_context(|| name.to_owned())?;
        mix.check(name)?;
        Ok(mix)
    }

    fn check(&self, name: &str) -> anyhow::Result<()> {
        let grow = self.curve.windows(2).all(|pair| pair[0].0 < pair[1].0);
        ensure!(
            !self.curve.is_empty() && grow,
            "{name}: the curve's times must grow"
        );
        for (at_s, rate) in &self.curve {
            ensure!(
                (0.0..=LENGTH_MAX_S).contains(at_s),
                "{name}: the curve's second {at_s}: expected 0 to {LENGTH_MAX_S}"
            );
            ensure!(
                RATES.contains(rate),
                "{name}: the curve's rate {rate}: expected {} to {} requests a second",
                RATES.start(),
                RATES.end()
            );
        }
        for part in self.ask.all() {
            ensure!(
                part <= PART_MAX,
                "{name}: a part of {part}: expected 0 to {PART_MAX}"
            );
        }
        ensure!(self.ask.sum() > 0, "{name}: nothing is asked");
        Ok(())
    }

    /// The curve with this greatest rate instead of its own.
    pub(crate) fn at_most(&mut self, per_s: f64) {
        let greatest = self.greatest();
        for (_, rate) in &mut self.curve {
            *rate = (*rate * per_s / greatest).max(1.0);
        }
    }

    /// Holds the last rate until then, or ends the curve there.
    pub(crate) fn until(&mut self, end_s: f64) {
        let last = self.rate_at(end_s);
        self.curve.retain(|(at_s, _)| *at_s < end_s);
        self.curve.push((end_s, last));
    }

    pub(crate) fn greatest(&self) -> f64 {
        self.curve
            .iter()
            .fold(1.0, |most, (_, rate)| rate.max(most))
    }

    pub(crate) fn length_s(&self) -> f64 {
        self.curve.last().map_or(0.0, |(at_s, _)| *at_s)
    }

    /// Arrivals per second at a time.
    pub(crate) fn rate_at(&self, at_s: f64) -> f64 {
        let after = self.curve.iter().position(|(time_s, _)| *time_s > at_s);
        match after {
            None => self.curve.last().map_or(1.0, |(_, rate)| *rate),
            Some(0) => self.curve[0].1,
            Some(after) => {
                let (from, to) = (self.curve[after - 1], self.curve[after]);
                from.1 + (to.1 - from.1) * (at_s - from.0) / (to.0 - from.0)
            }
        }
    }
}

impl Parts {
    /// Whether people are others afterwards.
    pub(crate) fn changes(&self) -> bool {
        self.refresh + self.sign_in + self.sign_up > 0
    }

    pub(crate) fn sum(&self) -> u32 {
        self.all().iter().sum()
    }

    fn all(&self) -> [u32; 5] {
        [
            self.check,
            self.forged,
            self.refresh,
            self.sign_in,
            self.sign_up,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mix_that_has_a_name_can_be_read() {
        for (name, _) in KNOWN {
            assert!(Mix::named(name).is_ok(), "{name}");
        }
        let unknown = Mix::named("evenings").unwrap_err().to_string();
        assert!(unknown.contains("flash-sale"), "{unknown}");
    }

    #[test]
    fn what_no_load_can_be_is_refused_with_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mix.toml");
        let refused = |curve: &str, ask: &str| {
            let text = format!("about = \"x\"\ncurve = {curve}\n[ask]\n{ask}\n");
            std::fs::write(&file, text).unwrap();
            let refused = Mix::named(file.to_str().unwrap()).unwrap_err();
            format!("{refused:#}")
        };
        let cases = [
            (
                "[[0, 10], [inf, 10]]",
                "check = 1",
                "the curve's second inf",
            ),
            ("[[-1, 10], [5, 10]]", "check = 1", "the curve's second -1"),
            ("[[0, 10], [86401, 10]]", "check = 1", "expected 0 to 86400"),
            ("[[0, 10], [nan, 10]]", "check = 1", "must grow"),
            ("[[0, nan]]", "check = 1", "the curve's rate NaN"),
            ("[[0, 0.5]]", "check = 1", "expected 1 to 10000000"),
            ("[[0, 1e8]]", "check = 1", "the curve's rate 100000000"),
            ("[]", "check = 1", "must grow"),
            ("[[0, 10]]", "check = 1000001", "expected 0 to 1000000"),
            ("[[0, 10]]", "check = -1", "-1"),
            ("[[0, 10]]", "check = 0", "nothing is asked"),
        ];
        for (curve, ask, expected) in cases {
            let refused = refused(curve, ask);
            assert!(refused.contains(expected), "{curve} {ask}: {refused}");
            assert!(refused.contains("mix.toml"), "{refused}");
        }
    }

    #[test]
    fn rates_lie_on_straight_lines_and_hold_at_both_ends() {
        let mut mix = Mix::named("flash-sale").unwrap();
        mix.curve = vec![(1.0, 10.0), (3.0, 30.0), (4.0, 30.0)];
        let rates = [0.0, 1.0, 2.0, 3.5, 9.0].map(|at_s| mix.rate_at(at_s));
        assert_eq!(rates, [10.0, 10.0, 20.0, 30.0, 30.0]);
        mix.at_most(60.0);
        assert_eq!(mix.curve, [(1.0, 20.0), (3.0, 60.0), (4.0, 60.0)]);
        mix.until(2.0);
        assert_eq!(mix.curve, [(1.0, 20.0), (2.0, 40.0)]);
    }
}
