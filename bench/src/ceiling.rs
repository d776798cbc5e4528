//! What cannot be beaten on this machine, and what people would pick instead,
//! in turn with ours in the same minutes.

mod disk;
mod echo;
mod hashing;
mod lookup;
mod redis;
pub(crate) mod signatures;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::load::Pace;
use crate::machine::{Machine, Side, pin};
use crate::mix::{Draw, Mix, Parts, Refused};
use crate::ranges::{self, PLACES};
use crate::report::Setting;
use crate::run::{Bed, ShapeArgs, runtime, shape_of};
use crate::sheet::Sheets;
use crate::summary::Summary;

pub(crate) use disk::{commit_latencies, commits};
pub(crate) use echo::{Echo, EchoArgs, serve as serve_echo};
pub(crate) use hashing::on_this_thread as hashes_per_s;
pub(crate) use signatures::Signed;

#[derive(Args)]
pub(crate) struct CeilingArgs {
    /// Shapes to try: connections x requests in flight on each.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "8x64,64x1,64x4,64x16,64x64"
    )]
    shapes: Vec<ShapeName>,
    /// Turns of each.
    #[arg(long, default_value_t = 3, value_parser = ranges::turns())]
    turns: usize,
    /// Seconds of each turn.
    #[arg(long, default_value_t = 4.0, value_parser = ranges::turn_s)]
    seconds: f64,
    /// Signed-in people.
    #[arg(long, default_value_t = 1_000_000, value_parser = ranges::people())]
    people: usize,
    /// How people are drawn.
    #[arg(long, default_value = "uniform")]
    draw: Draw,
    /// Leave out hashing, signatures, disk and memory.
    #[arg(long)]
    only_shapes: bool,
    /// Write the results as JSON.
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
}

/// Connections and requests in flight on each.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ShapeName {
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
}

impl std::str::FromStr for ShapeName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ShapeName, &'static str> {
        let parts = text.split_once('x');
        let places = |text: &str| {
            let count = text
                .parse::<u64>()
                .ok()
                .filter(|count| PLACES.contains(count))?;
            usize::try_from(count).ok()
        };
        let parsed = parts.and_then(|(a, b)| Some((places(a)?, places(b)?)));
        match parsed {
            Some((connections, in_flight)) => Ok(ShapeName {
                connections,
                in_flight,
            }),
            None => Err("connections x in flight, as 64x4, each from 1 to 4096"),
        }
    }
}

/// A rate and what it costs its server.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Measured {
    per_s: Summary,
    cpu_us: Summary,
}

#[derive(Clone, Debug, Serialize)]
struct ShapeResult {
    shape: ShapeName,
    checks: Measured,
    echo: Measured,
    redis: Option<Measured>,
    /// Ours by the echo, turn by turn.
    to_echo: Summary,
    /// Ours by Redis, turn by turn.
    to_redis: Option<Summary>,
    /// CPU of a check above that of an echo, in microseconds, turn by turn.
    above_echo_us: Summary,
    /// An echo's CPU by a check's: what the rates' ratio would be if the server
    /// alone were the limit.
    by_cpu: Summary,
    /// Of the server's core, while it answered checks, and echoes. Below 0.9
    /// the generator was the limit, and the rates say nothing of the server.
    checks_core_share: f64,
    echo_core_share: f64,
}

#[derive(Clone, Debug, Serialize)]
struct Ceilings {
    people: usize,
    shapes: Vec<ShapeResult>,
    hashing: Option<hashing::Hashing>,
    signatures: Option<signatures::Signatures>,
    disk: Option<disk::Disk>,
    lookup: Option<lookup::Lookup>,
    machine: Machine,
}

/// A rate and CPU per request of one turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    per_s: f64,
    cpu_us: f64,
}

fn measured(turns: &[Turn]) -> Measured {
    Measured {
        per_s: Summary::of(turns.iter().map(|turn| turn.per_s).collect()),
        cpu_us: Summary::of(turns.iter().map(|turn| turn.cpu_us).collect()),
    }
}

fn core_share(turns: &[Turn]) -> f64 {
    let shares = turns.iter().map(|turn| turn.per_s * turn.cpu_us / 1e6);
    Summary::of(shares.collect()).median
}

fn by_turn(ours: &[Turn], theirs: &[Turn], of: impl Fn(&Turn, &Turn) -> f64) -> Summary {
    Summary::of(ours.iter().zip(theirs).map(|(a, b)| of(a, b)).collect())
}

pub(crate) fn checks_alone(draw: Draw) -> Mix {
    Mix {
        about: "Session checks.".to_owned(),
        ask: Parts {
            check: 1,
            ..Parts::default()
        },
        curve: vec![(0.0, 1.0)],
        people: draw,
        refused: Refused::GoAway,
    }
}

