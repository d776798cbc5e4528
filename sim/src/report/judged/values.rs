//! What an objective comes to in some seconds, and of how many it says so.

use crate::book::{Cell, Slot};
use crate::report::percent;
use crate::report::windows::needed;
use crate::scenario::{Objective, Relation, Target};

/// Of a whole number; 0 of what is below.
pub(super) fn whole(value: f64) -> usize {
    usize::try_from(crate::random::to_u64(value.max(0.0))).unwrap_or(usize::MAX)
}

impl Objective {
    /// Whether the first of two values is further from what is wanted.
    pub(super) fn is_worse(&self, value: f64, than: f64) -> bool {
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
    pub(super) fn seen(self, slot: &Slot) -> u64 {
        match self {
            Target::Latency(..) => self.cell(slot).took_us.len() as u64,
            Target::Shed(_) | Target::Failed(_) | Target::InWithin(_) => self.asked(slot),
        }
    }

    /// How many were asked in a second, answered or not.
    pub(super) fn asked(self, slot: &Slot) -> u64 {
        let cell = self.cell(slot);
        match self {
            Target::Shed(_) => cell.attempts,
            Target::Latency(..) | Target::Failed(_) | Target::InWithin(_) => cell.calls,
        }
    }

    /// Whether its sum over the night is bounded.
    pub(super) fn is_count(self) -> bool {
        match self {
            Target::Shed(_) | Target::Failed(_) => true,
            Target::Latency(..) | Target::InWithin(_) => false,
        }
    }

    /// Of how many it must say something in a window.
    pub(super) fn needed(self, bound: f64) -> u64 {
        match self {
            Target::Latency(_, quantile) => needed(quantile),
            Target::InWithin(_) => needed(bound / 100.0),
            Target::Shed(_) | Target::Failed(_) => 0,
        }
    }

    /// What it comes to in some seconds.
    pub(super) fn value(self, slots: &[Slot]) -> f64 {
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
