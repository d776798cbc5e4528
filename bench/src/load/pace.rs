//! The clock of the load: hands out what is due, a few thousand times a
//! second.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tidegate_wire::Class;
use tokio::io::unix::AsyncFd;

use super::link::Link;
use super::{Arrival, DEADLINE_MS, Pace, World};

/// How often what is due is handed out: tokio's own timers wake every
/// millisecond.
const TICK_NS: i64 = 200_000;

/// Wakes that often.
pub(crate) struct Ticker(AsyncFd<OwnedFd>);

impl Ticker {
    pub(crate) fn start() -> anyhow::Result<Ticker> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let tick = Timespec {
            tv_sec: 0,
            tv_nsec: TICK_NS,
        };
        let every = Itimerspec {
            it_interval: tick,
            it_value: tick,
        };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
        #[allow(
            deprecated,
            reason = "an OwnedFd keeps to what its unsafe successor asks for"
        )]
        let timer = AsyncFd::new(timer)?;
        Ok(Ticker(timer))
    }

    pub(crate) async fn tick(&self) -> anyhow::Result<()> {
        let mut ready = self.0.readable().await?;
        let mut count = [0; 8];
        // How many ticks were missed does not matter: the clock is asked.
        let _ = rustix::io::read(self.0.get_ref(), &mut count);
        ready.clear_ready();
        Ok(())
    }
}

/// Hands out requests until the load is over.
pub(super) async fn drive(links: &[Rc<Link>], world: &RefCell<World>) -> anyhow::Result<()> {
    let ticker = Ticker::start()?;
    let (mut turn_ns, mut cursor) = (0, 0);
    for link in links {
        link.wake.notify_one();
    }
    loop {
        ticker.tick().await?;
        let mut world = world.borrow_mut();
        let now_ns = world.now_ns();
        if let Some(error) = world.broken.take() {
            return Err(error);
        }
        if turn_ns == 0 && world.book.counts(now_ns) {
            turn_ns = now_ns;
        }
        if turn_ns != 0 && now_ns >= turn_ns + 1_000_000_000 {
            turn_ns += 1_000_000_000;
            world.book.turn();
            show(&world);
        }
        if matches!(world.shape.pace, Pace::Open) {
            arrive(&mut world, now_ns);
        }
        come_again(&mut world, now_ns);
        if !world.backlog.is_empty() {
            hand_out(&mut world, links, &mut cursor, now_ns);
        }
        if world.is_done() {
            world.book.turn();
            return Ok(());
        }
        if now_ns > world.ends_ns + u64::from(DEADLINE_MS) * 1_000_000 {
            world.give_up();
            world.book.turn();
            return Ok(());
        }
    }
}

/// What is due by now joins the backlog.
fn arrive(world: &mut World, now_ns: u64) {
    while world.next_ns <= now_ns && world.next_ns < world.ends_ns {
        let due_ns = world.next_ns;
        // Arrivals know nothing of each other: a Poisson process, by its gaps.
        let warm_up_s = world.shape.warm_up_s;
        let rate = world.mix.rate_at(due_ns as f64 / 1e9 - warm_up_s);
        let gap_ns = -world.random.unit().ln() / rate * 1e9;
        world.next_ns = due_ns + (gap_ns as u64).max(1);
        let ask = world.script.ask();
        if world.book.counts(due_ns) {
            world.book.offered(ask.class());
        }
        world.backlog.push_back(Arrival {
            ask,
            first_due_ns: due_ns,
            due_ns,
            free_ns: due_ns,
            attempt: 0,
        });
    }
}

/// Requests that were told to come again by now join the backlog.
fn come_again(world: &mut World, now_ns: u64) {
    while let Some(next) = world.returns.peek()
        && next.0.due_ns <= now_ns
        && let Some(next) = world.returns.pop()
    {
        let mut arrival = next.0;
        arrival.free_ns = arrival.due_ns;
        world.backlog.push_back(arrival);
    }
}

/// Fills one connection before the next, as a gateway that packs its requests
/// does; the first is another one every time.
fn hand_out(world: &mut World, links: &[Rc<Link>], cursor: &mut usize, now_ns: u64) {
    let mut full = 0;
    let mut woken = None;
    while full < links.len()
        && let Some(mut arrival) = world.backlog.pop_front()
    {
        // As long as no link had room it waited for that, not for the generator.
        arrival.free_ns = arrival.free_ns.max(world.full_ns);
        let link = &links[*cursor % links.len()];
        match link.hand(arrival) {
            None => {
                world.taken(&arrival);
                if woken != Some(*cursor % links.len()) {
                    link.wake.notify_one();
                    woken = Some(*cursor % links.len());
                }
                full = 0;
            }
            Some(arrival) => {
                *cursor += 1;
                full += 1;
                if full == links.len() {
                    world.full_ns = now_ns;
                }
                world.backlog.push_front(arrival);
            }
        }
    }
    *cursor += 1;
}

/// One line for the terminal.
fn show(world: &World) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let Some(second) = world.book.seconds.last() else {
        return;
    };
    let sum = |of: &dyn Fn(&crate::book::Moment) -> u64| second.iter().map(of).sum::<u64>();
    let check = &second[Class::Check as usize];
    eprint!(
        "\r{:4} s  offered {:7}  served {:7}  shed {:6}  failed {:4}  checks p50 {:.2} p99 {:.2} ms   ",
        world.book.seconds.len(),
        sum(&|moment| moment.offered),
        sum(&|moment| moment.served),
        sum(&|moment| moment.shed),
        sum(&|moment| moment.failed),
        check.p50_ms,
        check.p99_ms,
    );
}
