//! One suite for every backend. A backend's tests call
//! [`conformance_tests!`](crate::conformance_tests) with a closure that makes
//! an empty store and whatever must outlive it (a temporary folder, say).
#![allow(clippy::unwrap_used, missing_docs, reason = "a test suite")]

use bytes::Bytes;

use crate::{
    AgendaKey, Check, Commit, Key, KeyRange, MAX_VALUE_BYTES, Partition, PersonPart, Region, Slot,
    Store, StoreError, SystemPart,
};

/// Runs every case of the suite as a test of its own.
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests!($make;
            reads_what_was_committed, an_empty_key_reads_as_absent,
            a_failed_check_writes_nothing, value_and_absence_are_checked,
            what_the_owner_alone_writes_is_untouched,
            a_stale_epoch_is_fenced_before_conflicts_are_told, a_missing_fence_fences,
            ranges_are_ordered_and_half_open, clears_come_before_puts,
            deletes_remove, events_keep_commit_order_within_a_partition,
            person_keys_are_rows_like_others, later_commits_have_greater_stamps,
            oversized_commits_are_refused_whole, one_of_many_racing_commits_wins,
            an_empty_commit_succeeds, an_agenda_is_read_in_the_order_in_which_it_is_due,
            an_agenda_row_moves_with_the_change_that_moves_it_or_not_at_all);
    };
    ($make:expr; $($case:ident),+) => {
        $(
            #[tokio::test]
            async fn $case() {
                let (_keep, store) = ($make)().await;
                $crate::conformance::$case(&store).await;
            }
        )+
    };
}

fn slot() -> Slot {
    Slot::new(17).unwrap()
}

fn row(name: u8) -> Key {
    Key::person(Region::FIRST, slot(), &[name; 16], PersonPart::Record)
}

fn fence(epoch: u64) -> Check {
    Check::Fence {
        region: Region::FIRST,
        slot: slot(),
        epoch,
    }
}

async fn put(store: &impl Store, key: Key, value: &'static [u8]) {
    store
        .commit(Commit::default().put(key, value))
        .await
        .unwrap();
}

async fn get(store: &impl Store, key: Key) -> Option<Bytes> {
    store.get(key).await.unwrap()
}

pub async fn reads_what_was_committed(store: &impl Store) {
    put(store, row(1), b"one").await;
    put(store, row(1), b"two").await;
    assert_eq!(get(store, row(1)).await.as_deref(), Some(&b"two"[..]));
}

pub async fn an_empty_key_reads_as_absent(store: &impl Store) {
    put(store, row(1), b"").await;
    assert_eq!(get(store, row(1)).await.as_deref(), Some(&b""[..]));
    assert_eq!(get(store, row(2)).await, None);
}

pub async fn a_failed_check_writes_nothing(store: &impl Store) {
    put(store, row(1), b"here").await;
    let commit = Commit::default()
        .check(Check::Absent(row(1)))
        .put(row(2), &b"new"[..])
        .delete(row(1))
        .append(Region::FIRST, slot().partition(), &b"event"[..]);
    assert_eq!(store.commit(commit).await, Err(StoreError::Conflict));
    assert_eq!(get(store, row(1)).await.as_deref(), Some(&b"here"[..]));
    assert_eq!(get(store, row(2)).await, None);
    let events = KeyRange::events(Region::FIRST, slot().partition());
    assert_eq!(store.range(events, 10).await.unwrap(), Vec::new());
}

pub async fn value_and_absence_are_checked(store: &impl Store) {
    put(store, row(1), b"a").await;
    let held = Commit::default()
        .check(Check::Value(row(1), Bytes::from_static(b"a")))
        .check(Check::Absent(row(2)))
        .put(row(1), &b"b"[..]);
    store.commit(held.clone()).await.unwrap();
    assert_eq!(store.commit(held).await, Err(StoreError::Conflict));
    assert_eq!(get(store, row(1)).await.as_deref(), Some(&b"b"[..]));
}

pub async fn what_the_owner_alone_writes_is_untouched(store: &impl Store) {
    let own = Key::fence(Region::FIRST, slot());
    let claim = Commit::default().put(own, 5u64.to_be_bytes().to_vec());
    store.commit(claim).await.unwrap();
    for value in [&b"a"[..], b"b", b"c"] {
        let change = Commit::default()
            .check(fence(5))
            .check(Check::Untouched(row(1)))
            .put(row(1), value);
        store.commit(change).await.unwrap();
        assert_eq!(get(store, row(1)).await.as_deref(), Some(value));
    }
}

