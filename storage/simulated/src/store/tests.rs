use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_storage_api::PersonPart;
use tokio::sync::oneshot;

use super::*;
use crate::cluster::{Costs, Slowness, UnknownFates, Whom};
use crate::world::{Slept, World};

/// A world whose time goes on to the next wait's end whenever a task is ready
/// to run and everything before it has run.
#[derive(Default)]
struct TestWorld {
    now_ns: AtomicU64,
    drawn: AtomicU64,
    waits: Mutex<BTreeMap<(u64, u64), oneshot::Sender<()>>>,
}

struct Shared(Arc<TestWorld>);

impl World for Shared {
    fn now_ns(&self) -> u64 {
        self.0.now_ns.load(Ordering::SeqCst)
    }

    fn sleep_ns(&self, ns: u64) -> Slept {
        let number = self.0.drawn.fetch_add(1, Ordering::SeqCst);
        let (wake, woken) = oneshot::channel();
        let at = (self.now_ns() + ns, number);
        self.0.waits.lock().unwrap().insert(at, wake);
        let world = Arc::clone(&self.0);
        // One of these for each wait: each ends the earliest there is.
        tokio::spawn(async move {
            for _ in 0..32 {
                tokio::task::yield_now().await;
            }
            let first = world.waits.lock().unwrap().pop_first();
            if let Some(((at_ns, _), wake)) = first {
                world.now_ns.fetch_max(at_ns, Ordering::SeqCst);
                let _ = wake.send(());
            }
        });
        Box::pin(async move { drop(woken.await) })
    }

