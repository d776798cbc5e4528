//! Micro-benchmarks of the core, the frame codec, the view and the directory:
//! `cargo bench -p tidegate-bench`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

mod refreshing;
#[path = "../../src/subjects.rs"]
mod subjects;

use std::sync::Arc;

use divan::Bencher;
use refreshing::Refreshing;
use subjects::Subjects;
use tidegate_account::{
    CredentialReply, Grant, Identifier, IdentifierKind, Password, Policy, Remember, Reply, TenantId,
};
use tidegate_runtime::ports::{Clock, Cpu};
use tidegate_runtime::{
    Answer, Ask, Class, Context, Costs, Engine, Formats, GatewayId, HashingOptions, HashingPool,
    IndexKey, IndexKeys, Key, Limits, OsEntropy, Ownership, Parts, Peppers, Request, Responder,
    Retention, SystemClock, Task, Tenant, Tenants,
};
use tidegate_storage_api::{MemoryStore, Region};

fn main() {
    divan::main();
}

#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let subjects = Subjects::new().unwrap();
    bencher.bench_local(|| assert!(subjects.decode()));
}

#[divan::bench]
fn view(bencher: Bencher<'_, '_>) {
    let subjects = Subjects::new().unwrap();
    bencher.bench_local(|| assert!(subjects.view()));
}

#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let mut subjects = Subjects::new().unwrap();
    bencher.bench_local(|| assert!(subjects.encode()));
}

#[divan::bench]
fn core_refresh(bencher: Bencher<'_, '_>) {
    let mut refreshing = Refreshing::new();
    bencher.bench_local(|| assert!(refreshing.refresh()));
}

/// One person's check, from the question to the outcome, all of it near.
#[divan::bench]
fn directory_check(bencher: Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (engine, grant) = runtime.block_on(signed_in());
    let ask = Ask {
        max_age_ms: 0,
        tenant: TenantId::of_name("default"),
        user: grant.user,
        session: grant.session,
        secret: grant.session_secret(),
    };
    bencher.bench_local(|| assert!(engine.check(&ask).is_some()));
}

async fn signed_in() -> (Engine, Grant) {
    let store = Arc::new(MemoryStore::new());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let peppers = Arc::new(Peppers::default());
    peppers.add(1, Key::new([1; 32]));
    let options = HashingOptions {
        threads: 1,
        waiting_max: 16,
    };
    let cpu: Arc<dyn Cpu> = Arc::new(HashingPool::start(options, peppers, clock.clone()).unwrap());
    let tenants = Arc::new(Tenants::default());
    tenants.put(Tenant {
        id: TenantId::of_name("default"),
        name: "default".into(),
        keys: vec![Key::new([2; 32])],
        policy: Policy::default(),
        home: None,
        costs: Costs::default(),
    });
    let parts = Parts {
        ownership: Arc::new(Ownership::claim_all(Region::FIRST, &*store).await.unwrap()),
        store,
        tenants,
        index_keys: Arc::new(IndexKeys::new(IndexKey {
            version: 1,
            key: Key::new([3; 32]),
        })),
        formats: Arc::new(Formats::new(u16::MAX)),
        regions: None,
        degraded_states: tidegate_runtime::DegradedStates::in_memory(),
        delivery: Arc::new(tidegate_runtime::ports::NoDelivery),
        retention: Retention::default(),
        limits: Limits::default(),
        clock,
        entropy: Arc::new(OsEntropy),
        cpu,
    };
    let engine = Engine::start(parts, tokio::runtime::Handle::current());
    let identifier = Identifier::parse(IdentifierKind::Username, "ada").unwrap();
    let password = Password::parse("correct horse").unwrap();
    let sign_up = Task::SignUp {
        identifiers: vec![identifier.clone()],
        password: password.clone(),
        origin: None,
    };
    ask(&engine, sign_up).await;
    let sign_in = Task::SignIn {
        identifier,
        password,
        device: None,
        remember: Remember::Nothing,
        origin: None,
    };
    match ask(&engine, sign_in).await {
        Answer::Reply(Reply::Credential(CredentialReply::SignedIn(grant))) => (engine, grant),
        other => panic!("{other:?}"),
    }
}

async fn ask(engine: &Engine, task: Task) -> Answer {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let request = Request {
        context: Context {
            gateway: GatewayId::default(),
            max_age_ms: 0,
            known_epoch: 0,
            tenant: TenantId::of_name("default"),
            class: Class::Password,
            idempotency: None,
            deadline_ms: u64::MAX,
        },
        task,
    };
    let responder = Responder::new(move |given, _| drop(answer.send(given)));
    engine.submit(request, responder);
    answered.await.unwrap()
}
