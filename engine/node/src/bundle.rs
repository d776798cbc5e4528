//! What a further node of a deployment needs: the CA, the key files, how the
//! store is reached. The holder of a bundle controls the deployment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tidegate_cluster::NodeRow;
use tidegate_runtime::ports::{Clock, Entropy};
use tidegate_storage_api::{Key as RowKey, Store, StoreError, SystemPart};
use zeroize::{Zeroize, Zeroizing};

use crate::backend::Backend;
use crate::certificates::{Identity, Issued, Role};
use crate::config::{Config, ConfigError, Overrides, StorageConfig};
use crate::deployment::{Deployment, DeploymentError, KeyFault, key_file, store_row};
use crate::folder::{Folder, write_private, write_public};
use crate::hex::hex;
use crate::init::{Before, InitError, finish, make_folders, written};
use crate::issuing::{IssuingError, Put, issue_to, read_ca};
use crate::member::node_id;

const VERSION: u8 = 1;

/// A bundle, as it lies in its file: JSON.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Bundle {
    version: u8,
    ca_certificate: String,
    /// PEM.
    ca_key: String,
    /// By the names of their files; hexadecimal.
    secrets: BTreeMap<String, String>,
    /// The configuration of the node that made it.
    config: String,
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.ca_key.zeroize();
        self.secrets.values_mut().for_each(Zeroize::zeroize);
    }
}

/// Why a bundle was not made, or a folder not made from it.
#[derive(Debug, Error)]
pub enum BundleError {
    /// Only nodes of one FoundationDB cluster are several.
    #[error(
        "the store of {0} is embedded and serves one node: `tidegate move` takes it into a \
         FoundationDB cluster"
    )]
    Embedded(PathBuf),
    /// The file holds none.
    #[error("{0} is no bundle of this version")]
    NoBundle(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another node has the name.
    #[error("a node named {0} lives: choose another name with --node")]
    Taken(String),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The CA is not there, or a certificate cannot be made.
    #[error(transparent)]
    Issuing(#[from] IssuingError),
    /// The folder cannot be made.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The deployment cannot be read.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The cluster's nodes cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
}

/// Writes a bundle of a folder's deployment, readable by its owner alone. Never
/// overwrites.
///
/// # Errors
/// [`BundleError`]; the CA's private key must be in the folder.
pub async fn make(folder: &Folder, to: &Path, entropy: &dyn Entropy) -> Result<(), BundleError> {
    let config = Config::read(&folder.config())?;
    if matches!(config.storage, StorageConfig::Embedded {}) {
        return Err(BundleError::Embedded(folder.root().to_owned()));
    }
    let store = Backend::open(folder, &config, entropy).map_err(InitError::Open)?;
    let row = store_row(&*store.store()).await?;
    let ca = read_ca(folder)?;
    let keys = |kind: &'static str, of: &[crate::deployment::KeyRef]| {
        let numbers = of.iter().map(move |key| format!("{kind}-{}", key.number));
        numbers.collect::<Vec<_>>()
    };
    let region = row.region.as_ref().map(|region| region.directory.clone());
    let directory = keys("directory", region.as_slice());
    let mut secrets = BTreeMap::new();
    for name in [
        keys("master", std::slice::from_ref(&row.master)),
        keys("index", &row.index),
        keys("pepper", &row.pepper),
        directory,
    ]
    .concat()
    {
        let key = key_file(&folder.secret(&name))?;
        secrets.insert(name, hex(key.expose()));
    }
    let bundle = Bundle {
        version: VERSION,
        ca_certificate: ca.certificate.clone(),
        ca_key: ca.key.to_string(),
        secrets,
        config: toml::to_string(&config).map_err(InitError::Config)?,
    };
    let text = serde_json::to_vec_pretty(&bundle).map(Zeroizing::new);
    let text = text.map_err(|_| BundleError::NoBundle(to.to_owned()))?;
    write_private(to, &text).map_err(|source| BundleError::File {
        path: to.to_owned(),
        source,
    })
}

