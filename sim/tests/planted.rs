//! Bugs inside the engine are found too. They are there only in a build of its
//! own (`.ci/run` says which), so this is empty in any other.
#![cfg(tidegate_planted)]
#![allow(clippy::unwrap_used, reason = "a test program")]

use std::path::Path;

use tidegate_sim::{Calibration, Given, Plant, Report, fuzz_one, play_with};

/// Within so many seeds, from the first on, every planted bug is found.
const SEEDS: u64 = 8;

/// `late-forgotten` has a world of its own, [`AWAY`].
const ENGINE: [&str; 8] = [
    "reuse-undetected",
    "second-successor",
    "guess-uncounted",
    "tenth-lost",
    "published-late",
    "planted-outlives",
    "sessions-outlive",
    "rush-held",
];

/// The store is away for longer than a refresh can be repeated, and slow when it
/// is back; nothing else is broken, so that whoever asks again soon is judged.
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

/// One after the other: what is planted is planted in the whole process.
#[test]
fn every_bug_inside_the_engine_is_found_and_nothing_where_none_is() {
    for name in ENGINE {
        let plant = Plant::named(name).unwrap();
        let mut seeds = 1..=SEEDS;
        let found = seeds.find(|seed| fuzz_one(*seed, plant).unwrap().is_some());
        assert!(found.is_some(), "{name} is not found");
    }
    let forgotten = Plant::named("late-forgotten").unwrap();
    let found = (1..=SEEDS).find(|seed| away(*seed, forgotten).0 > 0);
    assert!(found.is_some(), "late-forgotten is not found");
    assert_eq!(away(1, Plant::None), (0, Vec::new()));
    for seed in 1..=SEEDS {
        let failure = fuzz_one(seed, Plant::None).unwrap();
        assert!(failure.is_none(), "{failure:?}");
    }
}
