//! Predictions of the simulator beside measurements of a real node: the same
//! mix at the same rate, several times each.

mod point;
mod predicted;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use self::point::{Outcome, Point};
use crate::load::Pace;
use crate::machine::{Side, pin};
use crate::mix::Mix;
use crate::report::Setting;
use crate::run::{Bed, ShapeArgs, runtime, shape_of};

const PEOPLE: usize = 100_000;
/// Seconds before anything is counted, and those that count.
const WARM_UP_S: f64 = 1.0;
const COUNTED_S: f64 = 4.0;

/// Mixes, and requests a second on a node with one core: three far enough below
/// what it can do, two beyond it. Of checks alone the generator gives out
/// before the node does.
const POINTS: [(&str, &[f64]); 4] = [
    ("checks", &[20_000.0, 45_000.0, 80_000.0]),
    ("evening", &[3_000.0, 5_000.0, 8_000.0, 22_000.0, 30_000.0]),
    (
        "refreshes",
        &[1_000.0, 2_000.0, 4_000.0, 18_000.0, 20_000.0],
    ),
    ("passwords", &[15.0, 25.0, 40.0, 90.0, 120.0]),
];

#[derive(Args)]
pub(crate) struct FidelityArgs {
    /// What `calibrate` wrote on this machine.
    #[arg(long, value_name = "F", default_value = "calibration.json")]
    calibration: PathBuf,
    /// How often each point is measured, and with how many seeds it is
    /// predicted.
    #[arg(long, default_value_t = 5)]
    turns: u64,
    /// Only this mix.
    #[arg(long)]
    mix: Option<String>,
    /// Write the table as JSON.
    #[arg(long, value_name = "F")]
    json: Option<PathBuf>,
}

pub(crate) fn run(args: &FidelityArgs) -> anyhow::Result<ExitCode> {
    std::fs::metadata(&args.calibration)
        .with_context(|| format!("{}: tidegate-bench calibrate", args.calibration.display()))?;
    let wanted = |name: &str| args.mix.as_deref().is_none_or(|mix| mix == name);
    let mut points = Vec::new();
    for (name, rates) in POINTS.into_iter().filter(|(name, _)| wanted(name)) {
        let measured = measured(name, rates, args.turns)?;
        for (per_s, measured) in rates.iter().zip(measured) {
            eprintln!("{name} {per_s}/s: predicting");
            let predicted = predicted(name, *per_s, args)?;
            points.push(Point::new(name, *per_s, &measured, &predicted));
        }
    }
    table::print(&points);
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&points)?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// By rate, and for each by turn: all rates come round before the first comes
/// again, so that a slow minute of the machine meets all of them.
fn measured(name: &str, rates: &[f64], turns: u64) -> anyhow::Result<Vec<Vec<Outcome>>> {
    let mix = Mix::named(name)?;
    let spawned = ShapeArgs::spawned(PEOPLE);
    pin(Side::Generator);
    let outcomes = runtime()?.block_on(async {
        let mut bed = Bed::make(&spawned, &mix).await?;
        let mut outcomes = vec![Vec::new(); rates.len()];
        for turn in 0..turns {
            for (place, (per_s, outcomes)) in rates.iter().zip(&mut outcomes).enumerate() {
                eprintln!("{name} {per_s}/s: measuring, {} of {turns}", turn + 1);
                let mut mix = mix.clone();
                mix.curve = vec![(0.0, *per_s), (COUNTED_S, *per_s)];
                let mut shape = shape_of(&spawned, Pace::Open);
                // Keys for repeats must not come again.
                shape.seed = turn * rates.len() as u64 + place as u64 + 1;
                shape.warm_up_s = WARM_UP_S;
                let report = bed.load(&mix, &shape, Setting::new(name, &mix)).await?;
                anyhow::ensure!(report.wrong() == 0, "{:?}", report.wrong);
                outcomes.push(Outcome::measured(&report));
            }
        }
        anyhow::Ok(outcomes)
    });
    pin(Side::Either);
    outcomes
}

fn predicted(name: &str, per_s: f64, args: &FidelityArgs) -> anyhow::Result<Vec<Outcome>> {
    let mix = Mix::named(name)?;
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("scenario.toml");
    std::fs::write(&scenario, predicted::scenario(&mix, per_s))?;
    let one = |seed| one_prediction(folder.path(), &scenario, &args.calibration, seed);
    (1..=args.turns).map(one).collect()
}

fn one_prediction(
    folder: &Path,
    scenario: &Path,
    calibration: &Path,
    seed: u64,
) -> anyhow::Result<Outcome> {
    let json = folder.join("report.json");
    let report = predicted::play(scenario, calibration, seed, &json)?;
    Ok(report.outcome())
}
