//! What an engine asks of the world, answered by the made-up one.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidegate_account::credential::passkey::SignatureWork;
use tidegate_account::{
    Completion, PasswordCheck, PasswordHash, PasswordPolicy, SignatureCheck, tagged,
};
use tidegate_runtime::ports::{Clock, Cpu, Entropy, HashDone, HashJob, HashWork, PortFuture};
use tidegate_runtime::{HashingLine, HashingOptions, Key as SealKey, SealFault};
use tidegate_storage_api::{
    Commit, Key, KeyRange, PersonPart, Region, Slot, Stamp, Store, StoreError, StoreFuture,
};
use tidegate_storage_simulated::{SimulatedStore, Slept, World as StoreWorld};
use zeroize::Zeroizing;

use crate::agenda::Agenda;
use crate::calibration::Costs;
use crate::machine::{Machine, Pool};
use crate::plant::{Plant, Remembered};
use crate::random::{Stream, mixed};
use crate::trace::{Happened, Trace};

/// When the world begins, in Unix milliseconds: 2027-01-15, 19:00 UTC.
pub(crate) const BEGINS_AT_MS: u64 = 1_800_039_600_000;

/// One node's clock. Its date can be wrong.
pub(crate) struct NodeClock {
    agenda: Agenda,
    machine: Arc<Machine>,
    /// How far its date is off.
    off_ms: AtomicI64,
    /// What sets it wrong at the moment; the last of it counts.
    wrong_ms: Mutex<Vec<i64>>,
    plant: Plant,
}

impl NodeClock {
    pub(crate) fn new(agenda: Agenda, machine: Arc<Machine>, plant: Plant) -> NodeClock {
        NodeClock {
            agenda,
            machine,
            off_ms: AtomicI64::new(0),
            wrong_ms: Mutex::default(),
            plant,
        }
    }

    /// Sets the date wrong by so much.
    pub(crate) fn jump(&self, off_ms: i64) {
        let mut wrong_ms = self.wrong_ms.lock().unwrap_or_else(PoisonError::into_inner);
        wrong_ms.push(off_ms);
        self.off_ms.store(off_ms, Ordering::Relaxed);
    }

    /// That is over: what else sets the date wrong goes on.
    pub(crate) fn set_right(&self, off_ms: i64) {
        let mut wrong_ms = self.wrong_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = wrong_ms.iter().rposition(|one| *one == off_ms) {
            wrong_ms.remove(place);
        }
        let left_ms = wrong_ms.last().copied().unwrap_or(0);
        self.off_ms.store(left_ms, Ordering::Relaxed);
    }
}

impl Clock for NodeClock {
    fn unix_ms(&self) -> u64 {
        let now_ms = BEGINS_AT_MS + self.agenda.now_ns() / 1_000_000;
        now_ms.saturating_add_signed(self.off_ms.load(Ordering::Relaxed))
    }

    fn monotonic_ms(&self) -> u64 {
        let stood_ns = match self.plant {
            Plant::ClockSleeps => self.machine.stood_ns(),
            _ => 0,
        };
        (self.agenda.now_ns() - stood_ns) / 1_000_000
    }

    fn monotonic_us(&self) -> u64 {
        self.agenda.now_ns() / 1_000
    }

    fn sleep(&self, ms: u64) -> PortFuture<()> {
        let (agenda, machine) = (self.agenda.clone(), Arc::clone(&self.machine));
        Box::pin(async move {
            agenda.sleep_ns(ms.saturating_mul(1_000_000)).await;
            go_on(&agenda, &machine).await;
        })
    }
}

/// Waits while the machine stands still; for ever once it is off.
pub(crate) async fn go_on(agenda: &Agenda, machine: &Machine) {
    while let Some(until_ns) = machine.paused_until_ns() {
        agenda.sleep_until(until_ns).await;
    }
    if machine.is_off() {
        std::future::pending::<()>().await;
    }
}

/// One node's randomness.
pub(crate) struct NodeEntropy(pub(crate) Stream);

impl Entropy for NodeEntropy {
    fn seed(&self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill(&mut seed);
        seed
    }
}

/// The store's own world.
pub(crate) struct StoreSide {
    pub(crate) agenda: Agenda,
    pub(crate) stream: Stream,
}

impl StoreWorld for StoreSide {
    fn now_ns(&self) -> u64 {
        self.agenda.now_ns()
    }

    fn sleep_ns(&self, ns: u64) -> Slept {
        Box::pin(self.agenda.sleep_ns(ns))
    }

