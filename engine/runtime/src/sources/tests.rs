//! What sources may try.

use super::*;
use bytes::Bytes;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use tidegate_storage_api::{Commit, Key as RowKey, MemoryStore};

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
        // No attempt is late here.
        Box::pin(std::future::pending())
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
    let charged = sources.charge(account, &clock, u64::MAX, Region::FIRST, Some(store));
    let charged = charged.await.unwrap();
    if charged == Charge::Charged {
        // What is decided about it takes its time.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        if let Some(lead) = sources.conclude(account, now_ms, outcome) {
            lead.give_back(store, Region::FIRST).await;
        }
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
    let (sources, store) = (Sources::new(100, 1_000), MemoryStore::new());
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
async fn a_success_costs_nothing_and_makes_the_source_trusted() {
    let (sources, store) = (Sources::new(100, 1_000), MemoryStore::new());
    assert_eq!(sources.trust(&hash(1), START), Trust::Missing);
    for _ in 0..1_000 {
        let charged = attempt(&sources, &store, 1, START, Concluded::Right).await;
        assert_eq!(charged, Charge::Charged);
    }
    assert_eq!(sources.trust(&hash(1), START), Trust::Given);
}

#[tokio::test]
async fn a_rush_of_right_attempts_from_one_source_all_pass() {
    for at_once in [10, 60, 150, 500] {
        let (sources, store) = (Sources::new(100, 1_000), MemoryStore::new());
        let attempts = (0..at_once).map(|_| attempt(&sources, &store, 1, START, Concluded::Right));
        let outcomes = futures_util::future::join_all(attempts).await;
        assert!(outcomes.iter().all(|charge| *charge == Charge::Charged));
        // Nothing is owed afterwards.
        assert_eq!(burst(&sources, &store, START, 100).await, 20);
    }
}

#[tokio::test]
async fn a_rush_of_right_attempts_leaves_no_failures_to_other_nodes_and_later_lives() {
    let store = MemoryStore::new();
    let rush = async |sources: &Sources, outcome| {
        let attempts = (0..100).map(|_| attempt(sources, &store, 1, START, outcome));
        let outcomes = futures_util::future::join_all(attempts).await;
        let charged = outcomes.iter().filter(|charge| **charge == Charge::Charged);
        charged.count()
    };
    for _ in 0..3 {
        let sources = Sources::new(100, 1_000);
        assert_eq!(rush(&sources, Concluded::Right).await, 100);
    }
    // What failed is not given back.
    let sources = Sources::new(100, 1_000);
    assert_eq!(rush(&sources, Concluded::Kept).await, 20);
    let later = Sources::new(100, 1_000);
    assert_eq!(rush(&later, Concluded::Kept).await, 8);
}

#[tokio::test]
async fn a_row_that_another_node_relies_on_is_not_taken_back() {
    let store = MemoryStore::new();
    let (one, other) = (Sources::new(100, 1_000), Sources::new(100, 1_000));
    let hash = hash(1);
    let account = Account {
        hash: &hash,
        policy: &POLICY,
    };
    let clock = At(START);
    for _ in 0..16 {
        let charged = one.charge(account, &clock, u64::MAX, Region::FIRST, Some(&store));
        assert_eq!(charged.await, Ok(Charge::Charged));
    }
    let mut lead = None;
    for _ in 0..16 {
        assert!(lead.is_none());
        lead = one.conclude(account, START, Concluded::Right);
    }
    // The other node comes between the end of the rush and the write.
    assert_eq!(burst(&other, &store, START, 9).await, 9);
    lead.unwrap().give_back(&store, Region::FIRST).await;
    let row = || async {
        let row = store.get(RowKey::throttle(Region::FIRST, &hash)).await;
        read_row(&row.unwrap().unwrap()).unwrap()
    };
    assert_eq!(row().await, START + 18_001);
    // Nor when the first has written it again, beyond what the other counted.
    for _ in 0..16 {
        let charged = one.charge(account, &clock, u64::MAX, Region::FIRST, Some(&store));
        assert_eq!(charged.await, Ok(Charge::Charged));
    }
    for _ in 0..16 {
        assert!(one.conclude(account, START, Concluded::Right).is_none());
    }
    assert_eq!(row().await, START + 18_002);
}

