//! What FoundationDB's error codes mean for the caller.

use foundationdb::FdbError;
use tidegate_storage_api::StoreError;

/// Codes of `flow/include/flow/error_definitions.h`.
mod code {
    pub(super) const TRANSACTION_TOO_OLD: i32 = 1007;
    pub(super) const NOT_COMMITTED: i32 = 1020;
    pub(super) const COMMIT_UNKNOWN_RESULT: i32 = 1021;
    pub(super) const TRANSACTION_CANCELLED: i32 = 1025;
    pub(super) const TRANSACTION_TIMED_OUT: i32 = 1031;
    pub(super) const CLUSTER_VERSION_CHANGED: i32 = 1039;
    pub(super) const TRANSACTION_TOO_LARGE: i32 = 2101;
    pub(super) const KEY_TOO_LARGE: i32 = 2102;
    pub(super) const VALUE_TOO_LARGE: i32 = 2103;
}

/// The outcome of sending a commit, when it was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// A key that it read was written since.
    Conflict,
    TooOld,
    /// It may have happened, or may yet.
    Unknown,
    /// Nothing happened; it may be tried again after a while.
    Later,
    /// Nothing happened.
    Refused(StoreError),
}

impl Unsent {
    pub(crate) fn of(error: FdbError) -> Unsent {
        match error.code() {
            code::NOT_COMMITTED => Unsent::Conflict,
            code::TRANSACTION_TOO_OLD => Unsent::TooOld,
            code::COMMIT_UNKNOWN_RESULT
            | code::TRANSACTION_CANCELLED
            | code::TRANSACTION_TIMED_OUT
            | code::CLUSTER_VERSION_CHANGED => Unsent::Unknown,
            code::TRANSACTION_TOO_LARGE | code::KEY_TOO_LARGE | code::VALUE_TOO_LARGE => {
                Unsent::Refused(StoreError::TooLarge)
            }
            _ if error.is_maybe_committed() => Unsent::Unknown,
            _ if error.is_retryable_not_committed() => Unsent::Later,
            _ => Unsent::Refused(StoreError::Unavailable),
        }
    }
}
