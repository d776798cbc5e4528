//! One conditional batch: checks, then writes, all or nothing.

use bytes::Bytes;

use crate::error::StoreError;
use crate::key::{Key, KeyRange, Partition, Region, Slot};

/// The largest value, in bytes (FoundationDB's limit).
pub const MAX_VALUE_BYTES: usize = 100_000;
/// The largest key, in bytes (FoundationDB's limit).
pub const MAX_KEY_BYTES: usize = 10_000;
/// The largest commit, in bytes of keys and values (below FoundationDB's 10 MB).
pub const MAX_COMMIT_BYTES: usize = 8_000_000;

/// A condition that must hold at the moment of the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The slot is owned under exactly this epoch; otherwise `Fenced`.
    Fence {
        /// The slot's region.
        region: Region,
        /// The slot.
        slot: Slot,
        /// The epoch under which the caller owns it.
        epoch: u64,
    },
    /// The key has no value; otherwise `Conflict`.
    Absent(Key),
    /// The key has exactly this value; otherwise `Conflict`.
    Value(Key, Bytes),
    /// The key was not written by another since the caller last read or wrote
    /// it; otherwise `Overtaken`. It stands beside a fence under which the
    /// caller alone writes the key, so a store whose commits land in the order
    /// in which they are decided holds it by the fence. Where an indeterminate
    /// commit may still land later, it keeps that one from landing behind, and
    /// this one from burying it.
    Untouched(Key),
}

/// A key and its new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The key, at most [`MAX_KEY_BYTES`].
    pub key: Key,
    /// The value, at most [`MAX_VALUE_BYTES`].
    pub value: Bytes,
}

/// An event for the log; the store gives it its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The region whose log it is.
    pub region: Region,
    /// The partition of that log.
    pub partition: Partition,
    /// The event, at most [`MAX_VALUE_BYTES`].
    pub value: Bytes,
}

/// One conditional batch. A fence that fails wins over other failed checks.
/// Clears come first, then deletes, puts and appends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// What must hold.
    pub checks: Vec<Check>,
    /// Ranges to empty.
    pub clears: Vec<KeyRange>,
    /// Keys to delete.
    pub deletes: Vec<Key>,
    /// Keys to set.
    pub puts: Vec<Put>,
    /// Events to append.
    pub appends: Vec<Append>,
}

impl Commit {
    /// Adds a condition.
    #[must_use]
    pub fn check(mut self, check: Check) -> Commit {
        self.checks.push(check);
        self
    }

    /// Adds a write.
    #[must_use]
    pub fn put(mut self, key: Key, value: impl Into<Bytes>) -> Commit {
        let value = value.into();
        self.puts.push(Put { key, value });
        self
    }

    /// Adds a deletion.
    #[must_use]
    pub fn delete(mut self, key: Key) -> Commit {
        self.deletes.push(key);
        self
    }

    /// Adds the clearing of a range.
    #[must_use]
    pub fn clear(mut self, range: KeyRange) -> Commit {
        self.clears.push(range);
        self
    }

    /// Adds an event.
    #[must_use]
    pub fn append(
        mut self,
        region: Region,
        partition: Partition,
        value: impl Into<Bytes>,
    ) -> Commit {
        let value = value.into();
        self.appends.push(Append {
            region,
            partition,
            value,
        });
        self
    }

    /// Holds the commit against the stated limits. Every backend calls this
    /// before anything else.
    ///
    /// # Errors
    /// `TooLarge` when a key, a value or the whole is over its limit.
    pub fn validate(&self) -> Result<(), StoreError> {
        let mut total = 0;
        for put in &self.puts {
            total += limited(put.key.as_bytes(), MAX_KEY_BYTES)?;
            total += limited(&put.value, MAX_VALUE_BYTES)?;
        }
        for append in &self.appends {
            total += limited(&append.value, MAX_VALUE_BYTES)?;
        }
        for key in &self.deletes {
            total += limited(key.as_bytes(), MAX_KEY_BYTES)?;
        }
        let places = usize::from(u16::MAX);
        if total > MAX_COMMIT_BYTES || self.appends.len() > places {
            return Err(StoreError::TooLarge);
        }
        Ok(())
    }
}

fn limited(bytes: &[u8], max: usize) -> Result<usize, StoreError> {
    if bytes.len() > max {
        return Err(StoreError::TooLarge);
    }
    Ok(bytes.len())
}
