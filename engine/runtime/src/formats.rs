//! Which version of every format is written: the deployment's active one.

use std::sync::atomic::{AtomicU16, Ordering};

use tidegate_account::record::Format;

/// The active version. It only ever rises, and a node that has not heard of it
/// yet goes on with the one before, which all can read.
#[derive(Debug)]
pub struct Formats(AtomicU16);

impl Formats {
    /// Writes this version.
    #[must_use]
    pub fn new(active: u16) -> Formats {
        Formats(AtomicU16::new(active))
    }

    /// Writes this version from now on, if it is newer.
    pub fn raise(&self, active: u16) {
        self.0.fetch_max(active, Ordering::AcqRel);
    }

    /// The active version.
    #[must_use]
    pub fn active(&self) -> u16 {
        self.0.load(Ordering::Acquire)
    }

    /// In which version records are written.
    pub(crate) fn record(&self) -> Format {
        Format::up_to(self.active())
    }
}
