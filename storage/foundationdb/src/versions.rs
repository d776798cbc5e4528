//! Read versions that need not be asked for.
//!
//! A conflict range on a fence proves only that it did not change since the
//! read version. So a version is kept for a slot only when the fence was known
//! to be the caller's at that version: by the slot's last commit, or by what
//! the owner vouches for.
#![allow(
    clippy::disallowed_methods,
    reason = "the age of a version of the real database; the simulator has a store of its own"
)]

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidegate_storage_api::{Check, Commit, Region, Slot, Stamp};

/// FoundationDB forgets versions after five seconds; a commit needs some of
/// them to arrive.
const AGE_MAX: Duration = Duration::from_secs(4);
/// A commit that takes longer says that FoundationDB slows down.
const SLOW: Duration = Duration::from_millis(250);
/// For so long afterwards versions are asked for, and FoundationDB, which slows
/// those who ask, decides how much there is to do.
const CAUTIOUS: Duration = Duration::from_secs(2);

/// Commits without a slot of their own of which it is known when they were
/// asked for: a node has one renewal and one claim under way at a time.
const REMEMBERED: usize = 64;

/// A slot as a commit's fence names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fenced {
    pub(crate) region: Region,
    pub(crate) slot: Slot,
    pub(crate) epoch: u64,
}

impl Fenced {
    /// The one fence of a commit. Of several, none: what is known of one slot
    /// says nothing of another.
    pub(crate) fn of(commit: &Commit) -> Option<Fenced> {
        let mut fences = commit.checks.iter().filter_map(|check| match check {
            Check::Fence {
                region,
                slot,
                epoch,
            } => Some(Fenced {
                region: *region,
                slot: *slot,
                epoch: *epoch,
            }),
            _ => None,
        });
        fences.next().filter(|_| fences.next().is_none())
    }
}

#[derive(Clone, Copy)]
struct Known {
    epoch: u64,
    version: i64,
    /// At least this old: when whatever told the version was asked. None once it
    /// was forgotten: it only keeps older ones from being taken up.
    asked: Option<Instant>,
}

/// A moment before something was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked(Instant);

impl Asked {
    pub(crate) fn now() -> Asked {
        Asked(Instant::now())
    }
}

#[derive(Default)]
pub(crate) struct Versions {
    known: Mutex<HashMap<(Region, Slot), Known>>,
    /// Commits of no one slot, the newest first: one may be vouched on.
    others: Mutex<VecDeque<(i64, Instant)>>,
    /// Until when versions are asked for.
    cautious: Mutex<Option<Instant>>,
}

impl Versions {
    /// The version at which the slot was last known to be the caller's.
    pub(crate) fn cached(&self, fenced: Option<Fenced>, now: Asked) -> Option<i64> {
        let fenced = fenced?;
        let cautious = *self.cautious.lock().unwrap_or_else(PoisonError::into_inner);
        if cautious.is_some_and(|until| now.0 < until) {
            return None;
        }
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&(fenced.region, fenced.slot))?;
        let young = now.0.saturating_duration_since(known.asked?) < AGE_MAX;
        (known.epoch == fenced.epoch && young).then_some(known.version)
    }

    /// A commit landed at this version; its slot was the caller's then.
    pub(crate) fn learn(&self, fenced: Option<Fenced>, version: i64, asked: Asked) {
        let Some(fenced) = fenced else {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            others.truncate(REMEMBERED - 1);
            return others.push_front((version, asked.0));
        };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = Known {
            epoch: fenced.epoch,
            version,
            asked: Some(asked.0),
        };
        keep(&mut all, (fenced.region, fenced.slot), found);
    }

    /// These slots were the caller's when a commit of its own landed. Of one
    /// whose age is not known any more nothing is taken over.
    pub(crate) fn vouch(&self, region: Region, owned: &[(Slot, u64)], stamp: Stamp) {
        let Ok(version) = i64::try_from(stamp.0) else {
            return;
        };
        let asked = {
            let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            let found = others.iter().find(|(landed, _)| *landed == version);
            found.map(|(_, asked)| *asked)
        };
        if asked.is_none() {
            return;
        }
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (slot, epoch) in owned {
            let found = Known {
                epoch: *epoch,
                version,
                asked,
            };
            keep(&mut all, (region, *slot), found);
        }
    }

    pub(crate) fn forget(&self, fenced: Option<Fenced>) {
        if let Some(fenced) = fenced {
            let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = all.get_mut(&(fenced.region, fenced.slot)) {
                known.asked = None;
            }
        }
    }

    /// How long a commit took, from when it was asked for.
    pub(crate) fn took(&self, asked: Asked, done: Asked) {
        if done.0.saturating_duration_since(asked.0) > SLOW {
            let mut cautious = self.cautious.lock().unwrap_or_else(PoisonError::into_inner);
            *cautious = Some(done.0 + CAUTIOUS);
        }
    }
}

