//! What the disk allows: bare syncs, and the store's own group commit.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hdrhistogram::Histogram;
use serde::Serialize;
use tidegate_storage_api::{Commit, Key, PersonPart, Region, Slot, Store};
use tidegate_storage_fjall::{FjallStore, Options};

use crate::machine::{Side, pin};

const TURN: Duration = Duration::from_secs(3);
const VALUE_BYTES: usize = 800;
const LONGEST_US: u64 = 60_000_000;

/// A second.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Disk {
    /// Writes of one value, each with a sync.
    syncs_per_s: f64,
    /// Durable commits of one value, with so many waiting at once.
    commits_per_s: Vec<(usize, f64)>,
}

pub(crate) fn measure() -> anyhow::Result<Disk> {
    pin(Side::Either);
    let folder = tempfile::tempdir_in(".")?;
    let mut file = std::fs::File::create(folder.path().join("syncs"))?;
    let (started, mut syncs) = (Instant::now(), 0u32);
    while started.elapsed() < TURN {
        file.write_all(&[7; VALUE_BYTES])?;
        file.sync_data()?;
        syncs += 1;
    }
    let syncs_per_s = f64::from(syncs) / started.elapsed().as_secs_f64();
    let mut commits_per_s = Vec::new();
    for waiting in [1, 64, 256, 1024] {
        let dir = folder.path().join(format!("store-{waiting}"));
        commits_per_s.push((waiting, commits(&dir, waiting)?));
    }
    pin(Side::Generator);
    Ok(Disk {
        syncs_per_s,
        commits_per_s,
    })
}

/// Durable commits a second with so many waiting at once.
pub(crate) fn commits(dir: &std::path::Path, waiting: usize) -> anyhow::Result<f64> {
    let (latencies, took_s) = commit_latencies(dir, waiting)?;
    Ok(latencies.len() as f64 / took_s)
}

/// Microseconds from handing a commit over to its being durable, with so many
/// waiting at once, and for how many seconds it went on.
pub(crate) fn commit_latencies(
    dir: &std::path::Path,
    waiting: usize,
) -> anyhow::Result<(Histogram<u64>, f64)> {
    std::fs::create_dir_all(dir)?;
    let store: Arc<dyn Store> = Arc::new(FjallStore::open(dir, &Options::default())?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let slot = Slot::of_hash(&[0; 32]);
    let commit = |number: u64| {
        let mut user = [0; 16];
        user[..8].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        let key = Key::person(Region::FIRST, slot, &user, PersonPart::Record);
        let commit = store.commit(Commit::default().put(key, vec![7; VALUE_BYTES]));
        let started = Instant::now();
        async move {
            commit.await?;
            anyhow::Ok(started.elapsed())
        }
    };
    let mut latencies = Histogram::new_with_max(LONGEST_US, 3)?;
    runtime.block_on(async {
        let (started, mut number) = (Instant::now(), 0);
        let mut under_way = FuturesUnordered::new();
        while started.elapsed() < TURN {
            while under_way.len() < waiting {
                number += 1;
                under_way.push(commit(number));
            }
            if let Some(committed) = under_way.next().await {
                let us = u64::try_from(committed?.as_micros()).unwrap_or(u64::MAX);
                latencies.saturating_record(us);
            }
        }
        Ok((latencies, started.elapsed().as_secs_f64()))
    })
}

impl Disk {
    pub(super) fn print(&self) {
        say!(
            "bare write and sync of {VALUE_BYTES} bytes: {:.0}/s",
            self.syncs_per_s
        );
        for (waiting, per_s) in &self.commits_per_s {
            say!("durable commits of one value, {waiting} waiting: {per_s:.0}/s");
        }
    }
}
