//! What people cost in memory and what a check costs in time:
//! `cargo run --release -p tidegate-runtime --example people -- memory 200000 1`
//! (people, sessions each), `... -- hot 200000`, `... -- checks 1000000`,
//! `... -- insert 2000000`, `... -- sources 1000000`.
//!
//! Records are made by the account core and published the way a load does it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that is run by hand"
)]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tidegate_account::record::{Format, assemble, write};
use tidegate_account::{
    Account, ClaimedIdentifier, Command, Completion, CredentialCommand, CredentialReply, Effect,
    Entropy, Grant, Identifier, IdentifierKind, IndexHash, Input, LedBy, Password, PasswordCheck,
    PasswordHash, PasswordWork, Policy, Remember, Reply, SignIn, SignUp, Source, TenantId, Ticket,
    UserId,
};
use tidegate_runtime::ports::{Clock, Cpu, Entropy as _};
use tidegate_runtime::{
    Answer, Ask, Class, Context, Costs, Engine, Field, Formats, GatewayId, HashingOptions,
    HashingPool, IndexKey, IndexKeys, Key, Limits, Origin, OsEntropy, Outcome, Ownership, Parts,
    Peppers, Request, Responder, Retention, SealContext, SystemClock, Task, Tenant, Tenants,
};
use tidegate_storage_api::{
    Commit, Key as RowKey, KeyRange, MemoryStore, PersonPart, Region, Stamp, Store, StoreFuture,
};
use tokio::runtime::Runtime;

/// A store that makes the person it is asked for, so that only the engine's
/// memory grows.
struct MadeUp {
    template: Template,
    fences: MemoryStore,
}

struct Template {
    policy: Policy,
    tenant_key: Key,
    cpu: Arc<dyn Cpu>,
    now_ms: u64,
    sessions: usize,
}

fn tenant() -> TenantId {
    TenantId::of_name("default")
}

