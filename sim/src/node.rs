//! A node: the real engine behind the real judging of frames, on a processor
//! of the made-up world.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tidegate_account::{NoticePolicy, Outgoing, Policy, TenantId, UserId};
use tidegate_cluster::{Identity, Lease, NodeId};
use tidegate_node::config::LimitsConfig;
use tidegate_node::{Frames, Front, Member, Nowhere, Whereabouts};
use tidegate_runtime::{
    Costs as TenantCosts, DegradedStates, Engine, Failure, Formats, HashingOptions, IndexKeys,
    Limits, Ownership, Parts, Retention, Tenant, Tenants,
};
use tidegate_storage_api::{MemoryStore, Region, StoreError};
use tidegate_storage_simulated::Cluster;
use tidegate_wire::{Class, Opcode};

use crate::agenda::{Agenda, Call};
use crate::calibration::{Costs, POOLS};
use crate::gateway::Gateway;
use crate::machine::{Machine, Pool, Shape, Used};
use crate::mailbox::{Mailbox, NodeDelivery};
use crate::network::{Line, Network};
use crate::people::{Keys, TENANT};
use crate::plant::Plant;
use crate::ports::{NodeClock, NodeCpu, NodeEntropy, NodeStore};
use crate::quic::{QuicError, Wires};
use crate::random::Stream;
use crate::scenario::{Nodes, StoreKind};
use crate::trace::{Happened, Trace};

/// Frames that share a datagram, when there are as many.
const FRAMES_PER_DATAGRAM: u64 = 13;

/// Datagrams for so many frames on each stream.
pub(crate) fn datagrams(of_stream: &BTreeMap<usize, u64>) -> u64 {
    let each = of_stream.values();
    each.map(|frames| frames.div_ceil(FRAMES_PER_DATAGRAM))
        .sum()
}
/// How long an endpoint that has nothing to send waits before it acknowledges
/// (RFC 9000 §18.2, max_ack_delay).
const ACK_DELAY_NS: u64 = 25_000_000;
/// Frames taken in one turn of the endpoint.
const TURN_FRAMES: usize = 512;

/// What every node's address begins with.
pub(crate) const NODE: &str = "node-";

/// Where a node is reached.
pub(crate) fn address_of(node: u64) -> String {
    format!("{NODE}{node}")
}

/// What every node is made with.
#[derive(Clone)]
pub(crate) struct Making {
    pub(crate) seed: u64,
    pub(crate) agenda: Agenda,
    pub(crate) trace: Arc<Trace>,
    pub(crate) costs: Costs,
    pub(crate) nodes: Nodes,
    pub(crate) store: StoreKind,
    pub(crate) plant: Plant,
    pub(crate) policy: Policy,
    pub(crate) keys: Keys,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) network: Arc<Network>,
    pub(crate) gateways: Vec<String>,
    pub(crate) journals: Journals,
    pub(crate) mailbox: Arc<Mailbox>,
    /// Where frames go over QUIC.
    pub(crate) wires: Option<Arc<Wires>>,
}

/// Why a node did not start.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Quic(#[from] QuicError),
}

/// The nodes' own journals, which outlive them.
#[derive(Clone, Default)]
pub(crate) struct Journals(Arc<Mutex<BTreeMap<u64, Arc<MemoryStore>>>>);

impl Journals {
    fn of(&self, node: u64) -> Arc<MemoryStore> {
        let mut journals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(journals.entry(node).or_default())
    }
}

/// How many versions of the formats a night goes through.
const FORMATS: u16 = 3;

/// In which version a node writes in this life. Nodes of all programs serve side
/// by side, and each comes back now as the one and now as another: an upgrade
/// that goes forward and back at any moment.
///
/// Flows begin when no node of an older program serves any more: where there are
/// any, that was before the night.
fn written(making: &Making, number: u64, life: u64) -> u16 {
    if making.policy.notices != NoticePolicy::None || making.policy.passkeys.is_some() {
        return u16::MAX;
    }
    let turn = (number + life) % u64::from(FORMATS);
    u16::try_from(turn).map_or(FORMATS, |turn| turn + 1)
}

/// The nodes that were started last, one of each number.
pub(crate) type Running = Arc<Mutex<Vec<Arc<Node>>>>;

/// One life of a node, from its start to its end.
pub(crate) struct Node {
    pub(crate) number: u64,
    making: Making,
    pub(crate) machine: Arc<Machine>,
    pub(crate) clock: Arc<NodeClock>,
    pub(crate) cpu: Arc<NodeCpu>,
    pub(crate) engine: Engine,
    /// Its part in the cluster, where there is one.
    member: Option<Arc<Member>>,
    front: Front,
    endpoint: Mutex<Endpoint>,
    myself: Weak<Node>,
}

