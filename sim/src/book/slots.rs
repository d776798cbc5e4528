//! The outcome of everything, by the second in which it began: what windows are
//! made of. Four bytes for each call that was answered.

use super::CLASSES;

/// One second, counted from the end of the warm-up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) classes: [Cell; CLASSES],
    /// People who wanted in from then on.
    pub(crate) entries: Cell,
}

/// Of one class, or of people who wanted in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) attempts: u64,
    pub(crate) shed: u64,
    /// Calls, or people.
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    /// Of each that was answered, or is in. An hour fits.
    pub(crate) took_us: Vec<u32>,
}

impl Cell {
    /// One that came to its end: after how long, or without what it was for.
    pub(super) fn ended(&mut self, took_us: Option<u64>) {
        self.calls += 1;
        match took_us {
            Some(us) => self.took_us.push(u32::try_from(us).unwrap_or(u32::MAX)),
            None => self.failed += 1,
        }
    }
}
