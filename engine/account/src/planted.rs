//! Bugs for the simulator to find. Nothing of this is there unless the whole
//! build is made with `--cfg tidegate_planted`, which a release build refuses.

use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering};

use crate::refresh::Verdict;

#[cfg(not(debug_assertions))]
compile_error!("tidegate_planted plants bugs: it is for tests, never for a release build");

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// A refresh token that was used long ago is taken for a current one.
    ReuseUndetected = 1,
    /// A repeat of a refresh gets a successor of its own.
    SecondSuccessor = 2,
    /// A guess counts only when its verification is over.
    GuessUncounted = 3,
    /// The tenth by which a durable time of use may lag is promised, and not
    /// granted.
    TenthLost = 4,
    /// A change is answered before checks can read it.
    PublishedLate = 5,
    /// That nobody could be answered for a while is forgotten with the actor.
    LateForgotten = 6,
    /// An address that was added later outlives the owner's recovery.
    PlantedOutlives = 7,
    /// Sessions outlive the owner's recovery.
    SessionsOutlive = 8,
    /// Whoever is one too many only because of others under way is held off.
    RushHeld = 9,
}

static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Plants a bug in this process, or none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u8), Ordering::Relaxed);
}

/// Whether this is the one.
#[must_use]
pub fn is(bug: Bug) -> bool {
    PLANTED.load(Ordering::Relaxed) == bug as u8
}

pub(crate) fn verdict(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::EndFamily if is(Bug::ReuseUndetected) => Verdict::Rotate,
        Verdict::Repeat if is(Bug::SecondSuccessor) => Verdict::Rotate,
        verdict => verdict,
    }
}

pub(crate) fn under_way(under_way: u16) -> u16 {
    match is(Bug::GuessUncounted) {
        true => 0,
        false => under_way,
    }
}

pub(crate) fn over(sessions: Range<usize>) -> Range<usize> {
    match is(Bug::SessionsOutlive) {
        true => 0..0,
        false => sessions,
    }
}

pub(crate) fn granted(durable: u64, idle_ms: u64) -> u64 {
    match is(Bug::TenthLost) {
        true => durable - idle_ms / 10,
        false => durable,
    }
}
