//! Bugs for the simulator to find. Nothing of this is there unless our crates
//! are built with `--cfg tidegate_planted`, which a release build refuses.

use core::cell::Cell;
use core::ops::Range;

use crate::refresh::Verdict;

#[cfg(not(debug_assertions))]
compile_error!("tidegate_planted plants bugs: it is for tests, never for a release build");

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A refresh token that was used long ago is taken for a current one.
    ReuseUndetected,
    /// A repeat of a refresh gets a successor of its own.
    SecondSuccessor,
    /// A guess counts only when its verification is over.
    GuessUncounted,
    /// The tenth by which a durable time of use may lag is promised, and not
    /// granted.
    TenthLost,
    /// A change is answered before checks can read it.
    PublishedLate,
    /// That no request could be answered for a while is forgotten with the
    /// actor.
    LateForgotten,
    /// An address that was added later outlives the owner's recovery.
    PlantedOutlives,
    /// Sessions outlive the owner's recovery.
    SessionsOutlive,
    /// An attempt that is one too many only because of others under way is held
    /// off.
    RushHeld,
    /// A wrong code costs its attempt no try.
    CodeUncharged,
    /// A code, and the step that it takes, count again.
    CodeTwice,
    /// The signature of a passkey is not looked at.
    SignatureUnchecked,
    /// The challenge of a passkey is the same for every attempt.
    ChallengeConstant,
}

// A world is played by one thread, so worlds with other bugs can be played beside
// it.
std::thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in what this thread does from now on, or none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this is the one.
#[must_use]
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
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
