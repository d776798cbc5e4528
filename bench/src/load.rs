//! Open-loop load: every request has a time at which it is due, whatever the
//! outcome of those before, and its latency counts from then.

mod link;
mod pace;

pub(crate) use pace::Ticker;

use std::cell::RefCell;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use anyhow::Context;
use tidegate_client::Options;
use tidegate_wire::Class;
use tokio::task::LocalSet;

use crate::book::Book;
use crate::mix::{Mix, Refused};
use crate::random::Random;
use crate::script::{Ask, Script, Verdict};

/// A request that was not answered for this long has failed.
pub(crate) const DEADLINE_MS: u32 = 5_000;
/// How often a request that is told to come again does.
const ATTEMPTS_MAX: u8 = 10;
/// The name that every node's certificate carries.
const NODE_NAME: &str = "node.tidegate";

/// When requests are made.
#[derive(Clone, Debug)]
pub(crate) enum Pace {
    /// By the mix's curve.
    Open,
    /// As many as are answered, for so long: every place in flight is taken.
    Saturated { for_s: f64 },
    /// So many in all, as fast as they are answered.
    Counted { requests: usize },
}

/// The shape of the load.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    /// Requests in flight on one connection.
    pub(crate) in_flight: usize,
    pub(crate) pace: Pace,
    /// Before this nothing is counted.
    pub(crate) warm_up_s: f64,
    pub(crate) seed: u64,
}

/// One request on its way to a link.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    ask: Ask,
    /// When it was due first: latency counts from then.
    first_due_ns: u64,
    due_ns: u64,
    /// When it could be sent at last.
    free_ns: u64,
    attempt: u8,
}

/// What comes again, the earliest first.
struct Return(Arrival);

impl PartialEq for Return {
    fn eq(&self, other: &Return) -> bool {
        self.0.due_ns == other.0.due_ns
    }
}

impl Eq for Return {}

impl PartialOrd for Return {
    fn partial_cmp(&self, other: &Return) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Return {
    fn cmp(&self, other: &Return) -> std::cmp::Ordering {
        other.0.due_ns.cmp(&self.0.due_ns)
    }
}

/// What all links share, on one thread.
struct World {
    started: Instant,
    mix: Mix,
    shape: Shape,
    script: Script,
    book: Book,
    random: Random,
    /// Due, and no link has room.
    backlog: std::collections::VecDeque<Arrival>,
    returns: BinaryHeap<Return>,
    /// When no link had room last.
    full_ns: u64,
    /// On the wire, or handed to a link, by class.
    in_flight: [usize; Class::ALL.len()],
    /// Of those: due after the warm-up.
    counted: [usize; Class::ALL.len()],
    /// When the next one arrives.
    next_ns: u64,
    /// Nothing arrives after this.
    ends_ns: u64,
    broken: Option<anyhow::Error>,
}

impl World {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The next request for a link that has room.
    fn next(&mut self, now_ns: u64) -> Option<Arrival> {
        if let Some(mut arrival) = self.backlog.pop_front() {
            arrival.free_ns = now_ns;
            return Some(arrival);
        }
        match &mut self.shape.pace {
            Pace::Counted { requests: 0 } => {
                self.ends_ns = self.ends_ns.min(now_ns);
                return None;
            }
            Pace::Counted { requests } => *requests -= 1,
            Pace::Saturated { .. } if now_ns < self.ends_ns => {}
            Pace::Saturated { .. } | Pace::Open => return None,
        }
        let ask = self.script.ask();
        if self.book.counts(now_ns) {
            self.book.offered(ask.class());
        }
        Some(Arrival {
            ask,
            first_due_ns: now_ns,
            due_ns: now_ns,
            free_ns: now_ns,
            attempt: 0,
        })
    }

    /// An answer has come.
    fn answered(&mut self, arrival: Arrival, frame: &[u8], now_ns: u64) {
        let verdict = self.script.judge(arrival.ask, frame);
        if let Verdict::Shed { retry_after_ms } = verdict
            && self.mix.refused == Refused::ComeAgain
            && arrival.attempt < ATTEMPTS_MAX
            && (now_ns < self.ends_ns || matches!(self.shape.pace, Pace::Counted { .. }))
        {
            self.script.again(arrival.ask);
            self.returns.push(Return(Arrival {
                due_ns: now_ns + u64::from(retry_after_ms) * 1_000_000,
                attempt: arrival.attempt + 1,
                ..arrival
            }));
        }
        self.over(arrival, verdict, now_ns);
    }

    /// A request takes a place in flight.
    fn taken(&mut self, arrival: &Arrival) {
        let class = arrival.ask.class() as usize;
        self.in_flight[class] += 1;
        self.counted[class] += usize::from(self.book.counts(arrival.first_due_ns));
    }

