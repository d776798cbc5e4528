//! The highest rate that is sustained.

use std::process::ExitCode;

use clap::Args;
use tidegate_wire::Class;

use crate::load::{Pace, Shape};
use crate::machine::{Side, pin};
use crate::mix::Mix;
use crate::ranges;
use crate::report::{Report, Setting};
use crate::run::{Bed, Server, ShapeArgs, runtime, shape_of};

#[derive(Args)]
pub(crate) struct HighestArgs {
    /// checks, evening, passwords, refreshes, registrations, or a file.
    mix: String,
    /// Where to begin.
    #[arg(long, default_value_t = 20_000.0, value_parser = ranges::rate_per_s)]
    from: f64,
    /// Seconds of the run that confirms it.
    #[arg(long, default_value_t = 60.0, value_parser = ranges::length_s)]
    duration: f64,
    #[command(flatten)]
    shape: ShapeArgs,
}

/// What is searched with.
pub(crate) struct Search<'a> {
    pub(crate) server: Server,
    pub(crate) mix: &'a Mix,
    pub(crate) name: &'a str,
    pub(crate) shape: &'a Shape,
    /// Seconds of one try.
    pub(crate) try_s: f64,
}

impl Search<'_> {
    /// One try at this rate.
    pub(crate) async fn at(&self, bed: &mut Bed, per_s: f64, for_s: f64) -> anyhow::Result<Report> {
        let mut mix = self.mix.clone();
        mix.curve = vec![(0.0, per_s), (for_s, per_s)];
        let setting = Setting::new(self.name, &mix);
        let report = bed.load_on(&self.server, &mix, self.shape, setting).await?;
        say!(
            "{per_s:9.0}/s  served {:.4}  p99 {:.2} ms  generator {:.2}  {}",
            report.share_served(),
            report.p99_ms(Class::Check),
            report.generator.cpu_share,
            report.validity,
        );
        Ok(report)
    }

    /// Raises the rate by half until it is not held, then halves the gap.
    pub(crate) async fn highest(&self, bed: &mut Bed, from: f64) -> anyhow::Result<f64> {
        let (mut low, mut high) = (0.0, from);
        while self.at(bed, high, self.try_s).await?.holds() {
            (low, high) = (high, high * 1.5);
        }
        while high - low > (0.03 * high).max(1.0) {
            let middle = f64::midpoint(low, high);
            match self.at(bed, middle, self.try_s).await?.holds() {
                true => low = middle,
                false => high = middle,
            }
        }
        Ok(low)
    }
}

/// Finds the rate, and confirms it over a longer time.
pub(crate) fn highest(args: &HighestArgs) -> anyhow::Result<ExitCode> {
    let mut mix = Mix::named(&args.mix)?;
    mix.people = args.shape.draw.unwrap_or(mix.people);
    let shape = shape_of(&args.shape, Pace::Open);
    pin(Side::Generator);
    runtime()?.block_on(async {
        let mut bed = Bed::make(&args.shape, &mix).await?;
        let search = Search {
            server: bed.server(),
            mix: &mix,
            name: &args.mix,
            shape: &shape,
            try_s: 10.0,
        };
        let mut rate = search.highest(&mut bed, args.from).await?;
        loop {
            let report = search.at(&mut bed, rate, args.duration).await?;
            if report.holds() || rate < 1.0 {
                bed.end()?;
                report.print();
                say!("highest sustained: {rate:.0}/s over {:.0} s", args.duration);
                return Ok(match report.holds() {
                    true => ExitCode::SUCCESS,
                    false => ExitCode::FAILURE,
                });
            }
            rate *= 0.97;
        }
    })
}
