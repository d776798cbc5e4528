//! A node's part in a cluster: who owns what, carried out on the engine.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tidegate_cluster::{Lease, Membership, NodeId, Slots, Spawn, Standing, Time, Waited};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{Engine, Ownership};
use tidegate_storage_api::{Region, Slot, Store};
use tokio::runtime::Handle;

use crate::whereabouts::Whereabouts;

/// A node of a cluster.
pub struct Member {
    region: Region,
    membership: Arc<Mutex<Membership>>,
    owned: Arc<Owned>,
}

/// The engine's slots.
struct Owned {
    ownership: Arc<Ownership>,
    engine: OnceLock<Engine>,
    gone: tokio::sync::watch::Sender<Presence>,
}

/// Whether the node still owns something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Here,
    Gone,
}

impl Member {
    /// A node that is not yet in the cluster. `address` is where gateways
    /// reach it.
    #[must_use]
    pub fn new(region: Region, id: NodeId, address: String, lease: Lease) -> Member {
        let membership = Membership::new(region, id, address, lease);
        Member {
            region,
            membership: Arc::new(Mutex::new(membership)),
            owned: Arc::new(Owned {
                ownership: Arc::new(Ownership::none(region)),
                engine: OnceLock::new(),
                gone: tokio::sync::watch::Sender::new(Presence::Here),
            }),
        }
    }

    /// What the engine is to be made with.
    #[must_use]
    pub fn ownership(&self) -> Arc<Ownership> {
        Arc::clone(&self.owned.ownership)
    }

    /// Joins the cluster and takes part in it from then on.
    pub fn start(
        &self,
        engine: Engine,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        actors: &Handle,
    ) {
        // Only a second start would find one there.
        let _ = self.owned.engine.set(engine);
        let handle = actors.clone();
        let spawn: Spawn = Arc::new(move |work: Waited| drop(handle.spawn(work)));
        actors.spawn(tidegate_cluster::run(
            Arc::clone(&self.membership),
            self.region,
            store,
            Arc::new(ClockTime(clock)),
            self.owned.clone(),
            spawn,
        ));
    }

    fn membership(&self) -> MutexGuard<'_, Membership> {
        self.membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives everything away; done when [`Member::gone`] ends.
    pub fn leave(&self) {
        // The next tick carries out what follows from it.
        self.membership().leave();
    }

    /// Waits until everything is given away.
    pub async fn gone(&self) {
        let mut gone = self.owned.gone.subscribe();
        // The sender lives as long as this does.
        let _ = gone.wait_for(|presence| *presence == Presence::Gone).await;
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.membership().standing()
    }
}

impl Whereabouts for Member {
    fn elsewhere(&self, slot: u16) -> Option<String> {
        self.membership().elsewhere(Slot::new(slot)?)
    }
}

impl Slots for Owned {
    fn take(&self, slots: &[(Slot, u64)]) {
        self.ownership.take(slots);
    }

    fn empty(&self, slots: &[Slot]) {
        self.ownership.leave(slots);
    }

    fn busy(&self) -> BTreeSet<u16> {
        let engine = self.engine.get();
        engine.map_or_else(BTreeSet::new, Engine::hot_slots)
    }

    fn stepped_down(&self) -> Vec<Slot> {
        self.ownership.take_stepped_down()
    }

    fn give_up(&self, slots: &[Slot]) {
        self.ownership.leave(slots);
    }

    fn lease(&self, known_ms: u64, until_ms: u64) {
        self.ownership.lease(known_ms, until_ms);
    }

    fn drop_everything(&self) {
        self.ownership.lease(0, 0);
        self.ownership.leave_everything();
    }

    fn gone(&self) {
        self.gone.send_replace(Presence::Gone);
    }
}

struct ClockTime(Arc<dyn Clock>);

impl Time for ClockTime {
    fn monotonic_ms(&self) -> u64 {
        self.0.monotonic_ms()
    }

    fn sleep(&self, ms: u64) -> Waited {
        self.0.sleep(ms)
    }
}
