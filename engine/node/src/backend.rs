//! The store that a node's configuration names: a folder of this machine, or a
//! FoundationDB cluster.

#[cfg(feature = "foundationdb")]
mod foundation;

use std::sync::Arc;

#[cfg(feature = "foundationdb")]
use metrics::counter;
use thiserror::Error;
use tidegate_runtime::ports::Entropy;
use tidegate_storage_api::{Commit, Store};
use tidegate_storage_fjall::{Absent, FjallStore, Health, OpenError, Options, Verify};
#[cfg(feature = "foundationdb")]
use tidegate_storage_foundationdb::{FoundationStore, Layout};

use crate::config::{Config, FoundationdbConfig, StorageConfig};
#[cfg(feature = "foundationdb")]
use crate::deployment::PersonKeys;
use crate::deployment::StoreRow;
use crate::folder::Folder;

/// Why a store cannot be opened.
#[derive(Debug, Error)]
pub enum BackendError {
    /// The embedded store.
    #[error(transparent)]
    Embedded(#[from] OpenError),
    /// FoundationDB.
    #[cfg(feature = "foundationdb")]
    #[error(transparent)]
    Foundationdb(#[from] tidegate_storage_foundationdb::OpenError),
    /// A path of the configuration is no text.
    #[error("a path in the section `storage` is not UTF-8")]
    Path,
    /// The deployment is one of several regions.
    #[error("this deployment is a region: config.toml needs the section `directory`")]
    NoDirectory,
    /// This program was built without it.
    #[error("this program was built without FoundationDB; build it with `--features foundationdb`")]
    NotBuilt,
}

/// An open store.
#[derive(Clone)]
pub(crate) enum Backend {
    /// Of one node.
    Embedded(Arc<FjallStore>),
    /// Of all nodes.
    #[cfg(feature = "foundationdb")]
    Foundationdb(Arc<FoundationStore>),
}

impl Backend {
    /// Opens the store of a folder, which is there.
    pub(crate) fn open(
        folder: &Folder,
        config: &Config,
        entropy: &dyn Entropy,
    ) -> Result<Backend, BackendError> {
        let how = Options {
            absent: Absent::Refuse,
            ..Options::default()
        };
        Backend::open_as(how, folder, config, entropy)
    }

    /// The same, and reads all of an embedded store, however large.
    pub(crate) fn examine(
        folder: &Folder,
        config: &Config,
        entropy: &dyn Entropy,
    ) -> Result<Backend, BackendError> {
        let how = Options {
            absent: Absent::Refuse,
            verify: Verify::Everything,
            ..Options::default()
        };
        Backend::open_as(how, folder, config, entropy)
    }

    /// Opens the store of a folder; an embedded one is made when there is none.
    pub(crate) fn create(
        folder: &Folder,
        config: &Config,
        entropy: &dyn Entropy,
    ) -> Result<Backend, BackendError> {
        let how = Options {
            absent: Absent::Create,
            ..Options::default()
        };
        Backend::open_as(how, folder, config, entropy)
    }

    fn open_as(
        how: Options,
        folder: &Folder,
        config: &Config,
        entropy: &dyn Entropy,
    ) -> Result<Backend, BackendError> {
        match &config.storage {
            StorageConfig::Embedded {} => {
                let options = Options {
                    cache_bytes: config.node.cache_mib * 1024 * 1024,
                    read_threads: config.node.read_threads,
                    ..how
                };
                let store = FjallStore::open(&folder.store(), &options)?;
                Ok(Backend::Embedded(Arc::new(store)))
            }
            StorageConfig::Foundationdb(at) => Backend::foundationdb(at, config, entropy),
        }
    }

    #[cfg(feature = "foundationdb")]
    fn foundationdb(
        at: &FoundationdbConfig,
        config: &Config,
        entropy: &dyn Entropy,
    ) -> Result<Backend, BackendError> {
        let store = foundation::open(at, crate::member::node_id(&config.cluster.node), entropy)?;
        Ok(Backend::Foundationdb(Arc::new(store)))
    }

    #[cfg(not(feature = "foundationdb"))]
    fn foundationdb(
        _: &FoundationdbConfig,
        _: &Config,
        _: &dyn Entropy,
    ) -> Result<Backend, BackendError> {
        Err(BackendError::NotBuilt)
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Backend::Embedded(store) => Arc::clone(store) as Arc<dyn Store>,
            #[cfg(feature = "foundationdb")]
            Backend::Foundationdb(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    /// Whether changes are still taken.
    pub(crate) fn health(&self) -> Health {
        match self {
            Backend::Embedded(store) => store.health(),
            // It is away or it is there; it does not break for this node alone.
            #[cfg(feature = "foundationdb")]
            Backend::Foundationdb(_) => Health::Good,
        }
    }

    /// Waits until every commit that was taken up is durable.
    pub(crate) async fn settle(&self) {
        match self {
            // Commits go first in, first out, so an empty one comes after all.
            // A store that has failed says so, and has nothing to wait for.
            Backend::Embedded(store) => drop(store.commit(Commit::default()).await),
            #[cfg(feature = "foundationdb")]
            Backend::Foundationdb(_) => {}
        }
    }

    /// Whether the process may end while the store is open, once it is settled.
    pub(crate) fn may_be_left(&self) -> bool {
        match self {
            Backend::Embedded(_) => true,
            // Its network has to be stopped first.
            #[cfg(feature = "foundationdb")]
            Backend::Foundationdb(_) => false,
        }
    }

    /// What the disk said when the store stopped taking changes.
    pub(crate) fn fault(&self) -> Option<std::io::ErrorKind> {
        match self {
            Backend::Embedded(store) => store.fault(),
            #[cfg(feature = "foundationdb")]
            Backend::Foundationdb(_) => None,
        }
    }

    /// Brings the store's meters up to date.
    pub(crate) fn observe(&self) {
        match self {
            Backend::Embedded(_) => {}
            #[cfg(feature = "foundationdb")]
            Backend::Foundationdb(store) => {
                let usage = store.usage();
                counter!("tidegate_foundationdb_commits_total").absolute(usage.commits);
                counter!("tidegate_foundationdb_read_versions_total").absolute(usage.read_versions);
                counter!("tidegate_foundationdb_settled_total").absolute(usage.settled);
            }
        }
    }

    /// Does as the deployment's row says: in which life of the store events are
    /// written, and where keys of people lie. The embedded store knows both of
    /// itself.
    pub(crate) fn follow(&self, row: &StoreRow) {
        match self {
            Backend::Embedded(_) => {
                let _ = row;
            }
            #[cfg(feature = "foundationdb")]
            Backend::Foundationdb(store) => {
                store.set_generation(row.generation);
                store.set_layout(match row.person_keys {
                    PersonKeys::Together => Layout::Together,
                    PersonKeys::Apart => Layout::Apart,
                });
            }
        }
    }
}

/// Opens the directory of regions, as the configuration names it.
#[cfg(feature = "foundationdb")]
pub(crate) fn open_directory(
    config: &Config,
    region: u8,
    entropy: &dyn Entropy,
) -> Result<Arc<dyn Store>, BackendError> {
    let at = config.directory.as_ref().ok_or(BackendError::NoDirectory)?;
    // Nodes of two regions may have one name.
    let name = format!("{region}/{}", config.cluster.node);
    let store = foundation::open(at, crate::member::node_id(&name), entropy)?;
    Ok(Arc::new(store))
}

/// Opens the directory of regions, as the configuration names it.
#[cfg(not(feature = "foundationdb"))]
pub(crate) fn open_directory(
    config: &Config,
    _: u8,
    _: &dyn Entropy,
) -> Result<Arc<dyn Store>, BackendError> {
    match config.directory {
        None => Err(BackendError::NoDirectory),
        Some(_) => Err(BackendError::NotBuilt),
    }
}

/// The last thing that a program does with any store.
pub(crate) fn stop() {
    #[cfg(feature = "foundationdb")]
    tidegate_storage_foundationdb::stop();
}
