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
        let mut place = [0; 14];
        place[..4].copy_from_slice(&self.generation.to_be_bytes());
        place[4..12].copy_from_slice(&self.sequence.to_be_bytes());
        place[12..].copy_from_slice(&self.place.to_be_bytes());
        Key::event(region, partition, &place)
    }
}
