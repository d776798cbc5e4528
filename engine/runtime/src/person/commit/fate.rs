//! Resolving an indeterminate commit.

use tidegate_storage_api::{Check, Commit, PersonPart, StoreError};

use crate::person::load::Home;
use crate::ports::Ports;

/// The outcome of an indeterminate commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Happened,
    DidNot,
}

/// How often an indeterminate commit is looked for when others get between.
const LOOKS_MAX: usize = 16;

/// Finds out the outcome of an indeterminate commit: it happened when what is
/// stored is what it wrote. The record is written once more as it is, so that a commit that
/// is still on its way finds the record touched and cannot land any more.
pub(crate) async fn resolve(
    ports: &Ports,
    home: Home,
    epoch: u64,
    attempted: Option<&[u8]>,
) -> Result<Fate, StoreError> {
    let fence = Check::Fence {
        region: home.region,
        slot: home.slot,
        epoch,
    };
    for _ in 0..LOOKS_MAX {
        let row = home.row(PersonPart::Record);
        let stored = ports.store.get(row.clone()).await?;
        let happened = stored.as_deref() == attempted;
        let settling = Commit::default().check(fence.clone());
        let settling = match stored {
            None => settling.check(Check::Absent(row.clone())).delete(row),
            Some(stored) => settling
                .check(Check::Value(row.clone(), stored.clone()))
                .put(row, stored),
        };
        match ports.store.commit(settling).await {
            Ok(_) if happened => return Ok(Fate::Happened),
            Ok(_) => return Ok(Fate::DidNot),
            // It landed between the two, or this one is indeterminate too.
            Err(StoreError::Conflict | StoreError::Overtaken | StoreError::CommitUnknown) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::CommitUnknown)
}
