//! Why a copy was not made or not put back.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a copy was not made or not put back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is something already.
    #[error("{0} exists already and is left as it is")]
    Exists(PathBuf),
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was read is not whole.
    #[error("{path} cannot be read: {reason}")]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What was wrong, without any stored data.
        reason: String,
    },
    /// Rows and keys must be able to be kept apart.
    #[error("rows and keys go into two folders, neither inside the other")]
    Nested,
    /// The copying broke off.
    #[error("the copying broke off; see the log")]
    Broken,
    /// A folder cannot be made or moved to its place.
    #[error("the folder cannot be made: {0}")]
    Folder(#[from] io::Error),
}
