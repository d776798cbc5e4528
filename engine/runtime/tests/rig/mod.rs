//! An engine with its surroundings in the test's hand: a clock that is told
//! the time, a store that fails on demand, a hashing pool that waits.
#![allow(dead_code, reason = "each test program uses some")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tidegate_account::{
    Command, Grant, Idempotency, Identifier, IdentifierKind, Password, Policy, Refusal, Remember,
    Reply, RevokeScope, SessionProof, TenantId, UserId,
};
use tidegate_runtime::ports::{Clock, Cpu, Entropy, HashDone, HashJob, PortFuture};
use tidegate_runtime::{
    Answer, Ask, Engine, Failure, HashingOptions, HashingPool, IndexKey, Key, Limits, Outcome,
    Ownership, Parts, Request, Responder, SealFault, Task, Tenant, Tenants,
};
use tidegate_storage_api::{
    Commit, Key as RowKey, KeyRange, MemoryStore, Region, Stamp, Store, StoreError, StoreFuture,
};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use zeroize::Zeroizing;

pub(crate) const PASSWORD: &str = "correct horse";

/// Time that moves when it is told to.
pub(crate) struct HandClock {
    now: watch::Sender<u64>,
}

const UNIX_START_MS: u64 = 1_700_000_000_000;

impl HandClock {
    pub(crate) fn advance(&self, ms: u64) {
        self.now.send_modify(|now| *now += ms);
    }
}

impl Clock for HandClock {
    fn unix_ms(&self) -> u64 {
        UNIX_START_MS + *self.now.borrow()
    }

    fn monotonic_ms(&self) -> u64 {
        *self.now.borrow()
    }

    fn sleep(&self, ms: u64) -> PortFuture<()> {
        let mut now = self.now.subscribe();
        let until = *now.borrow() + ms;
        Box::pin(async move {
            // The clock outlives the engine, so this cannot fail.
            let _ = now.wait_for(|now| *now >= until).await;
        })
    }
}

/// Bits that repeat from test to test.
pub(crate) struct CountedEntropy(AtomicU64);

impl Entropy for CountedEntropy {
    fn seed(&self) -> [u8; 32] {
        let drawn = self.0.fetch_add(1, Ordering::Relaxed);
        tidegate_account::tagged("tg-test", &[&drawn.to_le_bytes()])
    }
}

/// How the store behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Commits wait until [`FaultyStore::let_go`].
    Held,
    Unavailable,
    /// Commits happen, and nobody is told.
    UnknownHappened,
    /// Commits do not happen, and nobody is told.
    UnknownLost,
}

type HeldCommit = (Commit, oneshot::Sender<Result<Stamp, StoreError>>);

pub(crate) struct FaultyStore {
    pub(crate) inner: MemoryStore,
    mood: Mutex<Mood>,
    held: Mutex<Vec<HeldCommit>>,
    pub(crate) reads: AtomicUsize,
    /// Reads beyond this many wait.
    reads_allowed: watch::Sender<usize>,
    pub(crate) commits: AtomicUsize,
}

