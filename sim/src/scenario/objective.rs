//! Objectives: what must hold, in words. `p99(check) < 50ms`,
//! `shed(check) = 0`, `in_within(10s) >= 99.5%`.

use std::fmt;

use serde::Deserialize;
use tidegate_wire::Class;

/// One objective.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Objective {
    words: String,
    pub(crate) target: Target,
    pub(crate) relation: Relation,
    /// Milliseconds, a share in percent, or a count.
    pub(crate) bound: f64,
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// A quantile of the latency of a class's calls, in milliseconds.
    Latency(Class, f64),
    /// Attempts of a class that were shed.
    Shed(Class),
    /// Calls of a class that failed.
    Failed(Class),
    /// Share of those who wanted in and were within so many seconds, in percent.
    InWithin(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Below,
    AtMost,
    Equal,
    AtLeast,
}

const EXPECTED: &str = "expected something like `p99(check) < 50ms`, `shed(check) = 0`, \
     `failed(refresh) <= 3` or `in_within(10s) >= 99.5%`; \
     classes are protection, check, refresh, sign-in, sign-up; times are at most an hour, shares \
     at most 100%, counts whole; latency and counts are bounded from above, shares from below";

/// The longest time that is told apart.
const LONGEST_MS: f64 = 3_600_000.0;
const COUNT_MAX: f64 = 1e12;

impl TryFrom<String> for Objective {
    type Error = String;

    fn try_from(words: String) -> Result<Objective, String> {
        let wrong = || format!("`{words}`: {EXPECTED}");
        let (left, relation, right) = split(&words).ok_or_else(wrong)?;
        let (name, argument) = left
            .trim()
            .strip_suffix(')')
            .and_then(|left| left.split_once('('))
            .ok_or_else(wrong)?;
        let target = target(name.trim(), argument.trim()).ok_or_else(wrong)?;
        let right = right.trim();
        let bound = match target {
            Target::Latency(..) => duration_ms(right),
            Target::InWithin(_) => right
                .strip_suffix('%')
                .and_then(number)
                .filter(|percent| *percent <= 100.0),
            Target::Shed(_) | Target::Failed(_) => {
                number(right).filter(|count| *count <= COUNT_MAX && libm::floor(*count) == *count)
            }
        };
        let bound = bound
            .filter(|_| target.is_bounded_by(relation))
            .ok_or_else(wrong)?;
        Ok(Objective {
            words,
            target,
            relation,
            bound,
        })
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Target {
    /// Whether a bound of this kind says something about it: none from below is met
    /// by slowness.
    fn is_bounded_by(self, relation: Relation) -> bool {
        match (self, relation) {
            (_, Relation::Equal) => true,
            (Target::InWithin(_), Relation::AtLeast) => true,
            (Target::InWithin(_), Relation::Below | Relation::AtMost) => false,
            (
                Target::Latency(..) | Target::Shed(_) | Target::Failed(_),
                Relation::Below | Relation::AtMost,
            ) => true,
            (Target::Latency(..) | Target::Shed(_) | Target::Failed(_), Relation::AtLeast) => false,
        }
    }
}

impl Objective {
    /// Whether a value meets it.
    pub(crate) fn is_met_by(&self, value: f64) -> bool {
        match self.relation {
            Relation::Below => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::Equal => (value - self.bound).abs() < f64::EPSILON,
            Relation::AtLeast => value >= self.bound,
        }
    }

    /// The unit of its values.
    pub(crate) fn unit(&self) -> &'static str {
        match self.target {
            Target::Latency(..) => " ms",
            Target::InWithin(_) => " %",
            Target::Shed(_) | Target::Failed(_) => "",
        }
    }
}

fn split(words: &str) -> Option<(&str, Relation, &str)> {
    let relations = [
        ("<=", Relation::AtMost),
        (">=", Relation::AtLeast),
        ("<", Relation::Below),
        ("=", Relation::Equal),
    ];
    relations.into_iter().find_map(|(sign, relation)| {
        let (left, right) = words.split_once(sign)?;
        Some((left, relation, right))
    })
}

fn target(name: &str, argument: &str) -> Option<Target> {
    if name == "in_within" {
        return Some(Target::InWithin(duration_ms(argument)? / 1_000.0));
    }
    let class = class_named(argument)?;
    match name {
        "shed" => Some(Target::Shed(class)),
        "failed" => Some(Target::Failed(class)),
        _ => {
            let digits = name.strip_prefix('p')?;
            let digits = digits.replace('_', ".");
            let percent = number(&digits).filter(|percent| (0.0..100.0).contains(percent))?;
            Some(Target::Latency(class, percent / 100.0))
        }
    }
}

/// The classes, by the names that scenarios and reports use.
pub(crate) fn name_of(class: Class) -> &'static str {
    match class {
        Class::Protection => "protection",
        Class::Check => "check",
        Class::Refresh => "refresh",
        Class::Password => "sign-in",
        Class::Registration => "sign-up",
    }
}

fn class_named(name: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| name_of(*class) == name)
}

fn number(text: &str) -> Option<f64> {
    let value = text.trim().parse::<f64>().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

fn duration_ms(text: &str) -> Option<f64> {
    let ms = match text.strip_suffix("ms") {
        Some(ms) => number(ms),
        None => Some(number(text.strip_suffix('s')?)? * 1_000.0),
    };
    ms.filter(|ms| *ms <= LONGEST_MS)
}
