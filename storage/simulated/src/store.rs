//! A client of the database: read versions, conditions, commits.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidegate_storage_api::{
    Check, Commit, Key, KeyRange, Region, Slot, Stamp, Store, StoreError, StoreFuture,
};
use tokio::sync::oneshot;

use crate::cluster::Cluster;
use crate::database::{Database, Decided, Found, WINDOW};
use crate::latency::Latency;

/// How often a client that cannot reach the database looks whether it is back.
const LOOK_NS: u64 = 50_000_000;
/// How long a read, or a read version, may take before it is given up, whether
/// the database is slow or away. Commits have no such limit.
const READ_NS: u64 = 4_000_000_000;
/// How often a commit is tried anew when all its conditions hold after all.
const TRIES: usize = 5;
/// A cached read version is given up this long before it is too old.
const MARGIN: u64 = WINDOW / 5;

/// One client's store.
pub struct SimulatedStore {
    way: Arc<Way>,
}

/// What a client knows and how it reaches the database.
pub(crate) struct Way {
    cluster: Arc<Cluster>,
    client: u32,
    /// At which version a slot was last known to be the client's, and under
    /// which epoch.
    known: Mutex<BTreeMap<(Region, Slot), Known>>,
}

#[derive(Clone, Copy)]
struct Known {
    epoch: u64,
    version: u64,
    use_of: Use,
}

/// What a version that is known is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Commits,
    /// It was forgotten, and keeps older ones from being taken up.
    Floor,
}

/// The outcome of sending a commit.
enum Sent {
    Committed(u64),
    Conflict,
    TooOld,
    Unknown,
}

impl SimulatedStore {
    pub(crate) fn new(way: Arc<Way>) -> SimulatedStore {
        SimulatedStore { way }
    }

    fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> StoreFuture<T> {
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            // The caller may have gone.
            let _ = answer.send(work.await);
        });
        Box::pin(async move { answered.await.unwrap_or(Err(StoreError::CommitUnknown)) })
    }
}

