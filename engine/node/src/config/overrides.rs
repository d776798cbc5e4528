//! What the command line says about a configuration that is being made.

use std::net::SocketAddr;

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
    /// Where the directory of regions is.
    pub directory: Option<FoundationdbConfig>,
}

impl Overrides {
    /// Changes a configuration. What is not said of FoundationDB stays as it
    /// was.
    pub(crate) fn apply(&self, config: &mut Config) {
        if let Some(node) = &self.node {
            config.cluster.node.clone_from(node);
        }
        config.node.listen = self.listen.unwrap_or(config.node.listen);
        if let Some(directory) = &self.directory {
            config.directory = Some(directory.clone());
        }
        config.node.metrics = self.metrics.unwrap_or(config.node.metrics);
        match (&self.storage, &mut config.storage) {
            (None, _) => {}
            (Some(StorageConfig::Foundationdb(at)), StorageConfig::Foundationdb(known)) => {
                *known = at.clone().or(known);
            }
            (Some(other), storage) => *storage = other.clone(),
        }
    }
}