impl FaultyStore {
    pub(crate) fn new() -> Arc<FaultyStore> {
        Arc::new(FaultyStore {
            inner: MemoryStore::new(),
            mood: Mutex::new(Mood::Well),
            held: Mutex::default(),
            reads: AtomicUsize::new(0),
            reads_allowed: watch::channel(usize::MAX).0,
            commits: AtomicUsize::new(0),
        })
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    /// Lets so many more reads go; further ones wait.
    pub(crate) fn allow_reads(&self, more: usize) {
        let allowed = self.reads().saturating_add(more);
        self.reads_allowed.send_replace(allowed);
    }

    pub(crate) fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    pub(crate) fn held(&self) -> usize {
        self.held.lock().unwrap().len()
    }

    /// Lets the commits go that wait, and those that come.
    pub(crate) async fn let_go(&self) {
        self.set(Mood::Well);
        let held = std::mem::take(&mut *self.held.lock().unwrap());
        for (commit, answer) in held {
            let outcome = self.inner.commit(commit).await;
            let _ = answer.send(outcome);
        }
    }

    /// Every row, for whoever looks for what must not be there.
    pub(crate) async fn rows(&self) -> Vec<(RowKey, Bytes)> {
        let all = KeyRange {
            start: RowKey::from_stored(&[]),
            end: RowKey::from_stored(&[0xFF; 40]),
        };
        self.inner.range(all, usize::MAX).await.unwrap()
    }
}

impl Store for FaultyStore {
    fn get(&self, key: RowKey) -> StoreFuture<Option<Bytes>> {
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        let mut allowed = self.reads_allowed.subscribe();
        let found = match *self.mood.lock().unwrap() {
            Mood::Unavailable => Box::pin(async { Err(StoreError::Unavailable) }),
            _ => self.inner.get(key),
        };
        Box::pin(async move {
            // The store outlives its reads.
            let _ = allowed.wait_for(|allowed| number < *allowed).await;
            found.await
        })
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(RowKey, Bytes)>> {
        self.inner.range(range, limit)
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        match *self.mood.lock().unwrap() {
            Mood::Well => self.inner.commit(commit),
            Mood::Unavailable => Box::pin(async { Err(StoreError::Unavailable) }),
            Mood::UnknownLost => Box::pin(async { Err(StoreError::CommitUnknown) }),
            Mood::UnknownHappened => {
                let happened = self.inner.commit(commit);
                Box::pin(async { happened.await.and(Err(StoreError::CommitUnknown)) })
            }
            Mood::Held => {
                let (answer, answered) = oneshot::channel();
                self.held.lock().unwrap().push((commit, answer));
                Box::pin(async { answered.await.unwrap() })
            }
        }
    }
}

/// The real pool with small hashes, counted, and held back on demand.
pub(crate) struct TestCpu {
    pool: HashingPool,
    pub(crate) hashes: AtomicUsize,
    holding: Mutex<Option<Vec<(HashJob, HashDone)>>>,
    /// A seal of this many plaintext bytes or more panics.
    pub(crate) panic_at: AtomicUsize,
}

impl TestCpu {
    pub(crate) fn hold(&self) {
        *self.holding.lock().unwrap() = Some(Vec::new());
    }

    pub(crate) fn held(&self) -> usize {
        self.holding.lock().unwrap().as_ref().map_or(0, Vec::len)
    }

    pub(crate) fn let_go(&self) {
        let held = self.holding.lock().unwrap().take();
        for (job, done) in held.into_iter().flatten() {
            self.pool.hash(job, done);
        }
    }
}

impl Cpu for TestCpu {
    fn hash(&self, job: HashJob, done: HashDone) {
        self.hashes.fetch_add(1, Ordering::SeqCst);
        match &mut *self.holding.lock().unwrap() {
            Some(held) => held.push((job, done)),
            None => self.pool.hash(job, done),
        }
    }

    fn seal(
        &self,
        key: &Key,
        nonce: &[u8; 24],
        aad: &[u8],
        text: &mut Vec<u8>,
    ) -> Result<(), SealFault> {
        assert!(text.len() < self.panic_at.load(Ordering::SeqCst), "planted");
        self.pool.seal(key, nonce, aad, text)
    }

    fn open(
        &self,
        key: &Key,
        nonce: &[u8; 24],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        self.pool.open(key, nonce, aad, sealed)
    }
}

pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) cpu: Arc<TestCpu>,
    pub(crate) tenant: TenantId,
    entropy: Arc<CountedEntropy>,
    limits: Limits,
}

/// Cheap hashes: tests of the engine are not tests of Argon2.
pub(crate) fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.password.memory_kib = 8;
    policy.password.passes = 1;
    policy
}

