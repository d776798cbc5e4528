//! Opening a cluster, and the `Store` trait on top of it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;
use foundationdb::{Database, FdbError};
use thiserror::Error;
use tidegate_libfdb::{NetworkError, NetworkOption};
use tidegate_storage_api::{
    Check, Commit, Key, KeyRange, Region, Slot, Stamp, Store, StoreError, StoreFuture,
};
use tokio::sync::oneshot;

use crate::attempt::{self, Cluster, Found};
use crate::lanes::{Lane, Lanes, Owner};
use crate::outcome::Unsent;
use crate::space::{Layout, Space};
use crate::versions::{Asked, Fenced, Versions};

/// How often a commit is tried anew when all its conditions hold after all.
const TRIES: usize = 5;
const FIRST_GENERATION: u32 = 1;

/// How a cluster is reached, and which node this is.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names the cluster's coordinators; none for FoundationDB's default file.
    pub cluster_file: Option<PathBuf>,
    /// The client library; none for where the system looks.
    pub library: Option<PathBuf>,
    /// What the library's network is told, by the first store of a process.
    pub network: Vec<NetworkOption>,
    /// The node whose commits these are.
    pub node: u64,
    /// Drawn anew for each life of the process.
    pub life: u128,
}

/// Why a cluster could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The client library, or its network, is not available.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The cluster file's path is no text.
    #[error("the cluster file's path {0} is not UTF-8")]
    Path(PathBuf),
    /// The library refused.
    #[error("FoundationDB refused: {0}")]
    Refused(String),
}

/// A client of a cluster.
pub struct FoundationStore {
    client: Arc<Client>,
}

/// What a store has asked of its cluster since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Read versions that commits asked for.
    pub read_versions: u64,
    /// Commits whose outcome had to be found out.
    pub settled: u64,
}

struct Client {
    cluster: Cluster,
    versions: Versions,
    lanes: Lanes,
    generation: AtomicU32,
    commits: AtomicU64,
    read_versions: AtomicU64,
    settled: AtomicU64,
}

impl FoundationStore {
    /// Opens a cluster. Nothing is asked of it yet, so that it may be away.
    ///
    /// # Errors
    /// [`OpenError`]; a missing library is told with what to install.
    pub fn open(options: &Options) -> Result<FoundationStore, OpenError> {
        tidegate_libfdb::start(options.library.as_deref(), &options.network)?;
        let path = options.cluster_file.as_deref().map(text).transpose()?;
        let database = Database::new(path);
        let database = database.map_err(|error| OpenError::Refused(error.to_string()))?;
        let owner = Owner {
            node: options.node,
            life: options.life,
        };
        Ok(FoundationStore {
            client: Arc::new(Client {
                cluster: Cluster {
                    database,
                    space: Space::default(),
                },
                versions: Versions::default(),
                lanes: Lanes::new(owner),
                generation: AtomicU32::new(FIRST_GENERATION),
                commits: AtomicU64::new(0),
                read_versions: AtomicU64::new(0),
                settled: AtomicU64::new(0),
            }),
        })
    }

    /// Which life of the store this is, in which events are written from now
    /// on: raised by a restore, and kept by the process that opens the store.
    pub fn set_generation(&self, generation: u32) {
        self.client.generation.store(generation, Ordering::Release);
    }

    /// Where the keys of people lie. Kept by the process that opens the store,
    /// before any of them is read or written.
    pub fn set_layout(&self, layout: Layout) {
        self.client.cluster.space.set_layout(layout);
    }

    /// What was asked of the cluster so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            commits: self.client.commits.load(Ordering::Relaxed),
            read_versions: self.client.read_versions.load(Ordering::Relaxed),
            settled: self.client.settled.load(Ordering::Relaxed),
        }
    }
}

fn text(path: &Path) -> Result<&str, OpenError> {
    let text = path.to_str();
    text.ok_or_else(|| OpenError::Path(path.to_owned()))
}

/// Begins at once, and goes on when no caller waits for it any more.
fn begin<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> StoreFuture<T> {
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        // The caller may have gone.
        let _ = answer.send(work.await);
    });
    Box::pin(async move { answered.await.unwrap_or(Err(StoreError::CommitUnknown)) })
}

