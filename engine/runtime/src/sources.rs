//! What each source of requests has tried: the generic cell rate algorithm
//! (ITU-T I.371) in a table of fixed size, settled with a durable row.
//!
//! An attempt is charged before anything is done for it, and what it was is
//! said when it is known: a success takes its charge back, a wrong guess keeps
//! it. An attempt that would be one too many only because of others under way
//! waits until one of them is known; only what failed is told as too many.
//!
//! A source that tries little is counted in memory alone. One that tries more
//! than its local allowance is settled: its row is read, and written ahead of
//! what it has tried, before the attempt goes on, once for all that wait. A node
//! that restarts, or that forgets a source to make room, thus adds at most the
//! local allowance to the stated bound.

mod place;
mod row;

use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_account::SourcePolicy;
use tidegate_storage_api::{Key as RowKey, Region, Store, StoreError};
use tokio::sync::Notify;

use self::place::{PLACES, Place, Table};
pub(crate) use self::row::read_row;
use crate::ports::Clock;

const SHARDS: usize = 64;
/// Attempts that are counted in memory before a source is settled, and by
/// which its row runs ahead at least.
pub const LOCAL_ALLOWANCE: u32 = 8;

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

/// Every source that is counted here. Its memory is fixed: where there is no
/// room, the source with the least debt is forgotten.
pub(crate) struct Sources {
    shards: Box<[Shard]>,
}

struct Shard {
    table: Mutex<Table>,
    /// Told whenever an attempt of one of its sources is known, or settled.
    known: Notify,
}

/// How an attempt stands.
enum Standing {
    /// Charged, and the row covers it.
    Charged,
    /// Charged in memory; the row must be brought ahead by so much first.
    Unsettled {
        due_ms: u64,
        ahead_ms: u64,
    },
    /// Not charged: it depends on what is under way.
    Wait,
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

/// What became of an attempt that was charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concluded {
    /// It was right: nothing is owed, and the source is known for it.
    Right,
    /// Nothing was judged: nothing is owed.
    Returned,
    /// It stays charged.
    Kept,
}

/// What a source is charged under.
#[derive(Clone, Copy)]
pub(crate) struct Account<'a> {
    /// The source's keyed hash.
    pub(crate) hash: &'a [u8; 32],
    pub(crate) policy: &'a SourcePolicy,
}

impl Sources {
    /// Makes room for about this many sources, 48 bytes each.
    pub(crate) fn new(sources: usize) -> Sources {
        let buckets = sources.div_ceil(PLACES * SHARDS).max(1);
        let shard = |_| Shard {
            table: Mutex::new(Table::new(buckets)),
            known: Notify::new(),
        };
        Sources {
            shards: (0..SHARDS).map(shard).collect(),
        }
    }

    /// Charges an attempt before anything is done for it; waits while that
    /// depends on others under way. Without a store a source has what it may try
    /// before it is settled, and no more.
    pub(crate) async fn charge(
        &self,
        account: Account<'_>,
        clock: &dyn Clock,
        region: Region,
        store: Option<&dyn Store>,
    ) -> Result<Charge, StoreError> {
        if account.policy.free == 0 {
            return Ok(Charge::Charged);
        }
        let shard = self.shard(account.hash);
        loop {
            // Registered before the look, so that nothing is missed between.
            let mut known = std::pin::pin!(shard.known.notified());
            known.as_mut().enable();
            let now_ms = clock.unix_ms();
            let (due_ms, ahead_ms) = match shard.try_charge(account, now_ms) {
                Standing::Charged => return Ok(Charge::Charged),
                Standing::Held { retry_after_ms } => return Ok(Charge::Held { retry_after_ms }),
                Standing::Wait => {
                    known.await;
                    continue;
                }
                Standing::Unsettled { due_ms, ahead_ms } => (due_ms, ahead_ms),
            };
            let key = RowKey::throttle(region, account.hash);
            let until_ms = due_ms.saturating_add(ahead_ms);
            let settled = match store {
                Some(store) => row::settle(store, key, now_ms, until_ms).await,
                None => Err(StoreError::Unavailable),
            };
            return shard.settled(account, now_ms, settled, until_ms);
        }
    }