    fn draw(&self) -> u64 {
        self.stream.draw()
    }
}

/// CPU work with the calibrated cost and a substitute result, which a
/// production node refuses: no seal and no hash of it opens there.
pub(crate) struct NodeCpu {
    machine: Arc<Machine>,
    agenda: Agenda,
    trace: Arc<Trace>,
    costs: Costs,
    threads: u32,
    line: Mutex<HashingLine>,
    number: AtomicU64,
    myself: std::sync::Weak<NodeCpu>,
}

impl NodeCpu {
    pub(crate) fn new(
        machine: Arc<Machine>,
        agenda: Agenda,
        trace: Arc<Trace>,
        costs: Costs,
        options: HashingOptions,
    ) -> Arc<NodeCpu> {
        Arc::new_cyclic(|myself| NodeCpu {
            machine,
            agenda,
            trace,
            costs,
            threads: u32::try_from(options.threads).unwrap_or(u32::MAX),
            line: Mutex::new(HashingLine::new(options)),
            number: AtomicU64::new(0),
            myself: std::sync::Weak::clone(myself),
        })
    }

    fn line(&self) -> MutexGuard<'_, HashingLine> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many passwords wait.
    pub(crate) fn waiting(&self) -> usize {
        self.line().waiting()
    }

    /// Begins to hash when a thread is free.
    fn begin(&self) {
        while self.machine.hashing() < self.threads {
            let Some((job, done)) = self.line().take() else {
                return;
            };
            let started_ns = self.agenda.now_ns();
            if started_ns / 1_000_000 > job.deadline_ms {
                done.tell(Completion::Refused { retry_after_ms: 0 });
                continue;
            }
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let cpu = std::sync::Weak::clone(&self.myself);
            let call = move || {
                if let Some(cpu) = cpu.upgrade() {
                    cpu.hashed(&job.work, done, started_ns);
                }
            };
            self.machine.hash(
                self.costs.hash_ns,
                self.hold_ns(number),
                number,
                Box::new(call),
            );
        }
    }

    /// One of the calibrated, by the hash's number.
    fn hold_ns(&self, number: u64) -> u64 {
        let holds = &self.costs.hash_holds_ns;
        let count = holds.len().max(1) as u64;
        let place = usize::try_from(mixed(number) % count).unwrap_or(0);
        holds.get(place).copied().unwrap_or(0)
    }

    fn hashed(&self, work: &HashWork, done: HashDone, started_ns: u64) {
        let now_ns = self.agenda.now_ns();
        self.line().took((now_ns - started_ns) / 1_000);
        self.trace.note(now_ns, Happened::Hashed, &[]);
        done.tell(complete(work));
        self.begin();
    }
}

/// The substitute hash of a password: as cheap as can be, and never a hash that
/// a production node takes, because no pepper sealed it.
pub(crate) fn stand_in_hash(
    password: &[u8],
    salt: [u8; 16],
    policy: &PasswordPolicy,
) -> PasswordHash {
    let mut output = [0; 48];
    output[..32].copy_from_slice(&tagged("tg-sim-hash-1", &[&salt, password]));
    PasswordHash {
        memory_kib: policy.memory_kib,
        passes: policy.passes,
        lanes: policy.lanes,
        pepper_key: policy.pepper_key,
        salt,
        output,
    }
}

/// The substitute signature of a passkey, which a production node takes for none.
pub(crate) fn stand_in_signature(public_key: &[u8], message: &[u8]) -> [u8; 32] {
    tagged("tg-sim-signature-1", &[public_key, message])
}

fn complete(work: &HashWork) -> Completion {
    match work {
        HashWork::Hash {
            password,
            salt,
            policy,
        } => Completion::Hashed(stand_in_hash(password.expose(), *salt, policy)),
        HashWork::Verify { password, stored } => {
            let expected = tagged("tg-sim-hash-1", &[&stored.salt, password.expose()]);
            Completion::Verified(match stored.output[..32] == expected {
                true => PasswordCheck::Match,
                false => PasswordCheck::Mismatch,
            })
        }
        HashWork::Pretend { .. } => Completion::Verified(PasswordCheck::Mismatch),
    }
}