#[derive(Default)]
struct Endpoint {
    streams: Vec<NodeStream>,
    inbox: Vec<Arrived>,
    outbox: Vec<(usize, Bytes)>,
    /// Datagrams that only acknowledge.
    acks: u64,
    turn: Turn,
}

struct NodeStream {
    frames: Frames,
    back: Arc<Line>,
    gateway: Weak<Gateway>,
    place: usize,
    /// When something was asked on it last.
    heard_ns: u64,
    ack: Ack,
}

/// Whether the last answers of a stream may still be acknowledged by a datagram
/// of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ack {
    None,
    Due,
}

struct Arrived {
    stream: usize,
    opcode: Opcode,
    bytes: Bytes,
}

/// Whether the endpoint is going to look at what arrived.
#[derive(Default, PartialEq, Eq)]
enum Turn {
    #[default]
    None,
    Due,
}

impl Node {
    /// Starts a node: it claims its slots and serves.
    pub(crate) async fn start(
        making: Making,
        number: u64,
        life: u64,
    ) -> Result<Arc<Node>, StartError> {
        let Making {
            agenda,
            trace,
            costs,
            ..
        } = making.clone();
        let nodes = making.nodes;
        let hashing_threads = nodes.hashing_threads().u32();
        let machine = Machine::new(
            agenda.clone(),
            Shape {
                cores: nodes.cores.u32(),
                threads: pool_threads(&nodes),
                wake_ns: costs.wake_ns,
            },
        );
        let [stalls, _] = &costs.stalls;
        machine.share(
            Arc::new(stalls.clone()),
            Stream::new(making.seed, "stalls", number << 32 | life),
        );
        let clock = Arc::new(NodeClock::new(
            agenda.clone(),
            Arc::clone(&machine),
            making.plant,
        ));
        let options = HashingOptions {
            threads: hashing_threads as usize,
            waiting_max: nodes.hashing_waiting.usize(),
        };
        let cpu = NodeCpu::new(
            Arc::clone(&machine),
            agenda.clone(),
            Arc::clone(&trace),
            costs.clone(),
            options,
        );
        let client = making.cluster.client(u32::try_from(number).unwrap_or(0));
        let store = Arc::new(NodeStore {
            machine: Arc::clone(&machine),
            agenda: agenda.clone(),
            trace,
            costs,
            inner: Arc::new(client),
            node: number,
            plant: making.plant,
            remembered: Arc::default(),
            reads: AtomicU64::new(0),
        });
        let member = (making.store == StoreKind::Foundationdb).then(|| {
            let lease = Lease(nodes.lease_ms.0);
            let identity = Identity {
                id: NodeId(number),
                name: address_of(number),
                address: address_of(number),
                reads: FORMATS,
            };
            Arc::new(Member::new(Region::FIRST, identity, lease))
        });
        let ownership = match &member {
            Some(member) => member.ownership(),
            None => Arc::new(Ownership::claim_all(Region::FIRST, &*store).await?),
        };
        let tenants = Tenants::default();
        tenants.put(Tenant {
            id: TenantId::of_name(TENANT),
            name: TENANT.to_owned(),
            keys: vec![making.keys.tenant.clone()],
            policy: making.policy.clone(),
            home: None,
            costs: TenantCosts::default(),
        });
        let limits = Limits {
            warm_idle_ms: nodes.warm_idle_s.ms(),
            ..Limits::default()
        };
        let parts = Parts {
            store: store.clone(),
            ownership,
            tenants: Arc::new(tenants),
            index_keys: Arc::new(IndexKeys::new(making.keys.index.clone())),
            formats: Arc::new(Formats::new(written(&making, number, life))),
            regions: None,
            degraded_states: DegradedStates::open(making.journals.of(number)).await?,
            delivery: Arc::new(NodeDelivery {
                node: number,
                agenda: agenda.clone(),
                machine: Arc::clone(&machine),
                mailbox: Arc::clone(&making.mailbox),
            }),
            retention: Retention::default(),
            limits,
            clock: clock.clone(),
            entropy: Arc::new(NodeEntropy(Stream::new(
                making.seed,
                "entropy",
                number << 32 | life,
            ))),
            cpu: cpu.clone(),
        };
        let engine = Engine::start(parts, tokio::runtime::Handle::current());
        let whereabouts: Arc<dyn Whereabouts> = match &member {
            Some(member) => {
                let actors = tokio::runtime::Handle::current();
                member.start(engine.clone(), store, clock.clone(), &actors);
                member.clone()
            }
            None => Arc::new(Nowhere),
        };
        let names: Vec<&str> = making.gateways.iter().map(String::as_str).collect();
        let front = Front::new(
            engine.clone(),
            clock.clone(),
            whereabouts,
            LimitsConfig::default(),
            TENANT,
            &names,
        );
        if let Some(wires) = &making.wires {
            wires.serve(&front, number, life, &machine)?;
        }
        Ok(Arc::new_cyclic(|myself| Node {
            number,
            making,
            machine,
            clock,
            cpu,
            engine,
            member,
            front,
            endpoint: Mutex::default(),
            myself: Weak::clone(myself),
        }))
    }

