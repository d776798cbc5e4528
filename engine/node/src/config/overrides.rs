//! What the command line says about a configuration that is being made.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Config, FoundationdbConfig, StorageConfig};

/// What differs from the configuration that there would be without it.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The node's name.
    pub node: Option<String>,
    /// Where it listens for gateways.
    pub listen: Option<SocketAddr>,
    /// Where it shows metrics.
    pub metrics: Option<SocketAddr>,
    /// Where rows are kept.
    pub storage: Option<StorageConfig>,
}

impl Overrides {
    /// Changes a configuration. A path to FoundationDB that is not given stays
    /// as it was.
    pub(crate) fn apply(&self, config: &mut Config) {
        if let Some(node) = &self.node {
            config.cluster.node.clone_from(node);
        }
        config.node.listen = self.listen.unwrap_or(config.node.listen);
        config.node.metrics = self.metrics.unwrap_or(config.node.metrics);
        match (&self.storage, &mut config.storage) {
            (None, _) => {}
            (Some(StorageConfig::Foundationdb(at)), StorageConfig::Foundationdb(known)) => {
                let path = |at: &Option<PathBuf>, known: &Option<PathBuf>| {
                    at.clone().or_else(|| known.clone())
                };
                *known = FoundationdbConfig {
                    cluster_file: path(&at.cluster_file, &known.cluster_file),
                    client_library: path(&at.client_library, &known.client_library),
                    ..known.clone()
                };
            }
            (Some(other), storage) => *storage = other.clone(),
        }
    }
}