impl Cpu for NodeCpu {
    fn hash(&self, job: HashJob, done: HashDone) {
        let entered = self.line().enter(self.agenda.now_ns() / 1_000, job, done);
        match entered {
            Ok(()) => {
                // Handing it over is the actors' work.
                let cpu = std::sync::Weak::clone(&self.myself);
                self.machine
                    .spend(Pool::Actors, self.costs.hand_over_ns, move || {
                        if let Some(cpu) = cpu.upgrade() {
                            cpu.begin();
                        }
                    });
            }
            Err((done, retry_after_ms)) => done.tell(Completion::Refused { retry_after_ms }),
        }
    }

    fn verify(&self, work: &SignatureWork) -> SignatureCheck {
        let signature = stand_in_signature(work.public_key.raw_key(), &work.message);
        match work.signature == signature {
            true => SignatureCheck::Valid,
            false => SignatureCheck::Invalid,
        }
    }

    fn repepper(&self, stored: &PasswordHash, pepper_key: u32) -> Option<PasswordHash> {
        let mut hash = stored.clone();
        hash.pepper_key = pepper_key;
        Some(hash)
    }

    fn seal(
        &self,
        key: &SealKey,
        nonce: &[u8; 24],
        aad: &[u8],
        text: &mut Vec<u8>,
    ) -> Result<(), SealFault> {
        let tag = stand_in_tag(key, nonce, aad, text);
        text.extend_from_slice(&tag);
        Ok(())
    }

    fn open(
        &self,
        key: &SealKey,
        nonce: &[u8; 24],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        let (text, tag) = sealed.split_last_chunk::<16>().ok_or(SealFault)?;
        match *tag == stand_in_tag(key, nonce, aad, text) {
            true => Ok(Zeroizing::new(text.to_vec())),
            false => Err(SealFault),
        }
    }
}

/// A tag that depends on everything that a seal binds. It keeps nothing secret
/// and stops no attacker.
fn stand_in_tag(key: &SealKey, nonce: &[u8; 24], aad: &[u8], text: &[u8]) -> [u8; 16] {
    let mut hash = 0x7469_6465_6761_7465;
    for part in [key.expose().as_slice(), nonce, aad, text] {
        let (words, rest) = part.as_chunks::<8>();
        for word in words {
            hash = mixed(hash ^ u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = mixed(hash ^ u64::from_le_bytes(last) ^ ((part.len() as u64) << 32));
    }
    let mut tag = [0; 16];
    tag[..8].copy_from_slice(&hash.to_le_bytes());
    tag[8..].copy_from_slice(&mixed(hash).to_le_bytes());
    tag
}

/// A node's way to the store: its own work first, then the store's, and nothing
/// comes back to a node that stands still or is gone.
pub(crate) struct NodeStore {
    pub(crate) machine: Arc<Machine>,
    pub(crate) agenda: Agenda,
    pub(crate) trace: Arc<Trace>,
    pub(crate) costs: Costs,
    pub(crate) inner: Arc<SimulatedStore>,
    pub(crate) node: u64,
    pub(crate) plant: Plant,
    pub(crate) remembered: Arc<Remembered>,
    pub(crate) reads: AtomicU64,
}

/// One in so many reads goes wrong where that is planted.
const PLANTED_READS: u64 = 40;

impl NodeStore {
    /// Spends time of a pool, then asks the store.
    fn ask<T: Send + 'static>(
        &self,
        spend: [(Pool, u64); 2],
        ask: impl FnOnce(&SimulatedStore) -> StoreFuture<T> + Send + 'static,
        note: impl FnOnce(&Result<T, StoreError>) -> (Happened, u64) + Send + 'static,
    ) -> StoreFuture<T> {
        let (agenda, machine) = (self.agenda.clone(), Arc::clone(&self.machine));
        let (inner, trace, node) = (Arc::clone(&self.inner), Arc::clone(&self.trace), self.node);
        let (answer, answered) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            for (pool, ns) in spend {
                if ns > 0 {
                    let (done, spent) = tokio::sync::oneshot::channel();
                    machine.spend(pool, ns, move || {
                        // Its node can be gone.
                        let _ = done.send(());
                    });
                    if spent.await.is_err() {
                        // The machine is off.
                        return std::future::pending().await;
                    }
                }
            }
            let outcome = ask(&inner).await;
            go_on(&agenda, &machine).await;
            let (what, value) = note(&outcome);
            trace.note(agenda.now_ns(), what, &[node, value]);
            // The caller may have gone.
            let _ = answer.send(outcome);
        });
        Box::pin(async move { answered.await.unwrap_or(Err(StoreError::CommitUnknown)) })
    }
}