/// Answers can come in another order than they were decided in.
fn keep(all: &mut HashMap<(Region, Slot), Known>, slot: (Region, Slot), found: Known) {
    let known = all.entry(slot).or_insert(found);
    if (known.epoch, known.version) < (found.epoch, found.version) {
        *known = found;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fenced(epoch: u64) -> Option<Fenced> {
        Some(Fenced {
            region: Region::FIRST,
            slot: Slot::new(3).unwrap(),
            epoch,
        })
    }

    fn after(start: Asked, ms: u64) -> Asked {
        Asked(start.0 + Duration::from_millis(ms))
    }

    #[test]
    fn a_version_serves_its_own_epoch_until_it_is_too_old() {
        let (versions, start) = (Versions::default(), Asked::now());
        assert_eq!(versions.cached(fenced(1), start), None);
        versions.learn(fenced(1), 100, start);
        versions.learn(fenced(1), 90, after(start, 10));
        assert_eq!(versions.cached(fenced(1), after(start, 3_999)), Some(100));
        assert_eq!(versions.cached(fenced(1), after(start, 4_000)), None);
        assert_eq!(versions.cached(fenced(2), start), None);
        assert_eq!(versions.cached(None, start), None);
        versions.learn(fenced(2), 50, after(start, 20));
        assert_eq!(versions.cached(fenced(2), after(start, 30)), Some(50));
        versions.forget(fenced(2));
        assert_eq!(versions.cached(fenced(2), after(start, 30)), None);
    }

    #[test]
    fn what_the_owner_vouches_for_is_as_old_as_the_commit_that_shows_it() {
        let (versions, start) = (Versions::default(), Asked::now());
        let owned = [(Slot::new(3).unwrap(), 2)];
        let vouched = |version| versions.vouch(Region::FIRST, &owned, Stamp(version));
        vouched(100);
        assert_eq!(versions.cached(fenced(2), start), None);
        versions.learn(None, 100, start);
        vouched(100);
        assert_eq!(versions.cached(fenced(2), after(start, 3_999)), Some(100));
        assert_eq!(versions.cached(fenced(2), after(start, 4_000)), None);
        assert_eq!(versions.cached(fenced(1), start), None);
        // The slot's own commit is newer, and stays, even when it is forgotten:
        // a later one could conflict with it.
        versions.learn(fenced(2), 120, after(start, 30));
        versions.learn(None, 110, after(start, 20));
        vouched(110);
        assert_eq!(versions.cached(fenced(2), after(start, 40)), Some(120));
        versions.forget(fenced(2));
        vouched(110);
        assert_eq!(versions.cached(fenced(2), after(start, 40)), None);
        versions.learn(None, 130, after(start, 40));
        vouched(130);
        assert_eq!(versions.cached(fenced(2), after(start, 40)), Some(130));
        for version in 200..200 + REMEMBERED as i64 {
            versions.learn(None, version, after(start, 50));
        }
        vouched(110);
        assert_eq!(versions.cached(fenced(2), after(start, 60)), Some(130));
    }

    #[test]
    fn after_a_slow_commit_versions_are_asked_for_for_a_while() {
        let (versions, start) = (Versions::default(), Asked::now());
        versions.learn(fenced(1), 100, start);
        versions.took(start, after(start, 250));
        assert_eq!(versions.cached(fenced(1), after(start, 251)), Some(100));
        versions.took(start, after(start, 300));
        assert_eq!(versions.cached(fenced(1), after(start, 2_299)), None);
        assert_eq!(versions.cached(fenced(1), after(start, 2_300)), Some(100));
    }

    #[test]
    fn a_commit_with_two_fences_has_none_to_cache_for() {
        let check = |slot| Check::Fence {
            region: Region::FIRST,
            slot: Slot::new(slot).unwrap(),
            epoch: 1,
        };
        let one = Commit::default().check(check(3));
        assert_eq!(Fenced::of(&one), fenced(1));
        assert_eq!(Fenced::of(&one.check(check(4))), None);
        assert_eq!(Fenced::of(&Commit::default()), None);
    }
}