    fn endpoint(&self) -> MutexGuard<'_, Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a stream of a gateway; the node's number for it.
    pub(crate) fn open(&self, gateway: &Arc<Gateway>, place: usize) -> Option<usize> {
        let (frames, mut answers) = self.front.open(gateway.name())?;
        let mut endpoint = self.endpoint();
        let stream = endpoint.streams.len();
        endpoint.streams.push(NodeStream {
            frames,
            back: Arc::default(),
            gateway: Arc::downgrade(gateway),
            place,
            heard_ns: 0,
            ack: Ack::None,
        });
        let node = Weak::clone(&self.myself);
        tokio::spawn(async move {
            while let Some(frame) = answers.next().await {
                let Some(node) = node.upgrade() else {
                    return;
                };
                node.answer_later(stream, frame);
            }
        });
        Some(stream)
    }

    /// Frames have arrived on a stream.
    pub(crate) fn receive(&self, stream: usize, opcode: Opcode, bytes: Bytes) {
        if self.machine.is_off() {
            return;
        }
        let now_ns = self.making.agenda.now_ns();
        let values = [
            self.number,
            stream as u64,
            opcode as u64,
            bytes.len() as u64,
        ];
        self.making.trace.note(now_ns, Happened::Asked, &values);
        let mut endpoint = self.endpoint();
        if let Some(stream) = endpoint.streams.get_mut(stream) {
            stream.heard_ns = now_ns;
        }
        endpoint.inbox.push(Arrived {
            stream,
            opcode,
            bytes,
        });
        drop(endpoint);
        self.take_turn();
    }

    /// A gateway that asks nothing more has to acknowledge what it got.
    fn expect_ack(&self, stream: usize, answered_ns: u64) {
        let node = Weak::clone(&self.myself);
        self.making
            .agenda
            .quietly_at(answered_ns + ACK_DELAY_NS, move || {
                let Some(node) = node.upgrade().filter(|node| !node.machine.is_off()) else {
                    return;
                };
                let mut endpoint = node.endpoint();
                let Some(stream) = endpoint.streams.get_mut(stream) else {
                    return;
                };
                stream.ack = Ack::None;
                if stream.heard_ns <= answered_ns {
                    endpoint.acks += 1;
                    drop(endpoint);
                    node.take_turn();
                }
            });
    }

    fn answer_later(&self, stream: usize, frame: Bytes) {
        self.endpoint().outbox.push((stream, frame));
        self.take_turn();
    }

    /// Sees to it that the endpoint looks at what there is, as soon as it has a
    /// core: then it takes everything that has arrived until then.
    fn take_turn(&self) {
        {
            let mut endpoint = self.endpoint();
            if endpoint.turn == Turn::Due {
                return;
            }
            endpoint.turn = Turn::Due;
        }
        let node = Weak::clone(&self.myself);
        self.machine.queue(
            Pool::Endpoint,
            Box::new(move || match node.upgrade() {
                Some(node) => node.begin_turn(),
                None => (0, Box::new(|| {}) as Call),
            }),
        );
    }

    fn begin_turn(self: Arc<Node>) -> (u64, Call) {
        let (inbox, outbox, acks) = {
            let mut endpoint = self.endpoint();
            let taken = endpoint.inbox.len().min(TURN_FRAMES);
            let inbox: Vec<Arrived> = endpoint.inbox.drain(..taken).collect();
            let outbox = std::mem::take(&mut endpoint.outbox);
            endpoint.turn = Turn::None;
            (inbox, outbox, std::mem::take(&mut endpoint.acks))
        };
        let acks_ns = acks * self.making.costs.datagram_ns / 2;
        let ns = self.cost_ns(&inbox, &outbox) + acks_ns;
        (ns, Box::new(move || self.end_turn(inbox, outbox)))
    }