impl Rig {
    pub(crate) async fn new() -> Rig {
        Rig::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Rig {
        let clock = Arc::new(HandClock {
            now: watch::channel(0).0,
        });
        let entropy = Arc::new(CountedEntropy(AtomicU64::new(0)));
        Rig::assemble(FaultyStore::new(), clock, entropy, limits).await
    }

    async fn assemble(
        store: Arc<FaultyStore>,
        clock: Arc<HandClock>,
        entropy: Arc<CountedEntropy>,
        limits: Limits,
    ) -> Rig {
        let ownership = Ownership::claim_all(Region::FIRST, &*store).await.unwrap();
        let options = HashingOptions {
            threads: 1,
            waiting_max: 10_000,
        };
        let peppers = BTreeMap::from([(1, Key::new([1; 32]))]);
        let pool = HashingPool::start(options, peppers, clock.clone()).unwrap();
        let cpu = Arc::new(TestCpu {
            pool,
            hashes: AtomicUsize::new(0),
            holding: Mutex::default(),
            panic_at: AtomicUsize::new(usize::MAX),
        });
        let tenants = Tenants::default();
        for name in ["default", "other"] {
            let id = TenantId::of_name(name);
            tenants.put(Tenant {
                id,
                name: name.into(),
                key: Key::new(tidegate_account::tagged("tg-test-key", &[name.as_bytes()])),
                policy: policy(),
            });
        }
        let parts = Parts {
            store: store.clone(),
            ownership,
            tenants,
            index_key: IndexKey {
                version: 1,
                key: Key::new([2; 32]),
            },
            limits: limits.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            cpu: cpu.clone(),
        };
        Rig {
            engine: Engine::start(parts, Handle::current()),
            clock,
            store,
            cpu,
            tenant: TenantId::of_name("default"),
            entropy,
            limits,
        }
    }

    /// Another engine on the same store: what a restart is.
    pub(crate) async fn restart(self) -> Rig {
        Rig::assemble(self.store, self.clock, self.entropy, self.limits).await
    }

    pub(crate) fn submit(&self, key: Option<u8>, task: Task) -> oneshot::Receiver<Answer> {
        let idempotency = key.map(|key| Idempotency {
            key: [key; 16],
            request: [0; 32],
        });
        let request = Request {
            tenant: self.tenant,
            idempotency,
            deadline_ms: self.clock.monotonic_ms() + 60_000,
            task,
        };
        self.submit_request(request)
    }

    pub(crate) fn submit_request(&self, request: Request) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let responder = Responder::new(move |given, _| {
            let _ = answer.send(given);
        });
        self.engine.submit(request, responder);
        answered
    }

    pub(crate) async fn ask(&self, key: Option<u8>, task: Task) -> Answer {
        self.submit(key, task).await.unwrap()
    }

    pub(crate) async fn signed_up(&self, email: &str) -> UserId {
        match self.ask(None, sign_up(email)).await {
            Answer::Reply(Reply::SignedUp(user)) => user,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn signed_in(&self, email: &str) -> Grant {
        self.signed_up(email).await;
        self.ask(None, sign_in(email, PASSWORD)).await.granted()
    }

    pub(crate) fn ask_of(&self, grant: &Grant) -> Ask {
        Ask {
            tenant: self.tenant,
            user: grant.user,
            session: grant.session,
            secret: grant.session_secret(),
        }
    }

    /// A check, from memory or else through the person's actor.
    pub(crate) async fn check(&self, grant: &Grant) -> Outcome {
        let ask = self.ask_of(grant);
        match self.engine.check(&ask) {
            Some((outcome, _)) => outcome,
            None => match self.ask(None, Task::Check(ask)).await {
                Answer::Checked(outcome) => outcome,
                other => panic!("{other:?}"),
            },
        }
    }

    /// Lets everything run that can.
    pub(crate) async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets things run until something is so.
    pub(crate) async fn until(&self, mut so: impl FnMut() -> bool) {
        while !so() {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) trait Expect {
    fn granted(self) -> Grant;
    fn refused(self) -> Refusal;
    fn failed(self) -> Failure;
}

impl Expect for Answer {
    fn granted(self) -> Grant {
        match self {
            Answer::Reply(Reply::SignedIn(grant) | Reply::Refreshed(grant)) => grant,
            other => panic!("{other:?}"),
        }
    }

    fn refused(self) -> Refusal {
        match self {
            Answer::Reply(Reply::No(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn failed(self) -> Failure {
        match self {
            Answer::Failed(failure) => failure,
            other => panic!("{other:?}"),
        }
    }
}

fn email(text: &str) -> Identifier {
    Identifier::parse(IdentifierKind::Email, text).unwrap()
}

pub(crate) fn sign_up(text: &str) -> Task {
    Task::SignUp {
        identifiers: vec![email(text)],
        password: Password::parse(PASSWORD).unwrap(),
    }
}

pub(crate) fn sign_in(text: &str, password: &str) -> Task {
    Task::SignIn {
        identifier: email(text),
        password: Password::parse(password).unwrap(),
        device: None,
        remember: Remember::Nothing,
    }
}

pub(crate) fn refresh(grant: &Grant) -> Task {
    Task::Account {
        user: grant.user,
        command: Command::Refresh {
            session: grant.session,
            family: grant.family.clone(),
            token: grant.refresh.clone(),
        },
    }
}

pub(crate) fn revoke(grant: &Grant, scope: RevokeScope) -> Task {
    Task::Account {
        user: grant.user,
        command: Command::Revoke {
            by: SessionProof {
                session: grant.session,
                secret: grant.session_secret(),
            },
            scope,
        },
    }
}
