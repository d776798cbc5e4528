//! What a result stands on: where each input comes from, and what of it lies
//! outside of what was ever compared with a real node.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_storage_simulated::Latency;
use tidegate_wire::Class;

use crate::calibration::{Calibration, Origin};
use crate::scenario::{Given, Network, Patience, Scenario};

/// Where an input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Measured by `tidegate-bench calibrate` and read from its file.
    Calibrated,
    /// Measured on another machine, and shipped.
    Shipped,
    /// The scenario says so.
    Stated,
    /// It was not measured here.
    Assumed,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What it is.
    pub what: String,
    /// What it is taken to be.
    pub value: String,
    /// Where that comes from.
    pub mark: Mark,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mark::Calibrated => "calibrated here",
            Mark::Shipped => "shipped default",
            Mark::Stated => "stated by the scenario",
            Mark::Assumed => "assumed",
        })
    }
}

/// The greatest rate at which one node was compared with predictions
/// (docs/simulation.md, Fidelity).
const COMPARED_PER_S: f64 = 80_000.0;

/// Everything that a night's result follows from, beside the engine itself.
pub(crate) fn inputs(given: &Given, calibration: &Calibration) -> Vec<Input> {
    let scenario = &given.scenario;
    let measured = match calibration.origin {
        Origin::Calibrated(_) => Mark::Calibrated,
        Origin::Shipped => Mark::Shipped,
    };
    let input = |what: &str, value: String, mark| Input {
        what: what.to_owned(),
        value,
        mark,
    };
    let costs = &calibration.costs;
    let us = |ns: u64| format!("{:.1} µs", ns as f64 / 1e3);
    let check_ns = costs.frame_ns[Class::Check as usize];
    let endpoint = format!(
        "{} to wake, {} a pair of datagrams, {} a check",
        us(costs.wake_ns[0]),
        us(costs.datagram_ns),
        us(check_ns)
    );
    let commit = us(costs.commit_actors_ns + costs.commit_writer_ns);
    let mut all = vec![
        input("a node's endpoint", endpoint, measured),
        input("a commit's processor time", commit, measured),
        input("a password's hash", us(costs.hash_ns), measured),
    ];
    all.extend(store(scenario, calibration, measured));
    let default = Network::default();
    let network = scenario.network;
    let mark = |is_default| match is_default {
        true => Mark::Assumed,
        false => Mark::Stated,
    };
    let delay = latency(network.delay_us.latency());
    all.push(input(
        "the network, one way",
        delay,
        mark(network.delay_us.latency() == default.delay_us.latency()),
    ));
    let patience = scenario.patience;
    let words = format!(
        "give up after {} s, try again after {} ms",
        patience.give_up_s.0, patience.try_again_ms.0
    );
    let usual = Patience::default();
    let as_usual =
        patience.give_up_s == usual.give_up_s && patience.try_again_ms == usual.try_again_ms;
    all.push(input("people's patience", words, mark(as_usual)));
    let people = format!(
        "{} registered, {} come",
        scenario.people.0,
        scenario.active().0
    );
    all.push(input("people, and what they do", people, Mark::Stated));
    all
}

fn latency(latency: Latency) -> String {
    format!("p50 {} µs, p99 {} µs", latency.p50_us, latency.p99_us)
}

fn store(scenario: &Scenario, calibration: &Calibration, measured: Mark) -> Vec<Input> {
    let (costs, store) = (scenario.store.costs(calibration), &scenario.store);
    let usual = match scenario.has_many_nodes() {
        true => Mark::Assumed,
        false => measured,
    };
    let mark = |is_stated| match is_stated {
        true => Mark::Stated,
        false => usual,
    };
    let kind = match scenario.has_many_nodes() {
        true => "FoundationDB",
        false => "the embedded store",
    };
    let input = |what: &str, value: String, is_stated| Input {
        what: format!("{kind}: {what}"),
        value,
        mark: mark(is_stated),
    };
    let most = format!(
        "{} commits/s, {} reads/s",
        costs.commits_per_s, costs.reads_per_s
    );
    vec![
        input("a commit", latency(costs.commit), store.commit_us.is_some()),
        input("a read", latency(costs.read), store.read_us.is_some()),
        input(
            "at most",
            most,
            store.commits_per_s.is_some() && store.reads_per_s.is_some(),
        ),
    ]
}

