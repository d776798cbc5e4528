//! FoundationDB as the configuration describes it.

use std::path::{Path, PathBuf};

use tidegate_cluster::NodeId;
use tidegate_runtime::ports::Entropy;
use tidegate_storage_foundationdb::{FoundationStore, NetworkOption, Options};

use super::BackendError;
use crate::config::FoundationdbConfig;

pub(super) fn open(
    at: &FoundationdbConfig,
    node: NodeId,
    entropy: &dyn Entropy,
) -> Result<FoundationStore, BackendError> {
    let seed = entropy.seed();
    let [life @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = seed;
    let options = Options {
        cluster_file: at.cluster_file.clone(),
        library: at.client_library.clone(),
        network: network(at)?,
        node: node.0,
        life: u128::from_be_bytes(life),
    };
    Ok(FoundationStore::open(&options)?)
}

fn network(at: &FoundationdbConfig) -> Result<Vec<NetworkOption>, BackendError> {
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or(BackendError::Path);
    let mut options = Vec::new();
    let mut push = |path: &Option<PathBuf>, option: fn(String) -> NetworkOption| {
        if let Some(path) = path {
            options.push(option(text(path)?));
        }
        Ok::<_, BackendError>(())
    };
    push(&at.trace_folder, NetworkOption::Trace)?;
    push(&at.tls_certificate, NetworkOption::TlsCertificate)?;
    push(&at.tls_key, NetworkOption::TlsKey)?;
    push(&at.tls_authorities, NetworkOption::TlsAuthorities)?;
    options.extend(at.trace_format.clone().map(NetworkOption::TraceFormat));
    options.extend(
        at.tls_verify_peers
            .clone()
            .map(NetworkOption::TlsVerifyPeers),
    );
    Ok(options)
}
