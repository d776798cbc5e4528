//! A world: assembled from a scenario, a calibration and a seed, and played.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tidegate_account::credential::passkey::{Framing, RelyingParty, UserVerification};
use tidegate_account::{NoticePolicy, PasskeyPolicy, Policy, SessionPolicy, UserId};
use tidegate_storage_api::StoreError;
use tidegate_storage_simulated::{Cluster, Genesis, Load, Slowness, Whom};
use tokio::runtime::{Builder, RngSeed, Runtime};

use crate::agenda::Agenda;
use crate::book::Book;
use crate::calibration::{Calibration, POOLS};
use crate::gateway::{Gateway, Why};
use crate::invariants::Invariants;
use crate::machine::{Machine, Shape};
use crate::mailbox::{Mailbox, Usage, listed};
use crate::network::{IDLE_NS, Network};
use crate::node::{Glance, Journals, Making, Node, Running, StartError};
use crate::people::{Keys, People};
use crate::plant::Plant;
use crate::ports::{NodeCpu, StoreSide};
use crate::quic::{QuicError, Wires};
use crate::random::{Stream, to_u64};
use crate::scenario::{Given, Scenario, Spray, Transport, Visit, What};
use crate::trace::{Happened, Trace};
use crate::visits::Crowd;

/// Until then the nodes get ready.
const READY_NS: u64 = 10_000_000_000;
/// So many people a second are made warm before the night begins.
const WARMED_PER_S: u64 = 20_000;
const SECOND_NS: u64 = 1_000_000_000;

/// After the night messages have so long to leave.
const SETTLED_NS: u64 = 300 * SECOND_NS;
/// So long a node may take to list what is undelivered.
const LISTED_NS: u64 = 60 * SECOND_NS;

/// Why a world could not be played.
#[derive(Debug, Error)]
pub enum WorldError {
    /// The tasks' runtime cannot be had.
    #[error("the runtime cannot be started: {0}")]
    Runtime(std::io::Error),
    /// A node was not ready when the night began.
    #[error("a node was not ready within {READY_NS} ns")]
    NotReady,
    /// QUIC cannot be set up.
    #[error(transparent)]
    Quic(#[from] QuicError),
}

/// A runtime for one world: one thread, a paused clock, a fixed order.
pub(crate) fn runtime(seed: u64) -> Result<Runtime, WorldError> {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .rng_seed(RngSeed::from_bytes(&seed.to_le_bytes()))
        .build()
        .map_err(WorldError::Runtime)
}

/// What the fleet and the store looked like at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) nodes: Vec<Glance>,
    /// What gateways' own cores did, where they are known.
    pub(crate) gateways_ns: u64,
    pub(crate) store: Load,
}

/// A world that was played.
pub struct Played {
    /// Everything that the outside saw, as one number.
    pub trace_hash: u64,
    /// How much that is.
    pub trace_length: u64,
    pub(crate) seed: u64,
    pub(crate) book: Arc<Book>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) virtual_s: f64,
}

struct World {
    making: Making,
    nodes: Running,
    gateways: Vec<Arc<Gateway>>,
    crowd: Arc<Crowd>,
    lives: AtomicU64,
    visiting: AtomicU64,
    /// How many faults keep a node away at the moment: they overlap.
    away: Mutex<BTreeMap<u32, u32>>,
}

/// Plays a scenario. `progress` is told the share that is done, now and then.
///
/// # Errors
/// [`WorldError`].
pub fn play(
    given: &Given,
    calibration: &Calibration,
    seed: u64,
    progress: &dyn Fn(f64),
) -> Result<Played, WorldError> {
    play_with(given, calibration, seed, Plant::None, progress)
}

/// The same with a bug planted.
///
/// # Errors
/// [`WorldError`].
pub fn play_with(
    given: &Given,
    calibration: &Calibration,
    seed: u64,
    plant: Plant,
    progress: &dyn Fn(f64),
) -> Result<Played, WorldError> {
    plant.take_root();
    let runtime = runtime(seed)?;
    let played = runtime.block_on(async {
        let world = World::make(&given.scenario, calibration, seed, plant)?;
        let inputs = [seed, given.hash, calibration.hash];
        world.making.trace.note(0, Happened::Given, &inputs);
        world.play(&given.scenario, progress).await
    });
    // What still waits in it never ends by itself.
    runtime.shutdown_timeout(Duration::ZERO);
    played
}