/// Makes a folder for a further node, whose configuration is the bundle's with
/// some overrides. Never overwrites anything.
///
/// # Errors
/// [`BundleError`]; a folder that was begun and not finished is left behind.
pub async fn join(
    folder: &Folder,
    from: &Path,
    overrides: &Overrides,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), BundleError> {
    if folder.config().exists() {
        return Err(InitError::Exists(folder.root().to_owned()).into());
    }
    let bundle = read(from)?;
    let parsed: Result<Config, _> = toml::from_str(&bundle.config);
    let mut config = parsed.map_err(|_| BundleError::NoBundle(from.to_owned()))?;
    config.cluster.address = None;
    overrides.apply(&mut config);
    let config = config.valid(&folder.config())?;
    let backend = Backend::open(folder, &config, entropy).map_err(InitError::Open)?;
    refuse_taken(&*backend.store(), &config.cluster.node, clock).await?;
    let before = Before::of(folder);
    let filled = fill(folder, &config, backend, (&bundle, from), clock).await;
    filled.inspect_err(|_| before.bring_back(folder))?;
    Ok(finish(folder, &config, entropy)?)
}

/// Writes what a bundle holds into a folder, and sees to it that it belongs to
/// the store.
async fn fill(
    folder: &Folder,
    config: &Config,
    backend: Backend,
    (bundle, from): (&Bundle, &Path),
    clock: &dyn Clock,
) -> Result<(), BundleError> {
    make_folders(folder)?;
    let now_s = i64::try_from(clock.unix_ms() / 1000).unwrap_or(i64::MAX);
    let ca = Issued {
        certificate: bundle.ca_certificate.clone(),
        key: Zeroizing::new(bundle.ca_key.clone()),
    };
    written(folder.certificate("ca"), |path| {
        write_public(path, ca.certificate.as_bytes())
    })?;
    let identity = Identity {
        role: Role::Node,
        name: config.cluster.node.clone(),
    };
    issue_to(folder, &ca, &identity, now_s, Put::New)?;
    for (name, text) in &bundle.secrets {
        let bytes = key_bytes(text).ok_or_else(|| BundleError::NoBundle(from.to_owned()))?;
        written(folder.secret(name), |path| write_private(path, &*bytes))?;
    }
    // Before the folder counts as whole: are these the keys of this store?
    Deployment::open(folder, config, backend).await?;
    Ok(())
}

fn read(from: &Path) -> Result<Bundle, BundleError> {
    let file = |source| BundleError::File {
        path: from.to_owned(),
        source,
    };
    let text = std::fs::read(from).map(Zeroizing::new).map_err(file)?;
    let read = serde_json::from_slice::<Bundle>(&text).ok();
    let safe = |bundle: &Bundle| {
        let named = |name: &String| crate::name::is_name(name);
        bundle.version == VERSION && bundle.secrets.keys().all(named)
    };
    let read = read.filter(safe);
    read.ok_or_else(|| BundleError::NoBundle(from.to_owned()))
}

fn key_bytes(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    let (text, filled) = (text.as_bytes(), bytes.len() * 2);
    if text.len() != filled {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Two processes of one name would take each other's slots for ever. A node
/// that renews its row within the lease is alive.
async fn refuse_taken(store: &dyn Store, node: &str, clock: &dyn Clock) -> Result<(), BundleError> {
    let key = RowKey::system(SystemPart::Node(node_id(node).0));
    let before = store.get(key.clone()).await?;
    let Some(row) = before.as_deref().and_then(NodeRow::decode) else {
        return Ok(());
    };
    if row.state == tidegate_cluster::NodeState::Expelled {
        return Ok(());
    }
    clock.sleep(store_row(store).await?.lease_ms).await;
    match store.get(key).await? == before {
        true => Ok(()),
        false => Err(BundleError::Taken(node.to_owned())),
    }
}
