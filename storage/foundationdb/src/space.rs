//! Where Tidegate's rows lie in a cluster that others may use too. The key space
//! behind `0xFF` is FoundationDB's own, so keys cannot stand there as they are.

use tidegate_storage_api::Key;

/// Stands before every key.
const PREFIX: &[u8] = b"tg";

/// A key as FoundationDB has it.
pub(crate) fn stored(key: &Key) -> Vec<u8> {
    [PREFIX, key.as_bytes()].concat()
}

/// A key that FoundationDB gave back.
pub(crate) fn read(stored: &[u8]) -> Key {
    Key::from_stored(stored.strip_prefix(PREFIX).unwrap_or(stored))
}

/// A key whose last four bytes say where, within it, a stamp goes.
pub(crate) fn stamped(mut key: Vec<u8>) -> Vec<u8> {
    let before = u32::try_from(PREFIX.len()).unwrap_or(0);
    if let Some(place) = key.last_chunk_mut::<4>() {
        *place = (u32::from_le_bytes(*place) + before).to_le_bytes();
    }
    [PREFIX, &key].concat()
}

#[cfg(test)]
mod tests {
    use tidegate_storage_api::{EventPosition, Partition, Region, SystemPart};

    use super::*;

    #[test]
    fn a_key_comes_back_as_it_was_and_never_lies_in_foundationdbs_own_space() {
        let key = Key::system(SystemPart::Store);
        assert_eq!(key.as_bytes()[0], 0xFF);
        assert!(stored(&key).as_slice() < b"\xFF".as_slice());
        assert_eq!(read(&stored(&key)), key);
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
