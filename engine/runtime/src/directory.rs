//! Who is warm, who is hot, who is broken.
//!
//! Under a guard of the warm map there is only look-up, validate, compare,
//! touch and copy. The number of shards is fixed, because growing one of a few large
//! ones stalls an insertion for tens of milliseconds, and so is the hasher,
//! because user ids are random already and order must not depend on a seed.

mod place;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::fast::FixedState;
use tidegate_account::{SecretHash, UserId};

use crate::check::{Ask, Outcome};
use crate::warm::{Warm, WriteBehind};

pub(crate) use place::Place;

const WARM_SHARDS: usize = 4_096;
const HOT_SHARDS: usize = 256;

/// The place of a hot person: where commands go, and how many wait.
pub(crate) struct Seat<A> {
    pub(crate) actor: A,
    pub(crate) waiting: Arc<AtomicU32>,
}

/// `A` is the handle of an actor.
pub(crate) struct Directory<A> {
    warm: DashMap<UserId, Warm, FixedState>,
    hot: DashMap<UserId, Seat<A>, FixedState>,
    broken: DashMap<UserId, (), FixedState>,
}

/// How a command was received.
pub(crate) enum Seated {
    Sent,
    /// Too many wait for this person.
    Full,
    /// The person's actor could not be started now.
    NotStarted,
    /// An earlier request about this person ended in a panic.
    Broken,
}

impl<A> Directory<A> {
    pub(crate) fn new() -> Directory<A> {
        // The seed is arbitrary and fixed: the same keys fall into the same shards.
        let hasher = || FixedState::with_seed(0x7469_6465_6761_7465);
        let map = |shards| (hasher(), shards);
        let (warm, warm_shards) = map(WARM_SHARDS);
        let (hot, hot_shards) = map(HOT_SHARDS);
        Directory {
            warm: DashMap::with_hasher_and_shard_amount(warm, warm_shards),
            hot: DashMap::with_hasher_and_shard_amount(hot, hot_shards),
            broken: DashMap::with_hasher_and_shard_amount(hasher(), 2),
        }
    }

    /// Answers a check of a warm person; `None` when the person is not warm.
    pub(crate) fn check(
        &self,
        ask: &Ask,
        secret: &SecretHash,
        now_ms: u64,
    ) -> Option<(Outcome, WriteBehind, u64)> {
        let person = self.warm.get(&ask.user)?;
        let (outcome, write_behind) = person.check(ask, secret, now_ms);
        Some((outcome, write_behind, person.epoch))
    }

    /// Makes a newer form of a person the one that checks read. An older form
    /// never replaces a newer one of the same epoch.
    pub(crate) fn publish(&self, user: UserId, person: Warm) {
        match self.warm.entry(user) {
            Entry::Vacant(vacant) => {
                vacant.insert(person);
            }
            Entry::Occupied(mut occupied) => {
                let revision = |warm: &Warm| warm.view().map_or(0, |view| view.revision());
                let older = occupied.get();
                let newer = (person.epoch, revision(&person)) > (older.epoch, revision(older));
                if newer {
                    if person.epoch == older.epoch {
                        person.inherit(older);
                    }
                    occupied.insert(person);
                }
            }
        }
    }

    /// Forgets the person's warm form.
    pub(crate) fn forget(&self, user: UserId) {
        self.warm.remove(&user);
    }

    /// Reads a person's warm form under its guard.
    pub(crate) fn with_warm<T>(&self, user: UserId, read: impl FnOnce(&Warm) -> T) -> Option<T> {
        self.warm.get(&user).map(|person| read(&person))
    }

    pub(crate) fn warm_people(&self) -> usize {
        self.warm.len()
    }

    pub(crate) fn hot_people(&self) -> usize {
        self.hot.len()
    }

    pub(crate) fn hot_slots(&self) -> std::collections::BTreeSet<u16> {
        self.hot.iter().map(|seat| seat.key().slot()).collect()
    }

    /// Makes people cold who were not used for `idle_s`, hot ones excepted.
    pub(crate) fn cool(&self, idle_s: u32, now_ms: u64) {
        // Nothing takes the warm map while it holds the hot one.
        self.warm
            .retain(|user, person| person.idle_s(now_ms) < idle_s || self.hot.contains_key(user));
    }

