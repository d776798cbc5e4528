//! A mix on a node, from setting up to the report.

mod warming;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, value_parser};
use tidegate_client::Options;

use crate::load::{self, Pace, Shape};
use crate::machine::{Glance, Side, Usage, pin};
use crate::mix::{Draw, Mix};
use crate::node::{self, Node};
use crate::population::{self, Lent};
use crate::ranges::{self, SEED_MAX};
use crate::report::{Report, Setting, Validity};
use crate::script::{Member, People, Script};
use crate::sheet::Sheets;
use crate::{members, report};

/// The figures say nothing of the node.
const INVALID: u8 = 2;

#[derive(Args, Clone)]
pub(crate) struct ShapeArgs {
    /// Connections.
    #[arg(long, default_value_t = 64, value_parser = ranges::places())]
    connections: usize,
    /// Requests in flight on each; further arrivals wait, and the wait counts.
    #[arg(long, default_value_t = 4, value_parser = ranges::places())]
    in_flight: usize,
    /// Signed-in people, who are made once and kept beside the program.
    #[arg(long, default_value_t = 100_000, value_parser = ranges::people())]
    people: usize,
    /// How people are drawn, instead of the mix's way.
    #[arg(long)]
    pub(crate) draw: Option<Draw>,
    /// Seconds before anything is counted.
    #[arg(long, default_value_t = 3.0, value_parser = ranges::warm_up_s)]
    warm_up: f64,
    /// What draws and arrivals follow from.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u64).range(0..=SEED_MAX))]
    seed: u64,
    /// The folder of a node that runs already, with people in it (`people`).
    #[arg(long, value_name = "D", requires = "connect")]
    dir: Option<PathBuf>,
    /// Its address. Without, a node of its own is run (`--spawn`).
    #[arg(long, value_name = "ADDR", requires = "dir")]
    connect: Option<SocketAddr>,
    /// Run a node of its own, on a core of its own; the default.
    #[arg(long, conflicts_with = "connect")]
    spawn: bool,
    /// The cores that the node may use.
    #[arg(long, value_enum, default_value_t = Cores::One)]
    node_on: Cores,
    /// Ask about no person beforehand: people are cold at the start.
    #[arg(long)]
    cold: bool,
}

/// The cores of a node of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Cores {
    /// One of its own; the generator has another.
    One,
    /// All, the generator's too.
    All,
}

impl ShapeArgs {
    /// The same, with a node that may use all cores.
    pub(crate) fn on_all_cores(self) -> ShapeArgs {
        let node_on = Cores::All;
        ShapeArgs { node_on, ..self }
    }

    /// The same, with people who are cold at the start.
    pub(crate) fn cold(self) -> ShapeArgs {
        ShapeArgs { cold: true, ..self }
    }

    /// A node of its own with so many warm people, at the usual shape.
    pub(crate) fn spawned(people: usize) -> ShapeArgs {
        ShapeArgs {
            connections: 64,
            in_flight: 4,
            people,
            draw: None,
            warm_up: 3.0,
            seed: 1,
            dir: None,
            connect: None,
            spawn: true,
            node_on: Cores::One,
            cold: false,
        }
    }
}

#[derive(Args)]
pub(crate) struct RunArgs {
    /// checks, evening, flash-sale, passwords, refreshes, registrations, or a file.
    mix: String,
    /// The greatest number of requests per second, instead of the mix's; `max`
    /// keeps every place in flight taken.
    #[arg(long)]
    rate: Option<Rate>,
    /// Seconds, instead of the mix's.
    #[arg(long, value_parser = ranges::length_s)]
    duration: Option<f64>,
    #[command(flatten)]
    shape: ShapeArgs,
    /// Write the results as JSON.
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
    /// Write a page with charts.
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,
}

/// A rate, or as much as is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rate {
    PerS(f64),
    Max,
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        match text {
            "max" => Ok(Rate::Max),
            text => match ranges::rate_per_s(text) {
                Ok(per_s) => Ok(Rate::PerS(per_s)),
                Err(expected) => Err(format!("{expected}, or max")),
            },
        }
    }
}

