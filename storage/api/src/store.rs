//! The trait that every backend implements.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::commit::Commit;
use crate::error::StoreError;
use crate::key::{Key, KeyRange, Region, Slot};

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

    /// Tells that these slots were the caller's own, under these epochs, when a
    /// commit of this store landed at `stamp`. A store whose commits rest on
    /// what is known of a fence may rest on it; the others need not listen.
    fn vouch(&self, _region: Region, _owned: &[(Slot, u64)], _stamp: Stamp) {}
}
