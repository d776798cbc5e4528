//! What the shipped nights say of themselves holds on the first seed, and a
//! person who asks again until there is an answer is one call.
#![allow(clippy::unwrap_used, reason = "a test program")]

use std::path::Path;

use tidegate_sim::{Calibration, Given, Report, play};

/// With it every shipped night is played, too long for a debug build:
/// `TIDEGATE_NIGHTS=1 cargo test --release -p tidegate-sim --test shipped`.
const ALL: &str = "TIDEGATE_NIGHTS";
/// Played without it. `attacks.rs` plays those of attackers and rushes.
const SMALL: [&str; 1] = ["smoke"];

fn played(given: &Given) -> Report {
    let calibration = Calibration::shipped().unwrap();
    let played = play(given, &calibration, 1, &|_| {}).unwrap();
    Report::of(given, &calibration, &played, 0.0)
}

#[test]
fn every_shipped_night_meets_what_it_says() {
    let all = std::env::var_os(ALL).is_some();
    let mut missed = Vec::new();
    for name in Given::shipped() {
        if all || SMALL.contains(&name) {
            let report = played(&Given::named(name).unwrap());
            assert_eq!(report.wrong, 0, "{name}: {:?}", report.wrong_first);
            let not_met = report.objectives.iter().filter(|one| !one.met);
            missed.extend(not_met.map(|one| format!("{name}: {one:?}")));
        }
    }
    assert_eq!(missed, [""; 0]);
}

#[test]
fn who_asks_again_until_the_store_is_back_is_one_call() {
    let text = r#"
about = "The store is away for fifteen seconds, and who is cold asks again until it is back."
people = 400
curve = [[0, 20], [40, 20]]
[ask]
refresh = 1
[store]
kind = "foundationdb"
[[fault]]
at_s = 10
for_s = 15
what = "store-down"
"#;
    let report = played(&Given::parse("away", Path::new("away.toml"), text).unwrap());
    let refresh = &report.classes["refresh"];
    let visits: u64 = report.seconds.iter().map(|second| second.visits).sum();
    assert_eq!((report.wrong, refresh.failed), (0, 0), "{refresh:?}");
    assert_eq!(refresh.calls, refresh.served);
    assert!((600..=visits).contains(&refresh.calls), "{refresh:?}");
    // They waited for the store, and that is told.
    assert!(refresh.latency_ms.max > 2_000.0, "{refresh:?}");
}