pub async fn a_stale_epoch_is_fenced_before_conflicts_are_told(store: &impl Store) {
    let own = Key::fence(Region::FIRST, slot());
    let claim = Commit::default().put(own, 5u64.to_be_bytes().to_vec());
    store.commit(claim).await.unwrap();
    store
        .commit(Commit::default().check(fence(5)).put(row(1), &b"x"[..]))
        .await
        .unwrap();
    let stale = Commit::default()
        .check(Check::Absent(row(1)))
        .check(fence(4))
        .put(row(1), &b"y"[..]);
    assert_eq!(store.commit(stale).await, Err(StoreError::Fenced));
    assert_eq!(get(store, row(1)).await.as_deref(), Some(&b"x"[..]));
}

pub async fn a_missing_fence_fences(store: &impl Store) {
    let commit = Commit::default().check(fence(1)).put(row(1), &b"x"[..]);
    assert_eq!(store.commit(commit).await, Err(StoreError::Fenced));
}

pub async fn ranges_are_ordered_and_half_open(store: &impl Store) {
    for name in [3, 1, 2, 4] {
        put(store, row(name), b"v").await;
    }
    let range = KeyRange {
        start: row(1),
        end: row(4),
    };
    let keys = |rows: Vec<(Key, Bytes)>| rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let all = store.range(range.clone(), 10).await.unwrap();
    assert_eq!(keys(all), [row(1), row(2), row(3)]);
    let two = store.range(range, 2).await.unwrap();
    assert_eq!(keys(two), [row(1), row(2)]);
    let backwards = KeyRange {
        start: row(4),
        end: row(1),
    };
    assert_eq!(store.range(backwards, 10).await.unwrap(), Vec::new());
}

pub async fn clears_come_before_puts(store: &impl Store) {
    put(store, row(1), b"old").await;
    put(store, row(2), b"other").await;
    let range = KeyRange::person(Region::FIRST, slot(), &[1; 16]);
    let commit = Commit::default().put(row(1), &b"new"[..]).clear(range);
    store.commit(commit).await.unwrap();
    assert_eq!(get(store, row(1)).await.as_deref(), Some(&b"new"[..]));
    assert_eq!(get(store, row(2)).await.as_deref(), Some(&b"other"[..]));
    let people = KeyRange::people(Region::FIRST, slot());
    store
        .commit(Commit::default().clear(people.clone()))
        .await
        .unwrap();
    assert_eq!(store.range(people, 10).await.unwrap(), Vec::new());
}

pub async fn deletes_remove(store: &impl Store) {
    put(store, row(1), b"v").await;
    store
        .commit(Commit::default().delete(row(1)).delete(row(2)))
        .await
        .unwrap();
    assert_eq!(get(store, row(1)).await, None);
}

pub async fn events_keep_commit_order_within_a_partition(store: &impl Store) {
    let here = Partition::new(3).unwrap();
    let there = Partition::new(4).unwrap();
    let first = Commit::default()
        .append(Region::FIRST, here, &b"a"[..])
        .append(Region::FIRST, there, &b"z"[..])
        .append(Region::FIRST, here, &b"b"[..]);
    store.commit(first).await.unwrap();
    let second = Commit::default().append(Region::FIRST, here, &b"c"[..]);
    store.commit(second).await.unwrap();
    let rows = store
        .range(KeyRange::events(Region::FIRST, here), 10)
        .await
        .unwrap();
    let values: Vec<_> = rows.iter().map(|(_, value)| value.as_ref()).collect();
    assert_eq!(values, [b"a", b"b", b"c"]);
}

pub async fn person_keys_are_rows_like_others(store: &impl Store) {
    let key = Key::person_key(Region::FIRST, slot(), &[9; 16]);
    let wrapped = vec![0x5A; 72];
    let commit = Commit::default()
        .check(Check::Absent(key.clone()))
        .put(key.clone(), wrapped.clone());
    store.commit(commit.clone()).await.unwrap();
    assert_eq!(store.commit(commit).await, Err(StoreError::Conflict));
    assert_eq!(get(store, key.clone()).await, Some(wrapped.into()));
    store
        .commit(Commit::default().delete(key.clone()))
        .await
        .unwrap();
    assert_eq!(get(store, key).await, None);
}