    /// Says what became of an attempt that was charged.
    pub(crate) fn conclude(&self, account: Account<'_>, now_ms: u64, outcome: Concluded) {
        let shard = self.shard(account.hash);
        if let Some(place) = shard.table().find(account.hash) {
            place.under_way = place.under_way.saturating_sub(1);
            match outcome {
                Concluded::Kept => {}
                Concluded::Returned => place.give_back(account.policy),
                Concluded::Right => {
                    place.give_back(account.policy);
                    place.right_ms = now_ms;
                }
            }
        }
        shard.known.notify_waiters();
    }

    /// Whether somebody has signed in from there within this time.
    pub(crate) fn is_known(&self, hash: &[u8; 32], now_ms: u64, within_ms: u64) -> bool {
        let mut table = self.shard(hash).table();
        let right_ms = table.find(hash).map_or(0, |place| place.right_ms);
        right_ms > 0 && now_ms.saturating_sub(right_ms) < within_ms
    }

    fn shard(&self, hash: &[u8; 32]) -> &Shard {
        &self.shards[usize::from(hash[31]) % SHARDS]
    }
}

impl Shard {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_charge(&self, Account { hash, policy }: Account<'_>, now_ms: u64) -> Standing {
        let mut table = self.table();
        let place = table.place(hash);
        let most_ms = u64::from(policy.free) * policy.refill_ms;
        // Nobody owes more than everything: a clock that went back far makes
        // it look so.
        place.due_ms = place.due_ms.clamp(now_ms, now_ms + most_ms);
        let due_ms = place.due_ms + policy.refill_ms;
        let debt_ms = due_ms - now_ms;
        if debt_ms > most_ms {
            return match place.under_way {
                0 => Standing::Held {
                    retry_after_ms: debt_ms - most_ms,
                },
                _ if debt_ms.saturating_sub(place.under_way_ms(policy)) <= most_ms => {
                    Standing::Wait
                }
                _ => Standing::Held {
                    retry_after_ms: debt_ms - most_ms,
                },
            };
        }
        let local_ms = u64::from(LOCAL_ALLOWANCE) * policy.refill_ms;
        let covered = debt_ms <= local_ms || due_ms <= place.settled_ms;
        if !covered && place.settling {
            return Standing::Wait;
        }
        place.due_ms = due_ms;
        place.under_way = place.under_way.saturating_add(1);
        if covered {
            return Standing::Charged;
        }
        place.settling = true;
        // The busier it is, the further ahead: one row for many attempts.
        Standing::Unsettled {
            due_ms,
            ahead_ms: local_ms.max(place.under_way_ms(policy)),
        }
    }

    /// Takes over what the row said and says now.
    fn settled(
        &self,
        Account { hash, policy }: Account<'_>,
        now_ms: u64,
        settled: Result<u64, StoreError>,
        until_ms: u64,
    ) -> Result<Charge, StoreError> {
        let charge = match self.table().find(hash) {
            // Forgotten meanwhile; the row has it.
            None => settled.map(|_| Charge::Charged),
            Some(place) => {
                place.settling = false;
                settled
                    .inspect_err(|_| place.withdraw(policy))
                    .map(|before_ms| place.settle(policy, now_ms, before_ms, until_ms))
            }
        };
        self.known.notify_waiters();
        charge
    }
}