pub(crate) fn run(args: &CeilingArgs) -> anyhow::Result<ExitCode> {
    let sheets = Sheets::open(args.json.as_ref(), None)?;
    let mix = checks_alone(args.draw);
    let shape_args = ShapeArgs::spawned(args.people);
    pin(Side::Generator);
    let mut shapes = Vec::new();
    runtime()?.block_on(async {
        let mut bed = Bed::make(&shape_args, &mix).await?;
        let echo = echo::Echo::start(bed.dir())?;
        let redis = redis::Redis::start(bed.dir(), args.people)?;
        if redis.is_none() {
            say!("redis-server and redis-benchmark are not installed: left out");
        }
        say!(
            "{:>7} {:>22} {:>22} {:>22} {:>6} {:>6} {:>6} {:>6} {:>11}",
            "shape",
            "checks/s (us)",
            "echo/s (us)",
            "redis GET/s (us)",
            "/echo",
            "/redis",
            "+us",
            "by CPU",
            "core shares"
        );
        for name in &args.shapes {
            let result = shape(&mut bed, &echo, redis.as_ref(), &mix, *name, args).await?;
            result.print();
            shapes.push(result);
        }
        anyhow::Ok(())
    })?;
    let wanted = !args.only_shapes;
    let ceilings = Ceilings {
        people: args.people,
        shapes,
        hashing: wanted.then(hashing::measure).transpose()?,
        signatures: wanted.then(signatures::measure).transpose()?,
        disk: wanted.then(disk::measure).transpose()?,
        lookup: wanted.then(|| lookup::measure(args.people)),
        machine: Machine::here(),
    };
    ceilings.print();
    if let Some(sheet) = sheets.json {
        sheet.write(&serde_json::to_string_pretty(&ceilings)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn shape(
    bed: &mut Bed,
    echo: &echo::Echo,
    redis: Option<&redis::Redis>,
    mix: &Mix,
    name: ShapeName,
    args: &CeilingArgs,
) -> anyhow::Result<ShapeResult> {
    let mut shape = shape_of(
        &ShapeArgs::spawned(args.people),
        Pace::Saturated {
            for_s: args.seconds,
        },
    );
    (shape.connections, shape.in_flight, shape.warm_up_s) = (name.connections, name.in_flight, 1.0);
    let (mut ours, mut echoes, mut gets) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..args.turns {
        shape.seed = turn as u64 + 1;
        let checks = bed.load(mix, &shape, Setting::new("checks", mix)).await?;
        ours.push(checks.turn()?);
        let setting = Setting::new("echo", mix);
        let echoed = bed.load_on(&echo.server(), mix, &shape, setting).await?;
        echoes.push(echoed.turn()?);
        if let Some(redis) = redis {
            gets.push(redis.get(name, args.seconds)?);
        }
    }
    Ok(ShapeResult {
        shape: name,
        checks: measured(&ours),
        echo: measured(&echoes),
        redis: redis.map(|_| measured(&gets)),
        to_echo: by_turn(&ours, &echoes, |a, b| a.per_s / b.per_s),
        to_redis: redis.map(|_| by_turn(&ours, &gets, |a, b| a.per_s / b.per_s)),
        above_echo_us: by_turn(&ours, &echoes, |a, b| a.cpu_us - b.cpu_us),
        by_cpu: by_turn(&ours, &echoes, |a, b| b.cpu_us / a.cpu_us),
        checks_core_share: core_share(&ours),
        echo_core_share: core_share(&echoes),
    })
}

impl Turn {
    pub(crate) fn new(per_s: f64, cpu_us: f64) -> Turn {
        Turn { per_s, cpu_us }
    }
}

impl ShapeResult {
    fn print(&self) {
        let show = |one: &Measured| {
            let rate = one.per_s.median;
            format!("{rate:.0} ({:.2})", one.cpu_us.median)
        };
        say!(
            "{:>7} {:>22} {:>22} {:>22} {:>6.2} {:>6} {:>6.2} {:>6.2} {:>5.2} {:>5.2}",
            format!("{}x{}", self.shape.connections, self.shape.in_flight),
            show(&self.checks),
            show(&self.echo),
            self.redis.as_ref().map_or("-".to_owned(), show),
            self.to_echo.median,
            self.to_redis
                .map_or("-".to_owned(), |ratio| format!("{:.2}", ratio.median)),
            self.above_echo_us.median,
            self.by_cpu.median,
            self.checks_core_share,
            self.echo_core_share,
        );
    }
}

impl Ceilings {
    fn print(&self) {
        if let Some(hashing) = &self.hashing {
            hashing.print();
        }
        if let Some(signatures) = &self.signatures {
            signatures.print();
        }
        if let Some(disk) = &self.disk {
            disk.print();
        }
        if let Some(lookup) = &self.lookup {
            lookup.print();
        }
    }
}