/// Why a result lies outside of what was compared with a real node: one node
/// with one core on the embedded store, where nothing breaks.
pub(crate) fn extrapolated(given: &Given, calibration: &Calibration) -> Vec<String> {
    let scenario = &given.scenario;
    let nodes = &scenario.nodes;
    let mut why = Vec::new();
    if !calibration.busy.is_empty() {
        let busy = calibration.busy.join("; ");
        why.push(format!("calibrated on a busy host: {busy}"));
    }
    if scenario.has_many_nodes() {
        why.push("FoundationDB: compared were nodes on the embedded store".to_owned());
    }
    if nodes.count.0 + scenario.added() > 1 {
        why.push("several nodes: compared was one".to_owned());
    }
    if nodes.cores.0 > 1 {
        why.push(format!(
            "{} cores of a node: compared was one",
            nodes.cores.0
        ));
    }
    let per_node = scenario.curve.greatest() / nodes.count.0 as f64;
    if per_node > COMPARED_PER_S {
        why.push(format!(
            "{per_node:.0} requests/s of a node: compared were up to {COMPARED_PER_S:.0}"
        ));
    }
    if !scenario.fault.is_empty() {
        why.push("something breaks: compared were nights on which nothing does".to_owned());
    }
    why
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn night(more: &str) -> Given {
        let text = format!(
            "about = \"x\"\npeople = 100\ncurve = [[0, 100], [5, 100]]\n{more}\n[ask]\ncheck = 1\n"
        );
        Given::parse("x", Path::new("x.toml"), &text).unwrap()
    }

    #[test]
    fn what_the_scenario_states_is_marked_so_and_the_rest_by_its_origin() {
        let shipped = Calibration::shipped().unwrap();
        let marks = |given: &Given, what: &str| {
            let all = inputs(given, &shipped);
            all.into_iter()
                .find(|input| input.what == what)
                .unwrap()
                .mark
        };
        let plain = night("nodes = { cores = 1 }");
        assert_eq!(marks(&plain, "a password's hash"), Mark::Shipped);
        assert_eq!(marks(&plain, "the embedded store: a commit"), Mark::Shipped);
        assert_eq!(marks(&plain, "the network, one way"), Mark::Assumed);
        let many = night(
            "store = { kind = \"foundationdb\", commit_us = { p50 = 900, p99 = 4000 } }\n\
             network = { delay_us = { p50 = 20, p99 = 90 } }",
        );
        assert_eq!(marks(&many, "FoundationDB: a commit"), Mark::Stated);
        assert_eq!(marks(&many, "FoundationDB: a read"), Mark::Assumed);
        assert_eq!(marks(&many, "the network, one way"), Mark::Stated);
    }

    #[test]
    fn a_night_like_those_that_were_compared_is_not_extrapolated() {
        let quiet = Calibration::shipped().unwrap();
        let plain = night("nodes = { cores = 1 }");
        assert_eq!(extrapolated(&plain, &quiet), [""; 0]);
        let mut busy = quiet.clone();
        busy.busy = vec!["others use 0.82 cores".to_owned()];
        assert_eq!(
            extrapolated(&plain, &busy),
            ["calibrated on a busy host: others use 0.82 cores"]
        );
        assert!(busy.words().ends_with(", on a busy host)"));
        let many = night("store = { kind = \"foundationdb\" }\nnodes = { count = 3, cores = 4 }");
        assert_eq!(extrapolated(&many, &quiet).len(), 3);
    }
}
