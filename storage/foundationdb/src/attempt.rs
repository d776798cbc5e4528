//! One transaction at a time: the conditions, the writes, and the outcome of an
//! indeterminate commit.

use std::future::Future;

use bytes::Bytes;
use foundationdb::options::{ConflictRangeType, MutationType, TransactionOption};
use foundationdb::{Database, FdbError, FdbResult, RangeOption, Transaction};
use tidegate_storage_api::{Check, Commit, EventPosition, Fence, Key, KeyRange, StoreError};

use crate::lanes::Lane;
use crate::space::{self, Space};

/// How long a read, or a read version, may take, also before a commit is sent;
/// what was sent has no such limit. A transaction lives for 5 s; a store that
/// takes a second for each read is slow, and still serves.
const READ_MS: i32 = 4_000;

/// A cluster, and where in it the rows lie.
pub(crate) struct Cluster {
    pub(crate) database: Database,
    pub(crate) space: Space,
}

/// The result of the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Held,
    Fenced,
    Conflict,
}

/// A transaction that only reads, and is given up after [`READ_MS`].
fn reading(cluster: &Cluster) -> FdbResult<Transaction> {
    let transaction = cluster.database.create_trx()?;
    transaction.set_option(TransactionOption::Timeout(READ_MS))?;
    Ok(transaction)
}

/// Reads, with FoundationDB's own back-off in between, until the time is up.
async fn read<T, F>(
    cluster: &Cluster,
    mut once: impl FnMut(Transaction) -> F,
) -> Result<T, StoreError>
where
    F: Future<Output = (Transaction, FdbResult<T>)>,
{
    let unavailable = |error: FdbError| {
        tracing::debug!(event = "foundationdb.read_failed", code = error.code());
        StoreError::Unavailable
    };
    let mut transaction = reading(cluster).map_err(unavailable)?;
    loop {
        let (used, found) = once(transaction).await;
        match found {
            Ok(found) => return Ok(found),
            Err(error) => transaction = used.on_error(error).await.map_err(unavailable)?,
        }
    }
}

pub(crate) async fn get(cluster: &Cluster, key: &Key) -> Result<Option<Bytes>, StoreError> {
    let once = async |transaction: Transaction| {
        let found = transaction.get(&cluster.space.stored(key), true).await;
        let found = found.map(|value| value.map(|value| Bytes::copy_from_slice(&value)));
        (transaction, found)
    };
    read(cluster, once).await
}

pub(crate) async fn range(
    cluster: &Cluster,
    range: &KeyRange,
    limit: usize,
) -> Result<Vec<(Key, Bytes)>, StoreError> {
    if range.start >= range.end || limit == 0 {
        return Ok(Vec::new());
    }
    let once = async |transaction: Transaction| {
        let found = all_rows(cluster, &transaction, range, limit).await;
        (transaction, found)
    };
    read(cluster, once).await
}

/// The first rows of a range in their order, wherever they lie.
async fn all_rows(
    cluster: &Cluster,
    transaction: &Transaction,
    range: &KeyRange,
    limit: usize,
) -> FdbResult<Vec<(Key, Bytes)>> {
    let mut all = Vec::new();
    for part in cluster.space.ranges(range) {
        all.append(&mut rows(transaction, part, limit).await?);
    }
    all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    all.truncate(limit);
    Ok(all)
}

async fn rows(
    transaction: &Transaction,
    range: (Vec<u8>, Vec<u8>),
    limit: usize,
) -> FdbResult<Vec<(Key, Bytes)>> {
    let mut left = Some(RangeOption {
        limit: Some(limit),
        ..RangeOption::from(range)
    });
    let (mut rows, mut turn) = (Vec::new(), 0);
    while let Some(option) = left {
        turn += 1;
        let found = transaction.get_range(&option, turn, true).await?;
        for row in &found {
            let value = Bytes::copy_from_slice(row.value());
            rows.push((space::read(row.key()), value));
        }
        left = option.next_range(&found);
    }
    Ok(rows)
}

pub(crate) async fn fresh_version(cluster: &Cluster) -> Result<i64, StoreError> {
    let once = async |transaction: Transaction| {
        let version = transaction.get_read_version().await;
        (transaction, version)
    };
    read(cluster, once).await
}

