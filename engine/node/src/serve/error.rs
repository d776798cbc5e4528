//! Why a node could not run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tidegate_storage_api::StoreError;
use tidegate_storage_fjall::OpenError;

use crate::backend::BackendError;
use crate::config::ConfigError;
use crate::credentials::Trouble;
use crate::deployment::{DeploymentError, KeyFault};
use crate::disk;
use crate::service::EndpointError;

/// Why a node could not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// There is no node's folder here.
    #[error("{0} is not a node's folder; `tidegate init` makes one")]
    NoFolder(PathBuf),
    /// No client could connect.
    #[error("{0}")]
    Credentials(Trouble),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// Keys, tenants or gateways cannot be read.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] BackendError),
    /// The node's own journal cannot be opened.
    #[error(transparent)]
    OpenJournal(#[from] OpenError),
    /// The disk takes no changes.
    #[error("{path} cannot be written: {why}")]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// Why, and what to do.
        why: &'static str,
    },
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The node's own journal cannot be read.
    #[error("the journal cannot be read: {0}")]
    Journal(StoreError),
    /// What carries messages out cannot be made of the configuration.
    #[error(transparent)]
    Courier(#[from] tidegate_delivery::CourierFault),
    /// No gateway could go where it listens.
    #[error("set cluster.address in config.toml: gateways cannot be sent to {0}")]
    Nowhere(SocketAddr),
    /// The endpoint cannot start.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Something of the system's is missing: a thread, a signal, a socket.
    #[error("{what}: {source}")]
    System {
        /// What is missing.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ServeError {
    /// Whether the store did not answer, as it may later.
    pub(crate) fn is_away(&self) -> bool {
        matches!(
            self,
            ServeError::Store(StoreError::Unavailable)
                | ServeError::Deployment(DeploymentError::Store(StoreError::Unavailable))
        )
    }

    /// Whether another process has open what this one needs.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(
            self,
            ServeError::OpenJournal(OpenError::InUse(_))
                | ServeError::Open(BackendError::Embedded(OpenError::InUse(_)))
        )
    }
}

pub(crate) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}

pub(crate) fn unwritable(path: &Path, kind: std::io::ErrorKind) -> ServeError {
    ServeError::Unwritable {
        path: path.to_owned(),
        why: disk::mend(kind, path),
    }
}
