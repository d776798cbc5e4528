//! Whether objectives hold: over the whole night, in every window of it, and
//! while each fault lasts.

mod values;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use self::values::whole;
use super::windows::{during, windows};
use crate::book::Slot;
use crate::scenario::{Objective, Scenario, Target};

/// One objective.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObjectiveReport {
    /// In its own words.
    pub objective: String,
    /// Its value in the worst window, or a count in all.
    pub value: f64,
    /// The value's unit.
    pub unit: String,
    /// Whether it holds.
    pub met: bool,
    /// How many calls, attempts or people it was judged by; of none it is not
    /// met.
    #[serde(default)]
    pub seen: u64,
    /// Its value over the whole night.
    #[serde(default)]
    pub night: f64,
    /// The worst window.
    #[serde(default)]
    pub worst: Option<Window>,
    /// The first window with calls of which none was answered, and how many they
    /// were: of their latency nothing good can be said.
    #[serde(default)]
    pub unanswered: Option<Window>,
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
    /// The objective's value in it.
    pub value: f64,
}

/// The part in which something was broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuringFault {
    /// What was broken, in words.
    pub what: String,
    /// The objective's value meanwhile.
    #[serde(flatten)]
    pub window: Window,
    /// Whether it held.
    pub met: bool,
    /// How many calls, attempts or people were seen while it lasted; of none
    /// latency and shares do not hold.
    #[serde(default)]
    pub seen: u64,
}

impl DuringFault {
    /// Its value, in a unit.
    #[must_use]
    pub fn words(&self, unit: &str) -> String {
        match (self.met, self.seen) {
            (false, 0) => "no data".to_owned(),
            _ => format!("{:.2}{unit}", self.window.value),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} to {:.0} s", self.from_s, self.to_s)
    }
}

impl ObjectiveReport {
    /// Its value, and when.
    #[must_use]
    pub fn words(&self) -> String {
        let (value, unit) = (self.value, self.unit.as_str());
        let words = match (self.seen, &self.worst, unit) {
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
        };
        match &self.unanswered {
            None => words,
            Some(window) => format!(
                "{words}; none of {:.0} calls from {window} was answered",
                window.value
            ),
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
    // Windows are as long as it takes until enough was asked: one that went on
    // until enough was answered would end in good seconds after a bad time.
    let asked: Vec<u64> = slots.iter().map(|slot| target.asked(slot)).collect();
    let needed = target.needed(objective.bound);
    let begins_s = scenario.warm_up_s.0;
    let window = |range: Range<usize>| Window {
        from_s: begins_s + range.start as f64,
        to_s: begins_s + range.end as f64,
        value: target.value(&slots[range]),
    };
    let length = scenario.window_s.usize();
    let all = windows(&asked, length, needed);
    let is_empty = |range: &Range<usize>| seen[range.clone()].iter().sum::<u64>() == 0;
    let unanswered = all.iter().find(|range| match target {
        Target::Latency(..) => is_empty(range) && asked[(*range).clone()].iter().any(|of| *of > 0),
        // A call that is not answered counts as failed, a person as not in.
        Target::Shed(_) | Target::Failed(_) | Target::InWithin(_) => false,
    });
    let unanswered = unanswered.map(|range| Window {
        value: asked[range.clone()].iter().sum::<u64>() as f64,
        ..window(range.clone())
    });
    let judged = all
        .into_iter()
        .filter(|range| target.is_count() || !is_empty(range));
    let worst = judged.map(window).reduce(|worst, next| {
        match objective.is_worse(next.value, worst.value) {
            true => next,
            false => worst,
        }
    });
    let faults = scenario.fault.iter().filter_map(|fault| {
        let ends_s = fault.at_s.0 + fault.for_s.0 - begins_s;
        let from = whole(libm::floor(fault.at_s.0 - begins_s));
        // One that was over before anything counts is not judged.
        let counts = ends_s > 0.0 || (ends_s == 0.0 && fault.for_s.0 == 0.0);
        let to = counts.then(|| whole(libm::ceil(ends_s)).max(from + 1))?;
        let own = from.min(slots.len())..to.min(slots.len());
        let seen: u64 = seen[own].iter().sum();
        // What was seen in the calm after it says nothing of the fault.
        let window = match during(&asked, from..to, needed) {
            Some(range) if seen > 0 || target.is_count() => window(range),
            Some(_) | None => Window {
                from_s: begins_s + from as f64,
                to_s: begins_s + to as f64,
                value: 0.0,
            },
        };
        Some(DuringFault {
            what: fault.what.words(),
            met: objective.is_met_by(window.value) && (seen > 0 || target.is_count()),
            window,
            seen,
        })
    });
    let (faults, night) = (faults.collect::<Vec<_>>(), target.value(slots));
    let seen: u64 = seen.iter().sum();
    let each = match target.is_count() {
        // Of counts the sum is bounded: in windows it would only be less.
        true => true,
        false => {
            let worst = worst.is_none_or(|worst| objective.is_met_by(worst.value));
            worst && unanswered.is_none() && faults.iter().all(|fault| fault.met)
        }
    };
    ObjectiveReport {
        objective: objective.to_string(),
        value: match target.is_count() {
            true => night,
            false => worst.map_or(night, |worst| worst.value),
        },
        unit: objective.unit().to_owned(),
        met: seen > 0 && objective.is_met_by(night) && each,
        seen,
        night,
        worst,
        unanswered,
        faults,
    }
}

#[cfg(test)]
mod tests;
