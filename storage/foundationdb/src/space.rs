//! Where Tidegate's rows lie in a cluster that others may use too. The key space
//! behind `0xFF` is FoundationDB's own, so keys cannot stand there as they are.
//!
//! FoundationDB's tools copy ranges, so what is to be backed up apart has a
//! range of its own.

use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_storage_api::{Key, KeyRange};

/// Stands before every key.
const ROWS: &[u8] = b"tg";
/// Stands before the keys of people's keys, where those lie apart.
const APART: &[u8] = b"tk";

/// Where the keys of people lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Among the others, as in a deployment that older programs serve too.
    Together,
    /// In a range of their own.
    #[default]
    Apart,
}

/// The places of keys in one cluster.
#[derive(Default)]
pub(crate) struct Space {
    together: AtomicBool,
}

impl Space {
    pub(crate) fn set_layout(&self, layout: Layout) {
        let together = layout == Layout::Together;
        self.together.store(together, Ordering::Release);
    }

    fn is_together(&self) -> bool {
        self.together.load(Ordering::Acquire)
    }

    /// A key as FoundationDB has it.
    pub(crate) fn stored(&self, key: &Key) -> Vec<u8> {
        let prefix = match key.is_person_key() && !self.is_together() {
            true => APART,
            false => ROWS,
        };
        [prefix, key.as_bytes()].concat()
    }

    /// What a range of keys is there: one range, or two.
    pub(crate) fn ranges(&self, range: &KeyRange) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let apart = range.may_hold_person_keys() && !self.is_together();
        let prefixes = [Some(ROWS), apart.then_some(APART)].into_iter().flatten();
        prefixes.map(|prefix| {
            let at = |key: &Key| [prefix, key.as_bytes()].concat();
            (at(&range.start), at(&range.end))
        })
    }
}

/// A key that FoundationDB gave back.
pub(crate) fn read(stored: &[u8]) -> Key {
    let rows = || stored.strip_prefix(ROWS);
    Key::from_stored(stored.strip_prefix(APART).or_else(rows).unwrap_or(stored))
}

/// A key whose last four bytes say where, within it, a stamp goes.
pub(crate) fn stamped(mut key: Vec<u8>) -> Vec<u8> {
    let before = u32::try_from(ROWS.len()).unwrap_or(0);
    if let Some(place) = key.last_chunk_mut::<4>() {
        *place = (u32::from_le_bytes(*place) + before).to_le_bytes();
    }
    [ROWS, &key].concat()
}

#[cfg(test)]
mod tests {
    use tidegate_storage_api::{EventPosition, Partition, PersonPart, Region, Slot, SystemPart};

    use super::*;

    #[test]
    fn a_key_comes_back_as_it_was_and_never_lies_in_foundationdbs_own_space() {
        let space = Space::default();
        let slot = Slot::new(7).unwrap();
        for key in [
            Key::system(SystemPart::Store),
            Key::person_key(Region::FIRST, slot, &[7; 16]),
        ] {
            for layout in [Layout::Apart, Layout::Together] {
                space.set_layout(layout);
                let stored = space.stored(&key);
                assert!(stored.as_slice() < b"\xFF".as_slice());
                assert_eq!(read(&stored), key);
            }
        }
    }

    #[test]
    fn keys_of_people_have_a_range_of_their_own_where_they_lie_apart() {
        let space = Space::default();
        let slot = Slot::new(7).unwrap();
        let key = Key::person_key(Region::FIRST, slot, &[7; 16]);
        let record = Key::person(Region::FIRST, slot, &[7; 16], PersonPart::Record);
        let within = |key: &Key, range: KeyRange| {
            let stored = space.stored(key);
            let mut ranges = space.ranges(&range);
            ranges.any(|(start, end)| start <= stored && stored < end)
        };
        for (layout, prefix) in [(Layout::Apart, b"tk"), (Layout::Together, b"tg")] {
            space.set_layout(layout);
            assert!(space.stored(&key).starts_with(prefix));
            assert!(space.stored(&record).starts_with(b"tg"));
            assert!(within(&key, KeyRange::everything()));
            assert!(within(&record, KeyRange::everything()));
            assert!(!within(&key, KeyRange::people(Region::FIRST, slot)));
        }
        space.set_layout(Layout::Apart);
        let people = KeyRange::people(Region::FIRST, slot);
        assert_eq!(space.ranges(&people).count(), 1);
        assert_eq!(space.ranges(&KeyRange::everything()).count(), 2);
    }

    #[test]
    fn a_stamp_goes_where_the_generation_ends_and_the_place_begins() {
        let partition = Partition::new(0).unwrap();
        let key = EventPosition::stamped_key(Region::FIRST, partition, 7, 3);
        let key = stamped(key);
        let (key, at) = key.split_last_chunk::<4>().unwrap();
        let at = u32::from_le_bytes(*at) as usize;
        assert_eq!(key[at - 4..at], 7u32.to_be_bytes());
        assert_eq!(key[at..at + 10], [0; 10]);
        assert_eq!(key[at + 10..], 3u16.to_be_bytes());
    }
}
