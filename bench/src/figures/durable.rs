//! What is durable beside what the disk's group commit alone reaches, in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate_storage_api::{Commit, Key, PersonPart, Region, Slot, Store};
use tidegate_storage_fjall::{FjallStore, Options};

use super::{PeopleArgs, print_summary};
use crate::ceiling::{Signed, commits};
use crate::load::Pace;
use crate::machine::{Side, pin};
use crate::mix::Mix;
use crate::report::Setting;
use crate::run::{Bed, ShapeArgs, shape_of};
use crate::summary::Summary;

const TURNS: usize = 5;
const TURN: Duration = Duration::from_secs(4);
const WAITING: usize = 256;

/// Refreshes over QUIC, 64 connections with 4 in flight, on all cores.
pub(crate) async fn refreshes(args: &PeopleArgs) -> anyhow::Result<()> {
    pin(Side::Generator);
    let mix = Mix::named("refreshes")?;
    let spawned = ShapeArgs::spawned(args.people).on_all_cores();
    let pace = Pace::Saturated {
        for_s: TURN.as_secs_f64(),
    };
    let mut shape = shape_of(&spawned, pace);
    shape.warm_up_s = 1.0;
    let mut bed = Bed::make(&spawned, &mix).await?;
    let (mut ours, mut bare, mut ratios, mut cpu) = (vec![], vec![], vec![], vec![]);
    for turn in 0..TURNS {
        shape.seed = turn as u64 + 1;
        let report = bed
            .load(&mix, &shape, Setting::new("refreshes", &mix))
            .await?;
        anyhow::ensure!(report.wrong() == 0, "{:?}", report.wrong);
        let alone = tokio::task::spawn_blocking(|| {
            pin(Side::Either);
            let folder = tempfile::tempdir_in(".")?;
            commits(&folder.path().join("store"), WAITING)
        });
        let alone = alone.await??;
        ours.push(report.all.served_per_s);
        cpu.push(report.node_cpu_us_per_request);
        bare.push(alone);
        ratios.push(report.all.served_per_s / alone);
    }
    print_summary("refreshes /s", Summary::of(ours));
    print_summary("node's CPU each, us", Summary::of(cpu));
    print_summary("bare commits /s", Summary::of(bare));
    print_summary("ratio", Summary::of(ratios));
    Ok(())
}

/// One P-256 verification and one durable commit each, on all cores, beside
/// the verifications alone.
pub(crate) fn passkeys() -> anyhow::Result<()> {
    pin(Side::Either);
    let signed = Arc::new(Signed::new()?);
    let (mut ours, mut bare, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..TURNS {
        let alone = run(&signed, None)?;
        let folder = tempfile::tempdir_in(".")?;
        let store = FjallStore::open(folder.path(), &Options::default())?;
        let both = run(&signed, Some(Arc::new(store)))?;
        ours.push(both);
        bare.push(alone);
        ratios.push(both / alone);
    }
    print_summary("verify and commit /s", Summary::of(ours));
    print_summary("verify alone /s", Summary::of(bare));
    print_summary("ratio", Summary::of(ratios));
    Ok(())
}

fn run(signed: &Arc<Signed>, store: Option<Arc<FjallStore>>) -> anyhow::Result<f64> {
    let cores = std::thread::available_parallelism()?.get();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .build()?;
    let done = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let tasks: Vec<_> = (0..WAITING as u64)
        .map(|task| {
            let (signed, store, done) = (Arc::clone(signed), store.clone(), Arc::clone(&done));
            runtime.spawn(async move {
                let mut number = task;
                while started.elapsed() < TURN {
                    signed.verify()?;
                    match &store {
                        Some(store) => drop(store.commit(one(number)).await?),
                        None => tokio::task::yield_now().await,
                    }
                    number += WAITING as u64;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task)??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64())
}

fn one(number: u64) -> Commit {
    let mut user = [0; 16];
    user[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    let slot = Slot::of_hash(&[0; 32]);
    let key = Key::person(Region::FIRST, slot, &user, PersonPart::Record);
    Commit::default().put(key, vec![7; 800])
}
