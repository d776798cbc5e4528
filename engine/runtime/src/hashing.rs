//! Passwords, on a bounded pool of threads with memory of their own.
//!
//! The threads run at the lowest scheduling priority: at normal priority two
//! of them take the p99 of everything else from 0.2 ms to 63 ms, at nice 19
//! to 2.3 ms, at the same number of hashes a second.

mod line;
mod peppers;
mod signatures;
mod turns;

pub use line::HashingLine;
pub use peppers::Peppers;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use argon2::Block;
use tidegate_account::credential::passkey::SignatureWork;
use tidegate_account::{Completion, PasswordCheck, PasswordHash, SignatureCheck};
use zeroize::Zeroizing;

use crate::admission::Limit;
use crate::histogram::Histogram;
use crate::ports::{Clock, Cpu, HashDone, HashJob, HashWork};
use crate::seal::{self, Key, SealFault};

/// How the pool uses the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingOptions {
    /// Threads, each with the memory of one hash (19 MiB by default).
    pub threads: usize,
    /// Jobs that may wait; beyond, they are refused.
    pub waiting_max: usize,
}

/// The production [`Cpu`].
pub struct HashingPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    peppers: Arc<Peppers>,
    clock: Arc<dyn Clock>,
    durations: Histogram,
    refused: metrics::Counter,
    /// What waits for a thread.
    waiting: metrics::Gauge,
}

const NOT_DONE: Completion = Completion::Refused { retry_after_ms: 0 };

struct Queue {
    line: HashingLine,
    state: State,
}

#[derive(Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Closed,
}

impl HashingPool {
    /// Starts the threads. `peppers` are the keys under which hashes are
    /// encrypted, by their number.
    ///
    /// # Errors
    /// What the system says when a thread cannot be started.
    pub fn start(
        options: HashingOptions,
        peppers: Arc<Peppers>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<HashingPool> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue {
                line: HashingLine::new(options),
                state: State::Open,
            }),
            arrived: Condvar::new(),
            peppers,
            clock,
            durations: Histogram::new(
                "tidegate_hashing_seconds",
                "the work on one password, without the wait before it",
                "",
            ),
            refused: metrics::counter!("tidegate_refused_total", "limit" => Limit::Hashing.name()),
            waiting: metrics::gauge!("tidegate_waiting", "limit" => Limit::Hashing.name()),
        });
        let spawn = |number| {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || {
                    // Not allowed to: slower neighbours, same answers.
                    let _ = rustix::process::setpriority_process(None, 19);
                    shared.work();
                })
        };
        // When one cannot be started, the pool ends those that could.
        let mut pool = HashingPool {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
        };
        for number in 0..options.threads.max(1) {
            pool.threads.push(spawn(number)?);
        }
        Ok(pool)
    }
}

impl Drop for HashingPool {
    /// Refuses what waits and ends the threads.
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.shared.lock();
            queue.state = State::Closed;
            let waiting = queue.line.clear();
            self.shared.show(&queue);
            waiting
        };
        drop(waiting);
        self.shared.arrived.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that panicked has refused its job by dropping it.
            let _ = thread.join();
        }
    }
}

impl Cpu for HashingPool {
    fn hash(&self, job: HashJob, done: HashDone) {
        let mut queue = self.shared.lock();
        if queue.state == State::Closed {
            // The caller that is told may ask again: not under the lock.
            drop(queue);
            return drop(done);
        }
        let entered = queue
            .line
            .enter(self.shared.clock.monotonic_us(), job, done);
        self.shared.show(&queue);
        drop(queue);
        match entered {
            Ok(()) => self.shared.arrived.notify_one(),
            Err((done, retry_after_ms)) => {
                self.shared.refused.increment(1);
                done.tell(Completion::Refused { retry_after_ms });
            }
        }
    }

    fn verify(&self, work: &SignatureWork) -> SignatureCheck {
        signatures::verify(work)
    }

    fn repepper(&self, stored: &PasswordHash, pepper_key: u32) -> Option<PasswordHash> {
        self.shared.peppers.repepper(stored, pepper_key)
    }

    fn seal(
        &self,
        key: &Key,
        nonce: &[u8; 24],
        aad: &[u8],
        text: &mut Vec<u8>,
    ) -> Result<(), SealFault> {
        seal::seal(key, nonce, aad, text)
    }

    fn open(
        &self,
        key: &Key,
        nonce: &[u8; 24],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        seal::open(key, nonce, aad, sealed)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, queue: &Queue) {
        let waiting = u32::try_from(queue.line.waiting()).unwrap_or(u32::MAX);
        self.waiting.set(f64::from(waiting));
    }

    fn next(&self) -> Option<(HashJob, HashDone)> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.line.take() {
                self.show(&queue);
                return Some(job);
            }
            if queue.state == State::Closed {
                return None;
            }
            queue = self
                .arrived
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self) {
        let mut memory = Vec::new();
        while let Some((job, done)) = self.next() {
            let start_us = self.clock.monotonic_us();
            let late = start_us / 1000 > job.deadline_ms;
            let completion = match late {
                true => NOT_DONE,
                // A panic must not cost the pool a thread: the job is refused.
                false => catch_unwind(AssertUnwindSafe(|| self.complete(&job.work, &mut memory)))
                    .unwrap_or(NOT_DONE),
            };
            if !late {
                let us = self.clock.monotonic_us().saturating_sub(start_us);
                self.lock().line.took(us);
                self.durations.record_us(us);
            }
            if catch_unwind(AssertUnwindSafe(|| done.tell(completion))).is_err() {
                tracing::error!(event = "hashing.teller_panicked");
            }
        }
    }

    fn complete(&self, work: &HashWork, memory: &mut Vec<Block>) -> Completion {
        let outcome = match work {
            HashWork::Hash {
                password,
                salt,
                policy,
            } => self
                .peppers
                .hash(password, *salt, policy, memory)
                .map(Completion::Hashed),
            HashWork::Verify { password, stored } => self
                .peppers
                .verify(password, stored, memory)
                .map(Completion::Verified),
            HashWork::Pretend { password, policy } => self
                .peppers
                .hash(password, [0; 16], policy, memory)
                .map(|_| Completion::Verified(PasswordCheck::Mismatch)),
        };
        outcome.unwrap_or_else(|| {
            // Parameters out of range or a pepper key that is not here.
            tracing::error!(event = "hashing.impossible");
            NOT_DONE
        })
    }
}

#[cfg(test)]
mod tests;
