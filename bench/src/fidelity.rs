//! Predictions of the simulator beside measurements of a real node: the same
//! mix at the same rate, several times each.

mod point;
mod predicted;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, value_parser};

use self::point::Point;
pub(crate) use self::point::{Bottleneck, Outcome};
use crate::calibrate::{self, Host};
use crate::load::Pace;
use crate::machine::{Side, pin};
use crate::mix::Mix;
use crate::report::Setting;
use crate::run::{Bed, ShapeArgs, runtime, shape_of};
use crate::sheet::Sheets;

const PEOPLE: usize = 100_000;
/// Seconds before anything is counted, and those that count.
const WARM_UP_S: f64 = 1.0;
const COUNTED_S: f64 = 4.0;

/// Mixes, and requests a second on a node with one core: three far enough below
/// what it can do, two beyond it. Of checks alone the generator saturates
/// before the node does.
const POINTS: [(&str, &[f64]); 4] = [
    ("checks", &[20_000.0, 45_000.0, 80_000.0]),
    ("evening", &[3_000.0, 5_000.0, 8_000.0, 22_000.0, 30_000.0]),
    (
        "refreshes",
        &[1_000.0, 2_000.0, 4_000.0, 24_000.0, 28_000.0],
    ),
    ("passwords", &[15.0, 25.0, 40.0, 90.0, 120.0]),
];

#[derive(Args)]
pub(crate) struct FidelityArgs {
    /// What `calibrate` wrote on this machine, for all turns. Without it the
    /// machine is calibrated before each turn: it is not the same machine from
    /// one quarter of an hour to the next.
    #[arg(long, value_name = "F")]
    calibration: Option<PathBuf>,
    /// How often each point is measured, and with how many seeds it is
    /// predicted.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u64).range(1..=100))]
    turns: u64,
    /// Only this mix.
    #[arg(long)]
    mix: Option<String>,
    /// Write the table as JSON.
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &FidelityArgs) -> anyhow::Result<ExitCode> {
    let sheets = Sheets::open(args.json.as_ref(), None)?;
    let wanted = |name: &str| args.mix.as_deref().is_none_or(|mix| mix == name);
    let mixes: Vec<_> = POINTS
        .into_iter()
        .filter(|(name, _)| wanted(name))
        .collect();
    let folder = tempfile::tempdir()?;
    let (mut measured, mut calibrations) = (Outcomes::new(), Vec::new());
    for turn in 0..args.turns {
        eprintln!("turn {} of {}", turn + 1, args.turns);
        calibrations.push(calibration(args, folder.path(), turn)?);
        for (name, rates) in &mixes {
            measure(name, rates, turn, &mut measured)?;
        }
    }
    let mut points = Vec::new();
    for ((name, place), measured) in &measured {
        let rates = mixes.iter().find(|(mix, _)| mix == name);
        let per_s = rates.and_then(|(_, rates)| rates.get(*place));
        let per_s = *per_s.context("no such point")?;
        eprintln!("{name} {per_s}/s: predicting");
        let predicted = predicted(name, per_s, folder.path(), &calibrations)?;
        points.push(Point::new(name, per_s, measured, &predicted));
    }
    table::print(&points);
    if let Some(sheet) = sheets.json {
        sheet.write(&serde_json::to_string_pretty(&points)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// By mix and place in its rates, for each turn.
type Outcomes = BTreeMap<(&'static str, usize), Vec<Outcome>>;

/// The file that a turn is predicted with.
fn calibration(args: &FidelityArgs, folder: &Path, turn: u64) -> anyhow::Result<PathBuf> {
    if let Some(path) = &args.calibration {
        std::fs::metadata(path)
            .with_context(|| format!("{}: tidegate-bench calibrate", path.display()))?;
        return Ok(path.clone());
    }
    let path = folder.join(format!("calibration-{turn}.json"));
    std::fs::write(&path, calibrate::measure(PEOPLE, Host::MayBeBusy)?)?;
    Ok(path)
}

/// Once at each rate: all come round before the first comes again, so that a
/// slow minute of the machine meets all of them.
fn measure(
    name: &'static str,
    rates: &[f64],
    turn: u64,
    outcomes: &mut Outcomes,
) -> anyhow::Result<()> {
    let mix = Mix::named(name)?;
    let spawned = ShapeArgs::spawned(PEOPLE);
    pin(Side::Generator);
    let measured = runtime()?.block_on(async {
        let mut bed = Bed::make(&spawned, &mix).await?;
        for (place, per_s) in rates.iter().enumerate() {
            eprintln!("{name} {per_s}/s: measuring");
            let mut mix = mix.clone();
            mix.curve = vec![(0.0, *per_s), (COUNTED_S, *per_s)];
            let mut shape = shape_of(&spawned, Pace::Open);
            // Keys for repeats must not come again.
            shape.seed = turn * rates.len() as u64 + place as u64 + 1;
            shape.warm_up_s = WARM_UP_S;
            let report = bed.load(&mix, &shape, Setting::new(name, &mix)).await?;
            anyhow::ensure!(report.wrong() == 0, "{:?}", report.wrong);
            let turns = outcomes.entry((name, place)).or_default();
            turns.push(Outcome::measured(&report));
        }
        anyhow::Ok(())
    });
    pin(Side::Either);
    measured
}

/// One seed for each turn, with what the machine was at the time.
fn predicted(
    name: &str,
    per_s: f64,
    folder: &Path,
    calibrations: &[PathBuf],
) -> anyhow::Result<Vec<Outcome>> {
    let mix = Mix::named(name)?;
    let (scenario, json) = (folder.join("scenario.toml"), folder.join("report.json"));
    std::fs::write(&scenario, predicted::scenario(&mix, per_s))?;
    let one = |(seed, calibration): (u64, &PathBuf)| {
        let report = predicted::play(&scenario, calibration, seed, &json)?;
        Ok(report.outcome())
    };
    (1..).zip(calibrations).map(one).collect()
}
