//! An engine with its surroundings in the test's hand: a clock that is told
//! the time, a store that fails on demand, a hashing pool that waits.
#![allow(dead_code, reason = "each test program uses some")]

#[cfg(not(tokio_unstable))]
compile_error!(
    "these tests ask the runtime whether a task is ready: build inside the repository, whose \
     .cargo/config.toml lets them"
);

pub(crate) mod sink;

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tidegate_account::credential::passkey::SignatureWork;
use tidegate_account::{
    Administrator, Command, CredentialCommand, CredentialReply, FlowReply, Grant, Idempotency,
    Identifier, IdentifierKind, IdentifierReply, Password, PasswordHash, Policy, Refusal, Remember,
    Reply, RevokeScope, SessionCommand, SessionProof, SessionReply, SignatureCheck, TenantId,
    UserId, Verification,
};
use tidegate_runtime::ports::{Clock, Cpu, Entropy, HashDone, HashJob, HashWork, PortFuture};
use tidegate_runtime::{
    Answer, Ask, Class, Context, Costs, DegradedStates, Engine, Failure, Formats, GatewayId,
    HashingOptions, HashingPool, IndexKey, IndexKeys, Key, Limits, Origin, Outcome, Ownership,
    Parts, Peppers, Regions, Request, Responder, Retention, SealFault, Task, Tenant, Tenants,
};
use tidegate_storage_api::{
    Commit, Key as RowKey, KeyRange, MemoryStore, Region, Stamp, Store, StoreError, StoreFuture,
    SystemPart,
};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use zeroize::Zeroizing;

use sink::Sink;

/// The value of [`TestCpu::panic_at`] at which hashing panics, and nothing else.
pub(crate) const HASH: usize = usize::MAX - 1;
/// The value at which opening what is sealed panics, and nothing else.
pub(crate) const OPEN: usize = usize::MAX - 2;

pub(crate) const PASSWORD: &str = "correct horse";

/// So many turns of the runtime a test waits at most for what has to come about:
/// half a minute in which it does nothing else.
const TURNS_MAX: usize = 50_000_000;

/// Time that moves when it is told to.
pub(crate) struct HandClock {
    now: watch::Sender<u64>,
    /// By how much the system's idea of the date has been set wrong.
    off: AtomicI64,
}

const UNIX_START_MS: u64 = 1_700_000_000_000;

impl HandClock {
    pub(crate) fn new() -> Arc<HandClock> {
        Arc::new(HandClock {
            now: watch::channel(0).0,
            off: AtomicI64::new(0),
        })
    }

    pub(crate) fn advance(&self, ms: u64) {
        self.now.send_modify(|now| *now += ms);
    }

