//! Every number of a scenario has a range, and what lies outside of it is
//! refused with what was expected.

use std::collections::BTreeSet;

use super::*;

/// A key, the least and the greatest that it takes, and a scenario's lines with
/// `@` for its value.
const ROWS: &str = r#"
people 1 10000000000 people = @
active 1 10000000000 people = 10_000_000_000 // active = @
warm_percent 0 100 warm_percent = @
remember_percent 0 100 remember_percent = @
warm_up_s 0 86399 warm_up_s = @
window_s 1 300 window_s = @
calm_from_s 0 86399 calm_from_s = @
habits.hours 0 1000000 habits = { hours = [@, EACH], begins_h = 0, faithful_percent = 1 }
habits.begins_h 0 23 habits = { hours = [1, EACH], begins_h = @, faithful_percent = 1 }
habits.faithful_percent 0 100 habits = { hours = [1, EACH], begins_h = 0, faithful_percent = @ }
patience.give_up_s 0 86400 patience = { give_up_s = @ }
patience.try_again_ms 1 3600000 patience = { try_again_ms = @ }
nodes.count 1 1024 store = { kind = "foundationdb" } // nodes = { count = @ }
nodes.cores 1 1024 nodes = { cores = @ }
nodes.actor_threads 1 1024 nodes = { actor_threads = @ }
nodes.hashing_threads 1 1024 nodes = { hashing_threads = @ }
nodes.hashing_waiting 1 1000000 nodes = { hashing_waiting = @ }
nodes.warm_idle_s 1 31622400 nodes = { warm_idle_s = @ }
nodes.session_idle_s 1 31622400 nodes = { session_idle_s = @ }
nodes.lease_ms 100 600000 nodes = { lease_ms = @ }
store.commit_us 0 60000000 store = { commit_us = { p50 = 0, p99 = @ } }
store.read_us 0 60000000 store = { read_us = { p50 = 0, p99 = @ } }
store.read_version_us 0 60000000 store = { read_version_us = { p50 = 0, p99 = @ } }
store.commits_per_s 1 100000000 store = { commits_per_s = @ }
store.reads_per_s 1 100000000 store = { reads_per_s = @ }
store.unknown_happened 0 1000000 store = { unknown_happened = @ }
store.unknown_lost 0 1000000 store = { unknown_lost = @ }
store.unknown_later 0 1000000 store = { unknown_later = @ }
gateways.count 1 1000 gateways = { count = @ }
gateways.streams 1 1024 gateways = { streams = @ }
gateways.deadline_ms 1 600000 gateways = { deadline_ms = @ }
gateways.hedge_ms 1 599999 gateways = { deadline_ms = 600_000, hedge_ms = @ }
packing.in_flight 1 4096 gateways = { packing = { in_flight = @, tick_us = 1 } }
packing.tick_us 1 1000000 gateways = { packing = { in_flight = 1, tick_us = @ } }
network.delay_us 0 60000000 network = { delay_us = { p50 = 0, p99 = @ } }
delay_us.p99 9 60000000 network = { delay_us = { p50 = 9, p99 = @ } }
delay_us.p50 0 9 network = { delay_us = { p50 = @, p99 = 9 } }
network.loss_percent 0 50 network = { loss_percent = @ }
network.double_percent 0 100 network = { transport = "quic", double_percent = @ }
fault.at_s 0 86399 fault = [{ at_s = @, what = "store-down" }]
fault.for_s 0 86400 fault = [{ at_s = 1, for_s = @, what = "store-down" }]
fault.node 1 1 fault = [{ at_s = 1, node = @, what = "kill" }]
fault.times 1 10000 fault = [{ at_s = 1, times = @, what = "store-slow" }]
fault.by_s -31622400 31622400 fault = [{ at_s = 1, node = 1, by_s = @, what = "date" }]
at_once.people 2 500 at_once = { people = @ }
at_once.devices 2 500 at_once = { devices = @ }
spray.at_s 0 86399 spray = [{ at_s = @, for_s = 1, per_s = 1, from = "no-source" }]
spray.for_s 1 86400 spray = [{ at_s = 0, for_s = @, per_s = 1, from = "no-source" }]
spray.per_s 1 10000 spray = [{ at_s = 0, for_s = 1, per_s = @, from = "no-source" }]
add.at_s 0 86399 store = { kind = "foundationdb" } // add = [{ at_s = @, lead_s = 0, nodes = 1 }]
add.lead_s 0 86390 store = { kind = "foundationdb" } // add = [{ at_s = 9, lead_s = @, nodes = 1 }]
add.nodes 1 1023 store = { kind = "foundationdb" } // add = [{ at_s = 1, lead_s = 0, nodes = @ }]
prices.node_per_hour 0 1000000000 prices = { node_per_hour = @ }
prices.core_per_hour 0 1000000000 prices = { core_per_hour = @ }
prices.store_per_hour 0 1000000000 prices = { store_per_hour = @ }
"#;

struct Row {
    table: &'static str,
    key: &'static str,
    least: i64,
    most: i64,
    head: String,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let parts: Vec<&'static str> = line.splitn(4, ' ').collect();
        let [name, least, most, head] = parts[..] else {
            panic!("{line}");
        };
        let (table, key) = name.split_once('.').unwrap_or(("", name));
        let other_hours = ["1"; 23].join(", ");
        Row {
            table,
            key,
            least: least.parse().unwrap(),
            most: most.parse().unwrap(),
            head: head.replace(" // ", "\n").replace("EACH", &other_hours),
        }
    };
    ROWS.trim().lines().map(row).collect()
}