impl World {
    fn make(
        scenario: &Scenario,
        calibration: &Calibration,
        seed: u64,
        plant: Plant,
    ) -> Result<Arc<World>, WorldError> {
        let agenda = Agenda::default();
        let stream = |name: &str| Stream::new(seed, name, 0);
        let trace = Arc::new(Trace::default());
        let keys = Keys::new(seed);
        let policy = Policy {
            session: SessionPolicy {
                idle_ms: scenario.nodes.session_idle_s.ms(),
                ..Policy::default().session
            },
            notices: match scenario.ask.mailed_code.0 {
                0 => NoticePolicy::None,
                _ => NoticePolicy::Mail {
                    app: "Night".into(),
                },
            },
            passkeys: (scenario.ask.passkey.0 > 0).then(relying_party),
            ..Policy::default()
        };
        let people = Arc::new(People::new(
            seed,
            (scenario.people.0, scenario.active().0),
            policy.clone(),
            keys.clone(),
            sealing_alone(&agenda, &trace, calibration),
        ));
        let side = StoreSide {
            agenda: agenda.clone(),
            stream: stream("store"),
        };
        let genesis: Arc<dyn Genesis> = people.clone();
        let cluster = Cluster::new(
            Arc::new(side),
            scenario.store.costs(calibration),
            Some(genesis),
        );
        let network = Arc::new(Network::new(
            scenario.network.delay_us.latency(),
            (
                scenario.network.loss_percent.0,
                scenario.network.double_percent.0,
            ),
            stream("network"),
        ));
        cluster.leave_unknown(scenario.store.unknown());
        let begins_ns = origin_ns(scenario) + scenario.warm_up_s.ns();
        let calm_ns = scenario
            .calm_from_s
            .map(|calm| origin_ns(scenario) + calm.ns());
        let book = Arc::new(Book::new(
            origin_ns(scenario),
            begins_ns,
            calm_ns,
            scenario.people.0,
        ));
        let mailbox = Mailbox::new(
            seed,
            agenda.clone(),
            Arc::clone(&trace),
            Arc::clone(&book),
            usage(scenario),
        );
        let running = Running::default();
        let invariants = Invariants::new(Arc::clone(&book), agenda.clone(), Arc::clone(&people));
        cluster.show(Arc::new(invariants));
        let count = scenario.gateways.count.0;
        let names: Vec<String> = (1..=count)
            .map(|number| format!("gateway-{number}"))
            .collect();
        let wires = match scenario.network.transport {
            Transport::Streams => None,
            Transport::Quic => {
                let (agenda, network) = (agenda.clone(), Arc::clone(&network));
                let datagram_ns = calibration.costs.datagram_ns;
                Some(Wires::new(seed, agenda, network, datagram_ns)?)
            }
        };
        let gateways = names.iter().zip(0..).map(|(name, number)| {
            let (network, book) = (Arc::clone(&network), Arc::clone(&book));
            let gateway = Gateway::new(name.clone(), agenda.clone(), network, book, plant);
            let stalls = Stream::new(seed, "gateway-stalls", number);
            Ok(match (scenario.gateways.packing, &wires) {
                (Some(packing), _) => gateway.packing(&calibration.costs, packing, stalls),
                (None, Some(wires)) => {
                    gateway.over_quic(wires.gateway(number)?, Arc::clone(&trace))
                }
                (None, None) => gateway,
            })
        });
        let gateways = gateways.collect::<Result<Vec<_>, QuicError>>()?;
        let numbers: Vec<u64> = (1..=scenario.nodes.count.0).collect();
        let clients = gateways.iter().zip(0..).map(|(gateway, number)| {
            gateway.client(
                &numbers,
                scenario.gateways.streams.usize(),
                (
                    scenario.gateways.deadline_ms.u32(),
                    scenario.gateways.hedge_ms.map(|hedge| hedge.u32()),
                ),
                Stream::new(seed, "client", number),
            )
        });
        let crowd = Arc::new(Crowd {
            agenda: agenda.clone(),
            book,
            trace: Arc::clone(&trace),
            people,
            clients: clients.collect(),
            active: scenario.active().0,
            draw: scenario.draw.clone(),
            habits: scenario.habits.clone(),
            remember_percent: scenario.remember_percent.0,
            origin_ns: origin_ns(scenario),
            devices: Mutex::default(),
            returns: Mutex::default(),
            dates_apart_ms: scenario.dates_apart_ms(),
            silence_ms: scenario.silence_ms(),
            patience: scenario.patience,
            stream: stream("people"),
            again: stream("again"),
            ends_ns: origin_ns(scenario) + to_u64(scenario.length_s() * 1e9),
            holdings: Mutex::default(),
            newcomers: AtomicU64::new(0),
            policy: policy.clone(),
            at_once: scenario.at_once,
            seen: (!scenario.spray.is_empty()).then(|| Mutex::new(BTreeSet::new())),
            first_seen: AtomicU64::new(0),
            quiet_from_ns: match scenario.is_well() {
                true => Some(0),
                false => calm_ns,
            },
            places: scenario.gateways.places(),
            running: Arc::clone(&running),
            mailbox: Arc::clone(&mailbox),
            messages: stream("messages"),
            stale_ns: match scenario.nodes.count.0 + scenario.added() {
                1 => 0,
                _ => scenario.nodes.lease_ms.0 * 1_000_000,
            },
        });
        Ok(Arc::new(World {
            making: Making {
                seed,
                agenda,
                trace,
                costs: calibration.costs.clone(),
                nodes: scenario.nodes,
                store: scenario.store.kind,
                plant,
                policy,
                keys,
                cluster,
                network,
                gateways: names,
                journals: Journals::default(),
                mailbox,
                wires,
            },
            nodes: running,
            gateways,
            crowd,
            lives: AtomicU64::new(0),
            visiting: AtomicU64::new(0),
            away: Mutex::default(),
        }))
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Arc<Node>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(self: Arc<World>, number: u64) -> Result<(), StartError> {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let node = Node::start(self.making.clone(), number, life).await?;
        {
            let mut nodes = self.nodes();
            nodes.retain(|other| other.number != number);
            nodes.push(Arc::clone(&node));
            nodes.sort_by_key(|node| node.number);
        }
        for gateway in &self.gateways {
            gateway.connect(&node);
        }
        Ok(())
    }

    /// A node that was not there before.
    async fn come(self: Arc<World>, number: u64, at_ns: u64) {
        self.making.agenda.sleep_until(at_ns).await;
        self.keep_starting(number).await;
    }

    /// A node that cannot start now is tried again, as its supervisor would.
    async fn keep_starting(self: Arc<World>, number: u64) {
        while Arc::clone(&self).start(number).await.is_err() {
            self.making.agenda.sleep_ns(SECOND_NS).await;
        }
    }

    async fn play(
        self: Arc<World>,
        scenario: &Scenario,
        progress: &dyn Fn(f64),
    ) -> Result<Played, WorldError> {
        let agenda = self.making.agenda.clone();
        let starting: Vec<_> = (1..=scenario.nodes.count.0)
            .map(|number| tokio::spawn(Arc::clone(&self).keep_starting(number)))
            .collect();
        agenda.run(READY_NS).await;
        for one in starting {
            if !one.is_finished() {
                return Err(WorldError::NotReady);
            }
            one.await.map_err(|_| WorldError::NotReady)?;
        }
        let origin_ns = origin_ns(scenario);
        tokio::spawn(Arc::clone(&self).warm(warm_people(scenario)));
        agenda.run(origin_ns).await;
        for fault in &scenario.fault {
            self.plan(fault.what, origin_ns + fault.at_s.ns(), fault.for_s.ns());
        }
        let mut next = scenario.nodes.count.0;
        for add in &scenario.add {
            let at_ns = origin_ns + add.at_s.ns() + add.lead_s.ns();
            for _ in 0..add.nodes.0 {
                next += 1;
                tokio::spawn(Arc::clone(&self).come(next, at_ns));
            }
        }
        for spray in &scenario.spray {
            tokio::spawn(Arc::clone(&self).spray(*spray));
        }
        tokio::spawn(Arc::clone(&self).arrive(scenario.clone()));
        let length_s = scenario.length_s();
        let mut samples = vec![self.sample()];
        // A person who asks for the last time right before they give up is
        // answered, or not, a deadline later.
        let deadlines_s = 2.0 * f64::from(scenario.gateways.deadline_ms.u32()) / 1e3;
        let longest_s = length_s + scenario.patience.give_up_s.0 + deadlines_s + 10.0;
        let mut second = 0;
        loop {
            second += 1;
            let at_ns = origin_ns + second * SECOND_NS;
            agenda.run(at_ns).await;
            self.crowd.book.turn(at_ns);
            samples.push(self.sample());
            progress((second as f64 / length_s).min(1.0));
            let over = second as f64 >= length_s;
            let nobody = self.visiting.load(Ordering::Relaxed) == 0;
            if (over && nobody) || second as f64 >= longest_s {
                break;
            }
        }
        self.crowd.book.close(agenda.now_ns());
        if self.making.mailbox.is_in_use() {
            self.settle_messages().await;
        }
        let (trace_hash, trace_length) = self.making.trace.hash();
        Ok(Played {
            trace_hash,
            trace_length,
            seed: self.making.seed,
            book: Arc::clone(&self.crowd.book),
            samples,
            virtual_s: second as f64,
        })
    }

    /// Waits until everything that was posted has left or is listed, and judges it.
    async fn settle_messages(&self) {
        let (agenda, mailbox) = (&self.making.agenda, &self.making.mailbox);
        let until_ns = agenda.now_ns() + SETTLED_NS;
        loop {
            let listed = self.undelivered().await;
            let over = agenda.now_ns() >= until_ns;
            match listed {
                Ok(listed) if over || mailbox.is_settled(&listed) => {
                    return mailbox.judge(&listed);
                }
                Err(error) if over => {
                    let what = format!("what is undelivered cannot be listed: {error}");
                    return self.crowd.book.wrong(what);
                }
                Ok(_) | Err(_) => agenda.run(agenda.now_ns() + 10 * SECOND_NS).await,
            }
        }
    }

    /// What all nodes list as undelivered.
    async fn undelivered(&self) -> Result<BTreeSet<(UserId, u64)>, StoreError> {
        let agenda = &self.making.agenda;
        let mut nodes = self.nodes().clone();
        nodes.retain(|node| !node.machine.is_off());
        let lists = nodes.into_iter().map(|node| {
            let engine = node.engine.clone();
            tokio::spawn(async move { engine.undelivered(usize::MAX).await })
        });
        let lists: Vec<_> = lists.collect();
        let mut all = BTreeSet::new();
        for list in lists {
            let until_ns = agenda.now_ns() + LISTED_NS;
            while !list.is_finished() && agenda.now_ns() < until_ns {
                agenda.run(agenda.now_ns() + SECOND_NS).await;
            }
            if !list.is_finished() {
                list.abort();
                return Err(StoreError::Unavailable);
            }
            let rows = list.await.map_err(|_| StoreError::Unavailable)??;
            all.extend(listed(&rows));
        }
        Ok(all)
    }

    fn sample(&self) -> Sample {
        Sample {
            nodes: self.nodes().iter().map(|node| node.glance()).collect(),
            gateways_ns: self.gateways.iter().map(|gateway| gateway.used_ns()).sum(),
            store: self.making.cluster.load(),
        }
    }

    /// People who were there before the night began.
    async fn warm(self: Arc<World>, people: u64) {
        for person in 0..people {
            let at_ns = READY_NS + person * SECOND_NS / WARMED_PER_S;
            self.making.agenda.sleep_until(at_ns).await;
            tokio::spawn(Arc::clone(&self.crowd).warm(person));
        }
    }

    /// Visits begin at the curve's rate.
    async fn arrive(self: Arc<World>, scenario: Scenario) {
        let agenda = &self.making.agenda;
        let stream = Stream::new(self.making.seed, "arrivals", 0);
        let (greatest, length_s) = (scenario.curve.greatest(), scenario.length_s());
        if greatest <= 0.0 {
            return;
        }
        let origin_ns = origin_ns(&scenario);
        let mut at_ns = origin_ns;
        loop {
            // Thinning (Lewis, Shedler 1979).
            at_ns += stream.gap_ns(greatest);
            let at_s = (at_ns - origin_ns) as f64 / 1e9;
            if at_s >= length_s {
                return;
            }
            if stream.fraction() * greatest >= scenario.curve.rate_at(at_s) {
                continue;
            }
            agenda.sleep_until(at_ns).await;
            let visit = drawn(&scenario, &stream);
            let (crowd, world) = (Arc::clone(&self.crowd), Arc::clone(&self));
            world.visiting.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                crowd.visit(visit).await;
                world.visiting.fetch_sub(1, Ordering::Relaxed);
            });
        }
    }

    /// Attackers try their passwords; the night waits for their answers.
    async fn spray(self: Arc<World>, spray: Spray) {
        self.visiting.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.crowd).spray(spray).await;
        self.visiting.fetch_sub(1, Ordering::Relaxed);
    }

    fn plan(self: &Arc<World>, what: What, at_ns: u64, for_ns: u64) {
        let agenda = self.making.agenda.clone();
        let world = Arc::clone(self);
        tokio::spawn(async move {
            agenda.sleep_until(at_ns).await;
            world.note(what, 1);
            world.breaks(what, at_ns + for_ns);
            agenda.sleep_until(at_ns + for_ns).await;
            world.mend(what).await;
            world.note(what, 0);
        });
    }

    fn note(&self, what: What, begins: u64) {
        let words = tidegate_account::tagged("tg-sim-fault-1", &[what.words().as_bytes()]);
        let first = words
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let now_ns = self.making.agenda.now_ns();
        self.making
            .trace
            .note(now_ns, Happened::Fault, &[first, begins]);
    }

    fn node(&self, number: u32) -> Option<Arc<Node>> {
        let nodes = self.nodes();
        nodes
            .iter()
            .find(|node| node.number == u64::from(number))
            .cloned()
    }

    fn stop(&self, node: u32) {
        if let Some(node) = self.node(node) {
            node.kill();
            for gateway in &self.gateways {
                gateway.lose(node.number, Why::Dead);
            }
        }
    }

    /// A fault keeps a node away from now on.
    fn takes_away(&self, node: u32) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        *away.entry(node).or_default() += 1;
    }

    /// It is over; whether no other one lasts.
    fn may_come_back(&self, node: u32) -> bool {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = away.entry(node).or_default();
        *faults = faults.saturating_sub(1);
        *faults == 0
    }

    fn breaks(&self, what: What, until_ns: u64) {
        let cluster = &self.making.cluster;
        match what {
            What::Kill { node } => {
                self.takes_away(node);
                self.stop(node);
            }
            What::Pause { node } => {
                if let Some(node) = self.node(node) {
                    node.machine.pause(until_ns);
                }
            }
            What::CutOff { node } => cluster.cut_off(node),
            What::Drain { node } => {
                self.takes_away(node);
                if let Some(node) = self.node(node) {
                    node.leave();
                }
            }
            What::StoreDown => cluster.stop(),
            What::StoreSlow { times, node } => cluster.slow_down(slowness(times, node)),
            What::StoreRecovery => cluster.recover(),
            What::Unreachable { node } => {
                let (node, network) = (u64::from(node), &self.making.network);
                network.cut(node, until_ns);
                if until_ns - self.making.agenda.now_ns() >= IDLE_NS {
                    for gateway in &self.gateways {
                        gateway.lose(node, Why::Unreachable);
                    }
                }
            }
            What::NetworkSlow { times } => self.making.network.clog(to_u64(times * 100.0)),
            What::Date { node, by_s } => {
                if let Some(node) = self.node(node) {
                    node.clock.jump(by_s.saturating_mul(1_000));
                }
            }
            What::DestinationDown => self.making.mailbox.goes_away(),
        }
    }

    async fn mend(self: &Arc<World>, what: What) {
        let cluster = &self.making.cluster;
        match what {
            What::Kill { node } => {
                // One that was started meanwhile is left alone, and one that has
                // not come yet comes when it was asked for.
                let is_off = |node: Arc<Node>| node.machine.is_off();
                if !self.may_come_back(node) || !self.node(node).is_some_and(is_off) {
                    return;
                }
                Arc::clone(self).keep_starting(u64::from(node)).await;
            }
            What::Drain { node } => {
                if !self.may_come_back(node) || self.node(node).is_none() {
                    return;
                }
                self.stop(node);
                Arc::clone(self).keep_starting(u64::from(node)).await;
            }
            What::CutOff { node } => cluster.reconnect(node),
            What::Pause { .. } | What::StoreRecovery => {}
            What::Unreachable { node } => {
                let now_ns = self.making.agenda.now_ns();
                if self.making.network.is_cut(u64::from(node), now_ns) {
                    // Another cut of it lasts.
                    return;
                }
                let alive = |node: &Arc<Node>| !node.machine.is_off();
                let Some(node) = self.node(node).filter(alive) else {
                    return;
                };
                let parted = |gateway: &&Arc<Gateway>| gateway.is_parted(node.number);
                for gateway in self.gateways.iter().filter(parted) {
                    gateway.connect(&node);
                }
            }
            What::NetworkSlow { times } => self.making.network.clear(to_u64(times * 100.0)),
            What::StoreDown => cluster.start(),
            What::DestinationDown => self.making.mailbox.comes_back(),
            What::StoreSlow { times, node } => cluster.speed_up(slowness(times, node)),
            What::Date { node, by_s } => {
                if let Some(node) = self.node(node) {
                    node.clock.set_right(by_s.saturating_mul(1_000));
                }
            }
        }
    }
}

