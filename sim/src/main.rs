//! `tidegate-sim`: plays nights, for planners and for engineers.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "the command line, and how long a run takes"
)]

#[macro_use]
#[path = "cli/output.rs"]
mod output;
#[path = "cli/planning.rs"]
mod planning;
#[path = "cli/printing.rs"]
mod printing;
#[cfg(test)]
#[path = "cli/ranges.rs"]
mod ranges;
#[path = "cli/sheet.rs"]
mod sheet;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, value_parser};
use tidegate_sim::{
    Calibration, Failure, Given, Plant, Report, compare, fuzz_one, given_of, page, play, play_with,
    scenario_of, shrink,
};

use sheet::Sheets;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An objective was missed.
const MISSED: u8 = 1;
/// An answer that cannot be, or nothing could be played.
const BROKEN: u8 = 2;
/// Seeds beyond do not survive JSON.
const SEED_MAX: u64 = (1 << 53) - 1;
const SEEDS_MAX: u64 = 1_000_000_000;
/// A week.
const MINUTES_MAX: u64 = 10_080;

#[derive(Parser)]
#[command(
    name = "tidegate-sim",
    version,
    about = "The real engine in a made-up world"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play a scenario. Exit status 1 when an objective is missed or has no data, 2 when an
    /// answer was wrong or nothing could be played.
    Run(RunArgs),
    /// Find the smallest fleet that meets every objective on every seed, with
    /// the loss of a node at the worst moment. Exit status 1 when none does.
    Plan(planning::PlanArgs),
    /// Put two reports (`run --json`) side by side.
    Compare {
        /// The first.
        first: PathBuf,
        /// The second.
        second: PathBuf,
    },
    /// Play a world for each of many seeds: anything may break for a while, then
    /// nothing does. Exit status 2 when something was broken that must hold.
    Fuzz(FuzzArgs),
    /// Play one seed's world of `fuzz` again, and say everything about it.
    Replay(ReplayArgs),
}

#[derive(Args)]
struct FuzzArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u64).range(1..=SEEDS_MAX))]
    seeds: u64,
    /// The first.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u64).range(0..=SEED_MAX))]
    from: u64,
    /// End after so many minutes, however many seeds are left.
    #[arg(long, value_parser = value_parser!(u64).range(1..=MINUTES_MAX))]
    minutes: Option<u64>,
    /// Plant a bug, to see whether it is found.
    #[arg(long, value_name = "BUG")]
    plant: Option<String>,
}

#[derive(Args)]
struct ReplayArgs {
    /// The seed.
    #[arg(value_parser = value_parser!(u64).range(0..=SEED_MAX))]
    seed: u64,
    /// With a bug planted.
    #[arg(long, value_name = "BUG")]
    plant: Option<String>,
    /// Write the report as one HTML page.
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,
}

#[derive(Args)]
struct RunArgs {
    /// A shipped scenario by its name, or a file.
    scenario: String,
    /// What everything follows from.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u64).range(0..=SEED_MAX))]
    seed: u64,
    /// What `tidegate-bench calibrate` wrote; the shipped one, unless it says.
    #[arg(long, value_name = "F")]
    calibration: Option<PathBuf>,
    /// Write the report as JSON.
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
    /// Write the report as one HTML page.
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run(args) => run(&args),
        Command::Plan(args) => planning::run(&args),
        Command::Compare { first, second } => compare_files(&first, &second),
        Command::Fuzz(args) => fuzz(&args),
        Command::Replay(args) => replay(&args),
    };
    let status = done.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::from(BROKEN)
    });
    output::end(status, ExitCode::from(BROKEN))
}

fn calibration(path: Option<&PathBuf>) -> anyhow::Result<Calibration> {
    Ok(match path {
        Some(path) => Calibration::read(path)?,
        None => Calibration::shipped()?,
    })
}

fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let sheets = Sheets::open(args.json.as_ref(), args.report.as_ref())?;
    let given = Given::named(&args.scenario)?;
    let calibration = calibration(args.calibration.as_ref())?;
    let started = Instant::now();
    let progress = |share: f64| draw_progress(share, started);
    let played = play(&given, &calibration, args.seed, &progress)?;
    let report = Report::of(
        &given,
        &calibration,
        &played,
        started.elapsed().as_secs_f64(),
    );
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    printing::print(&report);
    if let Some(sheet) = sheets.json {
        sheet.write(&serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(sheet) = sheets.report {
        sheet.write(&page(&report)?)?;
    }
    Ok(match (report.wrong, report.met()) {
        (0, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::from(MISSED),
        _ => ExitCode::from(BROKEN),
    })
}

fn compare_files(first: &Path, second: &Path) -> anyhow::Result<ExitCode> {
    let read = |path: &Path| -> anyhow::Result<Report> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&bytes).with_context(|| format!("{}: no report", path.display()))
    };
    let text = compare(&read(first)?, &read(second)?)?;
    say!("{}", text.trim_end());
    Ok(ExitCode::SUCCESS)
}

fn planted(name: Option<&String>) -> anyhow::Result<Plant> {
    let Some(name) = name else {
        return Ok(Plant::None);
    };
    Plant::named(name).with_context(|| {
        let names: Vec<&str> = Plant::ALL.iter().map(|plant| plant.name()).collect();
        format!(
            "{name} is none of {}; bugs inside the engine need a debug build with \
             RUSTC_WORKSPACE_WRAPPER=\"$PWD/.ci/planted\"",
            names.join(", ")
        )
    })
}

fn fuzz(args: &FuzzArgs) -> anyhow::Result<ExitCode> {
    let plant = planted(args.plant.as_ref())?;
    let started = Instant::now();
    let mut played = 0;
    for seed in args.from..args.from + args.seeds {
        let late = |minutes| started.elapsed().as_secs() >= minutes * 60;
        if args.minutes.is_some_and(late) {
            break;
        }
        played += 1;
        let failure = fuzz_one(seed, plant).map_err(anyhow::Error::from_boxed)?;
        if let Some(failure) = failure {
            say!("seed {seed} breaks something:");
            print_failure(&failure);
            let smallest = shrink(&failure, plant).map_err(anyhow::Error::from_boxed)?;
            say!("with as few faults as still do:");
            print_failure(&smallest);
            let with = match plant {
                Plant::None => String::new(),
                plant => format!(" --plant {}", plant.name()),
            };
            say!("again: tidegate-sim replay {seed}{with}");
            return Ok(ExitCode::from(BROKEN));
        }
        draw_progress(played as f64 / args.seeds as f64, started);
    }
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    say!(
        "{played} seeds, nothing broken; {:.0} seeds a minute",
        f64::from(u32::try_from(played).unwrap_or(u32::MAX)) / minutes
    );
    Ok(ExitCode::SUCCESS)
}

fn print_failure(failure: &Failure) {
    for wrong in &failure.wrong {
        say!("  {wrong}");
    }
    for fault in failure.faults() {
        say!("  fault: {fault}");
    }
}

fn replay(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let plant = planted(args.plant.as_ref())?;
    let sheets = Sheets::open(None, args.report.as_ref())?;
    say!("{}", scenario_of(args.seed));
    let given = given_of(args.seed, plant)?;
    let calibration = Calibration::shipped()?;
    let started = Instant::now();
    let played = play_with(&given, &calibration, args.seed, plant, &|_| {})?;
    let report = Report::of(
        &given,
        &calibration,
        &played,
        started.elapsed().as_secs_f64(),
    );
    printing::print(&report);
    if let Some(sheet) = sheets.report {
        sheet.write(&page(&report)?)?;
    }
    Ok(match report.wrong {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(BROKEN),
    })
}

fn draw_progress(share: f64, started: Instant) {
    let mut terminal = std::io::stderr();
    if terminal.is_terminal() {
        let full = "#".repeat((share.clamp(0.0, 1.0) * 40.0) as usize);
        let elapsed = started.elapsed().as_secs();
        // A terminal that is gone shows no progress.
        let _ = write!(
            terminal,
            "\r[{full:<40}] {:3.0}%  {elapsed} s",
            share * 100.0
        );
        let _ = terminal.flush();
    }
}
