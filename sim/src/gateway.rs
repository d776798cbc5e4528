//! A gateway: the real client library on streams of the made-up network.

mod packing;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tidegate_client::{
    Asked, Client, Gone, NoRandomness, Reach, Seed, Surroundings, Transport, Ways,
};
use tidegate_wire::{Code, MAX_REPLY_BYTES, Opcode, Splitter, correlation_of, decode_reply};
use tokio::sync::oneshot;

use self::packing::{Held, Packing};
use crate::agenda::Agenda;
use crate::book::Book;
use crate::calibration::Costs;
use crate::network::{IDLE_NS, Line, Network};
use crate::node::{NODE, Node, address_of};
use crate::people::TENANT;
use crate::plant::Plant;
use crate::quic::{Counted, address_of_node};
use crate::random::Stream;
use crate::scenario;
use crate::trace::Trace;

pub(crate) struct Gateway {
    name: String,
    agenda: Agenda,
    network: Arc<Network>,
    book: Arc<Book>,
    plant: Plant,
    redrawn: AtomicU64,
    streams: Mutex<Vec<GatewayStream>>,
    /// The present life of every node that has started.
    alive: Mutex<BTreeMap<u64, Weak<Node>>>,
    /// Where requests are not sent one by one.
    packing: Option<Packing>,
    /// Where they go over QUIC.
    quic: Option<OverQuic>,
}

/// A gateway's own endpoint.
struct OverQuic {
    endpoint: quinn::Endpoint,
    trace: Arc<Trace>,
}

struct GatewayStream {
    node: u64,
    /// The node's present life and its number for this stream.
    there: Option<(Arc<Node>, usize)>,
    line: Arc<Line>,
    splitter: Splitter,
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    opcode: Opcode,
    answer: oneshot::Sender<Bytes>,
}

/// A lane of the client: one of the gateway's streams.
struct Lane {
    gateway: Weak<Gateway>,
    place: usize,
}

/// Why a node says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Dead,
    Unreachable,
}

/// The client's time and randomness.
struct Side {
    agenda: Agenda,
    stream: Stream,
}

/// Nodes that others name.
struct Others {
    gateway: Weak<Gateway>,
    streams: usize,
}

impl Reach for Others {
    fn reach(&self, address: &str) -> Vec<Arc<dyn Transport>> {
        let node = address.strip_prefix(NODE).map(str::parse);
        match (self.gateway.upgrade(), node) {
            (Some(gateway), Some(Ok(node))) => gateway.lanes(node, self.streams),
            _ => Vec::new(),
        }
    }
}

impl Surroundings for Side {
    fn monotonic_ms(&self) -> u64 {
        self.agenda.now_ns() / 1_000_000
    }

    fn sleep(&self, ms: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.agenda.sleep_ns(u64::from(ms) * 1_000_000))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        self.stream.fill(bytes);
        Ok(())
    }
}

impl Transport for Lane {
    fn ask(&self, correlation: u64, frame: Bytes) -> Asked<'_> {
        let asked = match self.gateway.upgrade() {
            Some(gateway) => gateway.send(self.place, correlation, frame),
            None => Err(Gone::BeforeSending),
        };
        Box::pin(async move { asked?.await.map_err(|_| Gone::AfterSending) })
    }
}

impl Gateway {
    pub(crate) fn new(
        name: String,
        agenda: Agenda,
        network: Arc<Network>,
        book: Arc<Book>,
        plant: Plant,
    ) -> Arc<Gateway> {
        Arc::new(Gateway {
            name,
            agenda,
            network,
            book,
            plant,
            redrawn: AtomicU64::new(1),
            streams: Mutex::default(),
            alive: Mutex::default(),
            packing: None,
            quic: None,
        })
    }

    /// One whose requests go over QUIC.
    pub(crate) fn over_quic(
        mut self: Arc<Gateway>,
        endpoint: quinn::Endpoint,
        trace: Arc<Trace>,
    ) -> Arc<Gateway> {
        if let Some(gateway) = Arc::get_mut(&mut self) {
            gateway.quic = Some(OverQuic { endpoint, trace });
        }
        self
    }

