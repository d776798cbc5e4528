//! People who could not be answered for a while, for as long as that matters: until
//! the usual time to ask again is over.
//!
//! That an answer left late cannot be written down with what it answers, and a
//! write of its own may fail when it is needed most. So it is remembered here,
//! and told to the account whenever it is opened.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;
use tidegate_account::{Late, UserId};

/// How long it is remembered: longer than a caller may ask again.
const KEPT_MS: u64 = 60_000;

pub(crate) struct Lates {
    most: usize,
    /// So that the lock is not taken while nothing is late.
    count: AtomicUsize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    people: HashMap<UserId, One, FixedState>,
    /// Each of the people once, by when they may be forgotten.
    ends: VecDeque<(u64, UserId)>,
}

struct One {
    late: Late,
    until_ms: u64,
}

impl Lates {
    /// Remembers so many people; beyond, those longest known are forgotten.
    pub(crate) fn new(most: usize) -> Lates {
        Lates {
            most,
            count: AtomicUsize::new(0),
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a wait; one that is remembered already goes on. `now_ms` is
    /// monotonic.
    pub(crate) fn add(&self, user: UserId, late: Late, now_ms: u64) {
        let mut kept = self.kept();
        kept.forget(now_ms);
        let until_ms = now_ms.saturating_add(KEPT_MS);
        match kept.people.get_mut(&user) {
            Some(one) => {
                one.late.since = one.late.since.min(late.since);
                one.late.landed = one.late.landed.max(late.landed);
                one.until_ms = until_ms;
            }
            None => {
                kept.people.insert(user, One { late, until_ms });
                kept.ends.push_back((until_ms, user));
            }
        }
        while kept.people.len() > self.most
            && let Some((_, longest)) = kept.ends.pop_front()
        {
            kept.people.remove(&longest);
        }
        self.count.store(kept.people.len(), Ordering::Release);
    }

    /// The wait of a person that is not over for so long. `now_ms` is monotonic.
    pub(crate) fn of(&self, user: UserId, now_ms: u64) -> Option<Late> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let kept = self.kept();
        let one = kept.people.get(&user)?;
        (now_ms < one.until_ms).then_some(one.late)
    }
}

impl Kept {
    /// Forgets whose time is over; who had to wait once more is looked at again
    /// later.
    fn forget(&mut self, now_ms: u64) {
        while let Some((end_ms, user)) = self.ends.front().copied()
            && end_ms <= now_ms
        {
            self.ends.pop_front();
            match self.people.get(&user) {
                Some(one) if one.until_ms > now_ms => self.ends.push_back((one.until_ms, user)),
                Some(_) => {
                    self.people.remove(&user);
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u8) -> UserId {
        UserId::from_bytes([number; 16])
    }

    fn late(since: u64, landed: u64) -> Late {
        Late { since, landed }
    }

    #[test]
    fn a_wait_that_goes_on_is_one_and_is_forgotten_when_nobody_may_ask_again() {
        let lates = Lates::new(10);
        assert_eq!(lates.of(user(1), 0), None);
        lates.add(user(1), late(500, 900), 1_000);
        lates.add(user(1), late(700, 2_900), 3_000);
        lates.add(user(2), late(100, 200), 3_000);
        assert_eq!(lates.of(user(1), 62_999), Some(late(500, 2_900)));
        assert_eq!(lates.of(user(1), 63_000), None);
        assert_eq!(lates.of(user(2), 62_999), Some(late(100, 200)));
        assert_eq!(lates.of(user(3), 3_000), None);
        // A person who waits anew has nothing of the wait before.
        lates.add(user(1), late(80_000, 90_000), 90_000);
        assert_eq!(lates.of(user(1), 90_000), Some(late(80_000, 90_000)));
        let kept = lates.kept();
        assert_eq!((kept.people.len(), kept.ends.len()), (1, 1));
    }

    #[test]
    fn nothing_grows_without_end() {
        let lates = Lates::new(3);
        for number in 0..10 {
            for _ in 0..10 {
                lates.add(user(number), late(1, 2), 5);
            }
        }
        assert_eq!(lates.of(user(6), 5), None);
        for number in 7..10 {
            assert_eq!(lates.of(user(number), 5), Some(late(1, 2)));
        }
        let kept = lates.kept();
        assert_eq!((kept.people.len(), kept.ends.len()), (3, 3));
    }
}