/// What answers, and the process to watch while it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    pub(crate) process: Option<u32>,
}

/// A node under load, and who is asked about.
pub(crate) struct Bed {
    // Dropped in this order: the node goes before its folder.
    node: Option<Node>,
    _scratch: Option<tempfile::TempDir>,
    dir: PathBuf,
    server: Server,
    options: Options,
    people: People,
    members: Vec<Member>,
    lending: Lending,
}

/// Whether the tokens of people in a folder that is not the bench's own change.
enum Lending {
    Nothing,
    /// As soon as a load begins: a node that cannot be reached takes nothing.
    Due,
    Lent(Lent),
}

impl Bed {
    /// Runs a node, or finds one, and makes ready who is asked about.
    pub(crate) async fn make(args: &ShapeArgs, mix: &Mix) -> anyhow::Result<Bed> {
        let (node, scratch, dir, at) = match (&args.dir, args.connect) {
            (Some(dir), Some(at)) => (None, None, dir.clone(), at),
            _ => {
                pin(Side::Either);
                let (scratch, dir) = match mix.ask.changes() {
                    true => {
                        let (scratch, dir) = population::copied(args.people)?;
                        (Some(scratch), dir)
                    }
                    false => (None, population::kept(args.people)?),
                };
                pin(match args.node_on {
                    Cores::One => Side::Server,
                    Cores::All => Side::Either,
                });
                let node = node::serve(&dir);
                pin(Side::Generator);
                let node = node?;
                let at = node.at.quic;
                (Some(node), scratch, dir, at)
            }
        };
        let options = node::options(&dir, at)?;
        let people = People::new(population::read(&dir)?);
        let members = match mix.ask.sign_in {
            0 => Vec::new(),
            _ => members::members(&dir, at).await?,
        };
        let mut bed = Bed {
            server: Server {
                at,
                process: node.as_ref().map(Node::id),
            },
            node,
            _scratch: scratch,
            dir,
            options,
            people,
            members,
            lending: Lending::Nothing,
        };
        if !args.cold && mix.ask.check + mix.ask.forged + mix.ask.refresh > 0 {
            bed.warm().await?;
        }
        if args.dir.is_some() && mix.ask.refresh > 0 {
            bed.lending = Lending::Due;
        }
        Ok(bed)
    }

    /// Puts back the tokens of people in a folder that is not the bench's own.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        match self.lending {
            Lending::Lent(lent) => lent.put_back(&self.people.kept()),
            Lending::Nothing | Lending::Due => Ok(()),
        }
    }

    /// One run; the people's tokens go on from where the last run left them.
    pub(crate) async fn load(
        &mut self,
        mix: &Mix,
        shape: &Shape,
        setting: Setting,
    ) -> anyhow::Result<Report> {
        let connected = load::connect(self.server.at, &self.options, shape).await?;
        if matches!(self.lending, Lending::Due) {
            self.lending = Lending::Lent(population::lend(&self.dir)?);
        }
        let (people, members) = (std::mem::take(&mut self.people), self.members.clone());
        let script = Script::new(mix, people, members, shape.seed);
        let watch = Watch::start(self.server.process, shape.warm_up_s);
        let loaded = load::run(connected, mix, shape, script).await;
        let seen = watch.stop()?;
        let (book, script) = loaded?;
        self.people = script.into_people();
        Ok(Report::new(&book, &seen, setting, shape))
    }

    /// The same load on another server, as the same gateway.
    pub(crate) async fn load_on(
        &mut self,
        server: &Server,
        mix: &Mix,
        shape: &Shape,
        setting: Setting,
    ) -> anyhow::Result<Report> {
        let ours = std::mem::replace(&mut self.server, *server);
        let report = self.load(mix, shape, setting).await;
        self.server = ours;
        report
    }

    /// Asks about every person once, so that they are warm.
    pub(crate) async fn warm(&self) -> anyhow::Result<()> {
        warming::warm(&self.options, self.server.at, &self.people).await
    }

    pub(crate) fn people(&self) -> usize {
        self.people.len()
    }

    pub(crate) fn server(&self) -> Server {
        self.server
    }

    /// Where a node of our own is reached.
    pub(crate) fn addresses(&self) -> Option<node::Addresses> {
        self.node.as_ref().map(|node| node.at)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }
}

