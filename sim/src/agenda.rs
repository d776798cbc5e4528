//! Virtual time: what happens when. Nothing moves it but [`Agenda::run`], and
//! only when every task of the world has run as far as it can.
#![allow(
    clippy::disallowed_methods,
    reason = "the paused clock of the tasks' runtime tells when all of them wait"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What is done at a moment.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// A clock of nanoseconds and what is due. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Agenda(Arc<Inner>);

#[derive(Default)]
struct Inner {
    now_ns: AtomicU64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    entered: u64,
}

struct Entry {
    at_ns: u64,
    /// Entries of one moment are done in the order in which they were made.
    number: u64,
    what: What,
}

enum What {
    Wake(Arc<Wait>),
    /// Something that may let tasks run.
    Call(Call),
    /// Something that lets no task run.
    Quiet(Call),
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> std::cmp::Ordering {
        (self.at_ns, self.number).cmp(&(other.at_ns, other.number))
    }
}

/// Whether tasks may be able to run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tasks {
    Waiting,
    Stirred,
}

impl Agenda {
    pub(crate) fn now_ns(&self) -> u64 {
        self.0.now_ns.load(Ordering::Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, at_ns: u64, what: What) {
        let at_ns = at_ns.max(self.now_ns());
        let mut queue = self.queue();
        let number = queue.entered;
        queue.entered += 1;
        queue.heap.push(Reverse(Entry {
            at_ns,
            number,
            what,
        }));
    }

    /// Does something at a moment that may let tasks run.
    pub(crate) fn at(&self, at_ns: u64, call: impl FnOnce() + Send + 'static) {
        self.enter(at_ns, What::Call(Box::new(call)));
    }

    /// Does something at a moment that lets no task run.
    pub(crate) fn quietly_at(&self, at_ns: u64, call: impl FnOnce() + Send + 'static) {
        self.enter(at_ns, What::Quiet(Box::new(call)));
    }

    /// Waits until a moment.
    pub(crate) fn sleep_until(&self, at_ns: u64) -> Sleep {
        let wait = Arc::new(Wait::default());
        self.enter(at_ns, What::Wake(Arc::clone(&wait)));
        Sleep(wait)
    }

    pub(crate) fn sleep_ns(&self, ns: u64) -> Sleep {
        self.sleep_until(self.now_ns().saturating_add(ns))
    }

    /// Lets the world run until a moment, with everything due at it.
    pub(crate) async fn run(&self, until_ns: u64) {
        let mut tasks = Tasks::Stirred;
        loop {
            if tasks == Tasks::Stirred {
                // On a paused clock this ends when no task can go on.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let Some(at_ns) = self.next(until_ns) else {
                break;
            };
            self.0.now_ns.store(at_ns, Ordering::Relaxed);
            tasks = Tasks::Waiting;
            while let Some(what) = self.due(at_ns) {
                match what {
                    What::Wake(wait) => {
                        if wait.end() {
                            tasks = Tasks::Stirred;
                        }
                    }
                    What::Call(call) => {
                        call();
                        tasks = Tasks::Stirred;
                    }
                    What::Quiet(call) => call(),
                }
            }
        }
        self.0.now_ns.store(until_ns, Ordering::Relaxed);
    }

    fn next(&self, until_ns: u64) -> Option<u64> {
        let queue = self.queue();
        let Reverse(first) = queue.heap.peek()?;
        (first.at_ns <= until_ns).then_some(first.at_ns)
    }

    fn due(&self, at_ns: u64) -> Option<What> {
        let mut queue = self.queue();
        let Reverse(first) = queue.heap.peek()?;
        if first.at_ns > at_ns {
            return None;
        }
        queue.heap.pop().map(|Reverse(entry)| entry.what)
    }
}

#[derive(Debug, Default)]
struct Wait(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    New,
    Waiting(Waker),
    Over,
}

impl Wait {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the wait; whether a task waited.
    fn end(&self) -> bool {
        let before = std::mem::replace(&mut *self.state(), State::Over);
        match before {
            State::Waiting(waker) => {
                waker.wake();
                true
            }
            State::New | State::Over => false,
        }
    }
}

/// A wait in virtual time.
#[derive(Debug)]
pub(crate) struct Sleep(Arc<Wait>);

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.state();
        match &*state {
            State::Over => Poll::Ready(()),
            State::New | State::Waiting(_) => {
                *state = State::Waiting(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        *self.0.state() = State::Over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        crate::world::runtime(1).unwrap()
    }

    #[test]
    fn what_is_due_happens_in_order_of_time_and_then_of_entry() {
        let (agenda, done) = (Agenda::default(), Arc::new(Mutex::new(Vec::new())));
        for (at_ns, name) in [(20, "c"), (10, "a"), (10, "b"), (99, "late")] {
            let (done, clock) = (Arc::clone(&done), agenda.clone());
            agenda.at(at_ns, move || {
                done.lock().unwrap().push((clock.now_ns(), name));
            });
        }
        runtime().block_on(agenda.run(50));
        assert_eq!(*done.lock().unwrap(), [(10, "a"), (10, "b"), (20, "c")]);
        assert_eq!(agenda.now_ns(), 50);
    }

    #[test]
    fn time_stands_still_while_a_task_can_go_on() {
        let agenda = Agenda::default();
        let (clock, done) = (agenda.clone(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&done);
        runtime().block_on(async {
            tokio::spawn(async move {
                for _ in 0..3 {
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    seen.lock().unwrap().push(clock.now_ns());
                    clock.sleep_ns(7).await;
                }
            });
            agenda.run(100).await;
        });
        assert_eq!(*done.lock().unwrap(), [0, 7, 14]);
    }
}
