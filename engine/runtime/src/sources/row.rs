//! A source's durable row.
//!
//! Format 1: version u8 | free of debt at u64 LE, in Unix milliseconds.

use bytes::Bytes;
use tidegate_storage_api::{Check, Commit, Key as RowKey, Region, Store, StoreError};

const VERSION: u8 = 1;
/// Other nodes settle the same source; each try finds one of them further on.
const SETTLE_TRIES: usize = 16;

/// What settling a source found in its row, and left there.
pub(super) struct Settled {
    pub(super) before_ms: u64,
    pub(super) after_ms: u64,
}

/// Brings a source's row to `ahead_ms`, or beyond what it says already. It is
/// written in any case: a node that relies on a row has written it last, so that
/// another takes back only what no node relies on.
pub(super) async fn settle(
    store: &dyn Store,
    key: RowKey,
    now_ms: u64,
    ahead_ms: u64,
) -> Result<Settled, StoreError> {
    for _ in 0..SETTLE_TRIES {
        let row = store.get(key.clone()).await?;
        let before_ms = row.as_deref().map_or(Ok(0), read_row)?;
        let after_ms = ahead_ms.max(before_ms.saturating_add(1)).max(now_ms);
        let check = match row {
            None => Check::Absent(key.clone()),
            Some(row) => Check::Value(key.clone(), row),
        };
        let commit = Commit::default().check(check);
        let written = store.commit(commit.put(key.clone(), write_row(after_ms)));
        match written.await {
            Ok(_) => {
                return Ok(Settled {
                    before_ms,
                    after_ms,
                });
            }
            // Another attempt of this source has settled, or the outcome is not
            // known: read again.
            Err(StoreError::Conflict | StoreError::CommitUnknown) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Unavailable)
}

/// A row that runs further ahead than its source owes, now that it is quiet.
#[must_use]
pub(crate) struct Lead {
    pub(super) hash: [u8; 32],
    /// What this node has written.
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
}

impl Lead {
    /// Takes the row back, unless another node has written it since. Where that
    /// fails, it goes on saying more than is owed, which time mends.
    pub(crate) async fn give_back(self, store: &dyn Store, region: Region) {
        let key = RowKey::throttle(region, &self.hash);
        let check = Check::Value(key.clone(), write_row(self.from_ms));
        let commit = Commit::default().check(check);
        let _ = store.commit(commit.put(key, write_row(self.to_ms))).await;
    }
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
