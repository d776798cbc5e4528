//! Errors that say what the caller must do.

use thiserror::Error;

/// Why a read or a commit did not happen, or may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// A check did not hold. Nothing was written: read again and decide anew.
    #[error("a condition of the commit did not hold")]
    Conflict,
    /// A row was written since the caller last read or wrote it, by a commit of
    /// its own whose outcome it does not know. Nothing was written: read again.
    #[error("an earlier commit of unknown fate came first")]
    Overtaken,
    /// The slot has another epoch. Nothing was written: drop everything held
    /// about the slot's people and step down.
    #[error("the slot is owned under another epoch")]
    Fenced,
    /// The store does not answer. Nothing was written: try again later.
    #[error("the store is not available")]
    Unavailable,
    /// The commit may have happened or may yet: find out before answering.
    #[error("the fate of the commit is not known")]
    CommitUnknown,
    /// What was read is not what was written: refuse this person, report it.
    #[error("stored data is corrupt")]
    Corrupt,
    /// The commit breaks a stated limit. Nothing was written.
    #[error("the commit is larger than the store takes")]
    TooLarge,
}
