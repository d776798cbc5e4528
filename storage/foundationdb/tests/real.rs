//! The suite of every backend, on a real FoundationDB: the one that
//! `TIDEGATE_FDB_CLUSTER_FILE` names, with the client library at
//! `TIDEGATE_FDB_LIBRARY` or where the system looks. All of Tidegate's rows in
//! that database are cleared. Without one, each test says that it did not run.
//!
//! It has a `main` of its own, because FoundationDB's network has to be stopped
//! before a process ends, and because the cases share the database's keys.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

/// Names of the cases, given to a macro that runs them.
macro_rules! with_cases {
    ($run:ident) => {
        $run!(
            reads_what_was_committed,
            an_empty_key_reads_as_absent,
            a_failed_check_writes_nothing,
            value_and_absence_are_checked,
            what_the_owner_alone_writes_is_untouched,
            a_stale_epoch_is_fenced_before_conflicts_are_told,
            a_missing_fence_fences,
            ranges_are_ordered_and_half_open,
            clears_come_before_puts,
            deletes_remove,
            events_keep_commit_order_within_a_partition,
            person_keys_are_rows_like_others,
            later_commits_have_greater_stamps,
            oversized_commits_are_refused_whole,
            one_of_many_racing_commits_wins,
            an_empty_commit_succeeds,
            an_agenda_is_read_in_the_order_in_which_it_is_due,
            an_agenda_row_moves_with_the_change_that_moves_it_or_not_at_all,
            an_owner_in_good_standing_asks_for_no_read_version,
            an_owner_that_is_vouched_for_asks_for_no_read_version_at_all,
            another_claim_fences_whoever_commits_at_a_kept_version,
            another_claim_fences_whoever_was_vouched_for,
            what_holds_now_is_no_conflict_at_a_kept_version,
            an_outside_write_overtakes_what_the_owner_thought_untouched,
            keys_of_people_lie_apart_and_are_in_every_range_in_their_order,
        )
    };
}

fn say_that_none_ran(why: &str) {
    macro_rules! say {
        ($($case:ident),+ $(,)?) => {
            $(println!("test {} did not run: {why}", stringify!($case));)+
        };
    }
    with_cases!(say);
}

#[cfg(not(feature = "foundationdb"))]
fn main() {
    say_that_none_ran("built without the feature `foundationdb`");
}

#[cfg(feature = "foundationdb")]
fn main() {
    if std::env::var_os(real::CLUSTER_FILE).is_none() {
        return say_that_none_ran("TIDEGATE_FDB_CLUSTER_FILE names no FoundationDB");
    }
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    macro_rules! run {
        ($($case:ident),+ $(,)?) => {
            $(
                runtime.block_on(async {
                    let store = real::open();
                    real::emptied(&store).await;
                    cases::$case(&store).await;
                });
                println!("test {} ... ok", stringify!($case));
            )+
        };
    }
    with_cases!(run);
    drop(runtime);
    tidegate_storage_foundationdb::stop();
}

#[cfg(feature = "foundationdb")]
mod real {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tidegate_storage_api::{Commit, Key, KeyRange, Store};
    use tidegate_storage_foundationdb::{FoundationStore, Options};

    pub(super) const CLUSTER_FILE: &str = "TIDEGATE_FDB_CLUSTER_FILE";
    static LIVES: AtomicU64 = AtomicU64::new(1);

    pub(super) fn open() -> FoundationStore {
        let life = LIVES.fetch_add(1, Ordering::Relaxed);
        let options = Options {
            cluster_file: std::env::var_os(CLUSTER_FILE).map(Into::into),
            library: std::env::var_os("TIDEGATE_FDB_LIBRARY").map(Into::into),
            network: Vec::new(),
            node: 1,
            life: u128::from(std::process::id()) << 64 | u128::from(life),
        };
        FoundationStore::open(&options).unwrap()
    }

    pub(super) async fn emptied(store: &FoundationStore) {
        let all = KeyRange {
            start: Key::from_stored(&[]),
            end: Key::from_stored(&[0xFF, 0xFF]),
        };
        store.commit(Commit::default().clear(all)).await.unwrap();
    }
}

#[cfg(feature = "foundationdb")]
mod cases {
    pub(super) use tidegate_storage_api::conformance::*;
    use tidegate_storage_api::{
        Check, Commit, Fence, Key, KeyRange, PersonPart, Region, Slot, Store, StoreError,
        SystemPart,
    };
    use tidegate_storage_foundationdb::{FoundationStore, Layout};

    use super::real::open;

    fn slot() -> Slot {
        Slot::new(17).unwrap()
    }

    fn row() -> Key {
        Key::person(Region::FIRST, slot(), &[1; 16], PersonPart::Record)
    }

    fn claim(epoch: u64) -> Commit {
        let fence = Fence { epoch, owner: 1 };
        Commit::default().put(Key::fence(Region::FIRST, slot()), fence.encode())
    }

    fn change(epoch: u64, value: &'static [u8]) -> Commit {
        let fence = Check::Fence {
            region: Region::FIRST,
            slot: slot(),
            epoch,
        };
        let commit = Commit::default().check(fence).put(row(), value);
        commit.check(Check::Untouched(row()))
    }