    /// Its place is free again.
    fn freed(&mut self, arrival: &Arrival) {
        let class = arrival.ask.class() as usize;
        self.in_flight[class] -= 1;
        self.counted[class] -= usize::from(self.book.counts(arrival.first_due_ns));
    }

    /// What is unanswered by now has failed, unless it was due in the warm-up.
    fn give_up(&mut self) {
        for arrival in self.backlog.drain(..) {
            let class = arrival.ask.class();
            match (self.book.counts(arrival.first_due_ns), arrival.attempt) {
                (true, 0) => self.book.never_sent(class),
                (true, _) => self.book.over(class, Verdict::Failed("no_answer"), 0, 0),
                (false, _) => {}
            }
        }
        for (class, count) in Class::ALL.into_iter().zip(self.counted) {
            for _ in 0..count {
                self.book.over(class, Verdict::Failed("no_answer"), 0, 0);
            }
        }
    }

    fn over(&mut self, arrival: Arrival, verdict: Verdict, now_ns: u64) {
        if self.book.counts(arrival.first_due_ns) {
            let took_ns = now_ns.saturating_sub(arrival.first_due_ns);
            self.book
                .over(arrival.ask.class(), verdict, took_ns, arrival.attempt);
        }
    }

    fn is_done(&self) -> bool {
        let idle = self.backlog.is_empty() && self.in_flight.iter().all(|count| *count == 0);
        let counted = matches!(self.shape.pace, Pace::Counted { .. });
        idle && self.now_ns() >= self.ends_ns && (!counted || self.returns.is_empty())
    }
}

/// Connections to a node, before anything is asked of it.
pub(crate) struct Connected {
    endpoint: quinn::Endpoint,
    connections: Vec<quinn::Connection>,
}

/// Connects to a node as often as the load's shape says.
pub(crate) async fn connect(
    at: SocketAddr,
    options: &Options,
    shape: &Shape,
) -> anyhow::Result<Connected> {
    let config = tidegate_client::quic_config(options)?;
    let mut endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into())?;
    endpoint.set_default_client_config(config);
    let mut connections = Vec::new();
    for _ in 0..shape.connections {
        let connection = endpoint.connect(at, NODE_NAME)?.await;
        connections.push(connection.context("the node cannot be reached")?);
    }
    Ok(Connected {
        endpoint,
        connections,
    })
}

/// Puts load on a node; the outcomes.
pub(crate) async fn run(
    connected: Connected,
    mix: &Mix,
    shape: &Shape,
    script: Script,
) -> anyhow::Result<(Book, Script)> {
    let Connected {
        endpoint,
        connections,
    } = connected;
    let length_s = match shape.pace {
        Pace::Open => mix.length_s(),
        Pace::Saturated { for_s } => for_s,
        // Until the last one was asked.
        Pace::Counted { .. } => 1e9,
    };
    let ns = |s: f64| (s * 1e9) as u64;
    let world = Rc::new(RefCell::new(World {
        started: Instant::now(),
        mix: mix.clone(),
        shape: shape.clone(),
        script,
        book: Book::new(ns(shape.warm_up_s))?,
        random: Random::new(shape.seed ^ 0x7061_6365),
        backlog: std::collections::VecDeque::new(),
        returns: BinaryHeap::new(),
        full_ns: 0,
        in_flight: [0; Class::ALL.len()],
        counted: [0; Class::ALL.len()],
        next_ns: 0,
        ends_ns: ns(shape.warm_up_s + length_s),
        broken: None,
    }));
    let local = LocalSet::new();
    let mut links = Vec::new();
    for connection in &connections {
        let link = link::Link::new(shape.in_flight);
        let serve = link::serve(Rc::clone(&link), Rc::clone(&world), connection.clone());
        let world = Rc::clone(&world);
        local.spawn_local(async move {
            if let Err(error) = serve.await {
                world.borrow_mut().broken.get_or_insert(error);
            }
        });
        links.push(link);
    }
    world.borrow_mut().started = Instant::now();
    local.run_until(pace::drive(&links, &world)).await?;
    let datagrams = connections
        .iter()
        .map(|connection| connection.stats().udp_tx.datagrams);
    world.borrow_mut().book.datagrams = datagrams.sum();
    endpoint.close(0u32.into(), b"");
    drop(local);
    drop(links);
    let world = Rc::into_inner(world).context("a link is left over")?;
    let World {
        script,
        book,
        broken,
        ..
    } = world.into_inner();
    match broken {
        Some(error) => Err(error),
        None => Ok((book, script)),
    }
}
