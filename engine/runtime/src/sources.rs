//! What each source of requests has tried: the generic cell rate algorithm
//! (ITU-T I.371) in a table of fixed size, settled with a durable row.
//!
//! A source that tries little is counted in memory alone. One that tries more
//! than its local allowance is settled: its row is read, and written ahead of
//! what it has tried, before the attempt goes on. A node that restarts, or
//! that forgets a source to make room, thus adds at most the local allowance
//! to the stated bound.
//!
//! Row, format 1: version u8 | free of debt at u64 LE, in Unix milliseconds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidegate_account::SourcePolicy;
use tidegate_storage_api::{Check, Commit, Key as RowKey, Region, Store, StoreError};

const VERSION: u8 = 1;
const PLACES: usize = 8;
const SHARDS: usize = 64;
/// Attempts that are counted in memory before a source is settled, and by
/// which its row runs ahead.
pub const LOCAL_ALLOWANCE: u32 = 8;
const SETTLE_TRIES: usize = 4;

/// Where a request comes from, as its gateway says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address: what one subscriber has.
    V6([u8; 8]),
    /// Whatever the gateway tells sources apart by.
    Gateway([u8; 16]),
}

impl Origin {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        match self {
            Origin::V4(address) => [&[1], &address[..]].concat(),
            Origin::V6(prefix) => [&[2], &prefix[..]].concat(),
            Origin::Gateway(id) => [&[3], &id[..]].concat(),
        }
    }
}

/// One source's count.
#[derive(Clone, Copy, Default)]
struct Place {
    key: [u8; 16],
    /// When the source is free of debt.
    due_ms: u64,
    /// What the durable row says; 0 before it was read.
    settled_ms: u64,
}

type Bucket = [Place; PLACES];

/// Every source that is counted here. Its memory is fixed: where there is no
/// room, the source with the least debt is forgotten.
pub(crate) struct Sources {
    shards: Box<[Mutex<Box<[Bucket]>>]>,
}

/// How an attempt stands.
enum Standing {
    /// Charged, and the row covers it.
    Charged,
    /// Charged in memory; the row must be brought ahead of this first.
    Unsettled {
        due_ms: u64,
    },
    Held {
        retry_after_ms: u64,
    },
}

/// What charging an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    Charged,
    Held { retry_after_ms: u64 },
}

impl Sources {
    /// Makes room for about this many sources, 32 bytes each.
    pub(crate) fn new(sources: usize) -> Sources {
        let buckets = sources.div_ceil(PLACES * SHARDS).max(1);
        let shard = |_| Mutex::new(vec![Bucket::default(); buckets].into_boxed_slice());
        Sources {
            shards: (0..SHARDS).map(shard).collect(),
        }
    }

    /// Charges an attempt before anything is done for it. Without a store a
    /// source has what it may try before it is settled, and no more.
    pub(crate) async fn charge(
        &self,
        hash: &[u8; 32],
        policy: &SourcePolicy,
        now_ms: u64,
        region: Region,
        store: Option<&dyn Store>,
    ) -> Result<Charge, StoreError> {
        if policy.free == 0 {
            return Ok(Charge::Charged);
        }
        let due_ms = match self.try_charge(hash, policy, now_ms) {
            Standing::Charged => return Ok(Charge::Charged),
            Standing::Held { retry_after_ms } => return Ok(Charge::Held { retry_after_ms }),
            Standing::Unsettled { due_ms } => due_ms,
        };
        let ahead_ms = due_ms + u64::from(LOCAL_ALLOWANCE) * policy.refill_ms;
        let key = RowKey::throttle(region, hash);
        let settled = match store {
            Some(store) => settle(store, key, now_ms, ahead_ms).await,
            None => Err(StoreError::Unavailable),
        };
        let Ok(before_ms) = settled else {
            self.refund(hash, policy);
            return Err(settled.err().unwrap_or(StoreError::Unavailable));
        };
        Ok(self.settled(hash, policy, now_ms, before_ms, ahead_ms))
    }

    /// Takes an attempt back: it was a success, or nothing came of it.
    pub(crate) fn refund(&self, hash: &[u8; 32], policy: &SourcePolicy) {
        let mut shard = self.shard(hash);
        if let Some(place) = find(bucket(&mut shard, hash), hash) {
            place.due_ms = place.due_ms.saturating_sub(policy.refill_ms);
        }
    }