    /// Sends to the person's actor, starting one when there is none. Sending
    /// happens under the guard, so that an actor that finds no job waiting
    /// can leave without losing what was sent meanwhile.
    pub(crate) fn seat(
        &self,
        user: UserId,
        limit: u32,
        start: impl FnOnce() -> Option<A>,
        send: impl FnOnce(&A, Waiting) -> bool,
    ) -> Seated {
        if self.broken.contains_key(&user) {
            return Seated::Broken;
        }
        let seat = match self.hot.entry(user) {
            Entry::Occupied(occupied) => occupied.into_ref(),
            Entry::Vacant(vacant) => match start() {
                None => return Seated::NotStarted,
                Some(actor) => vacant.insert(Seat {
                    actor,
                    waiting: Arc::default(),
                }),
            },
        };
        if seat.waiting.load(Ordering::Acquire) >= limit {
            return Seated::Full;
        }
        let taken = Arc::clone(&seat.waiting);
        let sent = send(&seat.actor, Waiting::count(&seat.waiting));
        drop(seat);
        if sent {
            return Seated::Sent;
        }
        // The actor has ended without leaving its seat: the next one starts
        // anew. Only that very seat goes, never one that was taken meanwhile,
        // or two actors could own one person.
        let same = |_: &UserId, seat: &Seat<A>| Arc::ptr_eq(&seat.waiting, &taken);
        self.hot.remove_if(&user, same);
        Seated::Full
    }

    /// Lets an actor leave when no job waits for it any more.
    pub(crate) fn leave(&self, user: UserId) -> bool {
        let empty = |_: &UserId, seat: &Seat<A>| seat.waiting.load(Ordering::Acquire) == 0;
        self.hot.remove_if(&user, empty).is_some()
    }

    /// Takes an actor's seat away whatever waits: it has ended.
    pub(crate) fn unseat(&self, user: UserId) {
        self.hot.remove(&user);
    }

    /// Marks a person whose actor panicked.
    pub(crate) fn mark_broken(&self, user: UserId) {
        self.broken.insert(user, ());
        self.forget(user);
    }
}

/// One that waits for a person's actor, counted until it is dropped.
pub(crate) struct Waiting(Arc<AtomicU32>);

impl Waiting {
    fn count(waiting: &Arc<AtomicU32>) -> Waiting {
        waiting.fetch_add(1, Ordering::AcqRel);
        Waiting(Arc::clone(waiting))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends to the seat; the actor that was asked, and whether it was sent.
    fn sit(directory: &Directory<u32>, fresh: u32, alive: &[u32]) -> (u32, bool) {
        let mut asked = 0;
        let seated = directory.seat(
            UserId::from_bytes([1; 16]),
            4,
            || Some(fresh),
            |actor, _waiting| {
                asked = *actor;
                alive.contains(actor)
            },
        );
        (asked, matches!(seated, Seated::Sent))
    }

    #[test]
    fn the_seat_of_an_actor_that_ended_is_given_to_the_next_and_a_live_one_keeps_it() {
        let directory = Directory::new();
        assert_eq!(sit(&directory, 1, &[1]), (1, true));
        assert_eq!(sit(&directory, 2, &[]), (1, false));
        assert_eq!(sit(&directory, 3, &[3]), (3, true));
        assert_eq!(sit(&directory, 4, &[3]), (3, true));
        assert_eq!(directory.hot_people(), 1);
    }

    #[test]
    fn nobody_leaves_while_somebody_waits() {
        let directory = Directory::new();
        let user = UserId::from_bytes([1; 16]);
        let mut kept = None;
        let seated = directory.seat(
            user,
            1,
            || Some(1u32),
            |_, waiting| {
                kept = Some(waiting);
                true
            },
        );
        assert!(matches!(seated, Seated::Sent) && !directory.leave(user));
        let full = directory.seat(user, 1, || None, |_, _| true);
        let other = UserId::from_bytes([2; 16]);
        let not = directory.seat(other, 1, || None, |_, _| true);
        assert!(matches!(not, Seated::NotStarted));
        assert!(matches!(full, Seated::Full));
        drop(kept);
        assert!(directory.leave(user));
    }
}
