//! A source's durable row.
//!
//! Format 1: version u8 | free of debt at u64 LE, in Unix milliseconds.

use bytes::Bytes;
use tidegate_storage_api::{Check, Commit, Key as RowKey, Store, StoreError};

const VERSION: u8 = 1;
/// Other nodes settle the same source; each try finds one of them further on.
const SETTLE_TRIES: usize = 16;

/// Brings a source's row to `ahead_ms`, never back; what it said before.
pub(super) async fn settle(
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
