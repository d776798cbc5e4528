//! After a store was put back from a copy that is older than an erasure: the
//! rows that came back go again, before any node serves. The erasure tombstones
//! tell who was erased: they stand in the place of people's keys, which are
//! copied apart from the rows and put back from their newest copy.

use std::collections::HashSet;

use bytes::Bytes;
use tidegate_account::{ERASURE_BYTES, Erasure};
use tidegate_runtime::IndexRow;
use tidegate_storage_api::{
    Commit, Key as RowKey, KeyRange, PersonPart, Region, Slot, Store, StoreError,
};

/// Rows that are read at once.
const PAGE: usize = 1_000;
/// People, or identifiers, that go in one commit.
const BATCH: usize = 200;

/// What was done again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// Every person who was ever erased.
    pub(crate) erased: u64,
    /// Those of them who had come back.
    pub(crate) people: u64,
    /// Identifiers that had come back with them.
    pub(crate) identifiers: u64,
}

/// Takes away what came back. It can be repeated.
pub(super) async fn replay(store: &dyn Store, region: Region) -> Result<Replayed, StoreError> {
    let mut replayed = Replayed::default();
    let mut erased = HashSet::new();
    for slot in Slot::all() {
        let mut left = KeyRange::person_keys(region, slot);
        loop {
            let page = store.range(left.clone(), PAGE).await?;
            let Some((last, _)) = page.last() else {
                break;
            };
            left = left.after(last);
            let rows = page.iter().filter(|(_, value)| is_erasure(value));
            let users: Vec<_> = rows.filter_map(|(key, _)| key.keys_person()).collect();
            for users in users.chunks(BATCH) {
                replayed.people += take_away(store, region, slot, users).await?;
            }
            replayed.erased += users.len() as u64;
            erased.extend(users);
        }
    }
    if erased.is_empty() {
        return Ok(replayed);
    }
    for slot in Slot::all() {
        replayed.identifiers += free(store, KeyRange::identifiers(region, slot), &erased).await?;
    }
    Ok(replayed)
}

fn is_erasure(value: &Bytes) -> bool {
    value.len() == ERASURE_BYTES && Erasure::decode(value).is_ok()
}

/// How many of these people were there.
async fn take_away(
    store: &dyn Store,
    region: Region,
    slot: Slot,
    users: &[[u8; 16]],
) -> Result<u64, StoreError> {
    let record = |user| RowKey::person(region, slot, user, PersonPart::Record);
    // All are asked for before the first is waited for.
    let records: Vec<_> = users.iter().map(|user| store.get(record(user))).collect();
    let (mut commit, mut there) = (Commit::default(), 0);
    for (user, found) in users.iter().zip(records) {
        there += u64::from(found.await?.is_some());
        commit = commit
            .clear(KeyRange::person(region, slot, user))
            .clear(KeyRange::person_undelivered(region, slot, user));
    }
    store.commit(commit).await?;
    Ok(there)
}

/// Frees the identifiers of erased people; how many.
async fn free(
    store: &dyn Store,
    mut left: KeyRange,
    erased: &HashSet<[u8; 16]>,
) -> Result<u64, StoreError> {
    let theirs = |value: &Bytes| {
        let row = IndexRow::decode(value);
        row.is_some_and(|row| erased.contains(row.user.as_bytes()))
    };
    let mut freed = 0;
    loop {
        let page = store.range(left.clone(), PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(freed);
        };
        left = left.after(last);
        let rows = page.iter().filter(|(_, value)| theirs(value));
        let keys: Vec<_> = rows.map(|(key, _)| key.clone()).collect();
        for batch in keys.chunks(BATCH) {
            let delete = |commit: Commit, key: &RowKey| commit.delete(key.clone());
            store
                .commit(batch.iter().fold(Commit::default(), delete))
                .await?;
            freed += batch.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_account::{Administrator, TenantId, UserId};
    use tidegate_storage_api::MemoryStore;

    use super::*;

    const REGION: Region = Region::FIRST;

    fn user(number: u16) -> UserId {
        UserId::new(
            REGION.number(),
            number % 4_096,
            [number.to_le_bytes()[0]; 16],
        )
    }

    /// Everything of a person, with an identifier.
    fn there(commit: Commit, number: u16) -> Commit {
        let user = user(number);
        let slot = Slot::new(user.slot()).unwrap();
        let row = |part| RowKey::person(REGION, slot, user.as_bytes(), part);
        commit
            .put(row(PersonPart::Record), vec![1])
            .put(
                row(PersonPart::Cold {
                    kind: 0x10,
                    number: 0,
                }),
                vec![2],
            )
            .put(
                row(PersonPart::Cold {
                    kind: 0x20,
                    number: 1,
                }),
                vec![3],
            )
            .put(
                RowKey::person_key(REGION, slot, user.as_bytes()),
                vec![4; 72],
            )
            .put(identifier(number), IndexRow::new(user, 1).encode())
    }

    fn identifier(number: u16) -> RowKey {
        let mut hash = [0x55; 32];
        hash[..2].copy_from_slice(&number.to_le_bytes());
        RowKey::identifier(REGION, &hash)
    }

    fn erased(commit: Commit, number: u16) -> Commit {
        let user = user(number);
        let slot = Slot::new(user.slot()).unwrap();
        let erasure = Erasure {
            tenant: TenantId(1),
            at: 5,
            by: Administrator("office".into()),
        };
        commit.put(
            RowKey::person_key(REGION, slot, user.as_bytes()),
            erasure.encode().to_vec(),
        )
    }

    async fn rows(store: &MemoryStore) -> Vec<(RowKey, Bytes)> {
        store.range(KeyRange::everything(), 10_000).await.unwrap()
    }

    #[tokio::test]
    async fn whoever_was_erased_goes_again_with_their_identifiers_and_nobody_else() {
        let (store, expected) = (MemoryStore::new(), MemoryStore::new());
        let (came_back, never_did, others) = (1..=250, 300..310, 1_000..1_250);
        let all = came_back.clone().chain(others.clone());
        let gone = came_back.chain(never_did);
        // Of rows an older copy, of keys the newest.
        let rows_then = all.fold(Commit::default(), there);
        store
            .commit(gone.clone().fold(rows_then, erased))
            .await
            .unwrap();
        let rows_now = others.fold(Commit::default(), there);
        expected.commit(gone.fold(rows_now, erased)).await.unwrap();
        let replayed = replay(&store, REGION).await.unwrap();
        let once = Replayed {
            erased: 260,
            people: 250,
            identifiers: 250,
        };
        assert_eq!(replayed, once);
        assert_eq!(rows(&store).await, rows(&expected).await);
        let again = Replayed {
            people: 0,
            identifiers: 0,
            ..once
        };
        assert_eq!(replay(&store, REGION).await.unwrap(), again);
    }

    #[tokio::test]
    async fn where_nobody_was_erased_nothing_is_touched() {
        let store = MemoryStore::new();
        store.commit(there(Commit::default(), 7)).await.unwrap();
        let before = rows(&store).await;
        assert_eq!(replay(&store, REGION).await.unwrap(), Replayed::default());
        assert_eq!(rows(&store).await, before);
    }
}
