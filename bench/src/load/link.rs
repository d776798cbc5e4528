//! One connection with one stream, and so many requests in flight on it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Context, bail};
use bytes::BytesMut;
use tidegate_wire::{MAX_REPLY_BYTES, Splitter, correlation_of};
use tokio::sync::Notify;

use super::{Arrival, DEADLINE_MS, World};

/// A connection, as the clock that hands out requests sees it.
pub(super) struct Link {
    handed: RefCell<VecDeque<Arrival>>,
    /// Places that are neither in flight nor handed out.
    free: Cell<usize>,
    pub(super) wake: Notify,
}

impl Link {
    pub(super) fn new(in_flight: usize) -> Rc<Link> {
        Rc::new(Link {
            handed: RefCell::default(),
            free: Cell::new(in_flight),
            wake: Notify::new(),
        })
    }

    /// Hands a request over, when there is room.
    pub(super) fn hand(&self, arrival: Arrival) -> Option<Arrival> {
        if self.free.get() == 0 {
            return Some(arrival);
        }
        self.free.set(self.free.get() - 1);
        self.handed.borrow_mut().push_back(arrival);
        None
    }
}

/// Requests in flight, found again by the low half of their correlation id.
struct Places {
    taken: Vec<Option<Arrival>>,
    free: Vec<u32>,
    turn: u32,
}

impl Places {
    fn new(count: usize) -> Places {
        Places {
            taken: vec![None; count],
            free: (0..count as u32).collect(),
            turn: 0,
        }
    }

    fn enter(&mut self, arrival: Arrival) -> Option<u64> {
        let place = self.free.pop()?;
        self.taken[place as usize] = Some(arrival);
        self.turn = self.turn.wrapping_add(1);
        Some(u64::from(self.turn) << 32 | u64::from(place))
    }

    fn leave(&mut self, correlation: u64) -> Option<Arrival> {
        let place = correlation as u32;
        let arrival = self.taken.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(arrival)
    }
}

pub(super) async fn serve(
    link: Rc<Link>,
    world: Rc<RefCell<World>>,
    connection: quinn::Connection,
) -> anyhow::Result<()> {
    let (mut send, mut recv) = connection.open_bi().await?;
    let mut places = Places::new(link.free.get());
    let mut splitter = Splitter::new(MAX_REPLY_BYTES);
    let mut out = BytesMut::new();
    loop {
        tokio::select! {
            biased;
            chunk = recv.read_chunk(usize::MAX, true) => {
                let chunk = match chunk {
                    Ok(chunk) => chunk.context("the node has ended the stream")?,
                    Err(quinn::ReadError::ConnectionLost(quinn::ConnectionError::LocallyClosed)) => {
                        return Ok(());
                    }
                    Err(error) => return Err(error.into()),
                };
                splitter.push(chunk.bytes);
                take(&link, &world, &mut places, &mut splitter)?;
            }
            () = link.wake.notified() => {}
        }
        fill(&link, &world, &mut places, &mut out)?;
        if !out.is_empty() {
            send.write_chunk(out.split().freeze()).await?;
        }
    }
}

fn take(
    link: &Link,
    world: &RefCell<World>,
    places: &mut Places,
    splitter: &mut Splitter,
) -> anyhow::Result<()> {
    let mut world = world.borrow_mut();
    let now_ns = world.now_ns();
    while let Some(frame) = splitter.next_frame()? {
        let Some(arrival) = places.leave(correlation_of(frame)) else {
            bail!("an answer to nothing that was asked");
        };
        world.freed(&arrival);
        link.free.set(link.free.get() + 1);
        world.answered(arrival, frame, now_ns);
    }
    Ok(())
}

fn fill(
    link: &Link,
    world: &RefCell<World>,
    places: &mut Places,
    out: &mut BytesMut,
) -> anyhow::Result<()> {
    let mut world = world.borrow_mut();
    let now_ns = world.now_ns();
    loop {
        let handed = link.handed.borrow_mut().pop_front();
        let arrival = match handed {
            Some(arrival) => arrival,
            None if link.free.get() == 0 => return Ok(()),
            None => match world.next(now_ns) {
                None => return Ok(()),
                Some(arrival) => {
                    link.free.set(link.free.get() - 1);
                    world.taken(&arrival);
                    arrival
                }
            },
        };
        if world.book.counts(arrival.due_ns) {
            world.book.sent(now_ns.saturating_sub(arrival.free_ns));
        }
        world.book.frames += 1;
        let correlation = places.enter(arrival).context("no place is free")?;
        let written = world
            .script
            .write(out, arrival.ask, correlation, DEADLINE_MS);
        if !written {
            bail!("a request does not fit its frame");
        }
    }
}
