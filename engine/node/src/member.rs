//! A node's part in a cluster: who owns what, carried out on the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use metrics::gauge;
use tidegate_account::tagged;
use tidegate_cluster::{Identity, Lease, Membership, NodeId, Slots, Spawn, Standing, Time, Waited};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{Engine, Ownership};
use tidegate_storage_api::{Region, Slot, Store};
use tokio::runtime::Handle;

use crate::whereabouts::Whereabouts;

/// The id of the node of a name.
pub(crate) fn node_id(name: &str) -> NodeId {
    let [a, b, c, d, e, f, g, h, ..] = tagged("tg-node-1", &[name.as_bytes()]);
    // 0 is no node's.
    NodeId(u64::from_be_bytes([a, b, c, d, e, f, g, h]).max(1))
}

/// A node of a cluster.
pub struct Member {
    region: Region,
    id: NodeId,
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
    /// A node that is not yet in the cluster.
    #[must_use]
    pub fn new(region: Region, identity: Identity, lease: Lease) -> Member {
        let id = identity.id;
        let membership = Membership::new(region, identity, lease);
        Member {
            region,
            id,
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

    /// Gives everything away; done when [`Member::is_gone`] says so.
    pub fn leave(&self) {
        // The next tick carries out what follows from it.
        self.membership().leave();
    }

    /// Whether no other node is there to take anything.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.membership().is_alone()
    }

    /// Whether everything is given away.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        *self.owned.gone.borrow() == Presence::Gone
    }

    /// Where gateways reach it: to be told before it starts, when it was not
    /// known before.
    pub fn reached_at(&self, address: String) {
        self.membership().reached_at(address);
    }

    /// How many slots it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.membership().held()
    }

    /// The lowest and the highest epoch under which it holds slots.
    #[must_use]
    pub(crate) fn epochs(&self) -> Option<(u64, u64)> {
        let owned = self.membership().owned();
        let epochs = || owned.iter().map(|(_, epoch)| *epoch);
        epochs().min().zip(epochs().max())
    }

    /// Where gateways reach it.
    #[must_use]
    pub(crate) fn address(&self) -> String {
        self.membership().address().to_owned()
    }

    /// For how long each other node's row has not changed, as this node saw
    /// it, in milliseconds; `now_ms` by the clock it was started with.
    #[must_use]
    pub fn silences(&self, now_ms: u64) -> BTreeMap<NodeId, u64> {
        self.membership().silences(now_ms)
    }

    /// Brings its meters up to date.
    pub(crate) fn observe(&self, now_ms: u64) {
        let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        gauge!("tidegate_cluster_slots").set(count(self.held()));
        gauge!("tidegate_cluster_member").set(f64::from(u8::from(self.is_in())));
        let age_ms = self.owned.ownership.lease_age_ms(now_ms);
        let age_ms = u32::try_from(age_ms).unwrap_or(u32::MAX);
        gauge!("tidegate_cluster_lease_age_seconds").set(f64::from(age_ms) / 1000.0);
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Whether it has a row of its own in this life.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.standing() != Standing::Outside
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
