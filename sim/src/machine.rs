//! A node's processor: threads that share cores, and hashing that gets what
//! they leave.
//!
//! Pools of threads are served as a fair scheduler does: whichever had least
//! goes first. What they do takes microseconds and is not interrupted. Hashing
//! runs at the lowest priority on the cores that are free, and all of it at the
//! same pace.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::agenda::{Agenda, Call};
use crate::calibration::{POOLS, Stalls};
use crate::random::Stream;

/// What pools are called in reports.
pub(crate) const POOL_NAMES: [&str; POOLS] = ["endpoint", "actors", "store-write", "store-read"];

/// A piece of work: when it begins, it says how long it takes, and what is done
/// when it ends.
pub(crate) type Work = Box<dyn FnOnce() -> (u64, Call) + Send>;

/// Threads that do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    Endpoint = 0,
    Actors = 1,
    Writer = 2,
    Readers = 3,
}

/// How many threads of each pool, and cores for all of them and for hashing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) cores: u32,
    pub(crate) threads: [u32; POOLS],
    /// What it takes to wake a pool that has nothing to do.
    pub(crate) wake_ns: [u64; POOLS],
}

/// A node's processor.
pub(crate) struct Machine {
    agenda: Agenda,
    state: Mutex<State>,
    myself: Weak<Machine>,
}

struct State {
    shape: Shape,
    power: Power,
    pools: [Lane; POOLS],
    /// Cores in use by the pools, or taken away.
    busy: u32,
    /// Work from outside wants a core for so long, each.
    wanted_ns: VecDeque<u64>,
    /// Hashes that have just begun will keep a core for so long, each, as soon
    /// as they get it.
    holding_ns: VecDeque<u64>,
    /// Cores that hashes keep from others.
    held: u32,
    /// How much of a core each hash has had since the beginning, in
    /// nanoseconds.
    pace_ns: u64,
    paced_at_ns: u64,
    hashes: Vec<Hash>,
    used: Used,
    /// How long it stood still, in all.
    stood_ns: u64,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<Work>,
    running: u32,
    /// What its threads had, each, in nanoseconds.
    had_ns: u64,
    /// It rested, and what comes next wakes it.
    rested: bool,
}

struct Hash {
    done_at_pace_ns: u64,
    number: u64,
    done: Call,
}

/// Whether it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    /// Nothing goes on until then.
    Paused {
        until_ns: u64,
    },
    Off,
}

/// Core time used so far, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) pools_ns: [u64; POOLS],
    pub(crate) hashing_ns: u64,
}

impl Used {
    pub(crate) fn all_ns(&self) -> u64 {
        self.pools_ns.iter().sum::<u64>() + self.hashing_ns
    }
}

