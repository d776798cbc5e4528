//! Seeds find the bugs that are planted, and nothing where none is.
//!
//! `TIDEGATE_SEEDS=400` plays so many; the gate looks for bugs in 12 at most, and
//! plays 6 without one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program"
)]

use std::ops::RangeInclusive;

use tidegate_sim::{Plant, fuzz_one};

/// Within so many, from the first on, every planted bug is found.
const WITHIN: u64 = 12;
/// So many break nothing without one. Those that find the bugs are among them.
const QUIET: u64 = 6;

/// From the first on.
fn seeds(in_the_gate: u64) -> RangeInclusive<u64> {
    let count = std::env::var("TIDEGATE_SEEDS");
    1..=count.map_or(in_the_gate, |count| count.parse().unwrap())
}

/// Every planted bug is found within the seeds. The one that did find it lately
/// is played first: in a test's output it is said which one did.
fn is_found(name: &str, lately: u64) {
    let plant = Plant::named(name).unwrap();
    let others = seeds(WITHIN).filter(|seed| *seed != lately);
    let found = std::iter::once(lately)
        .chain(others)
        .find(|seed| fuzz_one(*seed, plant).unwrap().is_some());
    let found = found.unwrap_or_else(|| panic!("{name} is not found"));
    println!("{name} is found by seed {found}");
}

/// A test for each, so that all cores have something to play.
macro_rules! planted {
    ($($test:ident: $name:literal lately by $seed:literal,)+) => {
        $(
            #[test]
            fn $test() {
                is_found($name, $seed);
            }
        )+

        const PLANTED: &[&str] = &[$($name),+];
    };
}

planted! {
    a_reply_before_its_commit_is_found: "reply-before-commit" lately by 1,
    a_commit_without_a_fence_is_found: "no-fence" lately by 1,
    an_unknown_outcome_taken_for_a_failure_is_found: "unknown-is-failure" lately by 1,
    an_absence_that_is_not_read_is_found: "absence-unread" lately by 1,
    a_read_that_never_comes_back_is_found: "lost-wake-up" lately by 1,
    a_stale_load_is_found: "stale-load" lately by 1,
    a_repeat_with_a_key_of_its_own_is_found: "key-redrawn" lately by 1,
    a_node_that_renews_its_row_anyway_is_found: "renews-anyway" lately by 1,
    a_claim_without_expulsion_is_found: "claim-without-expulsion" lately by 1,
    a_clock_that_sleeps_is_found: "clock-sleeps" lately by 1,
    a_change_that_is_acknowledged_and_lost_is_found: "acknowledged-and-lost" lately by 1,
    an_erasure_that_leaves_nothing_is_found: "erasure-forgotten" lately by 1,
    an_agenda_row_that_is_forgotten_is_found: "agenda-forgotten" lately by 1,
    what_must_leave_and_is_forgotten_is_found: "outbox-forgotten" lately by 3,
    what_leaves_without_its_change_is_found: "uncommitted-leaves" lately by 3,
}

#[cfg(not(tidegate_planted))]
#[test]
fn every_bug_that_can_be_planted_has_its_test() {
    let names: Vec<&str> = Plant::ALL.iter().map(|plant| plant.name()).collect();
    assert_eq!(names, PLANTED);
}

fn break_nothing(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        let failure = fuzz_one(seed, Plant::None).unwrap();
        assert!(failure.is_none(), "{failure:?}");
    }
}

#[test]
fn odd_seeds_break_nothing() {
    break_nothing(seeds(QUIET).filter(|seed| !seed.is_multiple_of(2)));
}

#[test]
fn even_seeds_break_nothing() {
    break_nothing(seeds(QUIET).filter(|seed| seed.is_multiple_of(2)));
}

/// 5: an epoch learnt for another slot; 22: dates that differ; 132: a check
/// beside a change; 164: a slot that an old epoch's commit gave up under the
/// new one; 31: a token that a client was told to keep while its replacement
/// was on its way.
const FOUND_ONCE: [u64; 6] = [5, 15, 22, 31, 132, 164];

#[test]
fn seeds_that_found_something_once_break_nothing() {
    let played = seeds(QUIET);
    break_nothing(FOUND_ONCE.into_iter().filter(|seed| !played.contains(seed)));
}

#[test]
fn plants_are_known_by_their_names() {
    for plant in Plant::ALL {
        assert_eq!(Plant::named(plant.name()), Some(*plant));
    }
    assert_eq!(Plant::named("weeds"), None);
}