    pub(super) async fn an_owner_in_good_standing_asks_for_no_read_version(
        store: &FoundationStore,
    ) {
        store.commit(claim(1)).await.unwrap();
        store.commit(change(1, b"first")).await.unwrap();
        let before = store.usage();
        for _ in 0..50 {
            store.commit(change(1, b"more")).await.unwrap();
        }
        let after = store.usage();
        assert_eq!(after.commits - before.commits, 50);
        assert_eq!(after.read_versions, before.read_versions);
    }

    pub(super) async fn an_owner_that_is_vouched_for_asks_for_no_read_version_at_all(
        store: &FoundationStore,
    ) {
        let stamp = store.commit(claim(1)).await.unwrap();
        store.vouch(Region::FIRST, &[(slot(), 1)], stamp);
        let before = store.usage();
        store.commit(change(1, b"first")).await.unwrap();
        let after = store.usage();
        assert_eq!(after.commits - before.commits, 1);
        assert_eq!(after.read_versions, before.read_versions);
    }

    pub(super) async fn another_claim_fences_whoever_was_vouched_for(store: &FoundationStore) {
        store.commit(claim(1)).await.unwrap();
        let renewal = Commit::default().put(Key::system(SystemPart::Node(1)), &b"1"[..]);
        let stamp = store.commit(renewal).await.unwrap();
        store.vouch(Region::FIRST, &[(slot(), 1)], stamp);
        let other = open();
        other.commit(claim(2)).await.unwrap();
        let late = store.commit(change(1, b"late")).await;
        assert_eq!(late, Err(StoreError::Fenced));
        assert_eq!(store.get(row()).await, Ok(None));
    }

    pub(super) async fn what_holds_now_is_no_conflict_at_a_kept_version(store: &FoundationStore) {
        let index = Key::identifier(Region::FIRST, &[9; 32]);
        let other = open();
        let holds = Commit::default().put(index.clone(), &b"another"[..]);
        other.commit(holds).await.unwrap();
        store.commit(claim(1)).await.unwrap();
        store.commit(change(1, b"mine")).await.unwrap();
        let gives_up = Commit::default().delete(index.clone());
        other.commit(gives_up).await.unwrap();
        let takes = change(1, b"takes it").check(Check::Absent(index.clone()));
        let taken = store.commit(takes.put(index.clone(), &b"mine"[..])).await;
        assert!(taken.is_ok(), "{taken:?}");
        let found = store.get(index).await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"mine"[..]));
    }

    pub(super) async fn another_claim_fences_whoever_commits_at_a_kept_version(
        store: &FoundationStore,
    ) {
        store.commit(claim(1)).await.unwrap();
        store.commit(change(1, b"mine")).await.unwrap();
        let other = open();
        other.commit(claim(2)).await.unwrap();
        let late = store.commit(change(1, b"late")).await;
        assert_eq!(late, Err(StoreError::Fenced));
        let found = store.get(row()).await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"mine"[..]));
    }

    pub(super) async fn an_outside_write_overtakes_what_the_owner_thought_untouched(
        store: &FoundationStore,
    ) {
        store.commit(claim(1)).await.unwrap();
        store.commit(change(1, b"mine")).await.unwrap();
        let other = open();
        let outside = Commit::default().put(row(), &b"theirs"[..]);
        other.commit(outside).await.unwrap();
        let buried = store.commit(change(1, b"buries it")).await;
        assert_eq!(buried, Err(StoreError::Overtaken));
        let found = store.get(row()).await.unwrap();
        assert_eq!(found.as_deref(), Some(&b"theirs"[..]));
    }

    pub(super) async fn keys_of_people_lie_apart_and_are_in_every_range_in_their_order(
        store: &FoundationStore,
    ) {
        let (region, user) = (Region::FIRST, [1; 16]);
        let mut keys = vec![
            row(),
            Key::person_key(region, slot(), &user),
            Key::identifier(region, &[0x01; 32]),
        ];
        keys.sort();
        let put = |commit: Commit, key: &Key| commit.put(key.clone(), &b"x"[..]);
        let all = keys.iter().fold(Commit::default(), put);
        store.commit(all).await.unwrap();
        assert_eq!(listed(store, 9).await, keys);
        assert_eq!(listed(store, 2).await, keys[..2]);
        // A search for all of them in one range finds the others.
        let together = open();
        together.set_layout(Layout::Together);
        let rows = keys.iter().filter(|key| !key.is_person_key());
        let rows: Vec<_> = rows.cloned().collect();
        assert_eq!(listed(&together, 9).await, rows);
        let clear = Commit::default().clear(KeyRange::everything());
        store.commit(clear).await.unwrap();
        assert_eq!(listed(store, 9).await, []);
    }

    async fn listed(store: &FoundationStore, limit: usize) -> Vec<Key> {
        let found = store.range(KeyRange::everything(), limit).await.unwrap();
        let keys = found.into_iter().map(|(key, _)| key);
        keys.filter(|key| !key.is_marker()).collect()
    }
}