/// Keys that hold no number.
const WORDS: [&str; 18] = [
    "about",
    "draw",
    "habits",
    "ask",
    "curve",
    "patience",
    "nodes",
    "store",
    "gateways",
    "network",
    "fault",
    "add",
    "prices",
    "objectives",
    "kind",
    "transport",
    "what",
    "from",
];

fn parsed(head: &str, ask: &str) -> Result<Given, String> {
    let people = match head.starts_with("people") {
        true => "",
        false => "people = 100\nactive = 50\n",
    };
    let text =
        format!("about = \"x\"\n{people}{head}\ncurve = [[0, 1], [86400, 1]]\n[ask]\n{ask}\n");
    Given::parse("x", Path::new("x.toml"), &text).map_err(|error| error.to_string())
}

/// Values at both ends are taken, those beyond are refused, and so is what is no
/// number.
fn holds(name: &str, least: i64, most: i64, parse: impl Fn(&str) -> Result<Given, String>) {
    for good in [least, most] {
        let parsed = parse(&good.to_string());
        assert!(parsed.is_ok(), "{name} = {good}: {parsed:?}");
    }
    let beyond = [least - 1, most + 1, i64::MAX, i64::MIN].map(|value| value.to_string());
    let odd = [
        "18446744073709551615",
        "nan",
        "inf",
        "-inf",
        "\"1\"",
        "true",
    ];
    for bad in beyond.iter().map(String::as_str).chain(odd) {
        let refused = parse(bad).unwrap_err();
        assert!(refused.starts_with("x.toml: "), "{name} = {bad}: {refused}");
        assert!(refused.contains("line "), "{name} = {bad}: {refused}");
    }
}

#[test]
fn every_number_is_taken_within_its_range_and_refused_outside_of_it() {
    for row in rows() {
        let name = format!("{}.{}", row.table, row.key);
        let parse = |value: &str| parsed(&row.head.replace('@', value), "check = 1");
        holds(&name, row.least, row.most, parse);
    }
    for part in keys("", "xx = 1") {
        let other = match part.as_str() {
            "check" => "sign_in = 1",
            _ => "check = 1",
        };
        let parse = |value: &str| parsed("", &format!("{other}\n{part} = {value}"));
        holds(&part, 0, 1_000_000, parse);
    }
}

/// What a table takes, by its own words.
fn keys(head: &str, ask: &str) -> Vec<String> {
    let refused = parsed(head, ask).unwrap_err();
    let (_, known) = refused.rsplit_once("expected").unwrap();
    known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_key_is_known_to_hold_words_or_a_number_in_a_range() {
    let tables = [
        ("", "xx = 1"),
        ("habits", "habits = { xx = 1 }"),
        ("patience", "patience = { xx = 1 }"),
        ("nodes", "nodes = { xx = 1 }"),
        ("store", "store = { xx = 1 }"),
        ("gateways", "gateways = { xx = 1 }"),
        ("packing", "gateways = { packing = { xx = 1 } }"),
        ("network", "network = { xx = 1 }"),
        ("delay_us", "network = { delay_us = { xx = 1 } }"),
        ("fault", "fault = [{ xx = 1 }]"),
        ("at_once", "at_once = { xx = 1 }"),
        ("spray", "spray = [{ xx = 1 }]"),
        ("add", "add = [{ xx = 1 }]"),
        ("prices", "prices = { xx = 1 }"),
    ];
    let rows = rows();
    let ranged: BTreeSet<_> = rows.iter().map(|row| (row.table, row.key)).collect();
    for (table, head) in tables {
        let known = keys(head, "check = 1");
        assert!(known.len() > 1, "{table}: {known:?}");
        for key in known {
            let is_table = tables.iter().any(|(name, _)| *name == key);
            let known = ranged.contains(&(table, key.as_str())) || WORDS.contains(&key.as_str());
            assert!(known || is_table, "{table}.{key}");
        }
    }
    assert_eq!(keys("", "xx = 1").len(), 22);
}

#[test]
fn what_the_night_has_no_room_for_is_refused_with_its_line() {
    let cases = [
        (
            "warm_up_s = 5",
            "line 4: warm_up_s: second 5 is not before the night's end, second 5",
        ),
        ("calm_from_s = 6", "line 4: calm_from_s: second 6 is not"),
        (
            "fault = [{ at_s = 1, what = \"store-down\" }, { at_s = 7, what = \"store-down\" }]",
            "line 4: fault: second 7 is not",
        ),
        (
            "spray = [{ at_s = 5, for_s = 1, per_s = 1, from = \"one-source\" }]",
            "line 4: spray: second 5 is not before the night's end, second 5",
        ),
        (
            "objectives = [\"p99(sign-up) < 5ms\"]",
            "line 4: objectives: `p99(sign-up) < 5ms`: nothing in [ask] makes such a call",
        ),
        (
            "objectives = [\"in_within(1s) >= 5%\"]",
            "`in_within(1s) >= 5%`: nothing in [ask] makes such a call",
        ),
        (
            "gateways = { deadline_ms = 100, hedge_ms = 100 }",
            "line 4: gateways.hedge_ms: expected less than deadline_ms",
        ),
        (
            "store = { unknown_happened = 600_000, unknown_lost = 600_000 }",
            "line 4: store.unknown_happened: more than a million",
        ),
        (
            "network = { delay_us = { p50 = 9, p99 = 8 } }",
            "p99 = 8: expected at least p50, which is 9",
        ),
    ];
    for (head, expected) in cases {
        let text = format!(
            "about = \"x\"\npeople = 100\nactive = 50\n{head}\ncurve = [[0, 1], [5, 1]]\n[ask]\ncheck = 1\n"
        );
        let refused = Given::parse("x", Path::new("x.toml"), &text).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains(expected), "{head}: {refused}");
    }
}