    /// Datagrams by streams, in and out, and frames by class. Of checks most
    /// are answered in the same turn.
    fn cost_ns(&self, inbox: &[Arrived], outbox: &[(usize, Bytes)]) -> u64 {
        let costs = &self.making.costs;
        let (mut asked, mut answered) = (BTreeMap::new(), BTreeMap::new());
        let mut ns = 0;
        for arrived in inbox {
            let class = arrived.opcode.class();
            *asked.entry(arrived.stream).or_default() += 1;
            if class == Class::Check {
                *answered.entry(arrived.stream).or_default() += 1;
            }
            ns += costs.frame_ns[class as usize];
        }
        for (stream, _) in outbox {
            *answered.entry(*stream).or_default() += 1;
        }
        ns + (datagrams(&asked) + datagrams(&answered)) * costs.datagram_ns / 2
    }

    fn end_turn(self: Arc<Node>, inbox: Vec<Arrived>, outbox: Vec<(usize, Bytes)>) {
        let mut out = BTreeMap::<usize, BytesMut>::new();
        let mut endpoint = self.endpoint();
        for (stream, frame) in outbox {
            endpoint.streams[stream].frames.answered(1);
            out.entry(stream).or_default().extend_from_slice(&frame);
        }
        let mut chunks = BTreeMap::<usize, Vec<Bytes>>::new();
        for arrived in inbox {
            chunks
                .entry(arrived.stream)
                .or_default()
                .push(arrived.bytes);
        }
        for (stream, mut chunks) in chunks {
            let out = out.entry(stream).or_default();
            // Our own frames are always readable.
            let _ = endpoint.streams[stream].frames.take(&mut chunks, out);
        }
        let now_ns = self.making.agenda.now_ns();
        let mut to_acknowledge = Vec::new();
        for (stream, bytes) in out {
            if !bytes.is_empty() {
                self.send(&endpoint.streams[stream], bytes.freeze(), now_ns);
                let ack = &mut endpoint.streams[stream].ack;
                if std::mem::replace(ack, Ack::Due) == Ack::None {
                    to_acknowledge.push(stream);
                }
            }
        }
        let more = !endpoint.inbox.is_empty();
        drop(endpoint);
        for stream in to_acknowledge {
            self.expect_ack(stream, now_ns);
        }
        if more {
            self.take_turn();
        }
    }

    fn send(&self, stream: &NodeStream, bytes: Bytes, now_ns: u64) {
        let values = [self.number, stream.place as u64, bytes.len() as u64];
        self.making.trace.note(now_ns, Happened::Answered, &values);
        let network = &self.making.network;
        let Some(at_ns) = network.arrives_ns(self.number, &stream.back, now_ns) else {
            return;
        };
        let (gateway, place) = (Weak::clone(&stream.gateway), stream.place);
        self.making.agenda.at(at_ns, move || {
            if let Some(gateway) = gateway.upgrade() {
                gateway.deliver(place, bytes);
            }
        });
    }

    /// Lets something leave that is about a person. A node that ends meanwhile never
    /// says what came of it.
    pub(crate) async fn post(&self, user: UserId, outgoing: Outgoing) -> Result<(), Failure> {
        let (hand_over, handed_over) = tokio::sync::oneshot::channel();
        let hand_over_ns = self.making.costs.hand_over_ns;
        self.machine.spend(Pool::Actors, hand_over_ns, move || {
            // Its node can be gone.
            let _ = hand_over.send(());
        });
        if handed_over.await.is_err() {
            return Err(Failure::Unavailable);
        }
        let posted = self.engine.post(user, outgoing).await;
        match self.machine.is_off() {
            true => Err(Failure::Unknown),
            false => posted,
        }
    }

    /// Gives its slots away.
    pub(crate) fn leave(&self) {
        if let Some(member) = &self.member {
            member.leave();
        }
    }

    /// Ends at once.
    pub(crate) fn kill(&self) {
        self.machine.kill();
        if let Some(wires) = &self.making.wires {
            wires.close(self.number, &self.machine);
        }
        let gone = std::mem::take(&mut *self.endpoint());
        drop(gone);
    }

    /// What it looks like now.
    pub(crate) fn glance(&self) -> Glance {
        Glance {
            used: self.machine.used(),
            hashing_waiting: self.cpu.waiting() as u64,
            warm: self.engine.warm_people() as u64,
            hot: self.engine.hot_people() as u64,
            waiting: self.engine.waiting(),
        }
    }
}

/// Threads of each pool, hashing left out.
pub(crate) fn pool_threads(nodes: &Nodes) -> [u32; POOLS] {
    [1, nodes.actor_threads.u32(), 1, 2]
}

/// What a node looks like at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Glance {
    pub(crate) used: Used,
    pub(crate) hashing_waiting: u64,
    pub(crate) warm: u64,
    pub(crate) hot: u64,
    pub(crate) waiting: u64,
}