    fn try_charge(&self, hash: &[u8; 32], policy: &SourcePolicy, now_ms: u64) -> Standing {
        let mut shard = self.shard(hash);
        let bucket = bucket(&mut shard, hash);
        let place = match bucket.iter().position(|place| place.key == key_of(hash)) {
            Some(found) => &mut bucket[found],
            None => take_place(bucket, hash),
        };
        let most_ms = u64::from(policy.free) * policy.refill_ms;
        // Nobody owes more than everything: a clock that went back far makes
        // it look so.
        place.due_ms = place.due_ms.clamp(now_ms, now_ms + most_ms);
        let due_ms = place.due_ms + policy.refill_ms;
        let debt_ms = due_ms - now_ms;
        if debt_ms > most_ms {
            return Standing::Held {
                retry_after_ms: debt_ms - most_ms,
            };
        }
        place.due_ms = due_ms;
        let local_ms = u64::from(LOCAL_ALLOWANCE) * policy.refill_ms;
        match debt_ms <= local_ms || due_ms <= place.settled_ms {
            true => Standing::Charged,
            false => Standing::Unsettled { due_ms },
        }
    }

    /// Takes over what the row said and says now.
    fn settled(
        &self,
        hash: &[u8; 32],
        policy: &SourcePolicy,
        now_ms: u64,
        before_ms: u64,
        ahead_ms: u64,
    ) -> Charge {
        let mut shard = self.shard(hash);
        let Some(place) = find(bucket(&mut shard, hash), hash) else {
            // Forgotten meanwhile; the row has it.
            return Charge::Charged;
        };
        let most_ms = now_ms + u64::from(policy.free) * policy.refill_ms;
        if place.settled_ms == 0 && before_ms > place.due_ms {
            // An earlier life of this node counted more than this one.
            place.due_ms = before_ms.min(most_ms) + policy.refill_ms;
        }
        place.settled_ms = place.settled_ms.max(ahead_ms).max(before_ms);
        match place.due_ms.checked_sub(most_ms) {
            None | Some(0) => Charge::Charged,
            Some(retry_after_ms) => Charge::Held { retry_after_ms },
        }
    }

    fn shard(&self, hash: &[u8; 32]) -> MutexGuard<'_, Box<[Bucket]>> {
        let shard = &self.shards[usize::from(hash[31]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(hash: &[u8; 32]) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

fn bucket<'a>(shard: &'a mut Box<[Bucket]>, hash: &[u8; 32]) -> &'a mut Bucket {
    let [a, b, c, d] = [hash[16], hash[17], hash[18], hash[19]];
    let number = u32::from_le_bytes([a, b, c, d]) as usize % shard.len();
    &mut shard[number]
}

fn find<'a>(bucket: &'a mut Bucket, hash: &[u8; 32]) -> Option<&'a mut Place> {
    bucket.iter_mut().find(|place| place.key == key_of(hash))
}

/// The place with the least debt becomes this source's.
fn take_place<'a>(bucket: &'a mut Bucket, hash: &[u8; 32]) -> &'a mut Place {
    let debts = bucket.iter().enumerate();
    let least = debts.min_by_key(|(_, place)| place.due_ms);
    let place = &mut bucket[least.map_or(0, |(number, _)| number)];
    *place = Place {
        key: key_of(hash),
        ..Place::default()
    };
    place
}

/// Brings a source's row to `ahead_ms`, never back; what it said before.
async fn settle(
    store: &dyn Store,
    key: RowKey,
    now_ms: u64,
    ahead_ms: u64,
) -> Result<u64, StoreError> {
    for _ in 0..SETTLE_TRIES {
        let row = store.get(key.clone()).await?;
        let before_ms = row.as_deref().map_or(Ok(0), read_row)?;
        if before_ms >= ahead_ms {
            return Ok(before_ms);
        }
        let ahead_ms = ahead_ms.max(before_ms).max(now_ms);
        let check = match row {
            None => Check::Absent(key.clone()),
            Some(row) => Check::Value(key.clone(), row),
        };
        let commit = Commit::default().check(check);
        let written = store.commit(commit.put(key.clone(), write_row(ahead_ms)));
        match written.await {
            Ok(_) => return Ok(before_ms),
            // Another attempt of this source has settled, or the fate is not
            // known: read again.
            Err(StoreError::Conflict | StoreError::CommitUnknown) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Unavailable)
}

fn write_row(due_ms: u64) -> Bytes {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&due_ms.to_le_bytes());
    bytes.into()
}

