//! The trait that every backend implements.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::commit::Commit;
use crate::error::StoreError;
use crate::key::{Key, KeyRange};

/// The answer of a store, on its way.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// The order of a commit: a later commit has a greater stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub u64);

/// Durable, ordered rows with conditional commits.
///
/// A read sees every commit acknowledged before it began. A commit is
/// acknowledged only when it is durable. Work begins when the method is
/// called, not when the future is first polled; a dropped future cancels
/// nothing.
pub trait Store: Send + Sync + 'static {
    /// Reads one row.
    ///
    /// Errors: `Unavailable`, `Corrupt`.
    fn get(&self, key: Key) -> StoreFuture<Option<Bytes>>;

    /// Reads up to `limit` rows of a range in key order.
    ///
    /// Errors: `Unavailable`, `Corrupt`.
    fn range(&self, range: KeyRange, limit: usize) -> StoreFuture<Vec<(Key, Bytes)>>;

    /// Applies one conditional batch, all or nothing.
    ///
    /// Errors: every [`StoreError`].
    fn commit(&self, commit: Commit) -> StoreFuture<Stamp>;
}