fn slowness(times: f64, node: Option<u32>) -> Slowness {
    Slowness {
        whom: node.map_or(Whom::All, Whom::Client),
        percent: to_u64(times * 100.0),
    }
}

/// To which passkeys belong.
pub(crate) const RP_ID: &str = "night.example";
/// The page that asks for them.
pub(crate) const ORIGIN: &str = "https://night.example";

fn relying_party() -> PasskeyPolicy {
    PasskeyPolicy {
        rp: RelyingParty {
            id: RP_ID.to_owned(),
            origins: vec![ORIGIN.to_owned()],
            framing: Framing::Forbidden,
        },
        name: "Night".to_owned(),
        user_verification: UserVerification::Preferred,
    }
}

/// How many people are warm when the night begins.
fn warm_people(scenario: &Scenario) -> u64 {
    to_u64(scenario.active().0 as f64 * scenario.warm_percent.0 / 100.0)
}

/// Whether messages are posted, and until when their letters go wrong.
fn usage(scenario: &Scenario) -> Usage {
    let origin_ns = origin_ns(scenario);
    let parts = scenario.ask.message.0 + scenario.ask.mailed_code.0;
    match (parts, scenario.calm_from_s) {
        (0, _) => Usage::Unused,
        (_, Some(calm)) => Usage::Used {
            well_from_ns: origin_ns + calm.ns(),
        },
        (_, None) if scenario.is_well() => Usage::Used { well_from_ns: 0 },
        (_, None) => Usage::Used {
            well_from_ns: origin_ns + to_u64(scenario.length_s() * 1e9),
        },
    }
}

/// When the night begins.
fn origin_ns(scenario: &Scenario) -> u64 {
    match warm_people(scenario) {
        0 => READY_NS,
        // The last are answered within the second after.
        people => READY_NS + (people.div_ceil(WARMED_PER_S) + 1) * SECOND_NS,
    }
}

fn drawn(scenario: &Scenario, stream: &Stream) -> Visit {
    let mut left = stream.below(scenario.ask.sum());
    for (visit, part) in scenario.ask.all() {
        match left.checked_sub(part) {
            Some(less) => left = less,
            None => return visit,
        }
    }
    Visit::Check
}

/// Substitute seals for people from before the world began: no node's time
/// is spent on them.
fn sealing_alone(agenda: &Agenda, trace: &Arc<Trace>, calibration: &Calibration) -> Arc<NodeCpu> {
    let shape = Shape {
        cores: 1,
        threads: [1; POOLS],
        wake_ns: [0; POOLS],
    };
    let machine = Machine::new(agenda.clone(), shape);
    let options = tidegate_runtime::HashingOptions {
        threads: 1,
        waiting_max: 0,
    };
    NodeCpu::new(
        machine,
        agenda.clone(),
        Arc::clone(trace),
        calibration.costs.clone(),
        options,
    )
}
