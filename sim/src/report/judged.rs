//! Whether objectives hold: over the whole night, in every window of it, and
//! while each fault lasts.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::percent;
use super::windows::{during, needed, windows};
use crate::book::{Cell, Slot};
use crate::scenario::{Objective, Relation, Scenario, Target};

/// One objective.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObjectiveReport {
    /// In its own words.
    pub objective: String,
    /// What it came to in the worst window, or a count in all.
    pub value: f64,
    /// The value's unit.
    pub unit: String,
    /// Whether it holds.
    pub met: bool,
    /// How many calls, attempts or people it was judged by; of none it is not
    /// met.
    #[serde(default)]
    pub seen: u64,
    /// What it came to over the whole night.
    #[serde(default)]
    pub night: f64,
    /// The worst window.
    #[serde(default)]
    pub worst: Option<Window>,
    /// While each fault lasted.
    #[serde(default)]
    pub faults: Vec<DuringFault>,
}

/// A part of the night.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// In seconds since the night began.
    pub from_s: f64,
    /// In seconds since the night began.
    pub to_s: f64,
    /// What the objective came to in it.
    pub value: f64,
}

/// The part in which something was broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuringFault {
    /// What was broken, in words.
    pub what: String,
    /// What the objective came to meanwhile.
    #[serde(flatten)]
    pub window: Window,
    /// Whether it held.
    pub met: bool,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} to {:.0} s", self.from_s, self.to_s)
    }
}

impl ObjectiveReport {
    /// What it came to, and when.
    #[must_use]
    pub fn words(&self) -> String {
        let (value, unit) = (self.value, self.unit.as_str());
        match (self.seen, &self.worst, unit) {
            (0, _, _) => "nothing of the kind was seen".to_owned(),
            (_, Some(worst), "") if worst.value > 0.0 => {
                format!("{value:.0} in all, {:.0} of them from {worst}", worst.value)
            }
            (_, _, "") => format!("{value:.0} in all"),
            (_, Some(worst), unit) => format!(
                "{value:.2}{unit} in the worst {:.0} s ({worst}), {:.2}{unit} over the whole night",
                worst.to_s - worst.from_s,
                self.night
            ),
            (_, None, unit) => format!("{value:.2}{unit}"),
        }
    }

    /// Whether it holds, in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.met, self.seen) {
            (true, _) => "met",
            (false, 0) => "no data",
            (false, _) => "missed",
        }
    }

    /// Whether it fared worse than on another night.
    pub(crate) fn is_worse_than(&self, other: &ObjectiveReport) -> bool {
        match (self.met, other.met) {
            (false, true) => true,
            (true, false) => false,
            // Shares are the only ones of which less is worse.
            (_, _) if self.unit == " %" => self.value < other.value,
            (_, _) => self.value > other.value,
        }
    }
}

/// Each objective of a night, of which this was seen second by second.
pub(super) fn objectives(scenario: &Scenario, slots: &[Slot]) -> Vec<ObjectiveReport> {
    let objectives = scenario.objectives.iter();
    objectives
        .map(|objective| judged(objective, scenario, slots))
        .collect()
}

