//! After a store was put back from an older copy. What was learnt since must
//! not be taken for the present: gateways remember the highest epoch of each
//! slot and send it along, so epochs that went back would make every node
//! refuse them; events of the new time must not lie where those of the old one
//! lay; and people who were erased since must not be there again.

mod erasures;
mod gateways;

use thiserror::Error;
use tidegate_runtime::ports::{Clock, Entropy};
use tidegate_storage_api::{
    Check, Commit, Fence, Key as RowKey, Region, Slot, Store, StoreError, SystemPart,
};

use crate::backend::Backend;
use crate::deployment::{DeploymentError, StoreRow, store_row, write};
pub(crate) use erasures::Replayed;
pub(crate) use gateways::{Judged, Kept, listed};

/// By how much every epoch rises: more than a slot changes its owner in all its
/// time, and seldom enough for a number of 64 bits.
const EPOCHS: u64 = 1 << 32;

/// Why a store was not made ready.
#[derive(Debug, Error)]
pub(crate) enum RestoredError {
    /// The deployment cannot be read.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// A row cannot be read or written.
    #[error("a row of the store cannot be read")]
    Row,
    /// It was changed meanwhile.
    #[error("a node serves from this store: end all nodes first")]
    Served,
    /// The store did not answer.
    #[error("the store did not take the change: {0}")]
    Store(StoreError),
}

impl From<StoreError> for RestoredError {
    fn from(error: StoreError) -> RestoredError {
        match error {
            StoreError::Conflict => RestoredError::Served,
            error => RestoredError::Store(error),
        }
    }
}

/// A store that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// In which life of the store events are written from now on, where the
    /// store does not count its lives itself.
    pub(crate) generation: u32,
    /// The erasures that were carried out again.
    pub(crate) replayed: Replayed,
    /// Who may connect from now on, and who not any more.
    pub(crate) gateways: Judged,
}

/// Makes a store ready that was put back; no node may serve from it. It can be
/// repeated.
///
/// # Errors
/// [`RestoredError`]; the store is not ready.
pub(crate) async fn make_ready(
    backend: &Backend,
    kept: &Kept,
    means: (&dyn Clock, &dyn Entropy),
) -> Result<Ready, RestoredError> {
    let store = backend.store();
    let old = store_row(&*store).await?;
    backend.follow(&old);
    ready(&*store, old, kept, means).await
}

async fn ready(
    store: &dyn Store,
    old: StoreRow,
    kept: &Kept,
    means: (&dyn Clock, &dyn Entropy),
) -> Result<Ready, RestoredError> {
    let region = old.region().ok_or(RestoredError::Row)?;
    let replayed = erasures::replay(store, region).await?;
    let row = StoreRow {
        generation: old.generation + 1,
        ..old
    };
    let key = RowKey::system(SystemPart::Store);
    let stored = store.get(key.clone()).await?.ok_or(RestoredError::Row)?;
    let mut commit = Commit::default()
        .check(Check::Value(key.clone(), stored))
        .put(key, write(&row).ok_or(RestoredError::Row)?);
    for slot in Slot::all() {
        commit = raised(store, region, slot, commit).await?;
    }
    let (commit, gateways) = gateways::judge(store, kept, means, commit).await?;
    store.commit(commit).await?;
    Ok(Ready {
        generation: row.generation,
        replayed,
        gateways,
    })
}

async fn raised(
    store: &dyn Store,
    region: Region,
    slot: Slot,
    commit: Commit,
) -> Result<Commit, RestoredError> {
    let key = RowKey::fence(region, slot);
    let Some(stored) = store.get(key.clone()).await? else {
        return Ok(commit);
    };
    let fence = Fence::decode(&stored).ok_or(RestoredError::Row)?;
    let next = Fence {
        epoch: fence.epoch.saturating_add(EPOCHS),
        // The node that owned it then may not be there any more.
        owner: 0,
    };
    let unchanged = Check::Value(key.clone(), stored);
    Ok(commit.check(unchanged).put(key, next.encode()))
}

#[cfg(test)]
mod tests {
    use tidegate_runtime::{OsEntropy, SystemClock};
    use tidegate_storage_api::MemoryStore;

    use super::*;
    use crate::deployment::{GatewayRow, KeyRef, PersonKeys};
    use crate::rights::Right;

    #[tokio::test]
    async fn every_epoch_is_above_all_that_anybody_knows_and_events_have_a_new_life() {
        let store = MemoryStore::new();
        let key = KeyRef {
            number: 1,
            check: "aa".to_owned(),
        };
        let row = StoreRow {
            master: key.clone(),
            index: vec![key.clone()],
            pepper: vec![key],
            generation: 3,
            lease_ms: 3_000,
            region: None,
            person_keys: PersonKeys::Together,
        };
        let fence = RowKey::fence(Region::FIRST, Slot::new(7).unwrap());
        let owned = Fence { epoch: 5, owner: 9 };
        let gateway = |name: &str| GatewayRow {
            name: name.to_owned(),
            tenants: Vec::new(),
            rights: vec![Right::Auth],
            rate_per_s: 0,
            certificates: Vec::new(),
        };
        let gateway_key = |name| RowKey::system(SystemPart::Gateway(name));
        let first = Commit::default()
            .put(RowKey::system(SystemPart::Store), write(&row).unwrap())
            .put(fence.clone(), owned.encode())
            .put(gateway_key("till"), write(&gateway("till")).unwrap())
            .put(gateway_key("web"), write(&gateway("web")).unwrap());
        store.commit(first).await.unwrap();
        let expected = Ready {
            generation: 4,
            replayed: Replayed::default(),
            gateways: Judged {
                kept: vec!["web".to_owned()],
                revoked: vec!["till".to_owned()],
            },
        };
        let kept: Kept = "web".parse().unwrap();
        let (clock, entropy) = (SystemClock::new(), OsEntropy);
        let made = ready(&store, row, &kept, (&clock, &entropy)).await;
        assert_eq!(made.unwrap(), expected);
        assert_eq!(store.get(gateway_key("till")).await.unwrap(), None);
        assert!(store.get(gateway_key("web")).await.unwrap().is_some());
        let stored = store.get(fence).await.unwrap().unwrap();
        let free = Fence {
            epoch: 5 + EPOCHS,
            owner: 0,
        };
        assert_eq!(Fence::decode(&stored), Some(free));
        assert_eq!(store_row(&store).await.unwrap().generation, 4);
        let unowned = RowKey::fence(Region::FIRST, Slot::new(8).unwrap());
        assert_eq!(store.get(unowned).await.unwrap(), None);
    }
}