/// What both processes use, looked at once a second.
struct Watch {
    stop: Sender<()>,
    thread: JoinHandle<Seen>,
}

/// What was seen of both processes after the warm-up.
pub(crate) struct Seen {
    /// The first one at the end of the warm-up.
    pub(crate) samples: Vec<Sample>,
    pub(crate) node: Usage,
    pub(crate) generator: Usage,
}

/// A glance at both processes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) node: Glance,
    pub(crate) generator: Glance,
}

impl Watch {
    fn start(process: Option<u32>, warm_up_s: f64) -> Watch {
        let (stop, stopped) = channel();
        let own = std::process::id();
        let usage = move || {
            let node = process.map_or_else(Usage::default, Usage::of);
            (node, Usage::of(own))
        };
        let glance = move || Sample {
            at: Instant::now(),
            node: process.map_or_else(Glance::default, Glance::of),
            generator: Glance::of(own),
        };
        let goes_on = move |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        let thread = std::thread::spawn(move || {
            goes_on(Duration::from_secs_f64(warm_up_s));
            let before = usage();
            let mut samples = vec![glance()];
            while goes_on(Duration::from_secs(1)) {
                samples.push(glance());
            }
            samples.push(glance());
            let after = usage();
            Seen {
                samples,
                node: after.0.since(&before.0),
                generator: after.1.since(&before.1),
            }
        });
        Watch { stop, thread }
    }

    fn stop(self) -> anyhow::Result<Seen> {
        drop(self.stop);
        self.thread.join().ok().context("the watch ended")
    }
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // The clock of the load is a file that becomes readable, and by default
    // the runtime looks at files once in 61 polls: half a millisecond late.
    Ok(runtime.enable_all().event_interval(4).build()?)
}

pub(crate) fn shape_of(args: &ShapeArgs, pace: Pace) -> Shape {
    Shape {
        connections: args.connections,
        in_flight: args.in_flight,
        pace,
        warm_up_s: args.warm_up,
        seed: args.seed,
    }
}

pub(crate) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let mut mix = Mix::named(&args.mix)?;
    mix.people = args.shape.draw.unwrap_or(mix.people);
    let pace = match args.rate {
        Some(Rate::Max) => Pace::Saturated {
            for_s: args.duration.unwrap_or(10.0),
        },
        Some(Rate::PerS(per_s)) => {
            mix.at_most(per_s);
            Pace::Open
        }
        None => Pace::Open,
    };
    if let Some(duration) = args.duration {
        mix.until(duration);
    }
    let lasts = matches!(pace, Pace::Saturated { .. }) || mix.length_s() >= 1.0;
    ensure!(
        lasts,
        "{}: its curve ends at second {}: --duration says how long it lasts",
        args.mix,
        mix.length_s()
    );
    let sheets = Sheets::open(args.json.as_ref(), args.report.as_ref())?;
    let shape = shape_of(&args.shape, pace);
    let setting = Setting::new(&args.mix, &mix);
    pin(Side::Generator);
    let report = runtime()?.block_on(async {
        let mut bed = Bed::make(&args.shape, &mix).await?;
        let report = bed.load(&mix, &shape, setting).await?;
        bed.end()?;
        anyhow::Ok(report)
    })?;
    report.print();
    if let Some(sheet) = sheets.json {
        sheet.write(&serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(sheet) = sheets.report {
        sheet.write(&report::html(&report)?)?;
    }
    let valid = report.validity == Validity::Valid;
    if !valid {
        eprintln!("{}", report.validity);
    }
    Ok(match (report.wrong(), valid) {
        (0, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::from(INVALID),
        (1.., _) => ExitCode::FAILURE,
    })
}