impl Store for SimulatedStore {
    fn get(&self, key: Key) -> StoreFuture<Option<Bytes>> {
        let way = Arc::clone(&self.way);
        self.begin(async move { way.reading(|database| database.get(&key)).await })
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(Key, Bytes)>> {
        let way = Arc::clone(&self.way);
        self.begin(async move { way.reading(|database| database.range(range, limit)).await })
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        let way = Arc::clone(&self.way);
        self.begin(way.commit(commit))
    }

    fn vouch(&self, region: Region, owned: &[(Slot, u64)], stamp: Stamp) {
        for (slot, epoch) in owned {
            self.way.learn(Some((region, *slot, *epoch)), stamp.0);
        }
    }
}

impl Way {
    pub(crate) fn new(cluster: Arc<Cluster>, client: u32) -> Way {
        Way {
            cluster,
            client,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(Region, Slot), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> u64 {
        self.cluster.world.now_ns()
    }

    async fn sleep_ns(&self, ns: u64) {
        self.cluster.world.sleep_ns(ns).await;
    }

    /// Until when something is waited for that is asked for now.
    fn limit_ns(&self) -> u64 {
        self.now_ns() + READ_NS
    }

    /// Waits for as long as something takes, and gives it up at its deadline.
    async fn takes(
        &self,
        latency: impl FnOnce(&crate::Costs) -> Latency,
        until_ns: u64,
    ) -> Result<(), StoreError> {
        let ns = {
            let state = self.cluster.state();
            let latency = latency(&state.costs);
            state.takes_ns(self.client, latency, self.cluster.world.draw())
        };
        self.passes(ns, until_ns).await
    }

    async fn passes(&self, ns: u64, until_ns: u64) -> Result<(), StoreError> {
        let left_ns = until_ns.saturating_sub(self.now_ns());
        self.sleep_ns(ns.min(left_ns)).await;
        match ns > left_ns {
            true => Err(StoreError::Unavailable),
            false => Ok(()),
        }
    }

    fn reaches(&self) -> bool {
        self.cluster.state().reaches(self.client)
    }

    /// Waits until the database can be reached. What is not sent yet is given
    /// up after a while; what was sent is not.
    async fn reached(&self, until_ns: u64) -> Result<(), StoreError> {
        while !self.reaches() {
            if self.now_ns() >= until_ns {
                return Err(StoreError::Unavailable);
            }
            self.sleep_ns(LOOK_NS).await;
        }
        Ok(())
    }

    /// The way to a read and the wait for it. What is read is as it was at the
    /// read version, however late it is told.
    async fn reading<T>(&self, read: impl FnOnce(&Database) -> T) -> Result<T, StoreError> {
        let until_ns = self.limit_ns();
        self.version(until_ns).await?;
        let found = read(&self.cluster.state().database);
        self.takes(|costs| costs.read, until_ns).await?;
        let turn_ns = {
            let now_ns = self.now_ns();
            let mut state = self.cluster.state();
            state.load.reads += 1;
            state.read_turn_ns(now_ns)
        };
        if turn_ns > 0 {
            self.passes(turn_ns, until_ns).await?;
        }
        self.reached(until_ns).await?;
        Ok(found)
    }

    async fn fresh_version(&self) -> Result<u64, StoreError> {
        self.version(self.limit_ns()).await
    }

    async fn version(&self, until_ns: u64) -> Result<u64, StoreError> {
        self.reached(until_ns).await?;
        self.takes(|costs| costs.read_version, until_ns).await?;
        self.reached(until_ns).await?;
        let now_ns = self.now_ns();
        let mut state = self.cluster.state();
        state.load.read_versions += 1;
        Ok(state.database.version(now_ns))
    }

    /// The version at which the slot was last known to be the caller's, when
    /// it is not too old yet.
    fn cached_version(&self, fence: Option<(Region, Slot, u64)>) -> Option<u64> {
        let (region, slot, epoch) = fence?;
        let known = *self.known().get(&(region, slot))?;
        let now_ns = self.now_ns();
        let now = self.cluster.state().database.version(now_ns);
        let young = known.version + WINDOW - MARGIN > now;
        let usable = known.use_of == Use::Commits && known.epoch == epoch;
        (usable && young).then_some(known.version)
    }

    fn learn(&self, fence: Option<(Region, Slot, u64)>, version: u64) {
        if let Some((region, slot, epoch)) = fence {
            let found = Known {
                epoch,
                version,
                use_of: Use::Commits,
            };
            let mut known = self.known();
            let known = known.entry((region, slot)).or_insert(found);
            // Answers can come in another order than they were decided in.
            if (known.epoch, known.version) < (epoch, version) {
                *known = found;
            }
        }
    }

    fn forget(&self, fence: Option<(Region, Slot, u64)>) {
        if let Some((region, slot, _)) = fence
            && let Some(known) = self.known().get_mut(&(region, slot))
        {
            known.use_of = Use::Floor;
        }
    }

    async fn commit(self: Arc<Way>, commit: Commit) -> Result<Stamp, StoreError> {
        commit.validate()?;
        let fence = fence_of(&commit);
        let bare = |check: &Check| matches!(check, Check::Fence { .. } | Check::Untouched(_));
        let all_bare = commit.checks.iter().all(bare);
        let commit = Arc::new(commit);
        let mut since = None;
        for _ in 0..TRIES {
            let cached = self.cached_version(fence);
            let version = match cached {
                Some(version) => version,
                None => self.fresh_version().await?,
            };
            let since = *since.get_or_insert(version);
            // What is known to be ours at that version need not be read.
            if !commit.checks.is_empty() && (cached.is_none() || !all_bare) {
                self.look(&commit, since).await?;
            }
            match self.send(&commit, version).await {
                Sent::Committed(version) => {
                    self.learn(fence, version);
                    return Ok(Stamp(version));
                }
                Sent::Unknown => {
                    self.forget(fence);
                    return Err(StoreError::CommitUnknown);
                }
                Sent::TooOld => self.forget(fence),
                Sent::Conflict => {
                    self.forget(fence);
                    self.fresh_version().await?;
                    self.look(&commit, since).await?;
                }
            }
        }
        Err(StoreError::Unavailable)
    }

    /// Reads the conditions.
    async fn look(&self, commit: &Commit, since: u64) -> Result<(), StoreError> {
        let until_ns = self.limit_ns();
        self.takes(|costs| costs.read, until_ns).await?;
        self.reached(until_ns).await?;
        let found = {
            let mut state = self.cluster.state();
            state.load.reads += commit.checks.len() as u64;
            state.database.read(&commit.checks, since)
        };
        match found {
            Found::Held => Ok(()),
            Found::Fenced => {
                self.forget(fence_of(commit));
                Err(StoreError::Fenced)
            }
            Found::Overtaken => Err(StoreError::Overtaken),
            Found::Conflict => Err(StoreError::Conflict),
        }
    }

    /// Sends a commit: half of its time passes until it is decided, half until
    /// that is known.
    ///
    /// A commit that is handed over while the database is away is not given up:
    /// the real client waits with it for as long as that lasts, and sends it
    /// then.
    async fn send(&self, commit: &Arc<Commit>, version: u64) -> Sent {
        while !self.reaches() {
            self.sleep_ns(LOOK_NS).await;
        }
        let (half_ns, recoveries) = {
            let now_ns = self.now_ns();
            let mut state = self.cluster.state();
            let random = self.cluster.world.draw();
            let ns = state.takes_ns(self.client, state.costs.commit, random);
            let turn_ns = state.commit_turn_ns(now_ns);
            (turn_ns + ns / 2, state.load.recoveries)
        };
        self.sleep_ns(half_ns).await;
        let sent = self.decide(commit, version);
        self.sleep_ns(half_ns).await;
        let answered = self.reaches() && self.cluster.state().load.recoveries == recoveries;
        if answered {
            return sent;
        }
        // It was sent, so its outcome is unknown; and that is known only when
        // the database can be reached again.
        while !self.reaches() {
            self.sleep_ns(LOOK_NS).await;
        }
        self.cluster.state().load.unknown += 1;
        Sent::Unknown
    }

    fn decide(&self, commit: &Arc<Commit>, version: u64) -> Sent {
        let now_ns = self.now_ns();
        let mut state = self.cluster.state();
        if !state.reaches(self.client) {
            return Sent::Unknown;
        }
        let unknown = state.unknown;
        let drawn = u32::try_from(self.cluster.world.draw() % 1_000_000).unwrap_or(0);
        let [happened, lost, later] = [unknown.happened, unknown.lost, unknown.later];
        if drawn < lost {
            state.load.unknown += 1;
            return Sent::Unknown;
        }
        if drawn < lost + later {
            state.load.unknown += 1;
            drop(state);
            self.land_later(commit, version);
            return Sent::Unknown;
        }
        let decided = state.decide(self.client, commit, version, now_ns);
        match decided {
            Decided::Committed(_) => state.load.commits += 1,
            Decided::Conflict => state.load.conflicts += 1,
            Decided::TooOld => {}
        }
        if drawn < lost + later + happened {
            state.load.unknown += 1;
            return Sent::Unknown;
        }
        match decided {
            Decided::Committed(version) => Sent::Committed(version),
            Decided::Conflict => Sent::Conflict,
            Decided::TooOld => Sent::TooOld,
        }
    }

    /// A commit that is still on its way when no caller waits for it any more.
    fn land_later(&self, commit: &Arc<Commit>, version: u64) {
        let (cluster, commit, client) =
            (Arc::clone(&self.cluster), Arc::clone(commit), self.client);
        let delay_ns = cluster.world.draw() % (WINDOW * 1_000);
        tokio::spawn(async move {
            cluster.world.sleep_ns(delay_ns).await;
            let now_ns = cluster.world.now_ns();
            let mut state = cluster.state();
            let decided = state.decide(client, &commit, version, now_ns);
            if matches!(decided, Decided::Committed(_)) {
                state.load.commits += 1;
            }
        });
    }
}

/// The one fence of a commit. Of several, none: what is known of one slot says
/// nothing of another.
fn fence_of(commit: &Commit) -> Option<(Region, Slot, u64)> {
    let mut fences = commit.checks.iter().filter_map(|check| match check {
        Check::Fence {
            region,
            slot,
            epoch,
        } => Some((*region, *slot, *epoch)),
        Check::Absent(_) | Check::Value(..) | Check::Untouched(_) => None,
    });
    fences.next().filter(|_| fences.next().is_none())
}

#[cfg(test)]
mod tests;
