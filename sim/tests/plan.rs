//! Planning: the smallest fleet that holds, and what cannot be planned.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

use std::path::Path;

use tidegate_sim::{Calibration, Given, Objective, PlanAsk, PlanError, Report, plan, play};

const NIGHT: &str = r#"
about = "More sign-ins than one core can hash."
people = 2_000
curve = [[0, 10], [5, 200], [15, 200], [16, 10]]
objectives = ["in_within(2s) >= 95%"]
[ask]
sign_in = 1
[nodes]
cores = 1
[store]
kind = "foundationdb"
"#;

fn night(text: &str) -> Given {
    Given::parse("night", Path::new("night.toml"), text).unwrap()
}

fn ask(objectives: &[&str]) -> PlanAsk {
    let objective = |words: &&str| Objective::try_from((*words).to_owned()).unwrap();
    PlanAsk {
        objectives: objectives.iter().map(objective).collect(),
        seeds: 2,
        from: 1,
        spare: 0,
        most: 8,
        cores: Vec::new(),
        hashing_threads: Vec::new(),
    }
}

#[test]
fn the_smallest_fleet_holds_and_one_node_less_does_not() {
    let calibration = Calibration::shipped().unwrap();
    let found = plan(&night(NIGHT), &calibration, &ask(&[]), &|_| {}).unwrap();
    let (smallest, smaller) = (found.smallest.unwrap(), found.smaller.unwrap());
    assert_eq!(smallest.nodes, smaller.nodes + 1);
    assert!(smallest.holds() && !smaller.holds());
    // 200 a second at the calibrated cost of one hash each.
    assert!((2..=6).contains(&smallest.nodes), "{}", smallest.nodes);
    assert!(smallest.hashing_cores > 1.0);
}

#[test]
fn a_spare_node_is_one_more() {
    let calibration = Calibration::shipped().unwrap();
    let spare = PlanAsk {
        spare: 1,
        ..ask(&["in_within(20s) >= 90%"])
    };
    let found = plan(&night(NIGHT), &calibration, &spare, &|_| {}).unwrap();
    assert!(found.smallest.unwrap().nodes >= 2);
}

#[test]
fn no_fleet_is_tried_without_a_node_that_something_befalls() {
    let calibration = Calibration::shipped().unwrap();
    let fault = "[[fault]]\nat_s = 1\nfor_s = 1\nwhat = \"pause\"\nnode = 3\n";
    let three = NIGHT.replace("cores = 1", "cores = 1\ncount = 3");
    let busy = "[[0, 10], [5, 200], [15, 200], [16, 10]]";
    let three = three.replace(busy, "[[0, 20], [10, 20]]");
    let given = night(&format!("{three}{fault}"));
    let easy = PlanAsk {
        seeds: 1,
        ..ask(&["in_within(60s) >= 1%"])
    };
    let found = plan(&given, &calibration, &easy, &|_| {}).unwrap();
    assert_eq!(found.smallest.unwrap().nodes, 3);
    assert!(found.smaller.is_none());
    let few = PlanAsk { most: 2, ..easy };
    let refused = plan(&given, &calibration, &few, &|_| {}).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "fault: it befalls nodes that no fleet of fewer than 3 has, and at most 2 are tried"
    );
}

#[test]
fn the_end_of_a_fault_starts_no_node_that_has_not_come_yet() {
    let text = r#"
about = "A node that comes later is killed before it is there."
people = 100
curve = [[0, 5], [30, 5]]
add = [{ at_s = 15, lead_s = 5, nodes = 2 }]
[ask]
check = 1
[store]
kind = "foundationdb"
[[fault]]
at_s = 2
for_s = 3
what = "kill"
node = 2
[[fault]]
at_s = 2
for_s = 3
what = "drain"
node = 3
"#;
    let given = night(text);
    let calibration = Calibration::shipped().unwrap();
    let played = play(&given, &calibration, 1, &|_| {}).unwrap();
    let report = Report::of(&given, &calibration, &played, 0.0);
    let nodes = [12, 29].map(|second: usize| report.seconds[second].cores.len());
    assert_eq!((nodes, report.wrong), ([1, 3], 0));
}

#[test]
fn latency_without_a_word_on_who_is_shed_a_store_of_one_node_and_sprays_are_refused() {
    let calibration = Calibration::shipped().unwrap();
    let refused = |text: &str, objectives: &[&str]| {
        plan(&night(text), &calibration, &ask(objectives), &|_| {}).unwrap_err()
    };
    let unbounded = refused(NIGHT, &["p99(sign-in) < 200ms"]);
    assert!(matches!(unbounded, PlanError::Unbounded(_)), "{unbounded}");
    let embedded = NIGHT.replace("foundationdb", "embedded");
    assert!(matches!(refused(&embedded, &[]), PlanError::Embedded));
    let spray = "[[spray]]\nat_s = 1\nfor_s = 1\nper_s = 1\nfrom = \"no-source\"\n";
    let sprayed = refused(&format!("{NIGHT}{spray}"), &[]);
    assert!(matches!(sprayed, PlanError::Sprayed), "{sprayed}");
    let unasked = refused(NIGHT, &["failed(sign-up) = 0"]);
    assert!(matches!(unasked, PlanError::Unasked(_)), "{unasked}");
    let aimless = NIGHT.replace(r#"objectives = ["in_within(2s) >= 95%"]"#, "");
    assert!(matches!(refused(&aimless, &[]), PlanError::NoObjectives));
}

#[test]
fn what_lies_outside_of_its_range_is_refused_and_not_played_as_something_else() {
    let calibration = Calibration::shipped().unwrap();
    let refused = |asked: PlanAsk| {
        let refused = plan(&night(NIGHT), &calibration, &asked, &|_| {}).unwrap_err();
        assert!(matches!(refused, PlanError::Range(_)), "{refused}");
        refused.to_string()
    };
    let usual = || ask(&[]);
    let cases = [
        (
            PlanAsk {
                seeds: 0,
                ..usual()
            },
            "seeds: from 1 to 10000",
        ),
        (
            PlanAsk {
                from: u64::MAX,
                ..usual()
            },
            "seed: from 0 to 9007199254740991",
        ),
        (PlanAsk { most: 0, ..usual() }, "most: from 1 to 1024 nodes"),
        (
            PlanAsk {
                spare: 8,
                ..usual()
            },
            "spare: fewer than the most nodes that are tried",
        ),
        (
            PlanAsk {
                cores: vec![2, 0],
                ..usual()
            },
            "cores: each from 1 to 1024",
        ),
        (
            PlanAsk {
                hashing_threads: vec![1_025],
                ..usual()
            },
            "hashing threads: each from 1 to 1024",
        ),
    ];
    for (asked, expected) in cases {
        assert_eq!(refused(asked), expected);
    }
}
