//! Markers: what a commit leaves behind so that its outcome can be found out.
//!
//! A lane is a key that one commit at a time uses. The commit writes its own
//! name there, with the version that it landed at, and conflicts with any other
//! commit that writes the lane. Lanes of a slot lie in the slot, so that they
//! are spread as its people are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tidegate_storage_api::{Key, Region, Slot};

use crate::versions::Fenced;

/// FoundationDB's stamp: version u64 BE, order within it u16 BE.
const STAMP: usize = 10;

/// Whose lanes: a node's own, in one life of its process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner {
    pub(crate) node: u64,
    /// Drawn anew in each life, so that a name never comes twice.
    pub(crate) life: u128,
}

type Place = Option<(Region, Slot)>;

pub(crate) struct Lanes {
    owner: Owner,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    named: u64,
    free: HashMap<Place, Free>,
}

#[derive(Default)]
struct Free {
    numbers: Vec<u16>,
    made: u16,
}

/// One commit's lane, until its outcome is known.
#[derive(Debug)]
pub(crate) struct Lane {
    place: Place,
    number: u16,
    pub(crate) key: Key,
    name: [u8; 24],
}

impl Lanes {
    pub(crate) fn new(owner: Owner) -> Lanes {
        Lanes {
            owner,
            state: Mutex::default(),
        }
    }

    /// `None` when more than 65,535 commits of one slot are under way.
    pub(crate) fn take(&self, fenced: Option<Fenced>) -> Option<Lane> {
        let place = fenced.map(|fenced| (fenced.region, fenced.slot));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.named += 1;
        let named = state.named;
        let free = state.free.entry(place).or_default();
        let number = match free.numbers.pop() {
            Some(number) => number,
            None => {
                free.made = free.made.checked_add(1)?;
                free.made - 1
            }
        };
        let mut name = [0; 24];
        name[..16].copy_from_slice(&self.owner.life.to_be_bytes());
        name[16..].copy_from_slice(&named.to_be_bytes());
        Some(Lane {
            place,
            number,
            key: Key::marker(place, self.owner.node, number),
            name,
        })
    }

    /// The outcome of the lane's commit is known.
    pub(crate) fn give_back(&self, lane: &Lane) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free) = state.free.get_mut(&lane.place) {
            free.numbers.push(lane.number);
        }
    }
}

impl Lane {
    /// The value to write, with room for the stamp, and where that goes, as
    /// `SET_VERSIONSTAMPED_VALUE` wants it.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut value = vec![0; STAMP];
        value.extend_from_slice(&self.name);
        value.extend_from_slice(&0u32.to_le_bytes());
        value
    }

    /// The version at which this lane's commit landed, when what is stored is
    /// its marker.
    pub(crate) fn landed(&self, stored: Option<&[u8]>) -> Option<i64> {
        let (stamp, name) = stored?.split_first_chunk::<STAMP>()?;
        let version = stamp.first_chunk::<8>().filter(|_| name == self.name)?;
        i64::try_from(u64::from_be_bytes(*version)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes() -> Lanes {
        Lanes::new(Owner { node: 7, life: 9 })
    }

    fn slot(number: u16) -> Option<Fenced> {
        Some(Fenced {
            region: Region::FIRST,
            slot: Slot::new(number).unwrap(),
            epoch: 1,
        })
    }

    #[test]
    fn a_lane_is_nobody_elses_until_it_is_given_back() {
        let lanes = lanes();
        let (first, second) = (lanes.take(slot(1)).unwrap(), lanes.take(slot(1)).unwrap());
        assert_ne!(first.key, second.key);
        assert_ne!(first.key, lanes.take(slot(2)).unwrap().key);
        assert_ne!(first.key, lanes.take(None).unwrap().key);
        lanes.give_back(&first);
        let again = lanes.take(slot(1)).unwrap();
        assert_eq!(again.key, first.key);
        assert_ne!(again.name, first.name);
    }

    #[test]
    fn a_marker_is_known_by_its_name_and_tells_its_version() {
        let lanes = lanes();
        let (mine, other) = (lanes.take(slot(1)).unwrap(), lanes.take(slot(1)).unwrap());
        let stored = |lane: &Lane| {
            let mut value = lane.value();
            value.truncate(value.len() - 4);
            value[..8].copy_from_slice(&77u64.to_be_bytes());
            value
        };
        assert_eq!(mine.landed(Some(&stored(&mine))), Some(77));
        assert_eq!(mine.landed(Some(&stored(&other))), None);
        assert_eq!(mine.landed(Some(b"short")), None);
        assert_eq!(mine.landed(None), None);
    }
}
