//! Carries a membership's orders out on a store.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_storage_api::{Commit, Key, KeyRange, Region, Slot, Stamp, Store, StoreError};

use crate::membership::{Input, Membership, Order};
use crate::row::NodeId;

/// A wait.
pub type Waited = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A clock that never goes back and runs while the machine sleeps.
pub trait Time: Send + Sync + 'static {
    /// Milliseconds since an arbitrary moment.
    fn monotonic_ms(&self) -> u64;
    /// Waits.
    fn sleep(&self, ms: u64) -> Waited;
}

/// What a node does about its slots.
pub trait Slots: Send + Sync + 'static {
    /// These slots are ours, under these epochs.
    fn take(&self, slots: &[(Slot, u64)]);
    /// Nothing new is to be taken in these slots.
    fn empty(&self, slots: &[Slot]);
    /// The slots in which something is under way, by their numbers.
    fn busy(&self) -> BTreeSet<u16>;
    /// These slots are not ours any more.
    fn give_up(&self, slots: &[Slot]);
    /// The slots that were given up since this was asked last, because the store
    /// said that they are another's.
    fn stepped_down(&self) -> Vec<Slot>;
    /// The slots were ours at `known_ms`; answers from memory are certain until
    /// `until_ms` and no longer.
    fn lease(&self, known_ms: u64, until_ms: u64);
    /// Everything is forgotten.
    fn drop_everything(&self);
    /// Everything is given away.
    fn gone(&self);
}

/// How often time is looked at.
const TICK_MS: u64 = 50;
/// Nodes that are read at once; far more than a cluster has.
const NODES_MAX: usize = 4_096;

/// What carries orders out.
struct Runner {
    membership: Arc<Mutex<Membership>>,
    region: Region,
    store: Arc<dyn Store>,
    time: Arc<dyn Time>,
    slots: Arc<dyn Slots>,
    spawn: Spawn,
    emptying: Mutex<Vec<Slot>>,
}

/// How a task is started.
pub type Spawn = Arc<dyn Fn(Waited) + Send + Sync>;

/// Takes part in the cluster for as long as it is polled.
pub async fn run(
    membership: Arc<Mutex<Membership>>,
    region: Region,
    store: Arc<dyn Store>,
    time: Arc<dyn Time>,
    slots: Arc<dyn Slots>,
    spawn: Spawn,
) {
    let runner = Arc::new(Runner {
        membership,
        region,
        store,
        time,
        slots,
        spawn,
        emptying: Mutex::default(),
    });
    loop {
        let lost = runner.slots.stepped_down();
        if !lost.is_empty() {
            runner.clone().input(Input::SteppedDown(lost));
        }
        runner.clone().input(Input::Tick);
        runner.look_whether_empty();
        runner.time.sleep(TICK_MS).await;
    }
}

/// What an operator wants to find in the log.
fn trace(order: &Order) {
    match order {
        Order::Claim(commit) => {
            // The fence of each slot, and the row of each node that it expels.
            tracing::info!(event = "cluster.claims", rows = commit.puts.len());
        }
        Order::Take(taken) => tracing::info!(event = "cluster.takes", slots = taken.len()),
        Order::Empty(slots) => tracing::info!(event = "cluster.empties", slots = slots.len()),
        Order::GiveUp(slots) => tracing::info!(event = "cluster.gives_up", slots = slots.len()),
        Order::DropEverything => tracing::warn!(event = "cluster.expelled"),
        _ => {}
    }
}

impl Runner {
    fn input(self: Arc<Runner>, input: Input) {
        self.learn(input, None);
    }

    /// `landed` is the stamp of the commit that the input tells of.
    fn learn(self: Arc<Runner>, input: Input, landed: Option<Stamp>) {
        let now_ms = self.time.monotonic_ms();
        let mut membership = self
            .membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that no later order overtakes an earlier one: a
        // slot that is taken after everything was dropped would be answered
        // for. Nothing here waits, and nothing asks the membership.
        for order in membership.handle(now_ms, input) {
            if let Some(stamp) = landed {
                self.vouch(&membership, &order, stamp);
            }
            self.clone().carry_out(order);
        }
    }

