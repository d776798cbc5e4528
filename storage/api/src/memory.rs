//! The reference: what a store means, in a page.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::commit::{Check, Commit};
use crate::error::StoreError;
use crate::event_key::EventPosition;
use crate::fence::Fence;
use crate::key::{Key, KeyRange};
use crate::store::{Stamp, Store, StoreFuture};

/// A store in memory: for tests, and the yardstick for the other backends.
#[derive(Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    map: BTreeMap<Key, Bytes>,
    sequence: u64,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // A panic inside the lock leaves whole rows behind: nothing is half done.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn get(&self, key: Key) -> StoreFuture<Option<Bytes>> {
        Box::pin(ready(Ok(self.rows().map.get(&key).cloned())))
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(Key, Bytes)>> {
        let found = match range.start < range.end {
            true => self.rows().read(range, limit),
            false => Vec::new(),
        };
        Box::pin(ready(Ok(found)))
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        Box::pin(ready(self.rows().apply(commit)))
    }
}

impl Rows {
    fn read(&self, range: KeyRange, limit: usize) -> Vec<(Key, Bytes)> {
        let rows = self.map.range(range.start..range.end).take(limit);
        rows.map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    fn apply(&mut self, commit: Commit) -> Result<Stamp, StoreError> {
        commit.validate()?;
        self.check(&commit.checks)?;
        self.sequence += 1;
        for range in commit.clears {
            self.map.retain(|key, _| !range.contains(key));
        }
        for key in commit.deletes {
            self.map.remove(&key);
        }
        for put in commit.puts {
            self.map.insert(put.key, put.value);
        }
        for (place, append) in (0..).zip(commit.appends) {
            let position = EventPosition {
                generation: 1,
                sequence: self.sequence,
                place,
            };
            let key = position.key(append.region, append.partition);
            self.map.insert(key, append.value);
        }
        Ok(Stamp(self.sequence))
    }

    fn check(&self, checks: &[Check]) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        for check in checks {
            let (held, failure) = match check {
                Check::Fence {
                    region,
                    slot,
                    epoch,
                } => {
                    let fence = self.map.get(&Key::fence(*region, *slot));
                    let held = Fence::holds(fence.map(|value| &value[..]), *epoch);
                    (held, StoreError::Fenced)
                }
                Check::Absent(key) => (!self.map.contains_key(key), StoreError::Conflict),
                // Commits land in the order in which they are decided here.
                Check::Untouched(_) => (true, StoreError::Overtaken),
                Check::Value(key, value) => {
                    (self.map.get(key) == Some(value), StoreError::Conflict)
                }
            };
            match (held, failure) {
                (true, _) => {}
                (false, StoreError::Fenced) => return Err(StoreError::Fenced),
                (false, failure) => outcome = Err(failure),
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    crate::conformance_tests!(|| async { ((), super::MemoryStore::new()) });
}
