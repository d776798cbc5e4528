//! The tail at 70% of the highest sustained rate, beside a bare echo's at 70%
//! of its own, in turn.

use super::{PeopleArgs, print_summary};
use crate::ceiling::{Echo, checks_alone};
use crate::highest::Search;
use crate::load::Pace;
use crate::machine::{Side, pin};
use crate::mix::Draw;
use crate::run::{Bed, ShapeArgs, shape_of};
use crate::summary::Summary;

const TURNS: usize = 5;
const TURN_S: f64 = 10.0;
const TRY_S: f64 = 5.0;
const SHARE: f64 = 0.7;

pub(crate) async fn tail(args: &PeopleArgs) -> anyhow::Result<()> {
    pin(Side::Generator);
    let mix = checks_alone(Draw::Uniform);
    let spawned = ShapeArgs::spawned(args.people);
    let shape = shape_of(&spawned, Pace::Open);
    let mut bed = Bed::make(&spawned, &mix).await?;
    let echo = Echo::start(bed.dir())?;
    let search = |name, server| Search {
        server,
        mix: &mix,
        name,
        shape: &shape,
        try_s: TRY_S,
    };
    let sides = [
        search("checks", bed.server()),
        search("echo", echo.server()),
    ];
    let mut rates = Vec::new();
    for side in &sides {
        rates.push(side.highest(&mut bed, 60_000.0).await? * SHARE);
    }
    let (mut tails, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
    for _ in 0..TURNS {
        let mut turn = [0.0; 2];
        for ((side, rate), tail) in sides.iter().zip(&rates).zip(&mut turn) {
            let report = side.at(&mut bed, *rate, TURN_S).await?;
            anyhow::ensure!(report.wrong() == 0 && report.share_served() > 0.999);
            let latency = report.all.latency_ms;
            *tail = latency.p99_9 / latency.p50;
        }
        tails[0].push(turn[0]);
        tails[1].push(turn[1]);
        ratios.push(turn[0] / turn[1]);
    }
    say!("rates: checks {:.0}/s, echo {:.0}/s", rates[0], rates[1]);
    let [checks, echo] = tails;
    print_summary("p99.9/p50 of checks", Summary::of(checks));
    print_summary("p99.9/p50 of the echo", Summary::of(echo));
    print_summary("checks by echo", Summary::of(ratios));
    Ok(())
}
