//! `tidegate-bench`: load on a real node, what the machine could do at best,
//! and the calibration that the simulator reads.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it measures real time, and prints what it found"
)]

#[macro_use]
mod output;

mod book;
mod calibrate;
mod ceiling;
mod cluster;
mod fidelity;
mod figures;
mod guard;
mod highest;
mod load;
mod machine;
mod members;
mod mix;
mod node;
mod population;
mod random;
mod ranges;
mod report;
mod run;
mod script;
mod sheet;
mod subjects;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// As the node has it: what is compared differs in nothing else.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Puts open-loop load on a Tidegate node and reports the outcomes.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put a mix of requests on a node. Exit status 1 when an answer was wrong,
    /// 2 when the figures are invalid or nothing could be measured.
    Run(run::RunArgs),
    /// Find the highest rate of a mix that is sustained: 99.9% served, p99 of
    /// checks under 10 ms.
    Highest(highest::HighestArgs),
    /// Measure what this machine could do at best, and what people would pick
    /// instead, in turn with ours.
    Ceiling(ceiling::CeilingArgs),
    /// Write down what operations cost here, for the simulator.
    Calibrate(calibrate::CalibrateArgs),
    /// Hold the simulator's predictions against measurements of a node.
    Fidelity(fidelity::FidelityArgs),
    /// The bare QUIC server that `ceiling` runs.
    #[command(hide = true)]
    Echo(ceiling::EchoArgs),
    /// Hold the instructions of the hottest functions against the committed
    /// ones; needs valgrind.
    Guard(guard::GuardArgs),
    /// One function, called so often: what `guard` counts.
    #[command(hide = true)]
    Guarded(guard::GuardedArgs),
    /// Figures of day two and of overload.
    #[command(subcommand)]
    Figures(figures::Figure),
    /// Let something happen to three nodes on a real FoundationDB, under load.
    /// Exit status 0 only when no answer was wrong and nothing was lost.
    Cluster(cluster::ClusterArgs),
    /// Put signed-in people into a folder that `tidegate init --rate-per-s 0` made.
    People(PeopleArgs),
}

#[derive(clap::Args)]
struct PeopleArgs {
    /// How many.
    #[arg(value_parser = ranges::people())]
    people: usize,
    /// The node's folder.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Highest(args) => highest::highest(&args),
        Command::Ceiling(args) => ceiling::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Fidelity(args) => fidelity::run(&args),
        Command::Echo(args) => ceiling::serve_echo(&args),
        Command::Guard(args) => guard::run(&args),
        Command::Guarded(args) => guard::guarded(&args),
        Command::Figures(figure) => figures::run(&figure),
        Command::Cluster(args) => cluster::run(&args),
        Command::People(args) => {
            population::make(&args.dir, args.people).map(|()| ExitCode::SUCCESS)
        }
    };
    let status = done.unwrap_or_else(|error| {
        eprintln!("tidegate-bench: {error:#}");
        ExitCode::from(2)
    });
    output::end(status, ExitCode::from(2))
}