pub async fn later_commits_have_greater_stamps(store: &impl Store) {
    let mut last = None;
    for _ in 0..5 {
        let stamp = store
            .commit(Commit::default().put(row(1), &b"v"[..]))
            .await
            .unwrap();
        assert!(last < Some(stamp));
        last = Some(stamp);
    }
}

pub async fn oversized_commits_are_refused_whole(store: &impl Store) {
    let commit = Commit::default()
        .put(row(1), &b"fits"[..])
        .put(row(2), vec![0; MAX_VALUE_BYTES + 1]);
    assert_eq!(store.commit(commit).await, Err(StoreError::TooLarge));
    assert_eq!(get(store, row(1)).await, None);
}

pub async fn one_of_many_racing_commits_wins(store: &impl Store) {
    let racing: Vec<_> = (0..32u8)
        .map(|n| {
            let commit = Commit::default()
                .check(Check::Absent(Key::system(SystemPart::Tenant(1))))
                .put(Key::system(SystemPart::Tenant(1)), vec![n])
                .put(Key::system(SystemPart::Tenant(2)), vec![n]);
            store.commit(commit)
        })
        .collect();
    let mut won = Vec::new();
    for (n, commit) in (0..32u8).zip(racing) {
        match commit.await {
            Ok(_) => won.push(n),
            Err(error) => assert_eq!(error, StoreError::Conflict),
        }
    }
    assert_eq!(won.len(), 1);
    for tenant in [1, 2] {
        let value = get(store, Key::system(SystemPart::Tenant(tenant))).await;
        assert_eq!(value.as_deref(), Some(&won[..]));
    }
}

pub async fn an_empty_commit_succeeds(store: &impl Store) {
    store.commit(Commit::default()).await.unwrap();
}

fn due(due_ms: u64, name: u8) -> Key {
    let place = AgendaKey {
        due_ms,
        user: [name; 16],
        what: 1,
        number: 0,
    };
    place.key(Region::FIRST, slot())
}

async fn agenda(store: &impl Store, limit: usize) -> Vec<Key> {
    let range = KeyRange::agenda(Region::FIRST, slot());
    let rows = store.range(range, limit).await.unwrap();
    rows.into_iter().map(|(key, _)| key).collect()
}

pub async fn an_agenda_is_read_in_the_order_in_which_it_is_due(store: &impl Store) {
    put(store, row(1), b"no row of it").await;
    for (due_ms, name) in [(256, 1), (1, 9), (255, 3), (u64::MAX, 2), (256, 0)] {
        put(store, due(due_ms, name), b"").await;
    }
    let all = agenda(store, 10).await;
    let in_order = [due(1, 9), due(255, 3), due(256, 0), due(256, 1)];
    assert_eq!(all[..4], in_order);
    assert_eq!(all[4..], [due(u64::MAX, 2)]);
    assert_eq!(agenda(store, 2).await, in_order[..2]);
    let after = KeyRange::agenda(Region::FIRST, slot()).after(&in_order[3]);
    let rest = store.range(after, 10).await.unwrap();
    assert_eq!(rest.len(), 1);
}

pub async fn an_agenda_row_moves_with_the_change_that_moves_it_or_not_at_all(store: &impl Store) {
    let own = Key::fence(Region::FIRST, slot());
    let claim = Commit::default().put(own, 5u64.to_be_bytes().to_vec());
    store.commit(claim).await.unwrap();
    let change = |epoch, from_ms, to_ms, value: &'static [u8]| {
        Commit::default()
            .check(fence(epoch))
            .delete(due(from_ms, 1))
            .put(row(1), value)
            .put(due(to_ms, 1), &b""[..])
    };
    store.commit(change(5, 0, 10, b"first")).await.unwrap();
    assert_eq!(agenda(store, 10).await, [due(10, 1)]);
    let stale = store.commit(change(4, 10, 20, b"stale")).await;
    assert_eq!(stale, Err(StoreError::Fenced));
    assert_eq!(agenda(store, 10).await, [due(10, 1)]);
    store.commit(change(5, 10, 20, b"second")).await.unwrap();
    assert_eq!(agenda(store, 10).await, [due(20, 1)]);
    // A row that stays where it is survives being moved there.
    store.commit(change(5, 20, 20, b"third")).await.unwrap();
    assert_eq!(agenda(store, 10).await, [due(20, 1)]);
    assert_eq!(get(store, row(1)).await.as_deref(), Some(&b"third"[..]));
}
