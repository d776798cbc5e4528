//! Many real people in a node's folder, made by the engine itself with cheap
//! password hashes, and the session tokens of some of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tidegate_account::{
    Identifier, IdentifierKind, Password, Policy, Remember, Reply, TenantId, UserId,
};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{
    Answer, Class, Costs, Engine, Field, HashingOptions, HashingPool, IndexKey, IndexKeys, Key,
    Limits, LocalMaster, Master, OsEntropy, Ownership, Parts, Peppers, Request, Responder,
    Retention, SealContext, SystemClock, Task, Tenant, Tenants, WrappedKey,
};
use tidegate_storage_api::{KeyRange, Region, Store};
use tidegate_storage_fjall::{FjallStore, Options};
use tidegate_wire::{RefreshToken, SecretBytes, SessionToken};
use tokio::sync::oneshot;

pub(crate) const PASSWORD: &str = "correct horse";
/// People who are signed in.
pub(crate) const SESSIONS: u64 = 20_000;
const AT_ONCE: usize = 2_048;

pub(crate) fn name(number: u64) -> String {
    format!("person-{number}")
}

/// Session and refresh tokens of those who are signed in.
pub(crate) fn tokens(dir: &Path) -> Vec<(SessionToken, RefreshToken)> {
    let text = std::fs::read_to_string(dir.join("tokens")).unwrap();
    let pair = |line: &str| {
        let (session, refresh) = line.split_once(' ').unwrap();
        (session.parse().unwrap(), refresh.parse().unwrap())
    };
    text.lines().map(pair).collect()
}

/// Makes a folder with so many people, in a process of its own, so that its
/// memory and files are given back.
pub(crate) fn folder(people: u64) -> (tempfile::TempDir, std::path::PathBuf) {
    let scratch = tempfile::tempdir_in(".").unwrap();
    let dir = crate::node::init(scratch.path());
    let made = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["people", &people.to_string()])
        .arg(&dir)
        .status();
    assert!(made.unwrap().success());
    (scratch, dir)
}

fn key(dir: &Path, name: &str) -> Key {
    let bytes = std::fs::read(dir.join(format!("secrets/{name}.key"))).unwrap();
    Key::new(bytes.try_into().unwrap())
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// The key of the tenant `default`, from its row.
async fn tenant_key(dir: &Path, store: &dyn Store) -> Key {
    let rows = store.range(KeyRange::tenants(), 10).await.unwrap();
    let row: serde_json::Value = serde_json::from_slice(&rows[0].1).unwrap();
    let wrapped = unhex(row["wrapped_keys"][0].as_str().unwrap());
    let context = SealContext {
        tenant: TenantId::of_name("default"),
        user: UserId::from_bytes([0; 16]),
        field: Field::TenantKey,
        revision: 0,
    };
    let master = LocalMaster::new(key(dir, "master-1"));
    let wrapped = WrappedKey(wrapped.try_into().unwrap());
    master.unwrap(&context, &wrapped).unwrap()
}

async fn engine(dir: &Path) -> Engine {
    let store = Arc::new(FjallStore::open(&dir.join("store"), &Options::default()).unwrap());
    let mut policy = Policy::default();
    policy.password.memory_kib = 8;
    policy.password.passes = 1;
    let tenants = Arc::new(Tenants::default());
    tenants.put(Tenant {
        id: TenantId::of_name("default"),
        name: "default".into(),
        keys: vec![tenant_key(dir, &*store).await],
        policy,
        costs: Costs::default(),
    });
    let peppers = Arc::new(Peppers::default());
    peppers.add(1, key(dir, "pepper-1"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let options = HashingOptions {
        threads: 2,
        waiting_max: 2 * AT_ONCE,
    };
    let parts = Parts {
        ownership: Ownership::claim_all(Region::FIRST, &*store).await.unwrap(),
        store,
        tenants,
        index_keys: Arc::new(IndexKeys::new(IndexKey {
            version: 1,
            key: key(dir, "index-1"),
        })),
        retention: Retention::default(),
        limits: Limits::default(),
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        cpu: Arc::new(HashingPool::start(options, peppers, clock).unwrap()),
    };
    Engine::start(parts, tokio::runtime::Handle::current())
}

fn ask(engine: &Engine, class: Class, task: Task) -> oneshot::Receiver<Answer> {
    let (answer, answered) = oneshot::channel();
    let request = Request {
        tenant: TenantId::of_name("default"),
        class,
        idempotency: None,
        deadline_ms: u64::MAX,
        task,
    };
    engine.submit(
        request,
        Responder::new(move |given, _| drop(answer.send(given))),
    );
    answered
}

/// Asks about everybody, many at once, and takes every answer.
async fn everybody(
    engine: &Engine,
    people: u64,
    class: Class,
    task: impl Fn(Identifier, Password) -> Task,
    mut take: impl FnMut(Reply),
) {
    let mut waiting = FuturesUnordered::new();
    for number in 0..people {
        if waiting.len() >= AT_ONCE
            && let Some(Ok(Answer::Reply(reply))) = waiting.next().await
        {
            take(reply);
        }
        let identifier = Identifier::parse(IdentifierKind::Username, &name(number)).unwrap();
        let password = Password::parse(PASSWORD).unwrap();
        waiting.push(ask(engine, class, task(identifier, password)));
    }
    while let Some(answer) = waiting.next().await {
        match answer {
            Ok(Answer::Reply(reply)) => take(reply),
            other => panic!("{other:?}"),
        }
    }
}

async fn make(people: u64, dir: &Path) {
    let engine = engine(dir).await;
    let sign_up = |identifier, password| Task::SignUp {
        identifiers: vec![identifier],
        password,
        origin: None,
    };
    let mut made = 0;
    everybody(&engine, people, Class::Protection, sign_up, |reply| {
        made += u64::from(matches!(reply, Reply::SignedUp(_)));
    })
    .await;
    assert_eq!(made, people);
    let sign_in = |identifier, password| Task::SignIn {
        identifier,
        password,
        device: None,
        remember: Remember::Nothing,
        origin: None,
    };
    let mut text = String::new();
    let signed_in = SESSIONS.min(people);
    everybody(&engine, signed_in, Class::Protection, sign_in, |reply| {
        let Reply::SignedIn(grant) = reply else {
            panic!("{reply:?}");
        };
        let user = tidegate_wire::UserId(*grant.user.as_bytes());
        let session = SessionToken {
            user,
            session: grant.session.0,
            secret: SecretBytes(*grant.session_secret().expose()),
        };
        let refresh = RefreshToken {
            user,
            session: grant.session.0,
            family: SecretBytes(*grant.family.expose()),
            secret: SecretBytes(*grant.refresh.expose()),
        };
        text += &format!("{} {}\n", *session.to_text(), *refresh.to_text());
    })
    .await;
    std::fs::write(dir.join("tokens"), text).unwrap();
}

pub(crate) fn populate(people: u64, dir: &Path) {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(make(people, dir));
    runtime.shutdown_background();
    println!(
        "{people} people made in {:.0} s",
        started.elapsed().as_secs_f64()
    );
}
