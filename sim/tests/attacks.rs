//! Nights of attackers, and of right passwords in a rush: what is guessed stays
//! within the bounds of docs/security.md, and right passwords get in; and a
//! night of people who add addresses of their own.
#![allow(clippy::unwrap_used, reason = "a test program")]

use std::path::Path;

use tidegate_sim::{Calibration, Given, Report, play};

fn night(name: &str) -> Report {
    let given = Given::named(name).unwrap();
    let calibration = Calibration::shipped().unwrap();
    let played = play(&given, &calibration, 1, &|_| {}).unwrap();
    let report = Report::of(&given, &calibration, &played, 0.0);
    assert_eq!(report.wrong, 0, "{name}: {:?}", report.wrong_first);
    assert!(report.met(), "{name}: {:?}", report.objectives);
    report
}

/// Attackers have what the bounds say and no more, and keep no person waiting
/// who was seen before.
fn is_bounded(name: &str, from: &str, least: u64, most: u64) {
    let report = night(name);
    let [spray] = &report.sprays[..] else {
        unreachable!("{name} has one spraying of passwords");
    };
    let bounds = (spray.from.as_str(), (least..=most).contains(&spray.at_most));
    assert_eq!(bounds, (from, true), "{spray:?}");
    assert!(spray.guesses >= 2_990, "{spray:?}");
    // The judge's bound is not met by holding everything off.
    let nearly_all = spray.at_most - spray.at_most / 10;
    let as_bounded = (nearly_all..=spray.at_most).contains(&spray.looked_at);
    assert!(as_bounded, "{spray:?}");
    let people = &report.people;
    assert!(people.wanted_in > 500, "{people:?}");
    let kept_out = (people.never, people.at_first_attempt_percent < 100.0);
    assert_eq!(kept_out, (0, false), "{people:?}");
}

#[test]
fn one_source_has_its_allowance() {
    is_bounded("spray-one-source", "one source", 100, 110);
}

#[test]
fn many_sources_share_what_strangers_of_a_tenant_have() {
    is_bounded("spray-many-sources", "many sources", 450, 560);
}

#[test]
fn a_gateway_that_names_no_source_has_what_strangers_of_a_tenant_have() {
    is_bounded("spray-no-source", "no source", 450, 560);
}

#[test]
fn a_new_source_for_each_guess_brings_nothing() {
    is_bounded("spray-invented-sources", "a new source each time", 450, 560);
}

#[test]
fn more_gateways_bring_nothing() {
    is_bounded("spray-many-gateways", "many gateways, no source", 450, 560);
}

#[test]
fn right_passwords_are_refused_in_no_rush() {
    let report = night("office-rush");
    let people = &report.people;
    assert!(people.wanted_in > 300, "{people:?}");
    let kept_out = (people.never, people.at_first_attempt_percent < 100.0);
    assert_eq!(kept_out, (0, false), "{people:?}");
}

#[test]
fn nothing_of_a_thief_outlives_an_owners_recovery() {
    let report = night("stolen-sessions");
    // Each owner signs up, and their thief claims two addresses.
    let sign_ups = &report.classes["sign-up"];
    assert!(sign_ups.served > 150, "{sign_ups:?}");
    assert!(report.classes["check"].served > 50, "{:?}", report.classes);
}

const ADDRESSES: &str = r#"
about = "People add addresses of their own, on two nodes."
people = 200
curve = [[0, 10], [10, 10]]
objectives = ["failed(sign-in) = 0", "failed(sign-up) = 0"]
[ask]
add_address = 1
[nodes]
count = 2
[store]
kind = "foundationdb"
"#;

#[test]
fn an_address_is_one_accounts_and_opens_it_when_it_is_shown() {
    let given = Given::parse("addresses", Path::new("addresses.toml"), ADDRESSES).unwrap();
    let calibration = Calibration::shipped().unwrap();
    let played = play(&given, &calibration, 1, &|_| {}).unwrap();
    let report = Report::of(&given, &calibration, &played, 0.0);
    assert_eq!(report.wrong, 0, "{:?}", report.wrong_first);
    assert!(report.met(), "{:?}", report.objectives);
    // Each signs up and claims; each has a sign-in, a verification, and one more
    // sign-in by the address or by what is merely claimed.
    let [sign_ups, sign_ins] = ["sign-up", "sign-in"].map(|class| &report.classes[class]);
    assert!(sign_ups.served > 150, "{sign_ups:?}");
    assert!(sign_ins.served > 200, "{sign_ins:?}");
}
