//! Passwords, on a bounded pool of threads with memory of their own.
//!
//! The threads run at the lowest scheduling priority: at normal priority two
//! of them take the p99 of everything else from 0.2 ms to 63 ms, at nice 19
//! to 2.3 ms, at the same number of hashes a second.

mod line;
mod turns;

pub use line::HashingLine;

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use constant_time_eq::constant_time_eq_32;
use tidegate_account::{
    Completion, Password, PasswordCheck, PasswordHash, PasswordPolicy, Secret, tagged,
};
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

/// The keys under which password hashes are encrypted, by their number.
#[derive(Default)]
pub struct Peppers(RwLock<BTreeMap<u32, Key>>);

impl Peppers {
    /// Adds a key.
    pub fn add(&self, number: u32, key: Key) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(number, key);
    }

    fn get(&self, number: u32) -> Option<Key> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&number).cloned()
    }
}

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
            // Whoever is told may ask again: not under the lock.
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

    fn repepper(&self, stored: &PasswordHash, pepper_key: u32) -> Option<PasswordHash> {
        let output = self.shared.opened(stored)?;
        let mut hash = stored.clone();
        hash.pepper_key = pepper_key;
        hash.output[..32].copy_from_slice(&*output);
        self.shared.sealed(hash)
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
                .hash(password, *salt, policy, memory)
                .map(Completion::Hashed),
            HashWork::Verify { password, stored } => self
                .verify(password, stored, memory)
                .map(Completion::Verified),
            HashWork::Pretend { password, policy } => self
                .hash(password, [0; 16], policy, memory)
                .map(|_| Completion::Verified(PasswordCheck::Mismatch)),
        };
        outcome.unwrap_or_else(|| {
            // Parameters out of range or a pepper key that is not here.
            tracing::error!(event = "hashing.impossible");
            NOT_DONE
        })
    }

    fn hash(
        &self,
        password: &Password,
        salt: [u8; 16],
        policy: &PasswordPolicy,
        memory: &mut Vec<Block>,
    ) -> Option<PasswordHash> {
        let mut hash = PasswordHash {
            memory_kib: policy.memory_kib,
            passes: policy.passes,
            lanes: policy.lanes,
            pepper_key: policy.pepper_key,
            salt,
            output: [0; 48],
        };
        let output = argon2id(password, &hash, memory)?;
        hash.output[..32].copy_from_slice(output.expose());
        self.sealed(hash)
    }

    /// Encrypts the output that lies in the first 32 bytes.
    fn sealed(&self, mut hash: PasswordHash) -> Option<PasswordHash> {
        let tag = self
            .pepper(&hash)?
            .encrypt_inout_detached(&Nonce::default(), &[], (&mut hash.output[..32]).into())
            .ok()?;
        hash.output[32..].copy_from_slice(&tag);
        Some(hash)
    }

    /// The output of a stored hash.
    fn opened(&self, stored: &PasswordHash) -> Option<Zeroizing<[u8; 32]>> {
        let (sealed, tag) = stored.output.split_first_chunk::<32>()?;
        let mut output = Zeroizing::new(*sealed);
        self.pepper(stored)?
            .decrypt_inout_detached(
                &Nonce::default(),
                &[],
                output.as_mut_slice().into(),
                &chacha20poly1305::Tag::try_from(tag).ok()?,
            )
            .ok()?;
        Some(output)
    }

    fn verify(
        &self,
        password: &Password,
        stored: &PasswordHash,
        memory: &mut Vec<Block>,
    ) -> Option<PasswordCheck> {
        let output = argon2id(password, stored, memory)?;
        let expected = self.opened(stored)?;
        Some(match constant_time_eq_32(output.expose(), &expected) {
            true => PasswordCheck::Match,
            false => PasswordCheck::Mismatch,
        })
    }

    /// The cipher of one hash. Its key is derived from the pepper and the
    /// hash's random salt, so each key seals one output and the nonce can be
    /// constant.
    fn pepper(&self, hash: &PasswordHash) -> Option<ChaCha20Poly1305> {
        let pepper = self.peppers.get(hash.pepper_key)?;
        let key = Zeroizing::new(tagged("tg-pepper-1", &[pepper.expose(), &hash.salt]));
        Some(ChaCha20Poly1305::new(&(*key).into()))
    }
}

