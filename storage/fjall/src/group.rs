//! One group of commits, decided in order before anything is written.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidegate_storage_api::{
    Check, Commit, EventPosition, Fence, Key, KeyRange, Put, Stamp, StoreError,
};

use crate::key_file::PERSON_KEY_MAX_BYTES;
use crate::rows::Rows;

/// The commits gathered so far: what the rows will be once they are written.
/// A later commit of the group sees the earlier ones.
pub(crate) struct Group<'a> {
    rows: &'a Rows,
    changed: BTreeMap<Key, Option<Bytes>>,
    generation: u32,
    sequence: u64,
}

impl<'a> Group<'a> {
    pub(crate) fn new(rows: &'a Rows, generation: u32, sequence: u64) -> Group<'a> {
        Group {
            rows,
            changed: BTreeMap::new(),
            generation,
            sequence,
        }
    }

    pub(crate) fn changed(&self) -> &BTreeMap<Key, Option<Bytes>> {
        &self.changed
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Decides one commit and, when its checks hold, takes up its writes.
    pub(crate) fn decide(&mut self, commit: Commit) -> Result<Stamp, StoreError> {
        commit.validate()?;
        let too_long =
            |put: &Put| put.key.is_person_key() && put.value.len() > PERSON_KEY_MAX_BYTES;
        if commit.puts.iter().any(too_long) {
            return Err(StoreError::TooLarge);
        }
        self.check(&commit.checks)?;
        // Reads can fail, writes to the map cannot: gather before changing.
        let mut cleared = Vec::new();
        for range in &commit.clears {
            cleared.extend(self.keys_in(range)?);
        }
        self.sequence += 1;
        let removed = cleared.into_iter().chain(commit.deletes);
        self.changed.extend(removed.map(|key| (key, None)));
        let puts = commit.puts.into_iter();
        self.changed
            .extend(puts.map(|put| (put.key, Some(put.value))));
        for (place, append) in (0..).zip(commit.appends) {
            let position = EventPosition {
                generation: self.generation,
                sequence: self.sequence,
                place,
            };
            let key = position.key(append.region, append.partition);
            self.changed.insert(key, Some(append.value));
        }
        Ok(Stamp(self.sequence))
    }

    fn check(&self, checks: &[Check]) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        for check in checks {
            match self.holds(check)? {
                true => {}
                false if matches!(check, Check::Fence { .. }) => return Err(StoreError::Fenced),
                false => outcome = Err(StoreError::Conflict),
            }
        }
        outcome
    }

    fn holds(&self, check: &Check) -> Result<bool, StoreError> {
        match check {
            Check::Fence {
                region,
                slot,
                epoch,
            } => {
                let fence = self.get(&Key::fence(*region, *slot))?;
                Ok(Fence::holds(fence.as_deref(), *epoch))
            }
            // Groups land in the order in which they are decided.
            Check::Untouched(_) => Ok(true),
            Check::Absent(key) => Ok(self.get(key)?.is_none()),
            Check::Value(key, value) => Ok(self.get(key)?.as_ref() == Some(value)),
        }
    }

    fn get(&self, key: &Key) -> Result<Option<Bytes>, StoreError> {
        match self.changed.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.rows.get(key),
        }
    }

    fn keys_in(&self, range: &KeyRange) -> Result<Vec<Key>, StoreError> {
        let stored = self.rows.range(range, usize::MAX)?;
        let staged = self.changed.keys().filter(|key| range.contains(key));
        let stored = stored.into_iter().map(|(key, _)| key);
        Ok(stored.chain(staged.cloned()).collect())
    }
}
