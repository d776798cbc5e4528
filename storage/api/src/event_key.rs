//! Where an event lies in the log: store generation, then commit order.

use crate::key::{Key, Partition, Region};

/// The position of one event within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition {
    /// Which life of the store this is: raised by a restore.
    pub generation: u32,
    /// The order of the commit that appended it.
    pub sequence: u64,
    /// Its place within that commit.
    pub place: u16,
}

impl EventPosition {
    /// The key under which the event is stored.
    #[must_use]
    pub fn key(self, region: Region, partition: Partition) -> Key {
        let mut place = [0u8; 14];
        place[..4].copy_from_slice(&self.generation.to_be_bytes());
        place[4..12].copy_from_slice(&self.sequence.to_be_bytes());
        place[12..].copy_from_slice(&self.place.to_be_bytes());
        Key::event(region, partition, &place)
    }

    /// The key of an event of a commit whose order the store itself writes into
    /// the key: ten bytes of it, sequence u64 BE and order within it u16 BE,
    /// then the place. Behind the key, u32 LE, is where those ten bytes go, as
    /// FoundationDB's `SET_VERSIONSTAMPED_KEY` wants it.
    #[must_use]
    pub fn stamped_key(
        region: Region,
        partition: Partition,
        generation: u32,
        place: u16,
    ) -> Vec<u8> {
        let mut rest = [0u8; 16];
        rest[..4].copy_from_slice(&generation.to_be_bytes());
        rest[14..].copy_from_slice(&place.to_be_bytes());
        let mut key = Key::event(region, partition, &rest).as_bytes().to_vec();
        let stamp = key.len().saturating_sub(12);
        key.extend_from_slice(&u32::try_from(stamp).unwrap_or(0).to_le_bytes());
        key
    }
}
