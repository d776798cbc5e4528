//! Counts in one row for a while, each step conditional on the one before, and
//! appends an event for each: while the server is killed and started again, say.
//! Afterwards the row, the events and what was acknowledged must agree.
//!
//! `TIDEGATE_FDB_CLUSTER_FILE=fdb.cluster cargo run -p tidegate-storage-foundationdb
//! --features foundationdb --example counting -- 20`; the number is of seconds.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "an example"
)]

#[cfg(not(feature = "foundationdb"))]
fn main() {
    println!("built without the feature `foundationdb`");
}

#[cfg(feature = "foundationdb")]
fn main() {
    let seconds = std::env::args()
        .nth(1)
        .map_or(10, |text| text.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let agreed = runtime.block_on(counting::run(seconds));
    drop(runtime);
    tidegate_storage_foundationdb::stop();
    assert!(agreed, "they do not agree");
}

#[cfg(feature = "foundationdb")]
mod counting {
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use tidegate_storage_api::{
        Check, Commit, Fence, Key, KeyRange, PersonPart, Region, Slot, Store, StoreError,
    };
    use tidegate_storage_foundationdb::{FoundationStore, Options};

    /// Rows that are counted in at once, each in a slot of its own.
    const LANES: u16 = 32;

    pub(super) async fn run(seconds: u64) -> bool {
        let life = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let options = Options {
            cluster_file: std::env::var_os("TIDEGATE_FDB_CLUSTER_FILE").map(Into::into),
            library: std::env::var_os("TIDEGATE_FDB_LIBRARY").map(Into::into),
            network: Vec::new(),
            node: 1,
            life: life.as_nanos(),
        };
        let store = std::sync::Arc::new(FoundationStore::open(&options).unwrap());
        let until = Instant::now() + Duration::from_secs(seconds);
        let counting: Vec<_> = (0..LANES)
            .map(|lane| tokio::spawn(count(store.clone(), lane, until)))
            .collect();
        let (mut steps, mut slowest, mut agreed) = (0, Duration::ZERO, true);
        for one in counting {
            let (counted, slow, agrees) = one.await.unwrap();
            steps += counted;
            slowest = slowest.max(slow);
            agreed &= agrees;
        }
        let usage = store.usage();
        println!(
            "{steps} steps acknowledged, {} read versions asked for by commits, \
             {} fates found out, slowest {slowest:.1?}; row, events and count agree: {agreed}",
            usage.read_versions, usage.settled
        );
        agreed
    }

    /// Steps, the slowest of them, and whether all that was kept agrees.
    async fn count(
        store: std::sync::Arc<FoundationStore>,
        lane: u16,
        until: Instant,
    ) -> (u64, Duration, bool) {
        // A slot each, in a partition that few share.
        let slot = Slot::new(lane * 128).unwrap();
        let row = Key::person(Region::FIRST, slot, &[7; 16], PersonPart::Record);
        let fence = Fence { epoch: 1, owner: 1 };
        let claim = Commit::default()
            .clear(KeyRange::events(Region::FIRST, slot.partition()))
            .put(Key::fence(Region::FIRST, slot), fence.encode())
            .put(row.clone(), 0u64.to_be_bytes().to_vec());
        store.commit(claim).await.unwrap();
        let check = || Check::Fence {
            region: Region::FIRST,
            slot,
            epoch: 1,
        };
        let (mut counted, mut slowest) = (0u64, Duration::ZERO);
        while Instant::now() < until {
            let began = Instant::now();
            let step = Commit::default()
                .check(check())
                .check(Check::Untouched(row.clone()))
                .put(row.clone(), (counted + 1).to_be_bytes().to_vec())
                .append(
                    Region::FIRST,
                    slot.partition(),
                    counted.to_be_bytes().to_vec(),
                );
            match store.commit(step).await {
                Ok(_) => counted += 1,
                // Nothing was written.
                Err(StoreError::Unavailable | StoreError::Overtaken) => {}
                Err(other) => {
                    println!("{other:?}");
                    return (counted, slowest, false);
                }
            }
            slowest = slowest.max(began.elapsed());
        }
        let kept = store.get(row).await.unwrap();
        let kept = kept.and_then(|bytes| Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?)));
        let events = KeyRange::events(Region::FIRST, slot.partition());
        let events = store.range(events, 10_000_000).await.unwrap();
        let in_order = events
            .iter()
            .zip(0u64..)
            .all(|((_, value), place)| value.as_ref() == place.to_be_bytes());
        let agreed = kept == Some(counted) && events.len() as u64 == counted && in_order;
        (counted, slowest, agreed)
    }
}
