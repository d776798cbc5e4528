//! The simulator's side: a scenario that asks as `tidegate-bench` does, and
//! what its report says.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::ensure;
use serde::Deserialize;

use super::point::{ClassOutcome, Outcome};
use super::{COUNTED_S, PEOPLE, WARM_UP_S};
use crate::mix::Mix;
use crate::node::built_beside;
use crate::summary::Summary;

/// The node and the generator of [`super::measured`], in the simulator's words.
pub(super) fn scenario(mix: &Mix, per_s: f64) -> String {
    let ask = &mix.ask;
    let parts = [
        ("check", ask.check),
        ("forged_check", ask.forged),
        ("refresh", ask.refresh),
        ("sign_in", ask.sign_in),
        ("sign_up", ask.sign_up),
    ];
    let parts: String = parts
        .iter()
        .filter(|(_, part)| *part > 0)
        .map(|(name, part)| format!("{name} = {part}\n"))
        .collect();
    let ends_s = WARM_UP_S + COUNTED_S;
    format!(
        "about = \"A node with one core, and a generator with another.\"\n\
         people = {PEOPLE}\nwarm_percent = 100\nwarm_up_s = {WARM_UP_S}\n\
         curve = [[0, {per_s}], [{ends_s}, {per_s}]]\n\
         [ask]\n{parts}\
         [patience]\ngive_up_s = 5\n\
         [nodes]\ncores = 1\nhashing_threads = 1\n\
         [store]\nkind = \"embedded\"\n\
         [gateways]\ncount = 1\nstreams = 64\n\
         [gateways.packing]\nin_flight = 4\ntick_us = 200\n\
         [network]\ndelay_us = {{ p50 = 5, p99 = 20 }}\n"
    )
}

/// What is read of the simulator's report.
#[derive(Deserialize)]
pub(super) struct Report {
    classes: BTreeMap<String, Class>,
    seconds: Vec<Second>,
}

#[derive(Deserialize)]
struct Class {
    calls: u64,
    served: u64,
    latency_ms: Latency,
}

#[derive(Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

#[derive(Deserialize)]
struct Second {
    classes: BTreeMap<String, Moment>,
    cores: Vec<f64>,
    hashing_cores: Vec<f64>,
    pools_cores: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Moment {
    served: u64,
}

/// Plays a scenario with the simulator that was built beside this program.
pub(super) fn play(
    scenario: &Path,
    calibration: &Path,
    seed: u64,
    json: &Path,
) -> anyhow::Result<Report> {
    let mut command = built_beside("tidegate-sim")?;
    let command = command.arg("run").arg(scenario).arg("--calibration");
    let command = command.arg(calibration).args(["--seed", &seed.to_string()]);
    let output = command.arg("--json").arg(json).output()?;
    ensure!(output.status.success(), "tidegate-sim: {output:?}");
    Ok(serde_json::from_slice(&std::fs::read(json)?)?)
}

impl Report {
    pub(super) fn outcome(&self) -> Outcome {
        let (first, last) = (WARM_UP_S as usize, (WARM_UP_S + COUNTED_S) as usize);
        let counted = self.seconds.get(first..last.min(self.seconds.len()));
        let counted = counted.unwrap_or_default();
        let median =
            |of: &dyn Fn(&Second) -> f64| Summary::of(counted.iter().map(of).collect()).median;
        let served = |second: &Second| {
            let classes = second.classes.values();
            classes.map(|moment| moment.served).sum::<u64>() as f64
        };
        let mut threads: BTreeMap<String, f64> = BTreeMap::new();
        for name in counted.iter().flat_map(|second| second.pools_cores.keys()) {
            let cores = |second: &Second| second.pools_cores.get(name).copied().unwrap_or(0.0);
            threads.insert(name.clone(), median(&cores));
        }
        let hashing = |second: &Second| second.hashing_cores.iter().sum();
        threads.insert("hash".to_owned(), median(&hashing));
        Outcome {
            served_per_s: median(&served),
            cores: median(&|second| second.cores.iter().sum()),
            threads,
            classes: self.classes.iter().map(class).collect(),
        }
    }
}

/// In the words of `tidegate-bench`.
fn class((name, class): (&String, &Class)) -> (String, ClassOutcome) {
    let name = match name.as_str() {
        "sign-in" => "password",
        "sign-up" => "registration",
        name => name,
    };
    let outcome = ClassOutcome {
        offered: class.calls,
        served: class.served,
        p50_ms: class.latency_ms.p50,
        p99_ms: class.latency_ms.p99,
    };
    (name.to_owned(), outcome)
}
