//! Objectives hold in the worst window and while a fault lasts: quiet seconds
//! are no excuse, neither for a night nor for a fleet.
#![allow(clippy::unwrap_used, reason = "a test program")]

use std::path::Path;

use tidegate_sim::{Calibration, Given, PlanAsk, Report, plan, play};

/// A node stands still for 0.3 s in a night of so many seconds.
fn night(length_s: u32, store: &str) -> Given {
    let text = format!(
        r#"
about = "A node stands still for a moment."
people = 500
warm_percent = 100
curve = [[0, 500], [{length_s}, 500]]
objectives = ["p99(check) < 50ms", "shed(check) = 0"]
[ask]
check = 1
[nodes]
cores = 1
[store]
kind = "{store}"
[[fault]]
at_s = 10
for_s = 0.3
what = "pause"
node = 1
"#
    );
    Given::parse("night", Path::new("night.toml"), &text).unwrap()
}

#[test]
fn quiet_seconds_change_nothing_about_a_bad_one() {
    let calibration = Calibration::shipped().unwrap();
    for length_s in [20, 160] {
        let given = night(length_s, "embedded");
        let played = play(&given, &calibration, 1, &|_| {}).unwrap();
        let report = Report::of(&given, &calibration, &played, 0.0);
        let latency = &report.objectives[0];
        let worst = latency.worst.unwrap();
        assert!(!latency.met && latency.value > 50.0, "{latency:?}");
        assert!(worst.from_s <= 10.0 && worst.to_s > 10.0, "{worst:?}");
        assert_eq!(latency.night < 50.0, length_s == 160, "{latency:?}");
        assert_eq!(latency.faults.len(), 1);
        assert!(!latency.faults[0].met, "{latency:?}");
        assert!(report.objectives[1].met && !report.met());
    }
}

#[test]
fn a_node_that_two_faults_keep_away_comes_back_when_both_are_over() {
    let text = r#"
about = "The only node is killed twice, and the first fault ends inside the second."
people = 100
curve = [[0, 10], [40, 10]]
[ask]
check = 1
[gateways]
deadline_ms = 1_000
[[fault]]
at_s = 5
for_s = 5
what = "kill"
node = 1
[[fault]]
at_s = 7
for_s = 18
what = "kill"
node = 1
"#;
    let given = Given::parse("twice", Path::new("twice.toml"), text).unwrap();
    let calibration = Calibration::shipped().unwrap();
    let played = play(&given, &calibration, 1, &|_| {}).unwrap();
    let report = Report::of(&given, &calibration, &played, 0.0);
    let served = |second: usize| {
        let check = report.seconds[second].classes.get("check");
        check.map_or(0, |moment| moment.served)
    };
    let away: u64 = (11..24).map(served).sum();
    let before_and_after = [3, 38].map(|second| served(second) > 0);
    assert_eq!((away, before_and_after), (0, [true; 2]));
}

#[test]
fn calls_under_way_when_the_night_ends_are_waited_for_and_counted() {
    let text = r#"
about = "The only node is away until after the night, and calls have long deadlines."
people = 10
curve = [[0, 10], [5, 10]]
[ask]
check = 1
[patience]
give_up_s = 1
[gateways]
deadline_ms = 200_000
[[fault]]
at_s = 1
for_s = 1_000
what = "kill"
node = 1
"#;
    let given = Given::parse("end", Path::new("end.toml"), text).unwrap();
    let calibration = Calibration::shipped().unwrap();
    let played = play(&given, &calibration, 1, &|_| {}).unwrap();
    let report = Report::of(&given, &calibration, &played, 0.0);
    let check = &report.classes["check"];
    let visits: u64 = report.seconds.iter().map(|second| second.visits).sum();
    assert_eq!(check.calls, visits, "{check:?}");
    assert_eq!(check.failed, visits - check.served, "{check:?}");
    assert!(visits > 30 && check.served < 20, "{check:?}");
}

#[test]
fn a_fleet_holds_in_no_night_that_only_quiet_seconds_save() {
    let calibration = Calibration::shipped().unwrap();
    let ask = PlanAsk {
        objectives: Vec::new(),
        seeds: 1,
        from: 1,
        spare: 0,
        most: 1,
        cores: Vec::new(),
        hashing_threads: Vec::new(),
    };
    for length_s in [20, 160] {
        let given = night(length_s, "foundationdb");
        let found = plan(&given, &calibration, &ask, &|_| {}).unwrap();
        let broken = found.smaller.unwrap().broken();
        assert!(found.smallest.is_none());
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert_eq!(broken[0].objective, "p99(check) < 50ms");
    }
}
