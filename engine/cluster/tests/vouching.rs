//! What nodes vouch for, against what the store holds at that moment.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test has a runtime and a virtual clock of its own"
)]

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tidegate_cluster::{Identity, Lease, Membership, NodeId, Slots, Spawn, Standing, Time, Waited};
use tidegate_storage_api::{
    Commit, Fence, Key, KeyRange, MemoryStore, Region, SLOTS, Slot, Stamp, Store, StoreFuture,
};
use tokio::time::Instant;

struct Paused(Instant);

impl Time for Paused {
    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }

    fn sleep(&self, ms: u64) -> Waited {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

/// A node without people: whatever is to be left is empty at once.
struct Nobody;

impl Slots for Nobody {
    fn take(&self, _: &[(Slot, u64)]) {}
    fn empty(&self, _: &[Slot]) {}
    fn busy(&self) -> BTreeSet<u16> {
        BTreeSet::new()
    }
    fn give_up(&self, _: &[Slot]) {}
    fn stepped_down(&self) -> Vec<Slot> {
        Vec::new()
    }
    fn lease(&self, _: u64, _: u64) {}
    fn drop_everything(&self) {}
    fn gone(&self) {}
}

/// One node's way to a store that all share.
struct Watched {
    node: u64,
    store: Arc<MemoryStore>,
    vouched: Mutex<Vec<(Slot, u64)>>,
    wrong: Arc<Mutex<Vec<(u64, Slot)>>>,
}

impl Store for Watched {
    fn get(&self, key: Key) -> StoreFuture<Option<Bytes>> {
        self.store.get(key)
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(Key, Bytes)>> {
        self.store.range(range, limit)
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        self.store.commit(commit)
    }

    fn vouch(&self, region: Region, owned: &[(Slot, u64)], _stamp: Stamp) {
        for (slot, epoch) in owned {
            let stored = now(self.store.get(Key::fence(region, *slot))).unwrap();
            let fence = stored.as_deref().and_then(Fence::decode);
            let (epoch, owner) = (*epoch, self.node);
            if fence != Some(Fence { epoch, owner }) {
                self.wrong.lock().unwrap().push((self.node, *slot));
            }
        }
        *self.vouched.lock().unwrap() = owned.to_vec();
    }
}

/// What a store that never waits answers.
fn now<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    let mut context = Context::from_waker(Waker::noop());
    match answer.as_mut().poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the store waits"),
    }
}

struct Node {
    store: Arc<Watched>,
    membership: Arc<Mutex<Membership>>,
    task: tokio::task::JoinHandle<()>,
}

fn started(node: u64, shared: &Arc<MemoryStore>, wrong: &Arc<Mutex<Vec<(u64, Slot)>>>) -> Node {
    let identity = Identity {
        id: NodeId(node),
        name: format!("node-{node}"),
        address: format!("node-{node}:1"),
        reads: 1,
    };
    let membership = Membership::new(Region::FIRST, identity, Lease(3_000));
    let membership = Arc::new(Mutex::new(membership));
    let store = Arc::new(Watched {
        node,
        store: Arc::clone(shared),
        vouched: Mutex::default(),
        wrong: Arc::clone(wrong),
    });
    let spawn: Spawn = Arc::new(|task| {
        tokio::spawn(task);
    });
    let task = tokio::spawn(tidegate_cluster::run(
        Arc::clone(&membership),
        Region::FIRST,
        Arc::clone(&store) as Arc<dyn Store>,
        Arc::new(Paused(Instant::now())),
        Arc::new(Nobody),
        spawn,
    ));
    Node {
        store,
        membership,
        task,
    }
}

impl Node {
    fn vouched(&self) -> usize {
        self.store.vouched.lock().unwrap().len()
    }
}

/// Waits, in virtual time, until something is so.
async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that");
}

#[tokio::test(start_paused = true)]
async fn what_a_node_vouches_for_is_its_own_through_joins_deaths_and_leaves() {
    let (shared, wrong) = (Arc::new(MemoryStore::default()), Arc::default());
    let all = usize::from(SLOTS);
    let first = started(1, &shared, &wrong);
    until(|| first.vouched() == all).await;

    let second = started(2, &shared, &wrong);
    let third = started(3, &shared, &wrong);
    until(|| first.vouched() + second.vouched() + third.vouched() == all && third.vouched() > 0)
        .await;

    // One dies, and another takes its slots when its lease is over.
    second.task.abort();
    until(|| first.vouched() + third.vouched() == all).await;

    first.membership.lock().unwrap().leave();
    until(|| third.vouched() == all).await;
    let gone = first.membership.lock().unwrap().standing();
    assert_eq!(gone, Standing::Leaving);
    assert_eq!(*wrong.lock().unwrap(), []);
}