    /// Sets the date, as an operator or a time server may.
    pub(crate) fn set_off(&self, ms: i64) {
        self.off.store(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn unix_ms(&self) -> u64 {
        (UNIX_START_MS + *self.now.borrow()).saturating_add_signed(self.off.load(Ordering::SeqCst))
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
    /// It is read as ever, and takes no commit.
    Unwritable,
    /// No row of it can be read by its key.
    Unreadable,
    /// The next commit happens, and nobody is told.
    UnknownHappened,
    /// The next commit does not happen, and nobody is told.
    UnknownLost,
    /// The same, and then the store is away.
    UnknownThenAway,
}

pub(crate) type HeldCommit = (Commit, oneshot::Sender<Result<Stamp, StoreError>>);

pub(crate) struct FaultyStore {
    pub(crate) inner: MemoryStore,
    mood: Mutex<Mood>,
    held: Mutex<Vec<HeldCommit>>,
    pub(crate) reads: AtomicUsize,
    /// Reads beyond this many wait.
    reads_allowed: watch::Sender<usize>,
    pub(crate) commits: AtomicUsize,
    /// The bytes of every commit asked for.
    pub(crate) sizes: Mutex<Vec<usize>>,
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
            sizes: Mutex::default(),
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
        let held = self.take_held();
        self.land(held).await;
    }

    /// Takes the commits that wait, and lets those go that come.
    pub(crate) fn take_held(&self) -> Vec<HeldCommit> {
        self.set(Mood::Well);
        std::mem::take(&mut *self.held.lock().unwrap())
    }

    pub(crate) async fn land(&self, held: Vec<HeldCommit>) {
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
        if key == date() {
            return self.inner.get(key);
        }
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        let mut allowed = self.reads_allowed.subscribe();
        let found = match *self.mood.lock().unwrap() {
            Mood::Unavailable | Mood::Unreadable => {
                Box::pin(async { Err(StoreError::Unavailable) })
            }
            _ => self.inner.get(key),
        };
        Box::pin(async move {
            // The store outlives its reads.
            let _ = allowed.wait_for(|allowed| number < *allowed).await;
            found.await
        })
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(RowKey, Bytes)>> {
        match *self.mood.lock().unwrap() {
            Mood::Unavailable => Box::pin(async { Err(StoreError::Unavailable) }),
            _ => self.inner.range(range, limit),
        }
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        if commit.puts.iter().all(|put| put.key != date()) {
            self.commits.fetch_add(1, Ordering::SeqCst);
            self.sizes.lock().unwrap().push(size_of(&commit));
        }
        let mood = {
            let mut mood = self.mood.lock().unwrap();
            let next = match *mood {
                Mood::UnknownHappened | Mood::UnknownLost => Mood::Well,
                Mood::UnknownThenAway => Mood::Unavailable,
                other => other,
            };
            std::mem::replace(&mut *mood, next)
        };
        match mood {
            Mood::Well | Mood::Unreadable => self.inner.commit(commit),
            Mood::Unavailable | Mood::Unwritable => {
                Box::pin(async { Err(StoreError::Unavailable) })
            }
            Mood::UnknownLost | Mood::UnknownThenAway => {
                Box::pin(async { Err(StoreError::CommitUnknown) })
            }
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

/// The row that the sweeper reads and writes whenever time passes, whatever a
/// test does: it is not counted.
fn date() -> RowKey {
    RowKey::system(SystemPart::Date)
}

/// What a commit weighs: every key and value in it.
fn size_of(commit: &Commit) -> usize {
    let puts = commit
        .puts
        .iter()
        .map(|put| put.key.as_bytes().len() + put.value.len());
    let deletes = commit.deletes.iter().map(|key| key.as_bytes().len());
    let appends = commit.appends.iter().map(|append| append.value.len());
    puts.chain(deletes).chain(appends).sum()
}

/// The real pool with small hashes, counted, and held back on demand.
pub(crate) struct TestCpu {
    pool: HashingPool,
    pub(crate) hashes: AtomicUsize,
    holding: Mutex<Option<Vec<(HashJob, HashDone)>>>,
    /// Passwords that the pool was given and nobody was told of yet.
    under_way: Arc<watch::Sender<usize>>,
    /// A seal of this many plaintext bytes or more panics.
    pub(crate) panic_at: AtomicUsize,
}

/// One password at the pool.
struct UnderWay(Arc<watch::Sender<usize>>);

impl UnderWay {
    fn new(all: &Arc<watch::Sender<usize>>) -> UnderWay {
        all.send_modify(|count| *count += 1);
        UnderWay(all.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl TestCpu {
    /// Gives a password to the pool.
    fn begin(&self, job: HashJob, done: HashDone) {
        let under_way = UnderWay::new(&self.under_way);
        let done = HashDone::new(move |completion| {
            // It is over when whoever waits has been told, and woken.
            let _under_way = under_way;
            done.tell(completion);
        });
        self.pool.hash(job, done);
    }

    /// Waits until the pool has nothing to do.
    async fn idle(&self) {
        let mut under_way = self.under_way.subscribe();
        // The sender lives as long as this.
        let _ = under_way.wait_for(|count| *count == 0).await;
    }

    fn is_idle(&self) -> bool {
        *self.under_way.borrow() == 0
    }

    pub(crate) fn hold(&self) {
        *self.holding.lock().unwrap() = Some(Vec::new());
    }

    pub(crate) fn held(&self) -> usize {
        self.holding.lock().unwrap().as_ref().map_or(0, Vec::len)
    }

    pub(crate) fn let_go(&self) {
        let held = self.holding.lock().unwrap().take();
        for (job, done) in held.into_iter().flatten() {
            self.begin(job, done);
        }
    }
}

impl Cpu for TestCpu {
    fn hash(&self, job: HashJob, done: HashDone) {
        self.hashes.fetch_add(1, Ordering::SeqCst);
        assert_ne!(self.panic_at.load(Ordering::SeqCst), HASH, "planted");
        match &mut *self.holding.lock().unwrap() {
            Some(held) => held.push((job, done)),
            None => self.begin(job, done),
        }
    }

    fn verify(&self, work: &SignatureWork) -> SignatureCheck {
        self.pool.verify(work)
    }

    fn repepper(&self, stored: &PasswordHash, pepper_key: u32) -> Option<PasswordHash> {
        self.pool.repepper(stored, pepper_key)
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
        assert_ne!(self.panic_at.load(Ordering::SeqCst), OPEN, "planted");
        self.pool.open(key, nonce, aad, sealed)
    }
}

pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) store: Arc<FaultyStore>,
    /// The node's own.
    pub(crate) journal: Arc<FaultyStore>,
    pub(crate) ownership: Arc<Ownership>,
    /// What its requests accept of old knowledge.
    pub(crate) max_age_ms: u32,
    pub(crate) cpu: Arc<TestCpu>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) tenant: TenantId,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) index_keys: Arc<IndexKeys>,
    pub(crate) peppers: Arc<Peppers>,
    entropy: Arc<CountedEntropy>,
    limits: Limits,
    policy: Policy,
}

/// Where a node is.
pub(crate) struct Place {
    pub(crate) region: Region,
    pub(crate) regions: Option<Arc<Regions>>,
    /// Its store, as the node sees it; none for as it is.
    pub(crate) seen: Option<Arc<dyn Store>>,
    /// The version of the formats that it writes.
    pub(crate) formats: u16,
}

impl Default for Place {
    fn default() -> Place {
        Place {
            region: Region::FIRST,
            regions: None,
            seen: None,
            formats: u16::MAX,
        }
    }
}

/// A tenant's key, one of several.
pub(crate) fn tenant_key(name: &str, number: u8) -> Key {
    Key::new(tidegate_account::tagged(
        "tg-test-key",
        &[name.as_bytes(), &[number]],
    ))
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
        Rig::under(limits, policy()).await
    }

    pub(crate) async fn under(limits: Limits, policy: Policy) -> Rig {
        let clock = HandClock::new();
        let entropy = Arc::new(CountedEntropy(AtomicU64::new(0)));
        let stores = (FaultyStore::new(), FaultyStore::new());
        Rig::assemble(stores, clock, entropy, limits, policy, Place::default()).await
    }

    /// A node somewhere; `life` tells its randomness from that of others.
    pub(crate) async fn at(
        place: Place,
        store: Arc<FaultyStore>,
        clock: Arc<HandClock>,
        life: u64,
    ) -> Rig {
        let entropy = Arc::new(CountedEntropy(AtomicU64::new(life << 32)));
        let stores = (store, FaultyStore::new());
        Rig::assemble(stores, clock, entropy, Limits::default(), policy(), place).await
    }

    async fn assemble(
        (store, journal): (Arc<FaultyStore>, Arc<FaultyStore>),
        clock: Arc<HandClock>,
        entropy: Arc<CountedEntropy>,
        limits: Limits,
        policy: Policy,
        place: Place,
    ) -> Rig {
        let seen = place.seen.unwrap_or_else(|| store.clone());
        let ownership = Ownership::claim_all(place.region, &*seen).await.unwrap();
        let ownership = Arc::new(ownership);
        let options = HashingOptions {
            threads: 1,
            waiting_max: 10_000,
        };
        let peppers = Arc::new(Peppers::default());
        peppers.add(1, Key::new([1; 32]));
        let pool = HashingPool::start(options, peppers.clone(), clock.clone()).unwrap();
        let cpu = Arc::new(TestCpu {
            pool,
            hashes: AtomicUsize::new(0),
            holding: Mutex::default(),
            under_way: Arc::new(watch::channel(0).0),
            panic_at: AtomicUsize::new(usize::MAX),
        });
        let tenants = Arc::new(Tenants::default());
        for name in ["default", "other"] {
            let id = TenantId::of_name(name);
            tenants.put(Tenant {
                id,
                name: name.into(),
                keys: vec![tenant_key(name, 1)],
                policy: policy.clone(),
                home: None,
                costs: Costs::default(),
            });
        }
        let index_keys = Arc::new(IndexKeys::new(IndexKey {
            version: 1,
            key: Key::new([2; 32]),
        }));
        let sink = Sink::new();
        let parts = Parts {
            store: seen,
            ownership: ownership.clone(),
            tenants: tenants.clone(),
            index_keys: index_keys.clone(),
            formats: Arc::new(Formats::new(place.formats)),
            regions: place.regions,
            degraded_states: DegradedStates::open(journal.clone()).await.unwrap(),
            retention: Retention::default(),
            limits: limits.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            cpu: cpu.clone(),
            delivery: sink.clone(),
        };
        Rig {
            engine: Engine::start(parts, Handle::current()),
            clock,
            store,
            journal,
            ownership,
            cpu,
            sink,
            tenant: TenantId::of_name("default"),
            tenants,
            index_keys,
            peppers,
            entropy,
            limits,
            policy,
            max_age_ms: 0,
        }
    }

    /// Another engine on the same store: what a restart is.
    pub(crate) async fn restart(self) -> Rig {
        self.restart_in(Place::default()).await
    }

    pub(crate) async fn restart_in(self, place: Place) -> Rig {
        let Rig {
            store,
            journal,
            clock,
            entropy,
            limits,
            policy,
            ..
        } = self;
        Rig::assemble((store, journal), clock, entropy, limits, policy, place).await
    }

    pub(crate) fn submit(&self, key: Option<u8>, task: Task) -> oneshot::Receiver<Answer> {
        let idempotency = key.map(|key| Idempotency {
            key: [key; 16],
            request: [0; 32],
        });
        let context = Context {
            gateway: GatewayId::default(),
            tenant: self.tenant,
            class: class_of(&task),
            idempotency,
            deadline_ms: self.clock.monotonic_ms() + 60_000,
            max_age_ms: self.max_age_ms,
            known_epoch: 0,
        };
        self.submit_request(Request { context, task })
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

    pub(crate) async fn signed_up(&self, name: &str) -> UserId {
        self.ask(None, sign_up(name)).await.signed_up()
    }

    pub(crate) async fn signed_in(&self, name: &str) -> Grant {
        self.signed_up(name).await;
        self.ask(None, sign_in(name, PASSWORD)).await.granted()
    }

    pub(crate) fn ask_of(&self, grant: &Grant) -> Ask {
        Ask {
            tenant: self.tenant,
            user: grant.user,
            session: grant.session,
            secret: grant.session_secret(),
            max_age_ms: self.max_age_ms,
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

    /// What has been done so far.
    pub(crate) fn effects(&self) -> Effects {
        Effects {
            reads: self.store.reads(),
            hashes: self.cpu.hashes.load(Ordering::SeqCst),
            commits: self.store.sizes.lock().unwrap().clone(),
        }
    }

    /// What is done until a request is answered, and the answer.
    pub(crate) async fn effects_of(&self, key: u8, task: Task) -> (Effects, Answer) {
        let before = self.effects();
        let answer = self.ask(Some(key), task).await;
        self.settle().await;
        let after = self.effects();
        let effects = Effects {
            reads: after.reads - before.reads,
            hashes: after.hashes - before.hashes,
            commits: after.commits[before.commits.len()..].to_vec(),
        };
        (effects, answer)
    }

    /// Waits until everything is known that was given to the pool before: of
    /// each kind of work the oldest is done first.
    pub(crate) async fn hashed(&self) {
        let password = || Password::parse(PASSWORD).unwrap();
        let policy = || self.policy.password.clone();
        let works = [
            HashWork::Pretend {
                password: password(),
                policy: policy(),
            },
            HashWork::Hash {
                password: password(),
                salt: [0; 16],
                policy: policy(),
            },
        ];
        for work in works {
            let (told, known) = oneshot::channel();
            let done = HashDone::new(move |_| {
                let _ = told.send(());
            });
            let deadline_ms = u64::MAX;
            self.cpu.hash(HashJob { work, deadline_ms }, done);
            known.await.unwrap();
        }
        self.settle().await;
    }

    /// A recovery with the owner's next password, which is decided and waits to
    /// be durable.
    pub(crate) async fn recovering(
        &self,
        user: UserId,
        identifier: Identifier,
        password: &str,
    ) -> oneshot::Receiver<Answer> {
        self.cpu.hold();
        let asked = self.submit(None, verify(user, identifier, Some(password)));
        // It is compared with the old one, and then hashed.
        self.until(|| self.cpu.held() == 1).await;
        self.cpu.let_go();
        self.cpu.hold();
        self.until(|| self.cpu.held() == 1).await;
        self.cpu.let_go();
        self.hashed().await;
        asked
    }

    /// Lets everything run that can: until no task is ready and no password is
    /// with the pool, whose thread may wake some.
    pub(crate) async fn settle(&self) {
        let runtime = Handle::current().metrics();
        let is_settled = || {
            // In this order: whoever is told is woken before the pool is idle.
            self.cpu.is_idle()
                && runtime.global_queue_depth() == 0
                && runtime.worker_local_queue_depth(0) == 0
        };
        for _ in 0..TURNS_MAX {
            self.cpu.idle().await;
            // What yields as well is ready again when this is.
            tokio::task::yield_now().await;
            if is_settled() {
                return;
            }
        }
        panic!("there is always something that can run");
    }

    /// Lets things run until something is so.
    pub(crate) async fn until(&self, mut so: impl FnMut() -> bool) {
        for _ in 0..TURNS_MAX {
            if so() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("what a test waits for did not come about");
    }
}

/// What an outsider could see of the work: how often, and how much.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Effects {
    pub(crate) reads: usize,
    pub(crate) hashes: usize,
    /// The bytes of each commit.
    pub(crate) commits: Vec<usize>,
}

pub(crate) trait Expect {
    fn granted(self) -> Grant;
    fn refused(self) -> Refusal;
    fn failed(self) -> Failure;
    fn signed_up(self) -> UserId;
    fn verified(self) -> Verification;
}

impl Expect for Answer {
    fn granted(self) -> Grant {
        match self {
            Answer::Reply(
                Reply::Credential(CredentialReply::SignedIn(grant))
                | Reply::Flow(FlowReply::Granted(grant))
                | Reply::Session(SessionReply::Refreshed(grant)),
            ) => grant,
            other => panic!("{other:?}"),
        }
    }

    fn refused(self) -> Refusal {
        match self {
            Answer::Reply(Reply::No(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    fn signed_up(self) -> UserId {
        match self {
            Answer::Reply(Reply::Credential(CredentialReply::SignedUp(user))) => user,
            other => panic!("{other:?}"),
        }
    }

    fn verified(self) -> Verification {
        match self {
            Answer::Reply(Reply::Identifier(IdentifierReply::Verified(verification))) => {
                verification
            }
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

/// The class that a gateway's request of this kind has.
fn class_of(task: &Task) -> Class {
    match task {
        Task::SignUp { .. } => Class::Registration,
        Task::SignIn { .. } | Task::BeginFlow(_) | Task::AnswerFlow(_) => Class::Password,
        Task::Check(_) => Class::Check,
        Task::Claim { .. } | Task::Attest { .. } => Class::Protection,
        Task::Account { command, .. } => match command {
            Command::Credential(CredentialCommand::SignIn(_)) => Class::Password,
            Command::Session(SessionCommand::Refresh { .. }) => Class::Refresh,
            _ => Class::Protection,
        },
    }
}

pub(crate) fn username(text: &str) -> Identifier {
    Identifier::parse(IdentifierKind::Username, text).unwrap()
}

pub(crate) fn mail(text: &str) -> Identifier {
    Identifier::parse(IdentifierKind::Email, text).unwrap()
}

pub(crate) fn by() -> Administrator {
    Administrator("console".into())
}

pub(crate) const SOURCE: Origin = Origin::V4([192, 0, 2, 1]);

/// A sign-up with a user name: the account can be signed in to at once.
pub(crate) fn sign_up(text: &str) -> Task {
    sign_up_as(username(text))
}

pub(crate) fn sign_up_as(identifier: Identifier) -> Task {
    Task::SignUp {
        identifiers: vec![identifier],
        password: Password::parse(PASSWORD).unwrap(),
        origin: None,
    }
}

pub(crate) fn verify(user: UserId, identifier: Identifier, password: Option<&str>) -> Task {
    Task::Attest {
        user,
        verification: tidegate_runtime::Verification {
            identifier,
            session: None,
            password: password.map(|text| Password::parse(text).unwrap()),
            by: by(),
        },
    }
}

pub(crate) fn sign_in(text: &str, password: &str) -> Task {
    sign_in_as(username(text), password)
}

pub(crate) fn sign_in_as(identifier: Identifier, password: &str) -> Task {
    Task::SignIn {
        identifier,
        password: Password::parse(password).unwrap(),
        device: None,
        remember: Remember::Nothing,
        origin: None,
    }
}

pub(crate) fn refresh(grant: &Grant) -> Task {
    Task::Account {
        user: grant.user,
        command: Command::Session(SessionCommand::Refresh {
            session: grant.session,
            family: grant.family.clone(),
            token: grant.refresh.clone(),
        }),
    }
}

pub(crate) fn revoke(grant: &Grant, scope: RevokeScope) -> Task {
    Task::Account {
        user: grant.user,
        command: Command::Session(SessionCommand::Revoke {
            by: SessionProof {
                session: grant.session,
                secret: grant.session_secret(),
            },
            scope,
        }),
    }
}
