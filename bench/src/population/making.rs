//! Making people.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tidegate_account::{
    CredentialReply, Grant, Identifier, IdentifierKind, Password, Policy, Remember, Reply,
    TenantId, UserId,
};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{
    Answer, Class, Costs, Engine, Field, Formats, GatewayId, HashingOptions, HashingPool, IndexKey,
    IndexKeys, Key, Limits, LocalMaster, Master, OsEntropy, Ownership, Parts, Peppers, Request,
    Responder, Retention, SealContext, SystemClock, Task, Tenant, Tenants, WrappedKey,
};
use tidegate_storage_api::{KeyRange, Region, Store};
use tidegate_storage_fjall::{FjallStore, Options};
use tidegate_wire::SecretBytes;
use tokio::sync::oneshot;

use super::{Person, write};

/// Every person's password.
pub(crate) const PASSWORD: &str = "correct horse";
const AT_ONCE: usize = 2_048;

/// A person's user name.
pub(crate) fn name(number: usize) -> String {
    format!("person-{number}")
}

fn key(dir: &Path, name: &str) -> anyhow::Result<Key> {
    let path = dir.join(format!("secrets/{name}.key"));
    let bytes = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
    let bytes = bytes.try_into();
    Ok(Key::new(bytes.ok().context("a key has 32 bytes")?))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

/// The key of the tenant `default`, from its row.
async fn tenant_key(dir: &Path, store: &dyn Store) -> anyhow::Result<Key> {
    let rows = store.range(KeyRange::tenants(), 1).await?;
    let row = &rows.first().context("no tenant")?.1;
    let row: serde_json::Value = serde_json::from_slice(row)?;
    let wrapped = row["wrapped_keys"][0].as_str().and_then(unhex);
    let wrapped = wrapped.and_then(|bytes| bytes.try_into().ok());
    let wrapped = WrappedKey(wrapped.context("the tenant's row cannot be read")?);
    let context = SealContext {
        tenant: TenantId::of_name("default"),
        user: UserId::from_bytes([0; 16]),
        field: Field::TenantKey,
        revision: 0,
    };
    let master = LocalMaster::new(key(dir, "master-1")?);
    Ok(master.unwrap(&context, &wrapped)?)
}

/// How long a session may rest, as the folder's configuration says.
fn configured_idle_ms(dir: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(dir.join("config.toml"))?;
    let config: toml::Table = toml::from_str(&text)?;
    let idle_ms = config
        .get("sessions")
        .and_then(|sessions| sessions.get("idle_ms"));
    let idle_ms = idle_ms.and_then(toml::Value::as_integer);
    let idle_ms = idle_ms.and_then(|ms| u64::try_from(ms).ok());
    idle_ms.context("config.toml has no sessions.idle_ms")
}

async fn engine(dir: &Path) -> anyhow::Result<Engine> {
    let store = Arc::new(FjallStore::open(&dir.join("store"), &Options::default())?);
    let mut policy = Policy::default();
    policy.session.idle_ms = configured_idle_ms(dir)?;
    policy.password.memory_kib = 8;
    policy.password.passes = 1;
    // Nobody guesses here, and all come from one place.
    for bound in [&mut policy.source, &mut policy.sign_ups, &mut policy.crowd] {
        bound.free = 0;
    }
    let tenants = Arc::new(Tenants::default());
    tenants.put(Tenant {
        id: TenantId::of_name("default"),
        name: "default".into(),
        keys: vec![tenant_key(dir, &*store).await?],
        policy,
        home: None,
        costs: Costs::default(),
    });
    let peppers = Arc::new(Peppers::default());
    peppers.add(1, key(dir, "pepper-1")?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let options = HashingOptions {
        threads: 2,
        waiting_max: 2 * AT_ONCE,
    };
    let parts = Parts {
        ownership: Arc::new(Ownership::claim_all(Region::FIRST, &*store).await?),
        store,
        tenants,
        index_keys: Arc::new(IndexKeys::new(IndexKey {
            version: 1,
            key: key(dir, "index-1")?,
        })),
        formats: Arc::new(Formats::new(1)),
        regions: None,
        degraded_states: tidegate_runtime::DegradedStates::in_memory(),
        delivery: Arc::new(tidegate_runtime::ports::NoDelivery),
        retention: Retention::default(),
        limits: Limits::default(),
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        cpu: Arc::new(HashingPool::start(options, peppers, clock)?),
    };
    Ok(Engine::start(parts, tokio::runtime::Handle::current()))
}

fn ask(engine: &Engine, task: Task) -> oneshot::Receiver<Answer> {
    let (answer, answered) = oneshot::channel();
    let request = Request {
        context: tidegate_runtime::Context {
            gateway: GatewayId::default(),
            max_age_ms: 0,
            known_epoch: 0,
            tenant: TenantId::of_name("default"),
            class: Class::Protection,
            idempotency: None,
            deadline_ms: u64::MAX,
        },
        task,
    };
    let responder = Responder::new(move |given, _| drop(answer.send(given)));
    engine.submit(request, responder);
    answered
}

/// Asks about every person, many at once; the answers in the people's order.
async fn everybody(
    engine: &Engine,
    people: usize,
    task: impl Fn(Identifier, Password) -> Task,
    mut take: impl FnMut(Reply) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut waiting = FuturesOrdered::new();
    let mut take = |answer: Result<Answer, _>| match answer {
        Ok(Answer::Reply(reply)) => take(reply),
        other @ (Ok(
            Answer::Checked(_) | Answer::DegradedDecision { .. } | Answer::Done | Answer::Failed(_),
        )
        | Err(_)) => bail!("a person was not made: {other:?}"),
    };
    for number in 0..people {
        if waiting.len() >= AT_ONCE
            && let Some(answer) = waiting.next().await
        {
            take(answer)?;
        }
        let identifier = Identifier::parse(IdentifierKind::Username, &name(number));
        let identifier = identifier.ok().context("a user name")?;
        let password = Password::parse(PASSWORD).ok().context("a password")?;
        waiting.push_back(ask(engine, task(identifier, password)));
    }
    while let Some(answer) = waiting.next().await {
        take(answer)?;
    }
    Ok(())
}

async fn populate(dir: &Path, people: usize) -> anyhow::Result<Vec<Person>> {
    let engine = engine(dir).await?;
    let sign_up = |identifier, password| Task::SignUp {
        identifiers: vec![identifier],
        password,
        origin: None,
    };
    everybody(&engine, people, sign_up, |reply| {
        ensure!(
            matches!(reply, Reply::Credential(CredentialReply::SignedUp(_))),
            "{reply:?}"
        );
        Ok(())
    })
    .await?;
    let sign_in = |identifier, password| Task::SignIn {
        identifier,
        password,
        device: None,
        remember: Remember::Nothing,
        origin: None,
    };
    let mut all = Vec::with_capacity(people);
    everybody(&engine, people, sign_in, |reply| {
        let Reply::Credential(CredentialReply::SignedIn(grant)) = &reply else {
            bail!("{reply:?}");
        };
        all.push(holding(grant));
        Ok(())
    })
    .await?;
    Ok(all)
}

fn holding(grant: &Grant) -> Person {
    Person {
        user: *grant.user.as_bytes(),
        session: grant.session.0,
        secret: SecretBytes(*grant.session_secret().expose()),
        family: SecretBytes(*grant.family.expose()),
        refresh: SecretBytes(*grant.refresh.expose()),
    }
}

/// Puts so many people into a folder that was made before.
pub(crate) fn make(dir: &Path, people: usize) -> anyhow::Result<()> {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let all = runtime.block_on(populate(dir, people))?;
    runtime.shutdown_background();
    write(dir, &all)?;
    eprintln!(
        "{people} people made in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