impl Place {
    fn settle(
        &mut self,
        policy: &SourcePolicy,
        now_ms: u64,
        before_ms: u64,
        until_ms: u64,
    ) -> Charge {
        let most_ms = now_ms + u64::from(policy.free) * policy.refill_ms;
        if self.settled_ms == 0 && before_ms > self.due_ms {
            // An earlier life of this node counted more than this one.
            self.due_ms = before_ms.min(most_ms) + policy.refill_ms;
        }
        self.settled_ms = self.settled_ms.max(until_ms).max(before_ms);
        match self.due_ms.checked_sub(most_ms) {
            None | Some(0) => Charge::Charged,
            Some(retry_after_ms) => {
                self.under_way = self.under_way.saturating_sub(1);
                Charge::Held { retry_after_ms }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use tidegate_storage_api::Commit;
    use tidegate_storage_api::MemoryStore;

    const POLICY: SourcePolicy = SourcePolicy {
        free: 20,
        refill_ms: 1_000,
    };
    const START: u64 = 1_000_000;

    fn hash(source: u32) -> [u8; 32] {
        tidegate_account::tagged("tg-test-source", &[&source.to_le_bytes()])
    }

    struct At(u64);

    impl Clock for At {
        fn unix_ms(&self) -> u64 {
            self.0
        }

        fn monotonic_ms(&self) -> u64 {
            self.0
        }

        fn sleep(&self, _: u64) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(std::future::ready(()))
        }
    }

    /// One attempt, known to be wrong as soon as it was charged.
    async fn charge(sources: &Sources, store: &dyn Store, source: u32, now_ms: u64) -> Charge {
        attempt(sources, store, source, now_ms, Concluded::Kept).await
    }

    async fn attempt(
        sources: &Sources,
        store: &dyn Store,
        source: u32,
        now_ms: u64,
        outcome: Concluded,
    ) -> Charge {
        let hash = hash(source);
        let account = Account {
            hash: &hash,
            policy: &POLICY,
        };
        let clock = At(now_ms);
        let charged = sources.charge(account, &clock, Region::FIRST, Some(store));
        let charged = charged.await.unwrap();
        if charged == Charge::Charged {
            // What is decided about it takes its time.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            sources.conclude(account, now_ms, outcome);
        }
        charged
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
    async fn a_success_costs_nothing_and_makes_the_source_known() {
        let (sources, store) = (Sources::new(100), MemoryStore::new());
        assert!(!sources.is_known(&hash(1), START, 1_000));
        for _ in 0..1_000 {
            let charged = attempt(&sources, &store, 1, START, Concluded::Right).await;
            assert_eq!(charged, Charge::Charged);
        }
        assert!(sources.is_known(&hash(1), START + 999, 1_000));
        assert!(!sources.is_known(&hash(1), START + 1_000, 1_000));
    }

    #[tokio::test]
    async fn a_rush_of_right_attempts_from_one_source_all_pass() {
        for at_once in [10, 60, 150, 500] {
            let (sources, store) = (Sources::new(100), MemoryStore::new());
            let attempts =
                (0..at_once).map(|_| attempt(&sources, &store, 1, START, Concluded::Right));
            let outcomes = futures_util::future::join_all(attempts).await;
            assert!(outcomes.iter().all(|charge| *charge == Charge::Charged));
            // Nothing is owed afterwards.
            assert_eq!(burst(&sources, &store, START, 100).await, 20);
        }
    }

    #[tokio::test]
    async fn right_ones_among_the_wrong_do_not_widen_the_bound() {
        let (sources, store) = (Sources::new(100), MemoryStore::new());
        let attempts = (0..300).map(|n| {
            let outcome = match n % 3 {
                0 => Concluded::Right,
                _ => Concluded::Kept,
            };
            let sources = &sources;
            let store = &store;
            async move { (outcome, attempt(sources, store, 1, START, outcome).await) }
        });
        let outcomes = futures_util::future::join_all(attempts).await;
        let wrong = |(outcome, charge): &&(Concluded, Charge)| {
            (*outcome, *charge) == (Concluded::Kept, Charge::Charged)
        };
        assert_eq!(outcomes.iter().filter(wrong).count(), 20);
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
            let account = Account {
                hash: &hash,
                policy: &POLICY,
            };
            let clock = At(START);
            let charged = sources.charge(account, &clock, Region::FIRST, Some(&Down));
            assert_eq!(charged.await, Err(StoreError::Unavailable));
        }
    }
}
