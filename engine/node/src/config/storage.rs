//! Where rows are kept, and how other nodes and gateways know this one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ConfigError, plainly};

/// Where the rows are kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum StorageConfig {
    /// In the node's folder: one node.
    Embedded {},
    /// In a FoundationDB cluster: any number of nodes.
    Foundationdb(FoundationdbConfig),
}

impl Default for StorageConfig {
    fn default() -> StorageConfig {
        StorageConfig::Embedded {}
    }
}

/// How FoundationDB is reached.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FoundationdbConfig {
    /// Names the coordinators; without it, FoundationDB's default file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_file: Option<PathBuf>,
    /// The client library; without it, where the system looks for libfdb_c.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_library: Option<PathBuf>,
    /// A folder for the client library's own trace files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_folder: Option<PathBuf>,
    /// Their format: `xml` or `json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_format: Option<String>,
    /// The client's certificate chain, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// The authorities that are trusted, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_authorities: Option<PathBuf>,
    /// Which peers to accept, as FoundationDB's `tls_verify_peers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_verify_peers: Option<String>,
}

impl FoundationdbConfig {
    /// This, and where it says nothing, the other.
    pub(crate) fn or(self, other: &FoundationdbConfig) -> FoundationdbConfig {
        FoundationdbConfig {
            cluster_file: self.cluster_file.or(other.cluster_file.clone()),
            client_library: self.client_library.or(other.client_library.clone()),
            trace_folder: self.trace_folder.or(other.trace_folder.clone()),
            trace_format: self.trace_format.or(other.trace_format.clone()),
            tls_certificate: self.tls_certificate.or(other.tls_certificate.clone()),
            tls_key: self.tls_key.or(other.tls_key.clone()),
            tls_authorities: self.tls_authorities.or(other.tls_authorities.clone()),
            tls_verify_peers: self.tls_verify_peers.or(other.tls_verify_peers.clone()),
        }
    }

    /// Reads the keys of the section `storage` from a file of their own.
    ///
    /// # Errors
    /// [`ConfigError`], with file, line and key.
    pub(crate) fn read(path: &Path) -> Result<FoundationdbConfig, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            message: plainly(&error),
        })
    }
}

/// How a node is known in its cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// The node's name; no other node of the deployment has it.
    pub node: String,
    /// Where gateways reach it; without it, where it listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
}

impl Default for ClusterConfig {
    fn default() -> ClusterConfig {
        ClusterConfig {
            node: "node-1".to_owned(),
            address: None,
        }
    }
}
