//! What operations cost on this machine, for the simulator to read.

mod fit;
mod holds;
mod noise;
mod stalls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;

use self::fit::{Seen, Turn};
use self::noise::{Judged, Noise};
use self::stalls::Stalls;
use crate::ceiling::{commit_latencies, hashes_per_s, signatures};
use crate::load::Pace;
use crate::machine::{Glance, Machine, Side, pin};
use crate::mix::Mix;
use crate::ranges;
use crate::report::{Report, Setting};
use crate::run::{Bed, ShapeArgs, runtime, shape_of};
use crate::sheet::Sheet;

/// Of the file's format.
const VERSION: u32 = 2;
const TURN_S: f64 = 5.0;
const HASHING: Duration = Duration::from_secs(3);

#[derive(Args)]
pub(crate) struct CalibrateArgs {
    /// Signed-in people.
    #[arg(long, default_value_t = 100_000, value_parser = ranges::people())]
    people: usize,
    /// Where it is written.
    #[arg(long, value_name = "F", default_value = "calibration.json")]
    json: PathBuf,
    /// Write nothing when others use this machine meanwhile.
    #[arg(long)]
    strict: bool,
}

/// Whether others may use the machine meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// It is said, in the file too.
    MayBeBusy,
    MustBeQuiet,
}

impl Host {
    /// Says why the machine is too busy, or refuses it.
    fn take(self, noise: &Judged) -> anyhow::Result<()> {
        let why = noise.why.join("; ");
        match (why.is_empty(), self) {
            (true, _) => {}
            (false, Host::MustBeQuiet) => bail!("this host is busy: {why}"),
            (false, Host::MayBeBusy) => {
                eprintln!("warning: this host is busy, and its figures are worth little: {why}");
            }
        }
        Ok(())
    }
}

/// The file. Names and units of its fields are stable within a version.
#[derive(Serialize)]
struct Calibration {
    version: u32,
    machine: Machine,
    /// What others did meanwhile, and why that is too much.
    noise: Judged,
    people: usize,
    /// By operation, then by shape.
    operations: BTreeMap<&'static str, Vec<Operation>>,
    /// Of a check, at the node's endpoint and at the generator: least squares
    /// over the shapes.
    endpoint: Turn,
    generator: Turn,
    /// By side.
    stalls: BTreeMap<&'static str, Stalls>,
    hash_ms: f64,
    /// How long a hash that has just begun keeps its core from others.
    hash_holds_us: Vec<u64>,
    signatures: signatures::Signatures,
    commits: Vec<CommitLatency>,
    /// What one more warm person with one session adds to the node's resident
    /// memory, with what the store's cache keeps of their rows.
    warm_bytes_per_person: u64,
}

