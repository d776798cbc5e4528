//! Durable commits a second with 1, 64 and 256 waiting, beside the number of
//! syncs: `cargo run --release -p tidegate-storage-fjall --example group_commit`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that is run by hand"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tidegate_storage_api::{Commit, Key, PersonPart, Region, Slot, Store};
use tidegate_storage_fjall::{FjallStore, Options};

const RUN: Duration = Duration::from_secs(5);
const VALUE_BYTES: usize = 700;

fn row(number: u64) -> Key {
    let mut user = [0; 16];
    user[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    Key::person(
        Region::FIRST,
        Slot::new(1).unwrap(),
        &user,
        PersonPart::Record,
    )
}

async fn run(store: Arc<FjallStore>, waiting: u64) -> (u64, Duration) {
    let done = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let tasks: Vec<_> = (0..waiting)
        .map(|task| {
            let (store, done, stop) = (store.clone(), done.clone(), stop.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let key = row(task * 1_000_000 + n % 10_000);
                    let commit = Commit::default().put(key, vec![7; VALUE_BYTES]);
                    store.commit(commit).await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    tokio::time::sleep(RUN).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    (done.load(Ordering::Relaxed), started.elapsed())
}

/// What the disk alone can do: one write and one sync after another.
fn raw_syncs(folder: &std::path::Path) -> f64 {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("raw")).unwrap();
    let (started, mut count) = (Instant::now(), 0u32);
    while started.elapsed() < Duration::from_secs(2) {
        file.write_all(&[7; VALUE_BYTES]).unwrap();
        file.sync_all().unwrap();
        count += 1;
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::tempdir_in(".").unwrap();
    println!("bare write + sync   {:9.0} /s", raw_syncs(folder.path()));
    let store = FjallStore::open(&folder.path().join("store"), &Options::default()).unwrap();
    let store = Arc::new(store);
    for waiting in [1, 64, 256] {
        let before = store.groups_written();
        let (commits, took) = run(store.clone(), waiting).await;
        let syncs = store.groups_written() - before;
        let (per_s, syncs_per_s) = (
            commits as f64 / took.as_secs_f64(),
            syncs as f64 / took.as_secs_f64(),
        );
        println!(
            "{waiting:4} waiting        {per_s:9.0} commits/s  {syncs_per_s:7.0} syncs/s  {:.1} commits per sync",
            commits as f64 / syncs as f64
        );
    }
}