    fn draw(&self) -> u64 {
        let mut z = self.0.drawn.fetch_add(1, Ordering::SeqCst);
        z = (z ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^ (z >> 31)
    }
}

const COSTS: Costs = Costs {
    read_version: Latency {
        p50_us: 500,
        p99_us: 2_000,
    },
    read: Latency {
        p50_us: 300,
        p99_us: 1_000,
    },
    commit: Latency {
        p50_us: 1_250,
        p99_us: 5_000,
    },
    reads_per_s: 30_000,
    commits_per_s: 15_000,
};

fn cluster() -> Arc<Cluster> {
    Cluster::new(Arc::new(Shared(Arc::default())), COSTS, None)
}

tidegate_storage_api::conformance_tests!(|| async {
    let cluster = cluster();
    let store = cluster.client(1);
    (cluster, store)
});

fn slot() -> Slot {
    Slot::new(17).unwrap()
}

fn row(name: u8) -> Key {
    Key::person(Region::FIRST, slot(), &[name; 16], PersonPart::Record)
}

fn owned(epoch: u64) -> Commit {
    Commit::default().check(Check::Fence {
        region: Region::FIRST,
        slot: slot(),
        epoch,
    })
}

async fn claim(store: &SimulatedStore, epoch: u64) {
    let fence = Key::fence(Region::FIRST, slot());
    let claim = Commit::default().put(fence, epoch.to_be_bytes().to_vec());
    store.commit(claim).await.unwrap();
}

fn change(epoch: u64, value: &'static [u8]) -> Commit {
    owned(epoch)
        .check(Check::Untouched(row(1)))
        .put(row(1), value)
}

#[tokio::test]
async fn an_owner_in_good_standing_asks_for_one_read_version_only() {
    let cluster = cluster();
    let store = cluster.client(1);
    claim(&store, 1).await;
    let before = cluster.load().read_versions;
    for _ in 0..20 {
        store.commit(change(1, b"x")).await.unwrap();
    }
    assert_eq!(cluster.load().read_versions, before + 1);
}

#[tokio::test]
async fn an_owner_that_is_vouched_for_asks_for_no_read_version_at_all() {
    let cluster = cluster();
    let store = cluster.client(1);
    claim(&store, 1).await;
    let stamp = store.commit(Commit::default()).await.unwrap();
    store.vouch(Region::FIRST, &[(slot(), 1)], stamp);
    let before = cluster.load().read_versions;
    store.commit(change(1, b"x")).await.unwrap();
    assert_eq!(cluster.load().read_versions, before);
}

#[tokio::test]
async fn an_owner_that_was_replaced_is_fenced_whatever_it_was_vouched_for() {
    let cluster = cluster();
    let (old, new) = (cluster.client(1), cluster.client(2));
    claim(&old, 1).await;
    let stamp = old.commit(Commit::default()).await.unwrap();
    old.vouch(Region::FIRST, &[(slot(), 1)], stamp);
    claim(&new, 2).await;
    assert_eq!(
        old.commit(change(1, b"late")).await,
        Err(StoreError::Fenced)
    );
}

#[tokio::test]
async fn an_owner_that_was_replaced_is_fenced_however_late_it_learns_of_it() {
    let cluster = cluster();
    let (old, new) = (cluster.client(1), cluster.client(2));
    claim(&old, 1).await;
    old.commit(change(1, b"old")).await.unwrap();
    claim(&new, 2).await;
    // Its cached version is younger than five seconds.
    assert_eq!(
        old.commit(change(1, b"late")).await,
        Err(StoreError::Fenced)
    );
    new.commit(change(2, b"new")).await.unwrap();
    assert_eq!(
        old.commit(change(1, b"late")).await,
        Err(StoreError::Fenced)
    );
    assert_eq!(new.get(row(1)).await.unwrap().as_deref(), Some(&b"new"[..]));
}

#[tokio::test]
async fn a_commit_that_could_land_later_cannot_once_the_row_was_written_again() {
    for seed in 0..20 {
        let cluster = cluster();
        let store = cluster.client(1);
        for _ in 0..seed {
            cluster.world.draw();
        }
        claim(&store, 1).await;
        store.commit(change(1, b"before")).await.unwrap();
        cluster.leave_unknown(UnknownFates {
            later: 1_000_000,
            ..UnknownFates::default()
        });
        let unknown = store.commit(change(1, b"ghost")).await;
        assert_eq!(unknown, Err(StoreError::CommitUnknown));
        cluster.leave_unknown(UnknownFates::default());
        let found = store.get(row(1)).await.unwrap().unwrap();
        let settling = owned(1)
            .check(Check::Value(row(1), found.clone()))
            .put(row(1), found.clone());
        let settled = store.commit(settling).await;
        let expected = match settled {
            Ok(_) => found,
            // It landed between the two.
            Err(StoreError::Conflict) => Bytes::from_static(b"ghost"),
            Err(other) => panic!("{other}"),
        };
        cluster.world.sleep_ns(10_000_000_000).await;
        assert_eq!(store.get(row(1)).await, Ok(Some(expected)), "{seed}");
    }
}

#[tokio::test]
async fn a_commit_of_unknown_fate_is_not_buried_by_the_next_one() {
    let cluster = cluster();
    let store = cluster.client(1);
    claim(&store, 1).await;
    store.commit(change(1, b"before")).await.unwrap();
    cluster.leave_unknown(UnknownFates {
        happened: 1_000_000,
        ..UnknownFates::default()
    });
    let first = owned(1).put(row(2), &b"x"[..]);
    assert_eq!(store.commit(first).await, Err(StoreError::CommitUnknown));
    cluster.leave_unknown(UnknownFates::default());
    let cluster_found = cluster.load();
    assert_eq!(cluster_found.unknown, 1);
    assert_eq!(store.get(row(2)).await.unwrap().as_deref(), Some(&b"x"[..]));
}

#[tokio::test]
async fn whoever_cannot_reach_the_database_is_told_so_and_what_was_sent_is_unknown() {
    let cluster = cluster();
    let (here, there) = (cluster.client(1), cluster.client(2));
    claim(&here, 1).await;
    cluster.cut_off(1);
    assert_eq!(here.get(row(1)).await, Err(StoreError::Unavailable));
    assert_eq!(
        here.commit(change(1, b"x")).await,
        Err(StoreError::Unavailable)
    );
    assert_eq!(there.get(row(1)).await, Ok(None));
    cluster.reconnect(1);
    here.commit(change(1, b"x")).await.unwrap();
    // Stopped while a commit is on its way.
    let under_way = here.commit(change(1, b"y"));
    let stopped = Arc::clone(&cluster);
    tokio::spawn(async move {
        stopped.world.sleep_ns(100_000).await;
        stopped.stop();
        stopped.world.sleep_ns(3_000_000_000).await;
        stopped.start();
    });
    assert_eq!(under_way.await, Err(StoreError::CommitUnknown));
    here.commit(change(1, b"z")).await.unwrap();
    assert_eq!(there.get(row(1)).await.unwrap().as_deref(), Some(&b"z"[..]));
}

#[tokio::test]
async fn what_is_handed_over_at_a_kept_version_waits_until_the_database_is_back() {
    let cluster = cluster();
    let store = cluster.client(1);
    claim(&store, 1).await;
    store.commit(change(1, b"x")).await.unwrap();
    cluster.stop();
    let away = Arc::clone(&cluster);
    tokio::spawn(async move {
        away.world.sleep_ns(30_000_000_000).await;
        away.start();
    });
    let began_ns = cluster.world.now_ns();
    store.commit(change(1, b"y")).await.unwrap();
    assert!(cluster.world.now_ns() - began_ns >= 30_000_000_000);
    assert_eq!(store.get(row(1)).await.unwrap().as_deref(), Some(&b"y"[..]));
}

#[tokio::test]
async fn after_a_recovery_commits_go_on_with_fresh_versions() {
    let cluster = cluster();
    let store = cluster.client(1);
    claim(&store, 1).await;
    store.commit(change(1, b"x")).await.unwrap();
    cluster.recover();
    store.commit(change(1, b"y")).await.unwrap();
    assert_eq!(store.get(row(1)).await.unwrap().as_deref(), Some(&b"y"[..]));
}

#[tokio::test]
async fn one_client_can_have_a_slow_way_while_others_have_none() {
    let cluster = cluster();
    let (slow, quick) = (cluster.client(1), cluster.client(2));
    claim(&slow, 1).await;
    let slowness = Slowness {
        whom: Whom::Client(1),
        percent: 100_000_000,
    };
    cluster.slow_down(slowness);
    let began_ns = cluster.world.now_ns();
    assert_eq!(quick.get(row(1)).await, Ok(None));
    assert!(cluster.world.now_ns() - began_ns < READ_NS);
    let began_ns = cluster.world.now_ns();
    assert_eq!(slow.get(row(1)).await, Err(StoreError::Unavailable));
    assert_eq!(cluster.world.now_ns() - began_ns, READ_NS);
    cluster.speed_up(slowness);
    assert_eq!(slow.get(row(1)).await, Ok(None));
}

#[tokio::test]
async fn the_worst_of_what_is_slow_counts_until_it_is_over() {
    let cluster = cluster();
    let all = |percent| Slowness {
        whom: Whom::All,
        percent,
    };
    let takes_ns = || {
        let latency = Latency::constant(1_000);
        cluster.state().takes_ns(1, latency, 0)
    };
    cluster.slow_down(all(300));
    cluster.slow_down(all(700));
    assert_eq!(takes_ns(), 7_000_000);
    cluster.speed_up(all(700));
    assert_eq!(takes_ns(), 3_000_000);
    cluster.speed_up(all(700));
    cluster.speed_up(all(300));
    assert_eq!(takes_ns(), 1_000_000);
}

#[tokio::test]
async fn outages_that_overlap_last_until_the_last_of_them_is_over() {
    let cluster = cluster();
    let reached = || [1, 2].map(|client| cluster.state().reaches(client));
    cluster.stop();
    cluster.cut_off(1);
    cluster.stop();
    cluster.cut_off(1);
    cluster.start();
    assert_eq!((reached(), cluster.load().recoveries), ([false; 2], 0));
    cluster.start();
    assert_eq!((reached(), cluster.load().recoveries), ([false, true], 1));
    cluster.reconnect(1);
    assert_eq!(reached(), [false, true]);
    cluster.reconnect(1);
    assert_eq!(reached(), [true; 2]);
    // What was not broken is not mended twice.
    cluster.reconnect(1);
    cluster.cut_off(1);
    assert_eq!(reached(), [false, true]);
}

#[tokio::test]
async fn a_commit_is_waited_for_longer_than_a_read() {
    let costs = Costs {
        commit: Latency::constant(1_250),
        ..COSTS
    };
    let cluster = Cluster::new(Arc::new(Shared(Arc::default())), costs, None);
    let store = cluster.client(1);
    claim(&store, 1).await;
    store.commit(change(1, b"x")).await.unwrap();
    // At a version that is kept nothing is read.
    cluster.slow_down(Slowness {
        whom: Whom::All,
        percent: 640_000,
    });
    let began_ns = cluster.world.now_ns();
    store.commit(change(1, b"y")).await.unwrap();
    assert_eq!(cluster.world.now_ns() - began_ns, 8_000_000_000);
}