    /// What a commit shows of slots. A claim wrote their fences. A renewal
    /// rested on a row that any node changes which claims one of this node's
    /// slots, so what is held now was held when it landed.
    fn vouch(&self, membership: &Membership, order: &Order, stamp: Stamp) {
        match order {
            Order::Take(taken) => self.store.vouch(self.region, taken, stamp),
            Order::Lease { .. } => {
                let owned = membership.owned();
                self.store.vouch(self.region, &owned, stamp);
            }
            _ => {}
        }
    }

    /// Does what is asked, and hands the outcome back when it is there.
    fn later<T: Send + 'static>(
        self: Arc<Runner>,
        work: impl Future<Output = T> + Send + 'static,
        input: fn(T) -> Input,
    ) {
        let spawn = Arc::clone(&self.spawn);
        spawn(Box::pin(async move {
            let outcome = work.await;
            self.input(input(outcome));
        }));
    }

    fn commit(self: Arc<Runner>, commit: Commit, input: fn(Result<(), StoreError>) -> Input) {
        let answer = self.store.commit(commit);
        let spawn = Arc::clone(&self.spawn);
        spawn(Box::pin(async move {
            let outcome = answer.await;
            let told = input(outcome.map(|_| ()));
            self.learn(told, outcome.ok());
        }));
    }

    fn carry_out(self: Arc<Runner>, order: Order) {
        trace(&order);
        match order {
            Order::ReadNodes => {
                let rows = self.store.range(KeyRange::nodes(), NODES_MAX);
                let read = async move {
                    let rows = rows.await?;
                    let rows = rows.into_iter().filter_map(|(key, value)| {
                        let id = key.as_bytes().last_chunk::<8>()?;
                        Some((NodeId(u64::from_be_bytes(*id)), value))
                    });
                    Ok(rows.collect())
                };
                self.later(read, Input::Nodes);
            }
            Order::Renew(commit) => self.commit(commit, Input::Renewed),
            Order::ReadFences(slots) => {
                let (store, region) = (Arc::clone(&self.store), self.region);
                let reads: Vec<_> = slots
                    .into_iter()
                    .map(|slot| (slot, store.get(Key::fence(region, slot))))
                    .collect();
                let read = async move {
                    let mut found = Vec::with_capacity(reads.len());
                    for (slot, fence) in reads {
                        found.push((slot, fence.await?));
                    }
                    Ok(found)
                };
                self.later(read, Input::Fences);
            }
            Order::Claim(commit) => self.commit(commit, Input::Claimed),
            Order::Take(taken) => self.slots.take(&taken),
            Order::Empty(slots) => {
                self.slots.empty(&slots);
                self.emptying().extend(slots);
            }
            Order::Release(commit) => self.commit(commit, Input::Released),
            Order::GiveUp(slots) => self.slots.give_up(&slots),
            Order::Lease { known_ms, until_ms } => self.slots.lease(known_ms, until_ms),
            Order::DropEverything => {
                self.emptying().clear();
                self.slots.drop_everything();
            }
            Order::Gone => self.slots.gone(),
        }
    }

    fn emptying(&self) -> std::sync::MutexGuard<'_, Vec<Slot>> {
        self.emptying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_whether_empty(self: &Arc<Runner>) {
        let empty: Vec<Slot> = {
            // Looked at while none can be added, of which this would say too
            // early that nothing is under way.
            let mut emptying = self.emptying();
            if emptying.is_empty() {
                return;
            }
            let busy = self.slots.busy();
            let is_empty = |slot: &mut Slot| !busy.contains(&slot.number());
            emptying.extract_if(.., is_empty).collect()
        };
        if !empty.is_empty() {
            Arc::clone(self).input(Input::Emptied(empty));
        }
    }
}
