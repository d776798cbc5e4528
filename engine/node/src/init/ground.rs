//! Whether a database is free for a new deployment.

use tidegate_storage_api::{Key as RowKey, KeyRange, Region, Store, StoreError, SystemPart};

use super::InitError;

/// Rows that are looked at: the first of any deployment are among them.
const LOOKED_AT: usize = 1_000;

/// Refuses a database that holds a deployment, or a part of one.
pub(super) async fn refuse_occupied(store: &dyn Store) -> Result<(), InitError> {
    let store_row = store.get(RowKey::system(SystemPart::Store));
    if store_row.await.map_err(unread)?.is_some() {
        return Err(InitError::Deployed);
    }
    let move_row = store.get(RowKey::system(SystemPart::Move));
    if move_row.await.map_err(unread)?.is_some() {
        return Err(InitError::Migrating);
    }
    let rows = store.range(KeyRange::everything(), LOOKED_AT);
    let rows = rows.await.map_err(unread)?;
    match rows.iter().any(|(key, _)| is_of_a_region(key)) {
        true => Err(InitError::Occupied),
        false => Ok(()),
    }
}

/// Whether a row belongs to a deployment's people or slots. The directory of
/// regions and what a backend leaves behind do not.
fn is_of_a_region(key: &RowKey) -> bool {
    let region = key.as_bytes().first().copied().and_then(Region::new);
    region.is_some() && !key.is_marker()
}

fn unread(error: StoreError) -> InitError {
    match error {
        StoreError::Unavailable => InitError::Away,
        error => InitError::Store(error),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_storage_api::{Commit, MemoryStore, PersonPart, Slot};

    use super::*;

    async fn refused(rows: impl IntoIterator<Item = RowKey>) -> Option<String> {
        let store = MemoryStore::new();
        let put = |commit: Commit, key: RowKey| commit.put(key, &b"x"[..]);
        let commit = rows.into_iter().fold(Commit::default(), put);
        store.commit(commit).await.unwrap();
        let outcome = refuse_occupied(&store).await;
        outcome.err().map(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_a_database_that_is_free_is_taken() {
        let system = |part| RowKey::system(part);
        let slot = Slot::new(7).unwrap();
        let person = RowKey::person(Region::FIRST, slot, &[7; 16], PersonPart::Record);
        assert_eq!(refused([]).await, None);
        let left_behind = [
            RowKey::marker(None, 1, 1),
            system(SystemPart::Directory),
            system(SystemPart::Region(3)),
        ];
        assert_eq!(refused(left_behind).await, None);
        let deployed = refused([system(SystemPart::Store), system(SystemPart::Move)]).await;
        let deployed = deployed.unwrap();
        assert!(
            deployed.contains("holds a deployment already"),
            "{deployed}"
        );
        // The move brought people already.
        let moving = refused([system(SystemPart::Move), person.clone()]).await;
        let moving = moving.unwrap();
        assert!(moving.contains("repeat `tidegate move`"), "{moving}");
        for row in [person, RowKey::fence(Region::FIRST, slot)] {
            let occupied = refused([row]).await.unwrap();
            assert!(occupied.contains("a part of a deployment"), "{occupied}");
        }
    }
}
