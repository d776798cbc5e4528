//! Three nodes as the simulator predicts them, beside what is measured, with
//! the commit latency that the nodes themselves measured.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Ground;
use super::crowd::{Asks, Crowd};
use super::rig::{NODES, Rig};
use crate::node::built_beside;
use crate::summary::Summary;

/// Requests a second, of which everything here runs on the same cores.
const RATES: [f64; 3] = [250.0, 500.0, 1_000.0];
const TURNS: u64 = 3;
const COUNTED: Duration = Duration::from_secs(10);
const ASKS: Asks = Asks {
    revocations: 0,
    refreshes: 130,
    sign_ins: 0,
};
const FIGURES: [&str; 2] = ["check", "refresh"];

/// Median and 99th percentile, in milliseconds.
type Quantiles = (f64, f64);

pub(super) async fn compare(ground: &Ground) -> anyhow::Result<usize> {
    let rig = Rig::make(ground).await?;
    let crowd = Crowd::new(&rig, ASKS, ground.seed)?;
    crowd.warm().await;
    let mut measured = BTreeMap::<usize, Vec<[Quantiles; 2]>>::new();
    let mut commits = BTreeMap::<usize, Vec<Quantiles>>::new();
    for _ in 0..TURNS {
        for (place, rate) in RATES.into_iter().enumerate() {
            let before = rig.commits_within()?;
            crowd.tally.borrow_mut().kinds.clear();
            crowd.come(rate, COUNTED).await?;
            crowd.answered().await;
            let mut tally = crowd.tally.borrow_mut();
            let found = FIGURES.map(|kind| tally.quantiles(kind));
            measured.entry(place).or_default().push(found);
            let after = rig.commits_within()?;
            commits
                .entry(place)
                .or_default()
                .push(between(&before, &after));
        }
    }
    let wrong = crowd.tally.borrow().wrong.len();
    say!("p50, p99 in ms; the median of {TURNS} turns");
    say!(
        "| requests/s | commits, measured | checks, measured | predicted | refreshes, measured | predicted |"
    );
    say!("| --- | --- | --- | --- | --- | --- |");
    for (place, rate) in RATES.into_iter().enumerate() {
        let commit = middle(&commits[&place]);
        let predicted = predicted(ground.people, rate, commit)?;
        let mut line = format!("| {rate} | {:.1}, {:.1} |", commit.0, commit.1);
        for (number, predicted) in predicted.iter().enumerate() {
            let of: Vec<Quantiles> = measured[&place].iter().map(|all| all[number]).collect();
            let (p50, p99) = middle(&of);
            line += &format!(
                " {p50:.1}, {p99:.1} | {:.1}, {:.1} |",
                predicted.0, predicted.1
            );
        }
        say!("{line}");
    }
    Ok(wrong)
}

fn middle(of: &[Quantiles]) -> Quantiles {
    let p50 = Summary::of(of.iter().map(|quantiles| quantiles.0).collect());
    let p99 = Summary::of(of.iter().map(|quantiles| quantiles.1).collect());
    (p50.median, p99.median)
}

/// The quantiles of what lies between two looks at a histogram, by straight
/// lines within its buckets.
fn between(before: &BTreeMap<u64, f64>, after: &BTreeMap<u64, f64>) -> Quantiles {
    let within = after.iter().map(|(bound_us, count)| {
        let earlier = before.get(bound_us).copied().unwrap_or(0.0);
        (*bound_us, count - earlier)
    });
    let within: Vec<(u64, f64)> = within.collect();
    let all = within.last().map_or(0.0, |(_, count)| *count);
    let quantile = |share: f64| {
        let wanted = all * share;
        let (mut from_us, mut below) = (0, 0.0);
        for (bound_us, count) in &within {
            if *count >= wanted {
                let part = (wanted - below) / (count - below).max(1e-9);
                let to_us = (*bound_us).min(10_000_000);
                return (from_us as f64 + part * (to_us - from_us) as f64) / 1e3;
            }
            (from_us, below) = (*bound_us, *count);
        }
        0.0
    };
    (quantile(0.5), quantile(0.99))
}

/// What the simulator says. The commit's latency has everything in it, so
/// reads and read versions add nothing.
fn predicted(people: usize, rate: f64, commit: Quantiles) -> anyhow::Result<[Quantiles; 2]> {
    let us = |ms: f64| (ms * 1e3).max(1.0) as u64;
    let ends_s = COUNTED.as_secs() + 1;
    let scenario = format!(
        "about = \"Three nodes on FoundationDB.\"\n\
         people = {people}\nwarm_percent = 100\nwarm_up_s = 1\n\
         curve = [[0, {rate}], [{ends_s}, {rate}]]\n\
         [ask]\ncheck = {}\nrefresh = {}\n\
         [nodes]\ncount = {NODES}\ncores = 1\nhashing_threads = 1\n\
         [store]\nkind = \"foundationdb\"\n\
         commit_us = {{ p50 = {}, p99 = {} }}\n\
         read_us = {{ p50 = 1, p99 = 1 }}\nread_version_us = {{ p50 = 1, p99 = 1 }}\n\
         [gateways]\ncount = 1\nstreams = 2\ndeadline_ms = 10_000\n\
         [network]\ndelay_us = {{ p50 = 5, p99 = 20 }}\n",
        1_000 - ASKS.refreshes,
        ASKS.refreshes,
        us(commit.0),
        us(commit.1),
    );
    let folder = tempfile::tempdir()?;
    let (path, json) = (
        folder.path().join("night.toml"),
        folder.path().join("report.json"),
    );
    std::fs::write(&path, scenario)?;
    let output = built_beside("tidegate-sim")?
        .arg("run")
        .arg(&path)
        .arg("--json")
        .arg(&json)
        .output()?;
    ensure!(output.status.success(), "tidegate-sim: {output:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(&json)?)?;
    let of = |class: &str| {
        let latency = &report["classes"][class]["latency_ms"];
        let quantile = |name: &str| latency[name].as_f64();
        quantile("p50").zip(quantile("p99"))
    };
    let mut found = [(0.0, 0.0); 2];
    for (place, class) in FIGURES.iter().enumerate() {
        found[place] = of(class).with_context(|| format!("no {class} in the report"))?;
    }
    Ok(found)
}