fn judged(objective: &Objective, scenario: &Scenario, slots: &[Slot]) -> ObjectiveReport {
    let target = objective.target;
    let seen: Vec<u64> = slots.iter().map(|slot| target.seen(slot)).collect();
    let needed = target.needed(objective.bound);
    let begins_s = scenario.warm_up_s.0;
    let window = |range: Range<usize>| Window {
        from_s: begins_s + range.start as f64,
        to_s: begins_s + range.end as f64,
        value: target.value(&slots[range]),
    };
    let length = scenario.window_s.usize();
    let all = windows(&seen, length, needed).into_iter().map(window);
    let worst = all.reduce(
        |worst, next| match objective.is_worse(next.value, worst.value) {
            true => next,
            false => worst,
        },
    );
    let faults = scenario.fault.iter().filter_map(|fault| {
        let ends_s = fault.at_s.0 + fault.for_s.0 - begins_s;
        let from = whole(libm::floor(fault.at_s.0 - begins_s));
        // One that was over before anything counts is nobody's.
        let to = (ends_s >= 0.0).then(|| whole(libm::ceil(ends_s)).max(from + 1))?;
        let window = window(during(&seen, from..to, needed)?);
        Some(DuringFault {
            what: fault.what.words(),
            met: objective.is_met_by(window.value),
            window,
        })
    });
    let (faults, night) = (faults.collect::<Vec<_>>(), target.value(slots));
    let seen: u64 = seen.iter().sum();
    let each = match target {
        // Of counts the sum is bounded: in windows it would only be less.
        Target::Shed(_) | Target::Failed(_) => true,
        Target::Latency(..) | Target::InWithin(_) => {
            let worst = worst.is_none_or(|worst| objective.is_met_by(worst.value));
            worst && faults.iter().all(|fault| fault.met)
        }
    };
    ObjectiveReport {
        objective: objective.to_string(),
        value: match target {
            Target::Shed(_) | Target::Failed(_) => night,
            Target::Latency(..) | Target::InWithin(_) => worst.map_or(night, |worst| worst.value),
        },
        unit: objective.unit().to_owned(),
        met: seen > 0 && objective.is_met_by(night) && each,
        seen,
        night,
        worst,
        faults,
    }
}

/// Of a whole number; 0 of what is below.
fn whole(value: f64) -> usize {
    usize::try_from(crate::random::to_u64(value.max(0.0))).unwrap_or(usize::MAX)
}

impl Objective {
    /// Whether the first of two values is further from what is wanted.
    fn is_worse(&self, value: f64, than: f64) -> bool {
        match (self.relation, self.target) {
            (Relation::AtLeast, _) | (Relation::Equal, Target::InWithin(_)) => value < than,
            (Relation::Below | Relation::AtMost | Relation::Equal, _) => value > than,
        }
    }
}

impl Target {
    fn cell(self, slot: &Slot) -> &Cell {
        match self {
            Target::Latency(class, _) | Target::Shed(class) | Target::Failed(class) => {
                &slot.classes[class as usize]
            }
            Target::InWithin(_) => &slot.entries,
        }
    }

    /// Of how many it says something in a second.
    fn seen(self, slot: &Slot) -> u64 {
        let cell = self.cell(slot);
        match self {
            Target::Latency(..) => cell.took_us.len() as u64,
            Target::Shed(_) => cell.attempts,
            Target::Failed(_) | Target::InWithin(_) => cell.calls,
        }
    }

    /// Of how many it must say something in a window.
    fn needed(self, bound: f64) -> u64 {
        match self {
            Target::Latency(_, quantile) => needed(quantile),
            Target::InWithin(_) => needed(bound / 100.0),
            Target::Shed(_) | Target::Failed(_) => 0,
        }
    }

    /// What it comes to in some seconds.
    fn value(self, slots: &[Slot]) -> f64 {
        let cells = || slots.iter().map(move |slot| self.cell(slot));
        let took = || cells().flat_map(|cell| &cell.took_us).copied();
        match self {
            Target::Latency(_, quantile) => quantile_ms(took().collect(), quantile),
            Target::Shed(_) => cells().map(|cell| cell.shed).sum::<u64>() as f64,
            Target::Failed(_) => cells().map(|cell| cell.failed).sum::<u64>() as f64,
            Target::InWithin(seconds) => {
                let within = took().filter(|us| f64::from(*us) <= seconds * 1e6);
                let all = cells().map(|cell| cell.calls).sum();
                percent(within.count() as u64, all)
            }
        }
    }
}

/// A quantile in milliseconds; 0 of nothing.
fn quantile_ms(mut took_us: Vec<u32>, quantile: f64) -> f64 {
    let count = took_us.len();
    let rank = whole(libm::ceil(quantile * count as f64)).clamp(1, count.max(1)) - 1;
    if rank >= count {
        return 0.0;
    }
    let (_, us, _) = took_us.select_nth_unstable(rank);
    f64::from(*us) / 1_000.0
}

#[cfg(test)]
mod tests;
