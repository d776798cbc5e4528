//! Commits a second and how long they take: the store's, of an owner in good
//! standing, in turn with a bare FoundationDB client that writes the same rows
//! on the same condition and asks for a read version with each commit.
//!
//! `commits [SECONDS_A_TURN] [TURNS]`, with `TIDEGATE_FDB_CLUSTER_FILE` and
//! `TIDEGATE_FDB_LIBRARY` as the tests. It writes into slots 0 to 255 of region
//! 1 and claims them: not for a cluster that is in use.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use foundationdb::Database;
use foundationdb::options::ConflictRangeType;
use tidegate_storage_api::{Check, Commit, Fence, Key, PersonPart, Region, Slot, Store};
use tidegate_storage_foundationdb::{FoundationStore, Options, stop};

const SLOTS: u16 = 256;
const WORKERS: u64 = 64;
const VALUE_BYTES: usize = 700;
const EPOCH: u64 = 1;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |or: u64| args.next().map_or(or, |text| text.parse().unwrap());
    let (seconds, turns) = (number(5), number(5));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(compare(Duration::from_secs(seconds), turns));
    drop(runtime);
    stop();
}

fn slot(number: u64) -> Slot {
    Slot::new(u16::try_from(number % u64::from(SLOTS)).unwrap()).unwrap()
}

fn row(slot: Slot, worker: u64) -> Key {
    let user = u128::from(worker).to_be_bytes();
    Key::person(Region::FIRST, slot, &user, PersonPart::Record)
}

async fn compare(length: Duration, turns: u64) {
    let variable = |name: &str| std::env::var_os(name).map(std::path::PathBuf::from);
    let cluster_file = variable("TIDEGATE_FDB_CLUSTER_FILE");
    let options = Options {
        cluster_file: cluster_file.clone(),
        library: variable("TIDEGATE_FDB_LIBRARY"),
        network: Vec::new(),
        node: 7,
        life: 1,
    };
    let store = Arc::new(FoundationStore::open(&options).unwrap());
    let fence = Fence {
        epoch: EPOCH,
        owner: 7,
    };
    let claims = (0..SLOTS).map(|number| Key::fence(Region::FIRST, slot(number.into())));
    let claim = claims.fold(Commit::default(), |commit, key| {
        commit.put(key, fence.encode())
    });
    store.commit(claim).await.unwrap();
    let path = cluster_file.as_deref().and_then(|path| path.to_str());
    let bare = Arc::new(Database::new(path).unwrap());
    let mut ratios = Vec::new();
    for turn in 0..turns {
        let before = store.usage();
        let one = Arc::clone(&store);
        let ours = measure(length, move |n, w| ours(Arc::clone(&one), n, w)).await;
        let versions = store.usage().read_versions - before.read_versions;
        let one = Arc::clone(&bare);
        let theirs = measure(length, move |n, w| theirs(Arc::clone(&one), n, w)).await;
        println!(
            "turn {turn}: ours {} ({versions} read versions asked for); bare {}",
            ours.text(),
            theirs.text()
        );
        ratios.push(ours.per_s / theirs.per_s);
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "ours by bare: {:.2} ({:.2} to {:.2})",
        ratios[ratios.len() / 2],
        ratios[0],
        ratios[ratios.len() - 1]
    );
}

async fn ours(store: Arc<FoundationStore>, number: u64, worker: u64) {
    let slot = slot(number);
    let commit = Commit::default()
        .check(Check::Fence {
            region: Region::FIRST,
            slot,
            epoch: EPOCH,
        })
        .put(row(slot, worker), vec![7; VALUE_BYTES]);
    store.commit(commit).await.unwrap();
}

async fn theirs(database: Arc<Database>, number: u64, worker: u64) {
    let slot = slot(number);
    let stored = |key: &Key| [b"tg", key.as_bytes()].concat();
    let fence = Key::fence(Region::FIRST, slot);
    let transaction = database.create_trx().unwrap();
    transaction.get_read_version().await.unwrap();
    let (from, to) = (stored(&fence), stored(&fence.successor()));
    transaction
        .add_conflict_range(&from, &to, ConflictRangeType::Read)
        .unwrap();
    transaction.set(&stored(&row(slot, worker)), &[7; VALUE_BYTES]);
    transaction.commit().await.unwrap();
}

struct Measured {
    per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Measured {
    fn text(&self) -> String {
        let Measured {
            per_s,
            p50_ms,
            p99_ms,
        } = self;
        format!("{per_s:.0}/s, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms")
    }
}

/// As many commits as are answered, by so many workers at once.
async fn measure<F>(
    length: Duration,
    one: impl Fn(u64, u64) -> F + Clone + Send + 'static,
) -> Measured
where
    F: Future<Output = ()> + Send + 'static,
{
    let started = Instant::now();
    let workers = (0..WORKERS).map(|worker| {
        let one = one.clone();
        tokio::spawn(async move {
            let (mut took_ms, mut number) = (Vec::new(), worker);
            while started.elapsed() < length {
                let began = Instant::now();
                one(number, worker).await;
                took_ms.push(began.elapsed().as_secs_f64() * 1e3);
                number += WORKERS + 1;
            }
            took_ms
        })
    });
    let workers: Vec<_> = workers.collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    let seconds = started.elapsed().as_secs_f64();
    all.sort_by(f64::total_cmp);
    Measured {
        per_s: all.len() as f64 / seconds,
        p50_ms: all[all.len() / 2],
        p99_ms: all[all.len() * 99 / 100],
    }
}