#[tokio::test]
async fn right_ones_among_the_wrong_do_not_widen_the_bound() {
    let (sources, store) = (Sources::new(100, 1_000), MemoryStore::new());
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
    let first = Sources::new(100, 1_000);
    assert_eq!(burst(&first, &store, START, LOCAL_ALLOWANCE).await, 8);
    let row = || store.get(RowKey::throttle(Region::FIRST, &hash(1)));
    assert_eq!(row().await, Ok(None));
    assert_eq!(burst(&first, &store, START, 100).await, 12);
    let mut more = 0;
    for _ in 0..5 {
        more += burst(&Sources::new(100, 1_000), &store, START, 100).await;
    }
    assert!(more <= 5 * LOCAL_ALLOWANCE, "{more}");
}

#[tokio::test]
async fn parallel_attempts_meet_the_same_bound() {
    let (sources, store) = (Sources::new(100, 1_000), MemoryStore::new());
    let attempts = (0..500).map(|_| charge(&sources, &store, 1, START));
    let outcomes = futures_util::future::join_all(attempts).await;
    let charged = outcomes.iter().filter(|charge| **charge == Charge::Charged);
    assert_eq!(charged.count(), 20);
}

#[tokio::test]
async fn many_sources_displace_those_with_the_least_debt_first() {
    let (sources, store) = (Sources::new(512, 1_000), MemoryStore::new());
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
    let sources = Sources::new(100, 1_000);
    assert_eq!(burst(&sources, &Down, START, LOCAL_ALLOWANCE).await, 8);
    for _ in 0..50 {
        let hash = hash(1);
        let account = Account {
            hash: &hash,
            policy: &POLICY,
        };
        let clock = At(START);
        let charged = sources.charge(account, &clock, u64::MAX, Region::FIRST, Some(&Down));
        assert_eq!(charged.await, Err(StoreError::Unavailable));
    }
}

#[tokio::test]
async fn a_store_that_panics_strands_nobody_who_waits_for_the_row_and_charges_nothing() {
    struct Broken;
    impl Store for Broken {
        fn get(&self, _: RowKey) -> tidegate_storage_api::StoreFuture<Option<Bytes>> {
            Box::pin(async { panic!("planted") })
        }
        fn range(
            &self,
            _: tidegate_storage_api::KeyRange,
            _: usize,
        ) -> tidegate_storage_api::StoreFuture<Vec<(RowKey, Bytes)>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }
        fn commit(
            &self,
            _: Commit,
        ) -> tidegate_storage_api::StoreFuture<tidegate_storage_api::Stamp> {
            Box::pin(async { panic!("planted") })
        }
    }
    let (sources, store) = (Sources::new(100, 1_000), MemoryStore::new());
    assert_eq!(burst(&sources, &Broken, START, LOCAL_ALLOWANCE).await, 8);
    for _ in 0..3 {
        let broken = AssertUnwindSafe(charge(&sources, &Broken, 1, START));
        assert!(broken.catch_unwind().await.is_err());
    }
    // It waits for no other: a store that works answers it at once.
    let (hash, clock) = (hash(1), At(START));
    let account = Account {
        hash: &hash,
        policy: &POLICY,
    };
    let next = sources.charge(account, &clock, u64::MAX, Region::FIRST, Some(&store));
    assert_eq!(next.now_or_never(), Some(Ok(Charge::Charged)));
    assert!(sources.conclude(account, START, Concluded::Kept).is_none());
    assert_eq!(burst(&sources, &store, START, 100).await, 11);
}