/// Argon2id version 1.3 (RFC 9106), 32 bytes, in memory that is kept.
fn argon2id(
    password: &Password,
    hash: &PasswordHash,
    memory: &mut Vec<Block>,
) -> Option<Secret<32>> {
    let params = Params::new(hash.memory_kib, hash.passes, hash.lanes, Some(32)).ok()?;
    memory.resize(params.block_count(), Block::default());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = Zeroizing::new([0; 32]);
    let blocks = memory.as_mut_slice();
    argon2
        .hash_password_into_with_memory(
            password.expose(),
            &hash.salt,
            output.as_mut_slice(),
            blocks,
        )
        .ok()?;
    Some(Secret::new(*output))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemClock;
    use std::sync::mpsc;

    const COST: PasswordPolicy = PasswordPolicy {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
        pepper_key: 1,
        min_chars: 8,
    };

    fn pool(waiting_max: usize) -> HashingPool {
        let options = HashingOptions {
            threads: 1,
            waiting_max,
        };
        let peppers = Peppers::default();
        peppers.add(1, Key::new([7; 32]));
        peppers.add(2, Key::new([8; 32]));
        HashingPool::start(options, Arc::new(peppers), Arc::new(SystemClock::new())).unwrap()
    }

    fn ask(pool: &HashingPool, work: HashWork, deadline_ms: u64) -> Completion {
        let (done, told) = mpsc::channel();
        let job = HashJob { work, deadline_ms };
        pool.hash(
            job,
            HashDone::new(move |completion| done.send(completion).unwrap()),
        );
        told.recv().unwrap()
    }

    fn hash(pool: &HashingPool, policy: PasswordPolicy) -> Completion {
        let work = HashWork::Hash {
            password: Password::parse("correct horse").unwrap(),
            salt: [3; 16],
            policy,
        };
        ask(pool, work, u64::MAX)
    }

    fn hashed(pool: &HashingPool) -> PasswordHash {
        match hash(pool, COST) {
            Completion::Hashed(hash) => hash,
            other => panic!("{other:?}"),
        }
    }

    fn verify(pool: &HashingPool, password: &str, stored: PasswordHash) -> Completion {
        let password = Password::parse(password).unwrap();
        ask(pool, HashWork::Verify { password, stored }, u64::MAX)
    }

    #[test]
    fn a_password_matches_its_own_hash_and_no_other() {
        let pool = pool(10);
        let stored = hashed(&pool);
        let right = verify(&pool, "correct horse", stored.clone());
        assert!(matches!(right, Completion::Verified(PasswordCheck::Match)));
        let wrong = verify(&pool, "correct Horse", stored);
        assert!(matches!(
            wrong,
            Completion::Verified(PasswordCheck::Mismatch)
        ));
    }

    #[test]
    fn what_is_stored_is_not_the_bare_output_and_opens_under_its_own_pepper_alone() {
        let pool = pool(10);
        let stored = hashed(&pool);
        let password = Password::parse("correct horse").unwrap();
        let bare = argon2id(&password, &stored, &mut Vec::new()).unwrap();
        assert_ne!(&stored.output[..32], bare.expose());
        for change in [2, 9] {
            let mut other = stored.clone();
            other.pepper_key = change;
            let refused = verify(&pool, "correct horse", other);
            assert!(matches!(refused, Completion::Refused { .. }));
        }
        let mut salted = stored;
        salted.salt = [4; 16];
        let refused = verify(&pool, "correct horse", salted);
        assert!(matches!(refused, Completion::Refused { .. }));
    }

    #[test]
    fn costs_out_of_range_are_refused_and_the_thread_goes_on() {
        let pool = pool(10);
        let impossible = PasswordPolicy { lanes: 0, ..COST };
        assert!(matches!(
            hash(&pool, impossible),
            Completion::Refused { .. }
        ));
        hashed(&pool);
    }

    #[test]
    fn work_without_room_or_past_its_deadline_is_refused() {
        assert!(matches!(hash(&pool(0), COST), Completion::Refused { .. }));
        let work = HashWork::Pretend {
            password: Password::parse("correct horse").unwrap(),
            policy: PasswordPolicy {
                memory_kib: 4_096,
                ..COST
            },
        };
        let pool = pool(10);
        // The clock starts with the pool: wait until it has moved by real work.
        while pool.shared.clock.monotonic_ms() == 0 {
            hashed(&pool);
        }
        assert!(matches!(ask(&pool, work, 0), Completion::Refused { .. }));
    }

    #[test]
    fn done_that_is_dropped_untold_refuses() {
        let (done, told) = mpsc::channel();
        drop(HashDone::new(move |completion| {
            done.send(completion).unwrap()
        }));
        assert!(matches!(told.recv(), Ok(Completion::Refused { .. })));
    }
}