/// Reads the conditions at a version.
pub(crate) async fn look(
    cluster: &Cluster,
    checks: &[Check],
    version: i64,
) -> Result<Found, FdbError> {
    let transaction = reading(cluster)?;
    transaction.set_read_version(version);
    // All are asked for before the first is waited for: a claim has a thousand.
    let stored: Vec<_> = checks
        .iter()
        .map(|check| match check {
            Check::Fence { region, slot, .. } => Some(Key::fence(*region, *slot)),
            Check::Absent(key) | Check::Value(key, _) => Some(key.clone()),
            Check::Untouched(_) => None,
        })
        .map(|key| key.map(|key| transaction.get(&cluster.space.stored(&key), true)))
        .collect();
    let mut found = Found::Held;
    for (check, stored) in checks.iter().zip(stored) {
        let stored = match stored {
            Some(stored) => stored.await?,
            None => continue,
        };
        let stored = stored.as_deref();
        match check {
            Check::Fence { epoch, .. } if !Fence::holds(stored, *epoch) => {
                return Ok(Found::Fenced);
            }
            Check::Absent(_) if stored.is_some() => found = Found::Conflict,
            Check::Value(_, value) if stored != Some(value.as_ref()) => found = Found::Conflict,
            Check::Fence { .. } | Check::Absent(_) | Check::Value(..) | Check::Untouched(_) => {}
        }
    }
    Ok(found)
}

/// A transaction with everything in it, at a read version. It has no time
/// limit: what was sent is waited for.
pub(crate) fn prepared(
    cluster: &Cluster,
    commit: &Commit,
    lane: &Lane,
    version: i64,
    generation: u32,
) -> FdbResult<Transaction> {
    let transaction = cluster.database.create_trx()?;
    transaction.set_read_version(version);
    for check in &commit.checks {
        let key = match check {
            Check::Fence { region, slot, .. } => &Key::fence(*region, *slot),
            Check::Absent(key) | Check::Value(key, _) | Check::Untouched(key) => key,
        };
        conflicts(cluster, &transaction, key, ConflictRangeType::Read)?;
    }
    for range in &commit.clears {
        if range.start < range.end {
            for (start, end) in cluster.space.ranges(range) {
                transaction.clear_range(&start, &end);
            }
        }
    }
    for key in &commit.deletes {
        transaction.clear(&cluster.space.stored(key));
    }
    for put in &commit.puts {
        transaction.set(&cluster.space.stored(&put.key), &put.value);
    }
    for (place, append) in (0..).zip(&commit.appends) {
        let (region, partition) = (append.region, append.partition);
        let key = EventPosition::stamped_key(region, partition, generation, place);
        let key = space::stamped(key);
        transaction.atomic_op(&key, &append.value, MutationType::SetVersionstampedKey);
    }
    conflicts(cluster, &transaction, &lane.key, ConflictRangeType::Read)?;
    let marker = MutationType::SetVersionstampedValue;
    transaction.atomic_op(&cluster.space.stored(&lane.key), &lane.value(), marker);
    Ok(transaction)
}

/// Finds out whether a lane's commit landed, and at which version. When this
/// returns, it has, or never will: this conflicts with it, and has committed.
/// Waits for as long as the database is out of reach.
pub(crate) async fn settle(cluster: &Cluster, lane: &Lane) -> FdbResult<Option<i64>> {
    let mut transaction = cluster.database.create_trx()?;
    loop {
        let landed = match transaction
            .get(&cluster.space.stored(&lane.key), false)
            .await
        {
            Ok(stored) => lane.landed(stored.as_deref()),
            Err(error) => {
                transaction = transaction.on_error(error).await?;
                continue;
            }
        };
        // Nothing is written, so that a repeat still finds it.
        conflicts(cluster, &transaction, &lane.key, ConflictRangeType::Write)?;
        match transaction.commit().await {
            Ok(_) => return Ok(landed),
            Err(error) => transaction = error.on_error().await?,
        }
    }
}

fn conflicts(
    cluster: &Cluster,
    transaction: &Transaction,
    key: &Key,
    kind: ConflictRangeType,
) -> FdbResult<()> {
    let space = &cluster.space;
    let (key, after) = (space.stored(key), space.stored(&key.successor()));
    transaction.add_conflict_range(&key, &after, kind)
}