impl Machine {
    pub(crate) fn new(agenda: Agenda, shape: Shape) -> Arc<Machine> {
        Arc::new_cyclic(|myself| Machine {
            agenda,
            state: Mutex::new(State {
                shape,
                power: Power::On,
                pools: Default::default(),
                busy: 0,
                wanted_ns: VecDeque::new(),
                holding_ns: VecDeque::new(),
                held: 0,
                pace_ns: 0,
                paced_at_ns: 0,
                hashes: Vec::new(),
                used: Used::default(),
                stood_ns: 0,
            }),
            myself: Weak::clone(myself),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues work for a pool.
    pub(crate) fn queue(&self, pool: Pool, work: Work) {
        let mut state = self.state();
        if state.power == Power::Off {
            return;
        }
        let least_ns = state.least_ns();
        let lane = &mut state.pools[pool as usize];
        if lane.running == 0 && lane.queue.is_empty() {
            // A pool that rested gets no credit for it.
            lane.had_ns = lane.had_ns.max(least_ns);
            lane.rested = true;
        }
        lane.queue.push_back(work);
        drop(state);
        self.fill();
    }

    /// Work of a known length.
    pub(crate) fn spend(&self, pool: Pool, ns: u64, done: impl FnOnce() + Send + 'static) {
        let done: Call = Box::new(done);
        self.queue(pool, Box::new(move || (ns, done)));
    }

    /// Hashes a password: a thread of the hashing pool must be free
    /// ([`Machine::hashing`]). For the first `hold_ns` nothing takes its core.
    pub(crate) fn hash(&self, ns: u64, hold_ns: u64, number: u64, done: Call) {
        let now_ns = self.agenda.now_ns();
        let mut state = self.state();
        if state.power == Power::Off {
            return;
        }
        state.go_on(now_ns);
        let hash = Hash {
            done_at_pace_ns: state.pace_ns + ns,
            number,
            done,
        };
        state.hashes.push(hash);
        if hold_ns > 0 {
            state.holding_ns.push_back(hold_ns);
        }
        drop(state);
        self.look_at(number, now_ns + ns);
        self.fill();
    }

    /// How many hashes run.
    pub(crate) fn hashing(&self) -> u32 {
        u32::try_from(self.state().hashes.len()).unwrap_or(u32::MAX)
    }

    /// Stands still for a while, as a stopped process does.
    pub(crate) fn pause(&self, until_ns: u64) {
        let now_ns = self.agenda.now_ns();
        let mut state = self.state();
        state.go_on(now_ns);
        // One that stands still already does so until the later of both.
        let (from_ns, until_ns) = match state.power {
            Power::Paused { until_ns: before } => (before, until_ns.max(before)),
            Power::On | Power::Off => (now_ns, until_ns),
        };
        if state.power != Power::Off {
            state.power = Power::Paused { until_ns };
            state.stood_ns += until_ns - from_ns;
        }
        drop(state);
        let machine = Weak::clone(&self.myself);
        self.agenda.at(until_ns, move || {
            if let Some(machine) = machine.upgrade() {
                machine.resume(until_ns);
            }
        });
    }

    fn resume(&self, until_ns: u64) {
        let mut state = self.state();
        if state.power == (Power::Paused { until_ns }) {
            state.go_on(until_ns);
            state.power = Power::On;
        }
        drop(state);
        self.fill();
    }

    /// How long it stood still so far, in all.
    pub(crate) fn stood_ns(&self) -> u64 {
        let now_ns = self.agenda.now_ns();
        let state = self.state();
        let to_come_ns = match state.power {
            Power::Paused { until_ns } => until_ns.saturating_sub(now_ns),
            Power::On | Power::Off => 0,
        };
        state.stood_ns.saturating_sub(to_come_ns)
    }

    /// Until when it stands still, if it does.
    pub(crate) fn paused_until_ns(&self) -> Option<u64> {
        match self.state().power {
            Power::Paused { until_ns } => Some(until_ns),
            Power::On | Power::Off => None,
        }
    }

    /// Ends at once; whatever was queued is gone.
    pub(crate) fn kill(&self) {
        let now_ns = self.agenda.now_ns();
        let gone = {
            let mut state = self.state();
            state.go_on(now_ns);
            state.power = Power::Off;
            let queues = state
                .pools
                .each_mut()
                .map(|lane| std::mem::take(&mut lane.queue));
            (queues, std::mem::take(&mut state.hashes))
        };
        // The work that is dropped may hold more of this machine.
        drop(gone);
    }

    pub(crate) fn is_off(&self) -> bool {
        self.state().power == Power::Off
    }

    /// Core time used so far.
    pub(crate) fn used(&self) -> Used {
        let now_ns = self.agenda.now_ns();
        let mut state = self.state();
        state.go_on(now_ns);
        state.used
    }

    /// Has its cores taken away now and then from here on.
    pub(crate) fn share(&self, stalls: Arc<Stalls>, stream: Stream) {
        let cores = f64::from(self.state().shape.cores);
        let (false, true) = (stalls.lengths_ns.is_empty(), stalls.per_s > 0.0) else {
            return;
        };
        let at_ns = self.agenda.now_ns() + stream.gap_ns(stalls.per_s * cores);
        let machine = Weak::clone(&self.myself);
        self.agenda.at(at_ns, move || {
            let machine = machine.upgrade().filter(|machine| !machine.is_off());
            if let Some(machine) = machine {
                let place = stream.below(stalls.lengths_ns.len() as u64);
                let length_ns = stalls.lengths_ns.get(usize::try_from(place).unwrap_or(0));
                machine.state().wanted_ns.extend(length_ns);
                machine.fill();
                machine.share(stalls, stream);
            }
        });
    }

    /// Work from outside comes first.
    fn give_away(&self) {
        let mut state = self.state();
        let free = state.power == Power::On && state.busy < state.shape.cores;
        let Some(ns) = free.then(|| state.wanted_ns.pop_front()).flatten() else {
            return;
        };
        let now_ns = self.agenda.now_ns();
        state.go_on(now_ns);
        state.busy += 1;
        drop(state);
        let machine = Weak::clone(&self.myself);
        self.agenda.at(now_ns + ns, move || {
            if let Some(machine) = machine.upgrade() {
                let now_ns = machine.agenda.now_ns();
                let mut state = machine.state();
                state.go_on(now_ns);
                state.busy -= 1;
                drop(state);
                machine.fill();
            }
        });
    }

    /// Begins what can begin.
    fn fill(&self) {
        loop {
            self.give_away();
            let mut state = self.state();
            let Some(pool) = state.next() else {
                drop(state);
                return self.hold();
            };
            let now_ns = self.agenda.now_ns();
            state.go_on(now_ns);
            let lane = &mut state.pools[pool];
            let Some(work) = lane.queue.pop_front() else {
                return;
            };
            lane.running += 1;
            let rested = std::mem::take(&mut lane.rested);
            state.busy += 1;
            let wake_ns = match rested {
                true => state.shape.wake_ns[pool],
                false => 0,
            };
            drop(state);
            let (ns, done) = work();
            let ns = ns + wake_ns;
            let mut state = self.state();
            let threads = u64::from(state.shape.threads[pool].max(1));
            state.pools[pool].had_ns += ns / threads;
            state.used.pools_ns[pool] += ns;
            drop(state);
            self.end_at(now_ns + ns, pool, done);
        }
    }

    /// Hashes that have just begun keep the cores that nothing else wants.
    fn hold(&self) {
        let mut state = self.state();
        let free = state.power == Power::On && state.busy + state.held < state.shape.cores;
        let Some(ns) = free.then(|| state.holding_ns.pop_front()).flatten() else {
            return;
        };
        state.held += 1;
        drop(state);
        let machine = Weak::clone(&self.myself);
        self.agenda.at(self.agenda.now_ns() + ns, move || {
            if let Some(machine) = machine.upgrade() {
                machine.state().held -= 1;
                machine.fill();
            }
        });
    }

    fn end_at(&self, at_ns: u64, pool: usize, done: Call) {
        let machine = Weak::clone(&self.myself);
        self.agenda.at(at_ns, move || {
            if let Some(machine) = machine.upgrade() {
                machine.end(pool, done);
            }
        });
    }

    fn end(&self, pool: usize, done: Call) {
        let now_ns = self.agenda.now_ns();
        let state = self.state();
        match state.power {
            Power::Off => return,
            Power::Paused { until_ns } => {
                drop(state);
                return self.end_at(until_ns, pool, done);
            }
            Power::On => {}
        }
        drop(state);
        // What follows from it finds the thread awake.
        done();
        let mut state = self.state();
        state.go_on(now_ns);
        state.pools[pool].running -= 1;
        state.busy -= 1;
        drop(state);
        self.fill();
    }

    fn look_at(&self, number: u64, at_ns: u64) {
        let machine = Weak::clone(&self.myself);
        self.agenda.at(at_ns, move || {
            if let Some(machine) = machine.upgrade() {
                machine.look(number);
            }
        });
    }

    /// Whether a hash is done by now; looks again when it may be if not.
    fn look(&self, number: u64) {
        let now_ns = self.agenda.now_ns();
        let mut state = self.state();
        state.go_on(now_ns);
        let Some(place) = state.hashes.iter().position(|hash| hash.number == number) else {
            return;
        };
        let left_ns = state.hashes[place]
            .done_at_pace_ns
            .saturating_sub(state.pace_ns);
        if left_ns == 0 {
            let hash = state.hashes.swap_remove(place);
            drop(state);
            return (hash.done)();
        }
        let again_ns = match state.power {
            Power::Paused { until_ns } => until_ns + left_ns,
            _ => now_ns + left_ns.max(LOOK_NS),
        };
        drop(state);
        self.look_at(number, again_ns);
    }
}

/// Hashes are looked at no more often than this.
const LOOK_NS: u64 = 20_000;

impl State {
    /// The pool whose turn it is, if a core is free.
    fn next(&self) -> Option<usize> {
        if self.busy + self.held >= self.shape.cores || self.power != Power::On {
            return None;
        }
        let ready = self.pools.iter().enumerate().filter(|(pool, lane)| {
            !lane.queue.is_empty() && lane.running < self.shape.threads[*pool]
        });
        ready
            .min_by_key(|(_, lane)| lane.had_ns)
            .map(|(pool, _)| pool)
    }

    fn least_ns(&self) -> u64 {
        let active = self.pools.iter().filter(|lane| lane.running > 0);
        active.map(|lane| lane.had_ns).min().unwrap_or(0)
    }

    /// Brings the hashes' pace up to now.
    fn go_on(&mut self, now_ns: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.paced_at_ns);
        self.paced_at_ns = now_ns;
        let running = self.hashes.len() as u64;
        if running == 0 || self.power != Power::On {
            return;
        }
        let free = u64::from(self.shape.cores.saturating_sub(self.busy)).min(running);
        self.pace_ns += elapsed_ns * free / running;
        self.used.hashing_ns += elapsed_ns * free;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        cores: 2,
        threads: [1, 2, 1, 2],
        wake_ns: [0; POOLS],
    };

    type Seen = Arc<Mutex<Vec<(u64, &'static str)>>>;

    fn world() -> (Agenda, Arc<Machine>, Seen) {
        let agenda = Agenda::default();
        let machine = Machine::new(agenda.clone(), SHAPE);
        (agenda, machine, Seen::default())
    }

    fn sees(agenda: &Agenda, seen: &Seen, name: &'static str) -> impl FnOnce() + Send + 'static {
        let (agenda, seen) = (agenda.clone(), Arc::clone(seen));
        move || seen.lock().unwrap().push((agenda.now_ns(), name))
    }

    fn run(agenda: &Agenda, until_ns: u64) {
        crate::world::runtime(1)
            .unwrap()
            .block_on(agenda.run(until_ns));
    }

    #[test]
    fn a_thread_does_one_thing_after_the_other_and_cores_are_shared() {
        let (agenda, machine, seen) = world();
        for name in ["e1", "e2"] {
            machine.spend(Pool::Endpoint, 10, sees(&agenda, &seen, name));
        }
        for name in ["a1", "a2"] {
            machine.spend(Pool::Actors, 10, sees(&agenda, &seen, name));
        }
        run(&agenda, 100);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 4);
        assert_eq!(seen.iter().filter(|(at_ns, _)| *at_ns == 10).count(), 2);
        assert_eq!(seen.iter().filter(|(at_ns, _)| *at_ns == 20).count(), 2);
        assert_eq!(machine.used().pools_ns, [20, 20, 0, 0]);
    }

    #[test]
    fn a_pool_that_rests_is_woken_and_one_that_works_is_not() {
        let agenda = Agenda::default();
        let shape = Shape {
            wake_ns: [100, 0, 0, 0],
            ..SHAPE
        };
        let (machine, seen) = (Machine::new(agenda.clone(), shape), Seen::default());
        for name in ["first", "second"] {
            machine.spend(Pool::Endpoint, 10, sees(&agenda, &seen, name));
        }
        run(&agenda, 1_000);
        machine.spend(Pool::Endpoint, 10, sees(&agenda, &seen, "third"));
        run(&agenda, 2_000);
        let expected = [(110, "first"), (120, "second"), (1_110, "third")];
        assert_eq!(*seen.lock().unwrap(), expected);
    }

    #[test]
    fn a_core_that_is_taken_away_is_missed_by_pools_and_hashing() {
        let agenda = Agenda::default();
        let shape = Shape { cores: 1, ..SHAPE };
        let (machine, seen) = (Machine::new(agenda.clone(), shape), Seen::default());
        let stalls = Stalls {
            per_s: 1.0,
            lengths_ns: vec![500_000_000],
        };
        machine.share(Arc::new(stalls), Stream::new(1, "stalls", 0));
        machine.hash(10_000_000_000, 0, 1, Box::new(sees(&agenda, &seen, "hash")));
        run(&agenda, 60_000_000_000);
        let seen = seen.lock().unwrap();
        // A third of the time is gone: one of 0.5 s comes for each second.
        assert!(
            (12_000_000_000..25_000_000_000).contains(&seen[0].0),
            "{seen:?}"
        );
        assert_eq!(machine.used().hashing_ns, 10_000_000_000);
    }

    #[test]
    fn hashing_gets_what_is_left() {
        let (agenda, machine, seen) = world();
        machine.hash(100_000, 0, 1, Box::new(sees(&agenda, &seen, "hash")));
        machine.hash(100_000, 0, 2, Box::new(sees(&agenda, &seen, "hash")));
        // One of two cores is taken for a while: both hashes go at half pace.
        machine.spend(Pool::Endpoint, 100_000, || {});
        run(&agenda, 1_000_000);
        let seen = seen.lock().unwrap();
        assert!(
            seen.iter()
                .all(|(at_ns, _)| (150_000..175_000).contains(at_ns)),
            "{seen:?}"
        );
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn a_hash_that_has_just_begun_keeps_its_core_for_a_while() {
        let agenda = Agenda::default();
        let shape = Shape { cores: 1, ..SHAPE };
        let (machine, seen) = (Machine::new(agenda.clone(), shape), Seen::default());
        machine.hash(1_000_000, 3_000, 1, Box::new(sees(&agenda, &seen, "hash")));
        machine.spend(Pool::Endpoint, 10, sees(&agenda, &seen, "held back"));
        run(&agenda, 2_000_000);
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0], (3_010, "held back"));
        assert!((1_000_010..1_030_010).contains(&seen[1].0), "{seen:?}");
    }

    #[test]
    fn a_paused_machine_goes_on_afterwards_and_a_killed_one_does_not() {
        let (agenda, machine, seen) = world();
        machine.spend(Pool::Endpoint, 10, sees(&agenda, &seen, "work"));
        machine.hash(50, 0, 1, Box::new(sees(&agenda, &seen, "hash")));
        machine.pause(1_000);
        run(&agenda, 900);
        assert!(seen.lock().unwrap().is_empty());
        run(&agenda, 30_000);
        assert_eq!(seen.lock().unwrap().len(), 2);
        machine.spend(Pool::Endpoint, 10, sees(&agenda, &seen, "lost"));
        machine.kill();
        run(&agenda, 60_000);
        assert_eq!(seen.lock().unwrap().len(), 2);
    }

    #[test]
    fn pauses_that_overlap_last_until_the_later_of_both() {
        let (agenda, machine, seen) = world();
        machine.pause(5_000);
        run(&agenda, 1_000);
        machine.pause(3_000);
        machine.spend(Pool::Endpoint, 10, sees(&agenda, &seen, "work"));
        run(&agenda, 4_000);
        assert!(seen.lock().unwrap().is_empty());
        assert_eq!(machine.stood_ns(), 4_000);
        machine.pause(7_000);
        run(&agenda, 10_000);
        assert_eq!(*seen.lock().unwrap(), [(7_010, "work")]);
        assert_eq!(machine.stood_ns(), 7_000);
    }
}
