//! The database that all clients share: what it costs, and what is wrong with
//! it at the moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidegate_storage_api::{Commit, Key};

use crate::database::{Database, Decided, Genesis};
use crate::latency::Latency;
use crate::store::{SimulatedStore, Way};
use crate::world::World;

/// What the database takes for what it does, at rest, and how much of it a
/// second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// To get a read version.
    pub read_version: Latency,
    /// To read a row or a range.
    pub read: Latency,
    /// To commit.
    pub commit: Latency,
    /// Rows and ranges read a second, at most.
    pub reads_per_s: u64,
    /// Commits a second, at most.
    pub commits_per_s: u64,
}

/// How often a commit's outcome is indeterminate, per million, by its real
/// outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownFates {
    /// It happened, and the answer was lost.
    pub happened: u32,
    /// It never will.
    pub lost: u32,
    /// It lands later, within the window.
    pub later: u32,
}

/// Everything takes longer for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowness {
    /// For which clients.
    pub whom: Whom,
    /// So many times as long, in percent; at least 100.
    pub percent: u64,
}

/// Which clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// All of them: the database is slow.
    All,
    /// One: its way to the database is.
    Client(u32),
}

impl Slowness {
    fn is_felt_by(&self, client: u32) -> bool {
        match self.whom {
            Whom::All => true,
            Whom::Client(number) => number == client,
        }
    }
}

/// What the database did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Read versions given.
    pub read_versions: u64,
    /// Rows and ranges read.
    pub reads: u64,
    /// Commits carried out.
    pub commits: u64,
    /// Commits refused for a conflict.
    pub conflicts: u64,
    /// Commits whose outcome stayed unknown.
    pub unknown: u64,
    /// Recoveries.
    pub recoveries: u64,
    /// Rows that were written and are kept.
    pub rows: u64,
}

/// A database and its weather.
pub struct Cluster {
    pub(crate) world: Arc<dyn World>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) database: Database,
    pub(crate) costs: Costs,
    /// What is slow at the moment; for each client the worst of it counts.
    slow: Vec<Slowness>,
    /// How many outages last at the moment: they overlap.
    down: u32,
    /// The same of each client's way, where there is one.
    unreachable: BTreeMap<u32, u32>,
    pub(crate) unknown: UnknownFates,
    pub(crate) load: Load,
    reads_free_ns: u64,
    commits_free_ns: u64,
    pub(crate) witness: Option<Arc<dyn Witness>>,
}

/// Sees every commit at the moment at which it is carried out.
pub trait Witness: Send + Sync + 'static {
    /// A commit of a client is about to be carried out; `before` reads rows as
    /// they still are.
    fn sees(&self, client: u32, commit: &Commit, before: &dyn Fn(&Key) -> Option<Bytes>);
}

impl Cluster {
    /// An empty database, or one with rows from before the beginning.
    #[must_use]
    pub fn new(
        world: Arc<dyn World>,
        costs: Costs,
        genesis: Option<Arc<dyn Genesis>>,
    ) -> Arc<Cluster> {
        Arc::new(Cluster {
            world,
            state: Mutex::new(State {
                database: Database::new(genesis),
                costs,
                slow: Vec::new(),
                down: 0,
                unreachable: BTreeMap::new(),
                unknown: UnknownFates::default(),
                load: Load::default(),
                reads_free_ns: 0,
                commits_free_ns: 0,
                witness: None,
            }),
        })
    }

    /// A client of it, by its number.
    #[must_use]
    pub fn client(self: &Arc<Cluster>, number: u32) -> SimulatedStore {
        SimulatedStore::new(Arc::new(Way::new(Arc::clone(self), number)))
    }

    /// Shows every commit to a witness from now on.
    pub fn show(&self, witness: Arc<dyn Witness>) {
        self.state().witness = Some(witness);
    }

    /// It answers no client from now on.
    pub fn stop(&self) {
        self.state().down += 1;
    }

    /// It answers again, unless it was stopped more often; whatever was under
    /// way is indeterminate, and what was read is too old.
    pub fn start(&self) {
        let down = {
            let mut state = self.state();
            state.down = state.down.saturating_sub(1);
            state.down
        };
        if down == 0 {
            self.recover();
        }
    }

    /// A recovery that clients notice only by its consequences.
    pub fn recover(&self) {
        let now_ns = self.world.now_ns();
        let mut state = self.state();
        state.database.recover(now_ns);
        state.load.recoveries += 1;
    }

    /// One client cannot reach it.
    pub fn cut_off(&self, client: u32) {
        *self.state().unreachable.entry(client).or_default() += 1;
    }

    /// The client can again, unless it was cut off more often.
    pub fn reconnect(&self, client: u32) {
        let mut state = self.state();
        if let Some(cuts) = state.unreachable.get_mut(&client) {
            *cuts -= 1;
            if *cuts == 0 {
                state.unreachable.remove(&client);
            }
        }
    }

    /// Something is slow from now on, beside whatever is already.
    pub fn slow_down(&self, slowness: Slowness) {
        self.state().slow.push(slowness);
    }

    /// It is over.
    pub fn speed_up(&self, slowness: Slowness) {
        let mut state = self.state();
        let place = state.slow.iter().position(|one| *one == slowness);
        if let Some(place) = place {
            state.slow.remove(place);
        }
    }

    /// How often commits are indeterminate from now on.
    pub fn leave_unknown(&self, unknown: UnknownFates) {
        self.state().unknown = unknown;
    }

    /// What it did so far.
    #[must_use]
    pub fn load(&self) -> Load {
        let state = self.state();
        let rows = state.database.rows() as u64;
        Load { rows, ..state.load }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // What panicked in between left whole rows behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn reaches(&self, client: u32) -> bool {
        self.down == 0 && !self.unreachable.contains_key(&client)
    }

    /// Decides a commit, and shows it when it is carried out.
    pub(crate) fn decide(
        &mut self,
        client: u32,
        commit: &Commit,
        read_version: u64,
        now_ns: u64,
    ) -> Decided {
        let Some(witness) = self.witness.clone() else {
            return self.database.decide(commit, read_version, now_ns);
        };
        let database = &self.database;
        let before = |key: &Key| database.get(key);
        if database.would_commit(commit, read_version, now_ns) {
            witness.sees(client, commit, &before);
        }
        self.database.decide(commit, read_version, now_ns)
    }

    /// How long something takes for a client.
    pub(crate) fn takes_ns(&self, client: u32, latency: Latency, random: u64) -> u64 {
        let felt = self.slow.iter().filter(|slow| slow.is_felt_by(client));
        let percent = felt.map(|slow| slow.percent).max();
        latency.draw_ns(random) * percent.unwrap_or(100).max(100) / 100
    }

    /// How long a read waits for those before it.
    pub(crate) fn read_turn_ns(&mut self, now_ns: u64) -> u64 {
        turn_ns(&mut self.reads_free_ns, self.costs.reads_per_s, now_ns)
    }

    /// How long a commit waits for those before it.
    pub(crate) fn commit_turn_ns(&mut self, now_ns: u64) -> u64 {
        turn_ns(&mut self.commits_free_ns, self.costs.commits_per_s, now_ns)
    }
}

fn turn_ns(free_ns: &mut u64, per_s: u64, now_ns: u64) -> u64 {
    let begins_ns = (*free_ns).max(now_ns);
    *free_ns = begins_ns + 1_000_000_000 / per_s.max(1);
    begins_ns - now_ns
}