    /// One that hands out what is due now and then, on a core of its own.
    pub(crate) fn packing(
        mut self: Arc<Gateway>,
        costs: &Costs,
        packing: scenario::Packing,
        stream: Stream,
    ) -> Arc<Gateway> {
        if let Some(gateway) = Arc::get_mut(&mut self) {
            gateway.packing = Some(Packing::new(&gateway.agenda, costs, packing, stream));
        }
        self
    }

    /// Cores' time of its own so far, where it is known, in nanoseconds.
    pub(crate) fn used_ns(&self) -> u64 {
        self.packing.as_ref().map_or(0, Packing::used_ns)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn streams(&self) -> MutexGuard<'_, Vec<GatewayStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Streams to a node, which are connected as soon as it is there.
    fn lanes(self: &Arc<Gateway>, node: u64, streams: usize) -> Vec<Arc<dyn Transport>> {
        if let Some(OverQuic { endpoint, trace }) = &self.quic {
            let lanes = tidegate_client::lanes(endpoint, address_of_node(node), streams);
            let counted = lanes.into_iter().map(|lane| -> Arc<dyn Transport> {
                Arc::new(Counted {
                    lane,
                    node,
                    agenda: self.agenda.clone(),
                    book: Arc::clone(&self.book),
                    trace: Arc::clone(trace),
                })
            });
            return counted.collect();
        }
        let mut lanes: Vec<Arc<dyn Transport>> = Vec::new();
        for _ in 0..streams {
            let mut all = self.streams();
            lanes.push(Arc::new(Lane {
                gateway: Arc::downgrade(self),
                place: all.len(),
            }));
            all.push(GatewayStream {
                node,
                there: None,
                line: Arc::default(),
                splitter: Splitter::new(MAX_REPLY_BYTES),
                waiting: BTreeMap::new(),
            });
        }
        let alive = self.alive().get(&node).and_then(Weak::upgrade);
        if let Some(node) = alive.filter(|node| !node.machine.is_off()) {
            self.connect(&node);
        }
        lanes
    }

    fn alive(&self) -> MutexGuard<'_, BTreeMap<u64, Weak<Node>>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client on streams to these nodes, and to whichever others they name.
    pub(crate) fn client(
        self: &Arc<Gateway>,
        nodes: &[u64],
        streams: usize,
        (deadline_ms, hedge_ms): (u32, Option<u32>),
        stream: Stream,
    ) -> Client {
        let seeds = nodes.iter().map(|node| Seed {
            address: address_of(*node),
            lanes: self.lanes(*node, streams),
        });
        Client::over(Ways {
            seeds: seeds.collect(),
            reach: Arc::new(Others {
                gateway: Arc::downgrade(self),
                streams,
            }),
            surroundings: Arc::new(Side {
                agenda: self.agenda.clone(),
                stream,
            }),
            tenant: TENANT.to_owned(),
            deadline_ms,
            max_age_ms: 300_000,
            hedge_ms,
        })
    }

    /// Connects all streams of a node, whose earlier life is over: it tells so
    /// at once (RFC 9000 §10.3), and what waited there is lost.
    pub(crate) fn connect(self: &Arc<Gateway>, node: &Arc<Node>) {
        self.alive().insert(node.number, Arc::downgrade(node));
        let places = self.streams().len();
        for place in 0..places {
            let of_node = {
                let stream = &self.streams()[place];
                let there = stream.there.as_ref();
                stream.node == node.number
                    && !there.is_some_and(|(known, _)| Arc::ptr_eq(known, node))
            };
            if !of_node {
                continue;
            }
            let there = node.open(self, place);
            let lost = {
                let stream = &mut self.streams()[place];
                stream.there = there.map(|number| (Arc::clone(node), number));
                stream.splitter = Splitter::new(MAX_REPLY_BYTES);
                std::mem::take(&mut stream.waiting)
            };
            drop(lost);
        }
    }

    /// Whether it has given up the streams of a node.
    pub(crate) fn is_parted(&self, node: u64) -> bool {
        let streams = self.streams();
        let mut of_node = streams.iter().filter(|stream| stream.node == node);
        of_node.any(|stream| stream.there.is_none())
    }

    /// Gives up the streams of a node that will have said nothing for too long.
    pub(crate) fn lose(self: &Arc<Gateway>, node: u64, why: Why) {
        let gateway = Arc::clone(self);
        self.agenda.at(self.agenda.now_ns() + IDLE_NS, move || {
            let lost: Vec<_> = {
                let mut streams = gateway.streams();
                let of_node = streams.iter_mut().filter(|stream| stream.node == node);
                let lost = of_node.filter(|stream| match (&stream.there, why) {
                    // Its next life may have been connected since.
                    (Some((node, _)), Why::Dead) => node.machine.is_off(),
                    (Some(_), Why::Unreachable) | (None, _) => true,
                });
                lost.map(|stream| {
                    stream.there = None;
                    std::mem::take(&mut stream.waiting)
                })
                .collect()
            };
            drop(lost);
        });
    }

    fn send(
        self: &Arc<Gateway>,
        place: usize,
        correlation: u64,
        frame: Bytes,
    ) -> Result<oneshot::Receiver<Bytes>, Gone> {
        let (answer, answered) = oneshot::channel();
        let opcode = opcode_of(&frame).ok_or(Gone::BeforeSending)?;
        let frame = match self.plant {
            Plant::KeyRedrawn if opcode == Opcode::SignUp => self.redraw(&frame),
            _ => frame,
        };
        let now_ns = self.agenda.now_ns();
        let mut streams = self.streams();
        let stream = streams.get_mut(place).ok_or(Gone::BeforeSending)?;
        let (node, number) = stream.there.clone().ok_or(Gone::BeforeSending)?;
        if let Some(packing) = &self.packing {
            drop(streams);
            let held = Held {
                node: node.number,
                correlation,
                opcode,
                frame,
                answer,
            };
            self.hold(packing, held);
            return Ok(answered);
        }
        stream
            .waiting
            .insert(correlation, Waiting { opcode, answer });
        let arrives_ns = self.network.arrives_ns(node.number, &stream.line, now_ns);
        drop(streams);
        self.book.attempted(opcode.class(), now_ns);
        if let Some(at_ns) = arrives_ns {
            self.agenda.quietly_at(at_ns, move || {
                node.receive(number, opcode, frame);
            });
        }
        Ok(answered)
    }

    /// The same frame under another idempotency key (its bytes 40 to 56).
    fn redraw(&self, frame: &Bytes) -> Bytes {
        let mut bytes = frame.to_vec();
        let number = self.redrawn.fetch_add(1, Ordering::Relaxed);
        bytes[40..48].copy_from_slice(&number.to_le_bytes());
        bytes.into()
    }

    /// Bytes of a stream have arrived.
    pub(crate) fn deliver(self: &Arc<Gateway>, place: usize, bytes: Bytes) {
        if let Some(packing) = &self.packing {
            return self.came(packing, place, bytes);
        }
        for (waiting, frame) in self.split(place, &bytes) {
            self.tell(waiting, frame);
        }
    }

    /// The answers in what arrived, with the calls that wait for them.
    fn split(&self, place: usize, bytes: &Bytes) -> Vec<(Waiting, Bytes)> {
        let mut streams = self.streams();
        let mut answered = Vec::new();
        let Some(stream) = streams.get_mut(place) else {
            return answered;
        };
        stream.splitter.push(bytes.clone());
        while let Ok(Some(frame)) = stream.splitter.next_frame() {
            if let Some(waiting) = stream.waiting.remove(&correlation_of(frame)) {
                answered.push((waiting, Bytes::copy_from_slice(frame)));
            }
        }
        answered
    }

    fn tell(&self, waiting: Waiting, frame: Bytes) {
        let code = decode_reply(&frame).map_or(Code::Unknown, |reply| reply.code);
        let now_ns = self.agenda.now_ns();
        self.book.told(waiting.opcode.class(), code, now_ns);
        // The call that asked may have given up.
        let _ = waiting.answer.send(frame);
    }
}

fn opcode_of(frame: &[u8]) -> Option<Opcode> {
    tidegate_wire::decode_request(frame)
        .ok()
        .map(|request| request.opcode)
}
