//! A gateway that hands out its requests as `tidegate-bench` does: one thread
//! on a core of its own wakes now and then, fills one stream after the other,
//! and reads what came in between.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tidegate_wire::Opcode;
use tokio::sync::oneshot;

use super::{Gateway, Waiting};
use crate::agenda::{Agenda, Call};
use crate::calibration::{Costs, POOLS, TurnCosts};
use crate::machine::{Machine, Pool, Shape};
use crate::node::datagrams;
use crate::random::Stream;
use crate::scenario;

pub(super) struct Packing {
    in_flight: usize,
    tick_ns: u64,
    costs: TurnCosts,
    machine: Arc<Machine>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// For the next tick.
    new: Vec<Held>,
    /// No stream had room for them.
    line: VecDeque<Held>,
    came: Vec<(usize, Bytes)>,
    /// The stream that is filled first.
    cursor: usize,
    ticking: bool,
    reading: bool,
}

/// A request that waits for its stream.
pub(super) struct Held {
    pub(super) node: u64,
    pub(super) correlation: u64,
    pub(super) opcode: Opcode,
    pub(super) frame: Bytes,
    pub(super) answer: oneshot::Sender<Bytes>,
}

/// Requests by the stream that takes them.
type Filled = BTreeMap<usize, Vec<(Opcode, Bytes)>>;

impl Packing {
    pub(super) fn new(
        agenda: &Agenda,
        costs: &Costs,
        packing: scenario::Packing,
        stream: Stream,
    ) -> Packing {
        let generator = costs.generator;
        let shape = Shape {
            cores: 1,
            threads: [1; POOLS],
            wake_ns: [generator.wake_ns, 0, 0, 0],
        };
        let machine = Machine::new(agenda.clone(), shape);
        let [_, stalls] = &costs.stalls;
        machine.share(Arc::new(stalls.clone()), stream);
        Packing {
            in_flight: packing.in_flight.usize(),
            tick_ns: packing.tick_us.0 * 1_000,
            costs: generator,
            machine,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the gateway's own core did so far, in nanoseconds.
    pub(super) fn used_ns(&self) -> u64 {
        self.machine.used().all_ns()
    }
}

impl Gateway {
    /// Takes a request for the next tick.
    pub(super) fn hold(self: &Arc<Gateway>, packing: &Packing, held: Held) {
        let mut state = packing.state();
        state.new.push(held);
        if std::mem::replace(&mut state.ticking, true) {
            return;
        }
        drop(state);
        let at_ns = (self.agenda.now_ns() / packing.tick_ns + 1) * packing.tick_ns;
        let gateway = Arc::downgrade(self);
        self.agenda.at(at_ns, move || {
            if let Some(gateway) = gateway.upgrade() {
                gateway.turn(|packing| {
                    let mut state = packing.state();
                    state.ticking = false;
                    let new = std::mem::take(&mut state.new);
                    state.line.extend(new);
                });
            }
        });
    }

    /// Bytes have come on a stream.
    pub(super) fn came(self: &Arc<Gateway>, packing: &Packing, place: usize, bytes: Bytes) {
        let mut state = packing.state();
        state.came.push((place, bytes));
        if std::mem::replace(&mut state.reading, true) {
            return;
        }
        drop(state);
        self.turn(|packing| packing.state().reading = false);
    }

    /// The thread's turn: it reads all that has come, and fills streams.
    fn turn(self: &Arc<Gateway>, begins: fn(&Packing)) {
        let Some(packing) = &self.packing else {
            return;
        };
        let gateway: Weak<Gateway> = Arc::downgrade(self);
        packing.machine.queue(
            Pool::Endpoint,
            Box::new(move || match gateway.upgrade() {
                Some(gateway) => gateway.begin_turn(begins),
                None => (0, Box::new(|| {}) as Call),
            }),
        );
    }

    fn begin_turn(self: Arc<Gateway>, begins: fn(&Packing)) -> (u64, Call) {
        let Some(packing) = &self.packing else {
            return (0, Box::new(|| {}));
        };
        begins(packing);
        let came = std::mem::take(&mut packing.state().came);
        let mut answers = Vec::new();
        let mut read = BTreeMap::new();
        for (place, bytes) in came {
            let answered = self.split(place, &bytes);
            *read.entry(place).or_default() += answered.len() as u64;
            answers.extend(answered);
        }
        let filled = self.fill(packing);
        let written = filled.iter().map(|(place, all)| (*place, all.len() as u64));
        let pairs = datagrams(&read) + datagrams(&written.collect());
        let TurnCosts {
            datagram_ns,
            frame_ns,
            ..
        } = packing.costs;
        let ns = pairs * datagram_ns / 2 + answers.len() as u64 * frame_ns;
        let end = move || {
            for (waiting, frame) in answers {
                self.tell(waiting, frame);
            }
            for (place, frames) in filled {
                self.send_all(place, frames);
            }
        };
        (ns, Box::new(end))
    }

    /// One stream of the request's node after the other, as long as they have
    /// room; another one is first every time.
    fn fill(&self, packing: &Packing) -> Filled {
        let mut filled = Filled::new();
        let mut state = packing.state();
        let mut streams = self.streams();
        let (count, mut full) = (streams.len(), 0);
        while full < count
            && let Some(held) = state.line.pop_front()
        {
            if held.answer.is_closed() {
                // It is not waited for any more.
                continue;
            }
            let place = state.cursor % count;
            let stream = &mut streams[place];
            let has_room = stream.waiting.len() < packing.in_flight;
            if stream.node != held.node || !has_room {
                state.cursor += 1;
                full += 1;
                state.line.push_front(held);
                continue;
            }
            full = 0;
            let waiting = Waiting {
                opcode: held.opcode,
                answer: held.answer,
            };
            stream.waiting.insert(held.correlation, waiting);
            let frames = filled.entry(place).or_default();
            frames.push((held.opcode, held.frame));
        }
        state.cursor += 1;
        filled
    }

    fn send_all(&self, place: usize, frames: Vec<(Opcode, Bytes)>) {
        let now_ns = self.agenda.now_ns();
        let streams = self.streams();
        let Some(stream) = streams.get(place) else {
            return;
        };
        let there = stream.there.clone();
        let at_ns = self.network.arrives_ns(stream.node, &stream.line, now_ns);
        drop(streams);
        for (opcode, _) in &frames {
            self.book.attempted(opcode.class(), now_ns);
        }
        if let (Some((node, number)), Some(at_ns)) = (there, at_ns) {
            self.agenda.quietly_at(at_ns, move || {
                for (opcode, frame) in frames {
                    node.receive(number, opcode, frame);
                }
            });
        }
    }
}