/// When a row's source is free of debt.
pub(crate) fn read_row(bytes: &[u8]) -> Result<u64, StoreError> {
    match bytes {
        [VERSION, due_ms @ ..] => {
            let due_ms = due_ms.try_into().map_err(|_| StoreError::Corrupt)?;
            Ok(u64::from_le_bytes(due_ms))
        }
        _ => Err(StoreError::Corrupt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_storage_api::MemoryStore;

    const POLICY: SourcePolicy = SourcePolicy {
        free: 20,
        refill_ms: 1_000,
    };
    const START: u64 = 1_000_000;

    fn hash(source: u32) -> [u8; 32] {
        tidegate_account::tagged("tg-test-source", &[&source.to_le_bytes()])
    }

    async fn charge(sources: &Sources, store: &dyn Store, source: u32, now_ms: u64) -> Charge {
        let hash = hash(source);
        let charged = sources.charge(&hash, &POLICY, now_ms, Region::FIRST, Some(store));
        charged.await.unwrap()
    }

    /// How many of so many attempts at one moment are let through.
    async fn burst(sources: &Sources, store: &dyn Store, now_ms: u64, attempts: u32) -> u32 {
        let mut charged = 0;
        for _ in 0..attempts {
            charged += u32::from(charge(sources, store, 1, now_ms).await == Charge::Charged);
        }
        charged
    }

    #[tokio::test]
    async fn a_source_may_try_its_allowance_at_once_and_then_at_its_pace() {
        let (sources, store) = (Sources::new(100), MemoryStore::new());
        assert_eq!(burst(&sources, &store, START, 100).await, 20);
        let held = charge(&sources, &store, 1, START).await;
        assert_eq!(
            held,
            Charge::Held {
                retry_after_ms: 1_000
            }
        );
        assert_eq!(burst(&sources, &store, START + 5_000, 100).await, 5);
        assert_eq!(charge(&sources, &store, 2, START).await, Charge::Charged);
    }

    #[tokio::test]
    async fn a_success_takes_its_attempt_back() {
        let (sources, store) = (Sources::new(100), MemoryStore::new());
        for _ in 0..1_000 {
            assert_eq!(charge(&sources, &store, 1, START).await, Charge::Charged);
            sources.refund(&hash(1), &POLICY);
        }
    }

    #[tokio::test]
    async fn a_restart_adds_at_most_the_local_allowance_and_a_quiet_source_writes_nothing() {
        let store = MemoryStore::new();
        let first = Sources::new(100);
        assert_eq!(burst(&first, &store, START, LOCAL_ALLOWANCE).await, 8);
        let row = || store.get(RowKey::throttle(Region::FIRST, &hash(1)));
        assert_eq!(row().await, Ok(None));
        assert_eq!(burst(&first, &store, START, 100).await, 12);
        let mut more = 0;
        for _ in 0..5 {
            more += burst(&Sources::new(100), &store, START, 100).await;
        }
        assert!(more <= 5 * LOCAL_ALLOWANCE, "{more}");
    }

    #[tokio::test]
    async fn parallel_attempts_meet_the_same_bound() {
        let (sources, store) = (Sources::new(100), MemoryStore::new());
        let attempts = (0..500).map(|_| charge(&sources, &store, 1, START));
        let outcomes = futures_util::future::join_all(attempts).await;
        let charged = outcomes.iter().filter(|charge| **charge == Charge::Charged);
        assert_eq!(charged.count(), 20);
    }

    #[tokio::test]
    async fn many_sources_displace_those_with_the_least_debt_first() {
        let (sources, store) = (Sources::new(512), MemoryStore::new());
        assert_eq!(burst(&sources, &store, START, 100).await, 20);
        for source in 2..20_000 {
            charge(&sources, &store, source, START).await;
        }
        assert_eq!(burst(&sources, &store, START, 100).await, 0);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_charges_nothing() {
        struct Down;
        impl Store for Down {
            fn get(&self, _: RowKey) -> tidegate_storage_api::StoreFuture<Option<Bytes>> {
                Box::pin(std::future::ready(Err(StoreError::Unavailable)))
            }
            fn range(
                &self,
                _: tidegate_storage_api::KeyRange,
                _: usize,
            ) -> tidegate_storage_api::StoreFuture<Vec<(RowKey, Bytes)>> {
                Box::pin(std::future::ready(Err(StoreError::Unavailable)))
            }
            fn commit(
                &self,
                _: Commit,
            ) -> tidegate_storage_api::StoreFuture<tidegate_storage_api::Stamp> {
                Box::pin(std::future::ready(Err(StoreError::Unavailable)))
            }
        }
        let sources = Sources::new(100);
        assert_eq!(burst(&sources, &Down, START, LOCAL_ALLOWANCE).await, 8);
        for _ in 0..50 {
            let hash = hash(1);
            let charged = sources.charge(&hash, &POLICY, START, Region::FIRST, Some(&Down));
            assert_eq!(charged.await, Err(StoreError::Unavailable));
        }
    }
}
