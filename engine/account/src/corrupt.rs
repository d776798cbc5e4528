//! The one thing that is said of stored bytes that cannot be read.

/// Stored bytes that are of no version that this code reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;
