//! Rows, versions and conflicts: what is decided, without when.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use tidegate_storage_api::{Check, Commit, EventPosition, Fence, Key, KeyRange};

/// Versions a second, as in FoundationDB.
const VERSIONS_PER_S: u64 = 1_000_000;
/// How long a transaction may live, in versions: five seconds.
pub(crate) const WINDOW: u64 = 5 * VERSIONS_PER_S;
/// How far a recovery moves the versions on.
const RECOVERY: u64 = 100_000_000;

/// Rows that were there before the world began, found when they are first
/// read. What was written since comes first.
pub trait Genesis: Send + Sync + 'static {
    /// The row of this key.
    fn row(&self, key: &Key) -> Option<Bytes>;
}

pub(crate) struct Database {
    /// What was written, and when; no value where something was deleted.
    rows: BTreeMap<Key, Row>,
    genesis: Option<Arc<dyn Genesis>>,
    /// Ranges cleared within the window.
    clears: VecDeque<(u64, KeyRange)>,
    /// Deletions within the window, which hide nothing any more afterwards.
    deleted: VecDeque<(u64, Key)>,
    newest: u64,
    /// Added to the versions that time gives.
    moved_on: u64,
    /// Versions before this one are too old.
    oldest: u64,
    generation: u32,
}

struct Row {
    value: Option<Bytes>,
    version: u64,
}

/// The outcome of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    Committed(u64),
    /// A key that it read was written since; which one is not said.
    Conflict,
    TooOld,
}

/// What a condition comes to when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Held,
    Fenced,
    Overtaken,
    Conflict,
}

impl Database {
    pub(crate) fn new(genesis: Option<Arc<dyn Genesis>>) -> Database {
        Database {
            rows: BTreeMap::new(),
            genesis,
            clears: VecDeque::new(),
            deleted: VecDeque::new(),
            newest: 1,
            moved_on: 1,
            oldest: 0,
            generation: 1,
        }
    }

