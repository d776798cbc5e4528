use super::*;

fn parsed(text: &str) -> Result<Given, String> {
    Given::parse("x", Path::new("x.toml"), text).map_err(|error| error.to_string())
}

const SMALL: &str = "about = \"x\"\npeople = 100\ncurve = [[0, 1], [5, 1]]\n[ask]\ncheck = 1\n";

#[test]
fn every_shipped_scenario_can_be_read() {
    for (name, _) in SHIPPED {
        let given = Given::named(name).unwrap();
        assert_eq!(given.name, *name);
        assert!(!given.scenario.objectives.is_empty(), "{name}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_line_and_what_was_expected() {
    let cases = [
        ("people = 0\n", "expected a number from 1"),
        ("poeple = 1\n", "unknown field `poeple`"),
        ("draw = \"dice\"\n", "expected \"uniform\", \"zipf\" or {"),
        ("draw = { csv = \"nobody.csv\" }\n", "nobody.csv"),
        ("prices = { node_per_hour = -1 }\n", "expected a price"),
        (
            "objectives = [\"p99(check) < fast\"]\n",
            "expected something like",
        ),
        ("active = 101\n", "at most as many as `people`"),
        ("warm_up_s = -1\n", "expected seconds"),
    ];
    for (line, expected) in cases {
        let (first, rest) = SMALL.split_once("people = 100\n").unwrap();
        let people = match line.starts_with("people") {
            true => "",
            false => "people = 100\n",
        };
        let refused = parsed(&format!("{first}{people}{line}{rest}")).unwrap_err();
        assert!(refused.contains(expected), "{line}: {refused}");
        assert!(refused.starts_with("x.toml: "), "{refused}");
    }
    let curve = SMALL.replace("[[0, 1], [5, 1]]", "[[3, 1], [2, 1]]");
    let refused = parsed(&curve).unwrap_err();
    assert!(
        refused.contains("line 3") && refused.contains("growing seconds"),
        "{refused}"
    );
}

#[test]
fn a_fault_names_a_node_that_there_is() {
    let fault = "[[fault]]\nat_s = 1\nwhat = \"kill\"\nnode = 2\n";
    let refused = parsed(&format!("{SMALL}{fault}")).unwrap_err();
    assert!(refused.contains("node 2 is none of 1 to 1"), "{refused}");
    let odd = "[[fault]]\nat_s = 1\nwhat = \"explode\"\n";
    assert!(parsed(&format!("{SMALL}{odd}")).is_err());
}

#[test]
fn what_does_not_go_together_is_refused_with_what_is_missing() {
    let cases = [
        ("", "come_back = 1\n", "nobody is registered beyond"),
        ("", "last_moment = 1\n", "nobody is registered beyond"),
        (
            "network = { double_percent = 1 }\n",
            "",
            "only over network.transport",
        ),
        (
            "network = { transport = \"quic\" }\n\
             gateways = { packing = { in_flight = 1, tick_us = 1 } }\n",
            "",
            "not over network.transport",
        ),
        (
            "add = [{ at_s = 1, lead_s = 1, nodes = 1 }]\n",
            "",
            "add: an embedded store has one node",
        ),
        (
            "spray = [{ at_s = 1, for_s = 1, per_s = 1, from = \"no-source\" }]\n\
             fault = [{ at_s = 1, what = \"kill\", node = 1 }]\n",
            "",
            "spray: expected one node, which no fault ends",
        ),
        (
            "spray = [{ at_s = 1, for_s = 1, per_s = 1, from = \"no-source\" }]\n\
             nodes = { count = 2 }\nstore = { kind = \"foundationdb\" }\n",
            "",
            "spray: expected one node, which no fault ends",
        ),
        (
            "spray = [{ at_s = 1, for_s = 1, per_s = 1, from = \"nowhere\" }]\n",
            "",
            "unknown variant `nowhere`",
        ),
    ];
    for (head, ask, expected) in cases {
        let refused = parsed(&format!("{head}{SMALL}{ask}")).unwrap_err();
        assert!(refused.contains(expected), "{head}{ask}: {refused}");
    }
}

#[test]
fn objectives_are_read_as_they_are_written() {
    let objective = |words: &str| Objective::try_from(words.to_owned());
    let latency = objective("p99_9(sign-in) <= 1.5s").unwrap();
    let Target::Latency(tidegate_wire::Class::Password, quantile) = latency.target else {
        panic!("{latency:?}");
    };
    assert!((quantile - 0.999).abs() < 1e-9);
    assert_eq!(latency.bound, 1_500.0);
    assert!(latency.is_met_by(1_500.0) && !latency.is_met_by(1_500.1));
    let within = objective("in_within(10s) >= 99.5%").unwrap();
    assert_eq!(
        (within.target, within.bound),
        (Target::InWithin(10.0), 99.5)
    );
    for wrong in [
        "p99(check)",
        "p100(check) < 1ms",
        "shed(cheque) = 0",
        "x(check) = 1",
        "p99(check) < nans",
        "p99(check) < infs",
        "p99(check) < -1ms",
        "p99(check) < 3601s",
        "p99(check) >= 5ms",
        "shed(check) >= 5",
        "failed(check) <= 0.5",
        "failed(check) <= 1e13",
        "in_within(10s) <= 90%",
        "in_within(10s) >= 101%",
        "in_within(3601s) >= 90%",
    ] {
        assert!(objective(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_unknown_name_is_answered_with_what_there_is() {
    let refused = Given::named("flood").unwrap_err().to_string();
    assert!(
        refused.contains("smoke, morning-rush, flash-sale"),
        "{refused}"
    );
}
