//! A cluster on a real FoundationDB: three nodes in processes of their own, a
//! crowd that uses them through the client library, and something that happens.
//! Every answer is judged; at the end every person is asked about again.

mod crowd;
mod database;
mod fidelity;
mod happenings;
mod judge;
mod restore;
mod rig;
mod slowing;
mod storm;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, value_parser};

use crate::machine::{Machine, Side, pin};
use crate::ranges::{self, SEED_MAX};

/// What happens to the cluster.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Happening {
    /// Nothing.
    Nothing,
    /// A node is killed (SIGKILL), and later started again.
    Kill,
    /// A node stands still (SIGSTOP) for twice the lease.
    Pause,
    /// All nodes are ended (SIGTERM) and started, one after the other.
    Rolling,
    /// All nodes go from an older program to this one, back, and forward again,
    /// and the upgrade is finished.
    Upgrade,
    /// FoundationDB is killed, and started again after half a minute.
    Outage,
    /// FoundationDB takes 10, 100 and 500 times as long, and then one node does.
    Slow,
    /// 64 clients refresh one token at once, through different nodes, while
    /// its owner hands over, and while its owner is killed.
    Storm,
    /// FoundationDB's tools put back rows that are older than some people's
    /// erasure, and the newest keys.
    Restore,
    /// What the simulator says of three such nodes, beside what is measured.
    Fidelity,
}

/// What it runs on.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ground {
    /// FoundationDB's server; one of its own is started.
    #[arg(long, value_name = "FILE", default_value = "fdbserver", global = true)]
    fdbserver: PathBuf,
    /// FoundationDB's command line.
    #[arg(long, value_name = "FILE", default_value = "fdbcli", global = true)]
    fdbcli: PathBuf,
    /// FoundationDB's tools for copies, for `restore`.
    #[arg(long, value_name = "FILE", default_value = "fdbbackup", global = true)]
    fdbbackup: PathBuf,
    /// The second of them.
    #[arg(long, value_name = "FILE", default_value = "fdbrestore", global = true)]
    fdbrestore: PathBuf,
    /// The third, which does their work.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "backup_agent",
        global = true
    )]
    backup_agent: PathBuf,
    /// FoundationDB's client library, when it is not where the system looks.
    #[arg(long, value_name = "FILE", global = true)]
    client_library: Option<PathBuf>,
    /// Requests a second.
    #[arg(
        long,
        default_value_t = 2_000.0,
        global = true,
        value_parser = ranges::calls_per_s
    )]
    rate: f64,
    /// Signed-in people.
    #[arg(long, default_value_t = 20_000, global = true, value_parser = ranges::people())]
    people: usize,
    /// What draws and arrivals follow from.
    #[arg(
        long,
        default_value_t = 1,
        global = true,
        value_parser = value_parser!(u64).range(0..=SEED_MAX)
    )]
    seed: u64,
    /// Threads beside everything that only compute: a machine that is busy.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        global = true,
        value_parser = crate::ranges::threads()
    )]
    busy: usize,
    /// The older program (`tidegate`), for `upgrade`.
    #[arg(long, value_name = "FILE", global = true)]
    older: Option<PathBuf>,
    /// Keep the folders, with the nodes' logs, and say where they are.
    #[arg(long, global = true)]
    keep: bool,
}

#[derive(Args)]
pub(crate) struct ClusterArgs {
    #[command(subcommand)]
    happening: Happening,
    #[command(flatten)]
    ground: Ground,
}

pub(crate) fn run(args: &ClusterArgs) -> anyhow::Result<ExitCode> {
    pin(Side::Either);
    let machine = Machine::here();
    say!(
        "{} cores of {}, at {}",
        machine.cores,
        machine.cpu,
        machine.commit
    );
    let runtime = crate::run::runtime()?;
    let ground = &args.ground;
    let _busy = slowing::Busy::begin(ground.busy);
    let faults = runtime.block_on(async {
        let local = tokio::task::LocalSet::new();
        match args.happening {
            Happening::Storm => local.run_until(storm::storm(ground)).await,
            Happening::Restore => local.run_until(restore::drill(ground)).await,
            Happening::Fidelity => local.run_until(fidelity::compare(ground)).await,
            happening => local.run_until(happenings::watch(ground, happening)).await,
        }
    })?;
    Ok(match faults {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}
