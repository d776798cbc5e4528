//! What operations cost on this machine, for the simulator to read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;

use crate::ceiling::{commit_latencies, hashes_per_s, signatures};
use crate::load::Pace;
use crate::machine::{Glance, Machine, Side, pin};
use crate::mix::Mix;
use crate::report::{Report, Setting};
use crate::run::{Bed, ShapeArgs, runtime, shape_of};

/// Of the file's format.
const VERSION: u32 = 1;
const TURN_S: f64 = 5.0;
const HASHING: Duration = Duration::from_secs(3);

#[derive(Args)]
pub(crate) struct CalibrateArgs {
    /// Signed-in people.
    #[arg(long, default_value_t = 100_000)]
    people: usize,
    /// Where it is written.
    #[arg(long, value_name = "F", default_value = "calibration.json")]
    json: PathBuf,
}

/// The file. Names and units of its fields are stable within a version.
#[derive(Serialize)]
struct Calibration {
    version: u32,
    machine: Machine,
    people: usize,
    /// By operation, then by shape.
    operations: BTreeMap<&'static str, Vec<Operation>>,
    /// Of a check: what each datagram pair costs, and each frame in it, in
    /// microseconds of the node's CPU, by the shapes with 1 and 64 in flight.
    check_datagram_us: f64,
    check_frame_us: f64,
    hash_ms: f64,
    signatures: signatures::Signatures,
    commits: Vec<CommitLatency>,
    /// What one more warm person with one session adds to the node's resident
    /// memory, with what the store's cache keeps of their rows.
    warm_bytes_per_person: u64,
}

/// CPU of the node for one operation, in microseconds, with every place in
/// flight taken.
#[derive(Serialize)]
struct Operation {
    connections: usize,
    in_flight: usize,
    per_s: f64,
    cpu_us: f64,
    threads_us: BTreeMap<String, f64>,
}

/// Microseconds from handing a commit over to its being durable.
#[derive(Serialize)]
struct CommitLatency {
    waiting: usize,
    per_s: f64,
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p99_9_us: u64,
    max_us: u64,
}

/// Requests of 104 bytes in a payload of at most 1,452: taken as given, not
/// measured.
const FRAMES_PER_DATAGRAM: f64 = 13.0;

/// Connections, and requests in flight on each.
type Shapes = &'static [(usize, usize)];

/// What is calibrated with which mix, and in which shapes.
const OPERATIONS: [(&str, &str, Shapes); 4] = [
    ("check", "checks", &[(64, 1), (64, 4), (64, 16), (64, 64)]),
    ("refresh", "refreshes", &[(64, 1), (64, 4)]),
    ("sign_in", "passwords", &[(64, 1)]),
    ("sign_up", "registrations", &[(64, 1)]),
];

pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<ExitCode> {
    let mut operations = BTreeMap::new();
    let mut warm_bytes_per_person = 0;
    for (operation, mix, shapes) in OPERATIONS {
        let mix = Mix::named(mix)?;
        pin(Side::Generator);
        let measured = runtime()?.block_on(async {
            let spawned = ShapeArgs::spawned(args.people);
            if operation == "check" {
                warm_bytes_per_person = warm_bytes(&spawned, &mix).await?;
            }
            let mut bed = Bed::make(&spawned, &mix).await?;
            let mut measured = Vec::new();
            for (connections, in_flight) in shapes {
                let mut shape = shape_of(&spawned, Pace::Saturated { for_s: TURN_S });
                (shape.connections, shape.in_flight) = (*connections, *in_flight);
                shape.warm_up_s = 1.0;
                let report = bed
                    .load(&mix, &shape, Setting::new(operation, &mix))
                    .await?;
                measured.push(Operation::of(&report)?);
            }
            anyhow::Ok(measured)
        });
        operations.insert(operation, measured?);
    }
    let checks = operations.get("check").context("no checks")?;
    let (shallow, deep) = (checks.first(), checks.last());
    let (shallow, deep) = shallow.zip(deep).context("no shapes")?;
    // Alone in its datagram a frame pays for all of it; otherwise as many share
    // it as fit.
    let share = 1.0 / FRAMES_PER_DATAGRAM;
    let check_datagram_us = ((shallow.cpu_us - deep.cpu_us) / (1.0 - share)).max(0.0);
    let check_frame_us = deep.cpu_us - check_datagram_us * share;
    pin(Side::Either);
    let calibration = Calibration {
        version: VERSION,
        machine: Machine::here(),
        people: args.people,
        check_datagram_us,
        check_frame_us,
        operations,
        hash_ms: 1_000.0 / hashes_per_s(HASHING)?,
        signatures: signatures::measure()?,
        commits: [1, 64, 256, 1_024]
            .into_iter()
            .map(CommitLatency::measure)
            .collect::<anyhow::Result<_>>()?,
        warm_bytes_per_person,
    };
    let text = serde_json::to_string_pretty(&calibration)?;
    std::fs::write(&args.json, &text).with_context(|| args.json.display().to_string())?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Memory of a node before and after everybody was asked about.
async fn warm_bytes(spawned: &ShapeArgs, mix: &Mix) -> anyhow::Result<u64> {
    let bed = Bed::make(&spawned.clone().cold(), mix).await?;
    let process = bed.server().process.context("no process")?;
    let before = Glance::of(process).rss_kib;
    bed.warm().await?;
    let grown_kib = Glance::of(process).rss_kib.saturating_sub(before);
    Ok(grown_kib * 1024 / bed.people().max(1) as u64)
}

impl Operation {
    fn of(report: &Report) -> anyhow::Result<Operation> {
        ensure!(report.wrong() == 0, "{:?}", report.wrong);
        let all_s: f64 = report.node_threads_s.values().sum();
        let part_us = |s: &f64| s / all_s.max(1e-9) * report.node_cpu_us_per_request;
        let threads = report.node_threads_s.iter();
        let threads = threads.map(|(name, s)| (name.clone(), part_us(s)));
        Ok(Operation {
            connections: report.connections,
            in_flight: report.in_flight,
            per_s: report.all.served_per_s,
            cpu_us: report.node_cpu_us_per_request,
            threads_us: threads.collect(),
        })
    }
}

impl CommitLatency {
    fn measure(waiting: usize) -> anyhow::Result<CommitLatency> {
        let folder = tempfile::tempdir_in(".")?;
        let (latencies, took_s) = commit_latencies(&folder.path().join("store"), waiting)?;
        let at = |quantile| latencies.value_at_quantile(quantile);
        Ok(CommitLatency {
            waiting,
            per_s: latencies.len() as f64 / took_s,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            max_us: latencies.max(),
        })
    }
}
