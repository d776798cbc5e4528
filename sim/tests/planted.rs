//! Bugs inside the engine are found too. They are there only in a build of its
//! own (`.ci/run` says which), so this is empty in any other.
//!
//! `TIDEGATE_SEEDS=100` plays so many; the gate plays 8.
#![cfg(tidegate_planted)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test program"
)]

use std::collections::BTreeSet;

use std::path::Path;

use tidegate_sim::{Calibration, Given, Plant, Report, fuzz_one, play_with};

const IN_THE_GATE: u64 = 8;

/// That the code beside the bugs breaks nothing is asked of so many: without
/// bugs `fuzz.rs` plays the same worlds.
const QUIET: u64 = 2;

fn seeds(in_the_gate: u64) -> u64 {
    let count = std::env::var("TIDEGATE_SEEDS");
    count.map_or(in_the_gate, |count| count.parse().unwrap())
}

/// Every planted bug is found within the seeds. The one that did find it lately
/// is played first: in a test's output it is said which one did.
fn is_found(name: &str, lately: u64) {
    let plant = Plant::named(name).unwrap();
    let others = (1..=seeds(IN_THE_GATE)).filter(|seed| *seed != lately);
    let found = std::iter::once(lately)
        .chain(others)
        .find(|seed| fuzz_one(*seed, plant).unwrap().is_some());
    let found = found.unwrap_or_else(|| panic!("{name} is not found"));
    println!("{name} is found by seed {found}");
}

/// A test for each, so that all cores have something to play: a bug is planted
/// in what one thread plays.
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
    an_undetected_reuse_is_found: "reuse-undetected" lately by 1,
    a_second_successor_is_found: "second-successor" lately by 1,
    an_uncounted_guess_is_found: "guess-uncounted" lately by 1,
    a_lost_tenth_is_found: "tenth-lost" lately by 1,
    a_late_publication_is_found: "published-late" lately by 1,
    a_planted_address_that_outlives_a_recovery_is_found: "planted-outlives" lately by 1,
    sessions_that_outlive_a_recovery_are_found: "sessions-outlive" lately by 1,
    a_rush_that_is_held_is_found: "rush-held" lately by 1,
    an_uncharged_code_is_found: "code-uncharged" lately by 2,
    a_code_that_counts_twice_is_found: "code-twice" lately by 2,
    an_unchecked_signature_is_found: "signature-unchecked" lately by 2,
    a_constant_challenge_is_found: "challenge-constant" lately by 2,
}

/// It has a world of its own, [`AWAY`].
const FORGOTTEN: &str = "late-forgotten";

/// The store is away for longer than a refresh can be repeated, and slow when
/// it is back; nothing else is broken, so that a client that asks again soon is
/// judged.
const AWAY: &str = r#"
about = "The store is away for 32 seconds, and slow for 7 when it is back."
people = 300
warm_percent = 100
calm_from_s = 65
curve = [[0, 100], [80, 100]]
[ask]
check = 50
refresh = 60
[nodes]
count = 2
lease_ms = 3_000
[gateways]
deadline_ms = 8_000
[store]
kind = "foundationdb"
[[fault]]
at_s = 3
for_s = 32
what = "store-down"
[[fault]]
at_s = 35
for_s = 7
what = "store-slow"
times = 300
"#;

/// How many answers cannot be, and the first few of them.
fn away(seed: u64, plant: Plant) -> (u64, Vec<String>) {
    let given = Given::parse("away", Path::new("away.toml"), AWAY).unwrap();
    let calibration = Calibration::shipped().unwrap();
    let played = play_with(&given, &calibration, seed, plant, &|_| {}).unwrap();
    let report = Report::of(&given, &calibration, &played, 0.0);
    (report.wrong, report.wrong_first)
}

#[test]
fn a_late_commit_that_is_forgotten_is_found() {
    let forgotten = Plant::named(FORGOTTEN).unwrap();
    let found = (1..=seeds(IN_THE_GATE)).find(|seed| away(*seed, forgotten).0 > 0);
    let found = found.unwrap_or_else(|| panic!("{FORGOTTEN} is not found"));
    println!("{FORGOTTEN} is found by seed {found}");
    assert_eq!(away(1, Plant::None), (0, Vec::new()));
}

#[test]
fn every_bug_inside_the_engine_has_its_test() {
    let engine = Plant::ALL
        .iter()
        .filter(|plant| matches!(plant, Plant::Engine(_)));
    let engine: BTreeSet<&str> = engine.map(|plant| plant.name()).collect();
    let tested = PLANTED.iter().copied().chain([FORGOTTEN]);
    assert_eq!(engine, tested.collect::<BTreeSet<&str>>());
}

#[test]
fn nothing_is_found_where_nothing_is_planted() {
    for seed in 1..=seeds(QUIET) {
        let failure = fuzz_one(seed, Plant::None).unwrap();
        assert!(failure.is_none(), "{failure:?}");
    }
}