impl Store for NodeStore {
    fn get(&self, key: Key) -> StoreFuture<Option<Bytes>> {
        let spend = [
            (Pool::Actors, self.costs.read_actors_ns),
            (Pool::Readers, self.costs.read_readers_ns),
        ];
        let note = |outcome: &Result<Option<Bytes>, StoreError>| {
            let length = outcome.as_ref().map_or(u64::MAX, |found| {
                found.as_ref().map_or(0, |value| value.len() as u64)
            });
            (Happened::Read, length)
        };
        let number = self.reads.fetch_add(1, Ordering::Relaxed);
        let planted = number % PLANTED_READS == PLANTED_READS - 1;
        match self.plant {
            Plant::LostWakeUp if planted && PersonPart::of(&key).is_some() => {
                Box::pin(std::future::pending())
            }
            Plant::StaleLoad => {
                let (remembered, wanted) = (Arc::clone(&self.remembered), key.clone());
                let read = self.ask(spend, |store| store.get(key), note);
                Box::pin(async move {
                    let read = read.await?;
                    let first = remembered.first(&wanted, read.clone());
                    Ok(if planted { first } else { read })
                })
            }
            _ => self.ask(spend, |store| store.get(key), note),
        }
    }

    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(Key, Bytes)>> {
        let spend = [
            (Pool::Actors, self.costs.read_actors_ns),
            (Pool::Readers, self.costs.read_readers_ns),
        ];
        let note = |outcome: &Result<Vec<(Key, Bytes)>, StoreError>| {
            let length = outcome
                .as_ref()
                .map_or(u64::MAX, |found| found.len() as u64);
            (Happened::Read, length)
        };
        self.ask(spend, move |store| store.range(range, limit), note)
    }

    fn vouch(&self, region: Region, owned: &[(Slot, u64)], stamp: Stamp) {
        self.inner.vouch(region, owned, stamp);
    }

    fn commit(&self, commit: Commit) -> StoreFuture<Stamp> {
        let spend = [
            (Pool::Actors, self.costs.commit_actors_ns),
            (Pool::Writer, self.costs.commit_writer_ns),
        ];
        let size = commit.puts.iter().map(|put| put.value.len() as u64).sum();
        self.trace.note(
            self.agenda.now_ns(),
            Happened::Committing,
            &[self.node, size],
        );
        let note = |outcome: &Result<Stamp, StoreError>| {
            let value = match outcome {
                Ok(stamp) => stamp.0,
                Err(error) => u64::MAX - *error as u64,
            };
            (Happened::Committed, value)
        };
        let plant = self.plant;
        let early = plant == Plant::ReplyBeforeCommit
            && commit
                .puts
                .iter()
                .any(|put| PersonPart::of(&put.key).is_some());
        let number = self.reads.fetch_add(1, Ordering::Relaxed);
        if plant.swallows(&commit, number) {
            return Box::pin(std::future::ready(Ok(Stamp(0))));
        }
        let torn = plant.tears(&commit, number);
        let commit = plant.bend(commit, number);
        let answer = self.ask(spend, |store| store.commit(commit), note);
        if early {
            // What was asked goes on by itself.
            return Box::pin(std::future::ready(Ok(Stamp(0))));
        }
        Box::pin(async move {
            match torn {
                true => answer.await.and(Err(StoreError::Unavailable)),
                false => plant.bend_outcome(answer.await),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::POOLS;
    use crate::machine::Shape;

    #[test]
    fn a_date_that_is_wrong_for_two_reasons_is_right_when_both_are_over() {
        let agenda = Agenda::default();
        let shape = Shape {
            cores: 1,
            threads: [1; POOLS],
            wake_ns: [0; POOLS],
        };
        let machine = Machine::new(agenda.clone(), shape);
        let clock = NodeClock::new(agenda, machine, Plant::None);
        let off_ms = || i128::from(clock.unix_ms()) - i128::from(BEGINS_AT_MS);
        clock.jump(5_000);
        clock.jump(-2_000);
        assert_eq!(off_ms(), -2_000);
        clock.set_right(5_000);
        assert_eq!(off_ms(), -2_000);
        clock.jump(7_000);
        clock.set_right(7_000);
        assert_eq!(off_ms(), -2_000);
        clock.set_right(-2_000);
        assert_eq!(off_ms(), 0);
        // A node that was started meanwhile has a right date already.
        clock.set_right(-2_000);
        assert_eq!(off_ms(), 0);
    }
}