impl Store for FoundationStore {
    fn get(&self, key: Key) -> StoreFuture<Option<Bytes>> {
        let client = Arc::clone(&self.client);
        begin(async move { attempt::get(&client.cluster, &key).await })
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(Key, Bytes)>> {
        let client = Arc::clone(&self.client);
        begin(async move { attempt::range(&client.cluster, &range, limit).await })
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        let client = Arc::clone(&self.client);
        begin(async move {
            commit.validate()?;
            let fenced = Fenced::of(&commit);
            let lane = client.lanes.take(fenced).ok_or(StoreError::Unavailable)?;
            let decided = client.commit(&commit, fenced, &lane).await;
            // Of a commit whose outcome stays unknown the lane stays taken.
            if decided != Err(StoreError::CommitUnknown) {
                client.lanes.give_back(&lane);
            }
            decided
        })
    }

    fn vouch(&self, region: Region, owned: &[(Slot, u64)], stamp: Stamp) {
        self.client.versions.vouch(region, owned, stamp);
    }
}

impl Client {
    async fn commit(
        &self,
        commit: &Commit,
        fenced: Option<Fenced>,
        lane: &Lane,
    ) -> Result<Stamp, StoreError> {
        let mut sent = Sent::Never;
        for _ in 0..TRIES {
            let asked = Asked::now();
            let version = self.founded(commit, fenced, asked).await?;
            // Its conditions hold, and yet it conflicted with another.
            if sent == Sent::InTheWay && commit.checks.iter().any(is_untouched) {
                return Err(StoreError::Overtaken);
            }
            match self.send(commit, lane, version).await {
                Ok(version) => {
                    self.versions.took(asked, Asked::now());
                    self.versions.learn(fenced, version, asked);
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    return stamp(version);
                }
                Err(Unsent::Refused(refused)) => return Err(refused),
                Err(Unsent::Unknown) => return Err(StoreError::CommitUnknown),
                Err(Unsent::Conflict) => sent = Sent::InTheWay,
                Err(Unsent::TooOld | Unsent::Later) => {}
            }
            self.versions.forget(fenced);
        }
        Err(StoreError::Unavailable)
    }

    /// A version at which the conditions hold, as far as they can be read: one
    /// that is kept, or else a fresh one.
    async fn founded(
        &self,
        commit: &Commit,
        fenced: Option<Fenced>,
        asked: Asked,
    ) -> Result<i64, StoreError> {
        if let Some(kept) = self.versions.cached(fenced, asked) {
            let bare = |check: &Check| matches!(check, Check::Fence { .. } | Check::Untouched(_));
            // What is known to be ours at that version need not be read.
            if commit.checks.iter().all(bare) {
                return Ok(kept);
            }
            // What does not hold there may hold now: rows that others write too
            // can be older at a kept version than the caller read them.
            let found = attempt::look(&self.cluster, &commit.checks, kept).await;
            if matches!(found, Ok(Found::Held)) {
                return Ok(kept);
            }
            self.versions.forget(fenced);
        }
        let version = self.fresh_version().await?;
        let found = attempt::look(&self.cluster, &commit.checks, version).await;
        match found.map_err(|_| StoreError::Unavailable)? {
            Found::Held => Ok(version),
            Found::Fenced => Err(StoreError::Fenced),
            Found::Conflict => Err(StoreError::Conflict),
        }
    }

    async fn fresh_version(&self) -> Result<i64, StoreError> {
        self.read_versions.fetch_add(1, Ordering::Relaxed);
        attempt::fresh_version(&self.cluster).await
    }

    /// Sends a commit and waits until its outcome is known; the version at
    /// which it landed.
    async fn send(&self, commit: &Commit, lane: &Lane, version: i64) -> Result<i64, Unsent> {
        let generation = self.generation.load(Ordering::Acquire);
        let prepared = attempt::prepared(&self.cluster, commit, lane, version, generation);
        let failed = match prepared.map_err(Unsent::of)?.commit().await {
            Ok(committed) => return committed.committed_version().map_err(|_| Unsent::Unknown),
            Err(failed) => failed,
        };
        let error = FdbError::from_code(failed.code());
        let unsent = Unsent::of(error);
        if unsent == Unsent::Later {
            // FoundationDB says how long to wait.
            let _ = failed.on_error().await;
        }
        if unsent != Unsent::Unknown {
            return Err(unsent);
        }
        self.settled.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(event = "foundationdb.fate_unknown", code = error.code());
        match attempt::settle(&self.cluster, lane).await {
            Ok(Some(version)) => Ok(version),
            // It never will: everything is tried anew.
            Ok(None) => Err(Unsent::Later),
            Err(_) => Err(Unsent::Unknown),
        }
    }
}

/// The outcome of a commit so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Never,
    /// It was refused for a key that another wrote meanwhile.
    InTheWay,
}

fn is_untouched(check: &Check) -> bool {
    matches!(check, Check::Untouched(_))
}

fn stamp(version: i64) -> Result<Stamp, StoreError> {
    let version = u64::try_from(version).map_err(|_| StoreError::CommitUnknown)?;
    Ok(Stamp(version))
}