fn user(number: u64) -> UserId {
    let mut random = [0; 16];
    let mixed = (number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    random[8..].copy_from_slice(&mixed.to_be_bytes());
    random[4..8].copy_from_slice(&u32::try_from(number).unwrap().to_be_bytes());
    UserId::new(1, u16::try_from(mixed >> 52).unwrap(), random)
}

fn seed(number: u64, step: u64) -> Entropy {
    Entropy::new(tidegate_account::tagged(
        "people",
        &[&number.to_le_bytes(), &step.to_le_bytes()],
    ))
}

fn number_of(user: &[u8]) -> u64 {
    u64::from(u32::from_be_bytes(user[4..8].try_into().unwrap()))
}

impl Template {
    /// The person with this number after a sign-up and sign-ins long enough
    /// ago that no outcome is kept for repeats.
    fn account(&self, number: u64) -> (Account, Vec<Grant>) {
        let mut account = Account::absent(user(number));
        let mut grants = Vec::new();
        let password = Password::parse("correct horse").unwrap();
        let email = format!("person-{number}@example.com");
        let sign_up = SignUp {
            identifiers: vec![ClaimedIdentifier {
                identifier: Identifier::parse(IdentifierKind::Email, &email).unwrap(),
                hash: IndexHash(tidegate_account::tagged("index", &[&number.to_le_bytes()])),
                key_version: 1,
                older: Vec::new(),
                reservation: None,
            }],
            password: password.clone(),
        };
        let mut commands = vec![Command::Credential(CredentialCommand::SignUp(sign_up))];
        for _ in 0..self.sessions {
            commands.push(Command::Credential(CredentialCommand::SignIn(SignIn {
                password: password.clone(),
                device: None,
                remember: Remember::Nothing,
                source: Source::Clear,
                led_by: LedBy::Id,
            })));
        }
        for (step, command) in (0..).zip(commands) {
            let request = tidegate_account::Request {
                ticket: Ticket(step),
                tenant: tenant(),
                idempotency: None,
            };
            let input = Input::Command(request, command);
            let seed_of = |half| seed(number, step * 2 + half);
            let output = account.handle(self.now_ms, seed_of(0), &self.policy, input);
            let Effect::Hash { work, .. } = &output.effects[0] else {
                continue;
            };
            let completion = match work {
                PasswordWork::New { salt, policy, .. } => Completion::Hashed(PasswordHash {
                    memory_kib: policy.memory_kib,
                    passes: policy.passes,
                    lanes: policy.lanes,
                    pepper_key: policy.pepper_key,
                    salt: *salt,
                    output: [5; 48],
                }),
                PasswordWork::Compare { .. } => Completion::Verified(PasswordCheck::Match),
            };
            let pending = output.effects[0].pending();
            let done = Input::Completion {
                pending,
                completion,
            };
            let output = account.handle(self.now_ms, seed_of(1), &self.policy, done);
            for (_, reply) in output.replies {
                if let Reply::Credential(CredentialReply::SignedIn(grant)) = reply {
                    grants.push(grant);
                }
            }
        }
        (account, grants)
    }

    fn rows(&self, number: u64) -> (Bytes, Bytes) {
        let (account, _) = self.account(number);
        let (check, sealed) = account.parts().unwrap();
        let context = |field, revision| SealContext {
            tenant: tenant(),
            user: user(number),
            field,
            revision,
        };
        let key = Key::new(tidegate_account::tagged("key", &[&number.to_le_bytes()]));
        let wrapped = context(Field::PersonKey, 0)
            .wrap(&*self.cpu, &self.tenant_key, [3; 24], &key)
            .unwrap();
        let written = write(Format::NEWEST, check, sealed).unwrap();
        let sealed = context(Field::Record, check.revision)
            .seal_bound(&*self.cpu, &key, [4; 24], written.bound(), &written.plain)
            .unwrap();
        let record = assemble(written.clear, &sealed).unwrap();
        (record.into(), wrapped.0.to_vec().into())
    }
}

impl Store for MadeUp {
    fn get(&self, key: RowKey) -> StoreFuture<Option<Bytes>> {
        let bytes = key.as_bytes();
        let asked = match bytes[3] {
            0x10 if matches!(PersonPart::of(&key), Some((_, PersonPart::Record))) => {
                Some(self.template.rows(number_of(&bytes[4..20])).0)
            }
            0x11 => Some(self.template.rows(number_of(&bytes[4..20])).1),
            _ => return self.fences.get(key),
        };
        Box::pin(async { Ok(asked) })
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(RowKey, Bytes)>> {
        self.fences.range(range, limit)
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        self.fences.commit(commit)
    }
}

struct World {
    runtime: Runtime,
    engine: Engine,
    template: Template,
}

/// A world in which everybody exists.
fn world(sessions: usize) -> World {
    world_on(sessions, |template| {
        Arc::new(MadeUp {
            template,
            fences: MemoryStore::new(),
        })
    })
}

fn world_on(sessions: usize, store_of: impl FnOnce(Template) -> Arc<dyn Store>) -> World {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let options = HashingOptions {
        threads: 1,
        waiting_max: 10_000_000,
    };
    let peppers = Arc::new(Peppers::default());
    peppers.add(1, Key::new([1; 32]));
    let cpu: Arc<dyn Cpu> = Arc::new(HashingPool::start(options, peppers, clock.clone()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let tenant_key = Key::new(OsEntropy.seed());
    let template = || Template {
        policy: Policy::default(),
        tenant_key: tenant_key.clone(),
        cpu: cpu.clone(),
        now_ms: clock.unix_ms() - 600_000,
        sessions,
    };
    let store = store_of(template());
    let ownership = runtime.block_on(Ownership::claim_all(Region::FIRST, &*store));
    let tenants = Arc::new(Tenants::default());
    tenants.put(Tenant {
        id: tenant(),
        name: "default".into(),
        keys: vec![tenant_key.clone()],
        policy: Policy::default(),
        home: None,
        costs: Costs::default(),
    });
    let limits = Limits {
        commands: 10_000_000,
        ..Limits::default()
    };
    let parts = Parts {
        store,
        ownership: Arc::new(ownership.unwrap()),
        tenants,
        index_keys: Arc::new(IndexKeys::new(IndexKey {
            version: 1,
            key: Key::new([2; 32]),
        })),
        formats: Arc::new(Formats::new(u16::MAX)),
        regions: None,
        degraded_states: tidegate_runtime::DegradedStates::in_memory(),
        delivery: Arc::new(tidegate_runtime::ports::NoDelivery),
        retention: Retention::default(),
        limits,
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        cpu: cpu.clone(),
    };
    let engine = Engine::start(parts, runtime.handle().clone());
    World {
        runtime,
        engine,
        template: template(),
    }
}

fn ask_of(grant: &Grant) -> Ask {
    Ask {
        max_age_ms: 0,
        tenant: tenant(),
        user: grant.user,
        session: grant.session,
        secret: grant.session_secret(),
    }
}

impl World {
    /// Makes people warm through the engine, as a first check does.
    fn warm(&self, people: std::ops::Range<u64>, mut each: impl FnMut(std::time::Duration)) {
        self.runtime.block_on(async {
            for number in people {
                let ask = Ask {
                    max_age_ms: 0,
                    tenant: tenant(),
                    user: user(number),
                    session: tidegate_account::SessionId(0),
                    secret: tidegate_account::Secret::new([0; 24]),
                };
                let (answer, answered) = tokio::sync::oneshot::channel();
                let started = Instant::now();
                self.engine.submit(
                    Request {
                        context: Context {
                            gateway: GatewayId::default(),
                            max_age_ms: 0,
                            known_epoch: 0,
                            tenant: tenant(),
                            class: Class::Check,
                            idempotency: None,
                            deadline_ms: u64::MAX,
                        },
                        task: Task::Check(ask),
                    },
                    Responder::new(move |given, _| drop(answer.send(given))),
                );
                match answered.await.unwrap() {
                    Answer::Checked(Outcome::No(_)) => each(started.elapsed()),
                    other => panic!("{other:?}"),
                }
            }
        });
    }
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * u64::try_from(rustix::param::page_size()).unwrap()
}

fn memory(people: u64, sessions: usize) {
    let world = world(sessions);
    world.warm(0..1_000, |_| {});
    let record = world.template.rows(0).0.len();
    let before = resident_bytes();
    world.warm(1_000..people + 1_000, |_| {});
    let grown = resident_bytes() - before;
    println!(
        "{people} warm people with {sessions} sessions: {} bytes each (record {record} bytes)",
        grown / people
    );
}

fn hot(people: u64) {
    let world = world(1);
    world.warm(0..people, |_| {});
    let before = resident_bytes();
    // Sign-ups of nobody's identifier wait for the one hashing thread: their
    // actors stay hot with one command each.
    let engine = &world.engine;
    let mut waiting = Vec::new();
    for number in 0..people {
        let (_, grants) = world.template.account(number);
        let (answer, answered) = tokio::sync::oneshot::channel();
        let sign_in = SignIn {
            password: Password::parse("wrong horse").unwrap(),
            device: None,
            remember: Remember::Nothing,
            source: Source::Clear,
            led_by: LedBy::Id,
        };
        engine.submit(
            Request {
                context: Context {
                    gateway: GatewayId::default(),
                    max_age_ms: 0,
                    known_epoch: 0,
                    tenant: tenant(),
                    class: Class::Protection,
                    idempotency: None,
                    deadline_ms: u64::MAX,
                },
                task: Task::Account {
                    user: grants[0].user,
                    command: Command::Credential(CredentialCommand::SignIn(sign_in)),
                },
            },
            Responder::new(move |given, _| drop(answer.send(given))),
        );
        waiting.push(answered);
    }
    while engine.hot_people() + 2_000 < usize::try_from(people).unwrap() {
        std::thread::yield_now();
    }
    let hot = u64::try_from(engine.hot_people()).unwrap();
    let grown = resident_bytes() - before;
    println!(
        "{hot} hot people, each verifying a password: {} bytes each",
        grown / hot
    );
    std::process::exit(0);
}

fn checks(people: u64) {
    let world = world(1);
    world.warm(0..people, |_| {});
    let sample: Vec<Ask> = (0..50_000)
        .map(|n| {
            let number = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) % people;
            ask_of(&world.template.account(number).1[0])
        })
        .collect();
    for _ in 0..5 {
        let started = Instant::now();
        let mut active = 0u64;
        for ask in &sample {
            let (outcome, _) = world.engine.check(ask).unwrap();
            active += u64::from(matches!(outcome, Outcome::Yes(_)));
        }
        let took = started.elapsed();
        assert_eq!(active, sample.len() as u64);
        let ns = took.as_nanos() as f64 / sample.len() as f64;
        println!(
            "{people} warm people: {ns:.0} ns a check, {:.2} million checks/s on one core",
            1_000.0 / ns
        );
    }
}

fn insert(people: u64) {
    let world = world(1);
    let mut slowest = std::time::Duration::ZERO;
    let mut total = std::time::Duration::ZERO;
    world.warm(0..people, |took| {
        slowest = slowest.max(took);
        total += took;
    });
    let mean = total / u32::try_from(people).unwrap();
    println!("{people} people made warm one after another: slowest {slowest:?}, mean {mean:?}");
}

/// Guesses at one account from ever new sources: what the engine holds of them.
fn sources(sources: u64) {
    let world = world_on(1, |_| Arc::new(MemoryStore::new()));
    let guess = |number: u64| {
        let [.., a, b, c, d] = number.to_be_bytes();
        let task = Task::SignIn {
            identifier: Identifier::parse(IdentifierKind::Username, "somebody").unwrap(),
            password: Password::parse("wrong horse").unwrap(),
            device: None,
            remember: Remember::Nothing,
            origin: Some(Origin::V4([a, b, c, d])),
        };
        let (answer, answered) = tokio::sync::oneshot::channel();
        world.engine.submit(
            Request {
                context: Context {
                    gateway: GatewayId::default(),
                    max_age_ms: 0,
                    known_epoch: 0,
                    tenant: tenant(),
                    class: Class::Password,
                    idempotency: None,
                    deadline_ms: u64::MAX,
                },
                task,
            },
            Responder::new(move |given, _| drop(answer.send(given))),
        );
        world.runtime.block_on(answered).unwrap()
    };
    for number in 0..1_000 {
        guess(number);
    }
    let before = resident_bytes();
    for number in 1_000..sources + 1_000 {
        assert!(matches!(guess(number), Answer::Reply(Reply::No(_))));
    }
    let grown = resident_bytes() - before;
    println!(
        "{sources} sources with one guess each: {} MiB more, {} bytes each",
        grown >> 20,
        grown / sources
    );
}

fn main() {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_default();
    let people = args.next().map_or(200_000, |n| n.parse().unwrap());
    match what.as_str() {
        "memory" => memory(people, args.next().map_or(1, |n| n.parse().unwrap())),
        "hot" => hot(people),
        "checks" => checks(people),
        "insert" => insert(people),
        "sources" => sources(people),
        _ => println!(
            "memory PEOPLE SESSIONS | hot PEOPLE | checks PEOPLE | insert PEOPLE | sources SOURCES"
        ),
    }
}
