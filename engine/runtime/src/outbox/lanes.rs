//! How many messages are on their way to one destination: one that is slow does not
//! hold every place that there is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pauses::PAUSE_MAX_MS;

/// Messages that are on their way to one destination at once.
pub(super) const SEATS: u32 = 32;
/// How long those that find no seat wait, for each [`SEATS`] that do.
const TURN_MS: u64 = 1_000;

/// Destinations to which something is on its way: as many as messages at most.
#[derive(Default)]
pub(super) struct Lanes(Mutex<BTreeMap<String, Lane>>);

#[derive(Clone, Copy, Default)]
struct Lane {
    taken: u32,
    /// How many found no seat; with each that leaves one fewer waits.
    waiting: u64,
}

/// A message's seat, until it is dropped.
pub(super) struct Seat<'a> {
    lanes: &'a Lanes,
    destination: &'a str,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut all = self.lanes.all();
        let Some(lane) = all.get_mut(self.destination) else {
            return;
        };
        lane.taken = lane.taken.saturating_sub(1);
        lane.waiting = lane.waiting.saturating_sub(1);
        if lane.taken == 0 {
            all.remove(self.destination);
        }
    }
}

/// There is no seat: so long to wait for one, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait(pub(super) u64);

impl Lanes {
    /// A seat to a destination.
    ///
    /// # Errors
    /// [`Wait`], which is longer the more wait already.
    pub(super) fn seat<'a>(&'a self, destination: &'a str) -> Result<Seat<'a>, Wait> {
        let mut all = self.all();
        let lane = all.entry(destination.to_owned()).or_default();
        if lane.taken >= SEATS {
            let turns = lane.waiting / u64::from(SEATS) + 1;
            lane.waiting = lane.waiting.saturating_add(1);
            return Err(Wait(turns.saturating_mul(TURN_MS).min(PAUSE_MAX_MS)));
        }
        lane.taken += 1;
        Ok(Seat {
            lanes: self,
            destination,
        })
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Lane>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_so_many_seats_and_who_finds_none_waits_its_turn() {
        let lanes = Lanes::default();
        let mut seats: Vec<_> = (0..SEATS).map(|_| lanes.seat("mail").ok()).collect();
        assert!(seats.iter().all(Option::is_some));
        let waits = (0..65).map(|_| lanes.seat("mail").err());
        let turns = [(1_000, 32), (2_000, 32), (3_000, 1)];
        let turns = turns.map(|(ms, count)| std::iter::repeat_n(Some(Wait(ms)), count));
        assert!(waits.eq(turns.into_iter().flatten()));
        assert!(lanes.seat("sms").is_ok());
        seats.truncate(30);
        assert!(lanes.seat("mail").is_ok());
        seats.clear();
        assert!(lanes.all().is_empty());
    }
}