    /// The read version of this moment: every commit until now is in it.
    pub(crate) fn version(&mut self, now_ns: u64) -> u64 {
        self.newest = self.newest.max(self.by_time(now_ns));
        self.newest
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Bytes> {
        match self.rows.get(key) {
            Some(row) => row.value.clone(),
            None => self.genesis.as_ref()?.row(key),
        }
    }

    pub(crate) fn range(&self, range: KeyRange, limit: usize) -> Vec<(Key, Bytes)> {
        if range.start >= range.end {
            return Vec::new();
        }
        let rows = self.rows.range(range.start..range.end);
        let there = rows.filter_map(|(key, row)| Some((key.clone(), row.value.clone()?)));
        there.take(limit).collect()
    }

    /// Reads the conditions as they are now. `since` is the version from which
    /// on the caller knows what it alone writes.
    pub(crate) fn read(&self, checks: &[Check], since: u64) -> Found {
        let mut found = Found::Held;
        for check in checks {
            let here = self.found(check, since);
            match (here, found) {
                (Found::Held, _) => {}
                (Found::Fenced, _) => return Found::Fenced,
                (Found::Overtaken, _) | (_, Found::Held) => found = here,
                (_, _) => {}
            }
        }
        found
    }

    fn found(&self, check: &Check, since: u64) -> Found {
        let (held, otherwise) = match check {
            Check::Fence {
                region,
                slot,
                epoch,
            } => {
                let fence = self.get(&Key::fence(*region, *slot));
                (Fence::holds(fence.as_deref(), *epoch), Found::Fenced)
            }
            Check::Absent(key) => (self.get(key).is_none(), Found::Conflict),
            Check::Value(key, value) => (self.get(key).as_ref() == Some(value), Found::Conflict),
            Check::Untouched(key) => (self.written_at(key) <= since, Found::Overtaken),
        };
        match held {
            true => Found::Held,
            false => otherwise,
        }
    }

    /// Decides a commit whose conditions were read at `read_version`, and
    /// carries it out.
    pub(crate) fn decide(&mut self, commit: &Commit, read_version: u64, now_ns: u64) -> Decided {
        let now = self.version(now_ns);
        if self.is_too_old(read_version, now) {
            return Decided::TooOld;
        }
        if self.conflicts(commit, read_version) {
            return Decided::Conflict;
        }
        let version = now + 1;
        self.newest = version;
        self.apply(commit, version);
        self.forget(version);
        Decided::Committed(version)
    }

    fn is_too_old(&self, read_version: u64, now: u64) -> bool {
        read_version < self.oldest || read_version + WINDOW < now
    }

    fn conflicts(&self, commit: &Commit, read_version: u64) -> bool {
        let conflicts = |check: &Check| self.written_at(&key_of(check)) > read_version;
        commit.checks.iter().any(conflicts)
    }

    /// Whether [`Database::decide`] would carry a commit out.
    pub(crate) fn would_commit(&self, commit: &Commit, read_version: u64, now_ns: u64) -> bool {
        let now = self.newest.max(self.by_time(now_ns));
        !self.is_too_old(read_version, now) && !self.conflicts(commit, read_version)
    }

    fn by_time(&self, now_ns: u64) -> u64 {
        now_ns / (1_000_000_000 / VERSIONS_PER_S) + self.moved_on
    }

    /// The log is read again, and versions go on far ahead: whatever was read
    /// before is too old.
    pub(crate) fn recover(&mut self, now_ns: u64) {
        self.moved_on += RECOVERY;
        self.oldest = self.version(now_ns);
    }

    fn apply(&mut self, commit: &Commit, version: u64) {
        for range in &commit.clears {
            let within = self.rows.range_mut(range.start.clone()..range.end.clone());
            for (key, row) in within {
                (row.value, row.version) = (None, version);
                self.deleted.push_back((version, key.clone()));
            }
            self.clears.push_back((version, range.clone()));
        }
        for key in &commit.deletes {
            self.write(key.clone(), None, version);
            self.deleted.push_back((version, key.clone()));
        }
        for put in &commit.puts {
            self.write(put.key.clone(), Some(put.value.clone()), version);
        }
        for (place, append) in (0..).zip(&commit.appends) {
            let position = EventPosition {
                generation: self.generation,
                sequence: version,
                place,
            };
            let key = position.key(append.region, append.partition);
            self.write(key, Some(append.value.clone()), version);
        }
    }

    fn write(&mut self, key: Key, value: Option<Bytes>, version: u64) {
        self.rows.insert(key, Row { value, version });
    }

    fn written_at(&self, key: &Key) -> u64 {
        let row = self.rows.get(key).map_or(0, |row| row.version);
        let clears = self.clears.iter().filter(|(_, range)| range.contains(key));
        clears.map(|(version, _)| *version).fold(row, u64::max)
    }

    /// Deletions that no transaction can conflict with any more. Where there
    /// were rows before the beginning, a deletion is what hides them.
    fn forget(&mut self, version: u64) {
        let old = |at: u64| at + 2 * WINDOW < version;
        while self.clears.front().is_some_and(|(at, _)| old(*at)) {
            self.clears.pop_front();
        }
        while self.deleted.front().is_some_and(|(at, _)| old(*at)) {
            let Some((_, key)) = self.deleted.pop_front() else {
                return;
            };
            let gone = self.rows.get(&key).is_some_and(|row| row.value.is_none());
            if gone && self.genesis.is_none() {
                self.rows.remove(&key);
            }
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }
}

fn key_of(check: &Check) -> Key {
    match check {
        Check::Fence { region, slot, .. } => Key::fence(*region, *slot),
        Check::Absent(key) | Check::Value(key, _) | Check::Untouched(key) => key.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_storage_api::{PersonPart, Region, Slot};

    const S: u64 = 1_000_000_000;

    fn row(name: u8) -> Key {
        let slot = Slot::new(1).unwrap();
        Key::person(Region::FIRST, slot, &[name; 16], PersonPart::Record)
    }

    fn put(name: u8, value: &'static [u8]) -> Commit {
        Commit::default().put(row(name), value)
    }

    fn committed(decided: Decided) -> u64 {
        match decided {
            Decided::Committed(version) => version,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whoever_read_before_a_write_conflicts_with_it_and_whoever_read_after_does_not() {
        let mut database = Database::new(None);
        let before = database.version(S);
        let written = committed(database.decide(&put(1, b"a"), before, S));
        let reader = put(2, b"x").check(Check::Untouched(row(1)));
        assert_eq!(database.decide(&reader, before, S), Decided::Conflict);
        let after = database.version(S);
        assert!(after >= written);
        committed(database.decide(&reader, after, S));
        // A write alone conflicts with nothing.
        committed(database.decide(&put(1, b"b"), before, S));
    }

    #[test]
    fn a_deletion_and_a_cleared_range_are_writes_even_where_nothing_was() {
        let mut database = Database::new(None);
        let before = database.version(S);
        let slot = Slot::new(1).unwrap();
        let removals = [
            Commit::default().delete(row(1)),
            Commit::default().clear(KeyRange::people(Region::FIRST, slot)),
        ];
        for removal in removals {
            committed(database.decide(&removal, before, S));
            let reader = put(2, b"x").check(Check::Absent(row(1)));
            assert_eq!(database.decide(&reader, before, S), Decided::Conflict);
        }
    }

    #[test]
    fn after_five_seconds_or_a_recovery_a_read_version_is_too_old() {
        let mut database = Database::new(None);
        let first = database.version(S);
        committed(database.decide(&put(1, b"a"), first, 6 * S - 10));
        assert_eq!(
            database.decide(&put(1, b"a"), first, 6 * S + 10_000),
            Decided::TooOld
        );
        let second = database.version(7 * S);
        database.recover(7 * S);
        assert_eq!(
            database.decide(&put(1, b"a"), second, 7 * S),
            Decided::TooOld
        );
        let third = database.version(7 * S);
        committed(database.decide(&put(1, b"b"), third, 7 * S));
        assert_eq!(database.get(&row(1)).as_deref(), Some(&b"b"[..]));
    }

    #[test]
    fn rows_from_before_the_beginning_are_there_until_something_hides_them() {
        struct Ones;
        impl Genesis for Ones {
            fn row(&self, key: &Key) -> Option<Bytes> {
                (*key == row(1)).then(|| Bytes::from_static(b"old"))
            }
        }
        let mut database = Database::new(Some(Arc::new(Ones)));
        assert_eq!(database.get(&row(1)).as_deref(), Some(&b"old"[..]));
        let version = database.version(S);
        committed(database.decide(&Commit::default().delete(row(1)), version, S));
        for second in 0..40 {
            let version = database.version(second * S);
            committed(database.decide(&put(2, b"x"), version, second * S));
        }
        assert_eq!(database.get(&row(1)), None);
    }
}