/// CPU of the node for one operation, in microseconds.
#[derive(Serialize)]
struct Operation {
    /// `saturated`, with every place in flight taken, or `open`.
    pace: &'static str,
    connections: usize,
    in_flight: usize,
    per_s: f64,
    cpu_us: f64,
    threads_us: BTreeMap<String, f64>,
    /// How often each thread waited and was woken, for one operation.
    wakes: BTreeMap<String, f64>,
    /// From when it was due to its right answer.
    p50_us: f64,
    p99_us: f64,
    generator_us: f64,
    generator_wakes: f64,
    /// Sent by the generator, for one operation.
    datagrams: f64,
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

const CONNECTIONS: usize = 64;
/// The node's threads that talk to gateways.
const ENDPOINT: &str = "endpoint";

/// Requests in flight on each connection, and arrivals a second where it is not
/// as many as are answered.
type Shapes = &'static [(usize, Option<f64>)];

/// What is calibrated with which mix, and in which shapes.
const OPERATIONS: [(&str, &str, Shapes); 4] = [
    (
        "check",
        "checks",
        &[
            (1, None),
            (4, None),
            (16, None),
            (64, None),
            (4, Some(2_000.0)),
            (4, Some(20_000.0)),
            (4, Some(60_000.0)),
        ],
    ),
    (
        "refresh",
        "refreshes",
        &[(1, None), (4, None), (4, Some(2_000.0))],
    ),
    ("sign_in", "passwords", &[(1, None)]),
    ("sign_up", "registrations", &[(1, None)]),
];

pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<ExitCode> {
    let sheet = Sheet::open(&args.json)?;
    let host = match args.strict {
        true => Host::MustBeQuiet,
        false => Host::MayBeBusy,
    };
    let text = measure(args.people, host)?;
    sheet.write(&text)?;
    say!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Calibrates; what is to be written.
pub(crate) fn measure(people: usize, host: Host) -> anyhow::Result<String> {
    pin(Side::Either);
    let before = Noise::measure()?;
    host.take(&before.judged(None))?;
    let mut operations = BTreeMap::new();
    let mut warm_bytes_per_person = 0;
    for (operation, mix, shapes) in OPERATIONS {
        let mix = Mix::named(mix)?;
        pin(Side::Generator);
        let measured = runtime()?.block_on(async {
            let spawned = ShapeArgs::spawned(people);
            if operation == "check" {
                warm_bytes_per_person = warm_bytes(&spawned, &mix).await?;
            }
            let mut bed = Bed::make(&spawned, &mix).await?;
            let mut measured = Vec::new();
            for (in_flight, per_s) in shapes {
                let (mut mix, mut pace) = (mix.clone(), Pace::Saturated { for_s: TURN_S });
                if let Some(per_s) = *per_s {
                    mix.curve = vec![(0.0, per_s), (TURN_S, per_s)];
                    pace = Pace::Open;
                }
                let mut shape = shape_of(&spawned, pace);
                (shape.connections, shape.in_flight) = (CONNECTIONS, *in_flight);
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
    let checks: &Vec<Operation> = operations.get("check").context("no checks")?;
    let busy = || checks.iter().filter(|shape| !shape.is_seldom());
    let of_node: Vec<_> = busy().map(Operation::at_endpoint).collect();
    let of_generator: Vec<_> = busy().map(Operation::at_generator).collect();
    let (endpoint, generator) = (fit::turn(&of_node), fit::turn(&of_generator));
    pin(Side::Either);
    let stalls = Stalls::of_both()?;
    let hash_holds_us = holds::measure()?;
    let hash_ms = 1_000.0 / hashes_per_s(HASHING)?;
    let signatures = signatures::measure()?;
    let commits = [1, 64, 256, 1_024].into_iter().map(CommitLatency::measure);
    let commits = commits.collect::<anyhow::Result<Vec<_>>>()?;
    // Only when nothing is measured any more: what disturbs the last of it is
    // seen as well.
    pin(Side::Either);
    let noise = before.or_worse(Noise::measure()?);
    let noise = noise.judged(Some(endpoint.wake_us));
    host.take(&noise)?;
    let calibration = Calibration {
        version: VERSION,
        machine: Machine::here(),
        noise,
        people,
        endpoint,
        generator,
        stalls,
        hash_holds_us,
        operations,
        hash_ms,
        signatures,
        commits,
        warm_bytes_per_person,
    };
    Ok(serde_json::to_string_pretty(&calibration)?)
}

/// Memory of a node before and after every person was asked about.
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
            pace: report.pace,
            connections: report.connections,
            in_flight: report.in_flight,
            per_s: report.all.served_per_s,
            cpu_us: report.node_cpu_us_per_request,
            threads_us: threads.collect(),
            wakes: report.node_wakes_per_request.clone(),
            p50_us: report.all.latency_ms.p50 * 1_000.0,
            p99_us: report.all.latency_ms.p99 * 1_000.0,
            generator_us: report.generator.cpu_us_per_request,
            generator_wakes: report.generator.wakes_per_request,
            datagrams: report.generator.datagrams_per_request,
        })
    }

    /// Cores that rest between two requests are slow to wake.
    fn is_seldom(&self) -> bool {
        self.per_s < 10_000.0
    }

    fn at_endpoint(&self) -> Seen {
        let of = |all: &BTreeMap<String, f64>| all.get(ENDPOINT).copied().unwrap_or(0.0);
        Seen {
            wakes: of(&self.wakes),
            datagrams: self.datagrams,
            cpu_us: of(&self.threads_us),
        }
    }

    fn at_generator(&self) -> Seen {
        Seen {
            wakes: self.generator_wakes,
            datagrams: self.datagrams,
            cpu_us: self.generator_us,
        }
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
