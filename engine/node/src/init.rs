//! Making a node's folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tidegate_account::{TenantId, UserId};
use tidegate_runtime::ports::{Clock, Entropy};
use tidegate_runtime::{Field, Key, LocalMaster, Master, SealContext, SealFault, WrappedKey};
use tidegate_storage_api::{Check, Commit, Key as RowKey, Store, StoreError, SystemPart};
use tidegate_storage_fjall::{FjallStore, OpenError, Options};
use zeroize::Zeroizing;

use crate::certificates::{CertificateError, Identity, Issued, Role, issue, make_ca};
use crate::config::Config;
use crate::folder::{Folder, write_private, write_public};
use crate::rights::{GatewayRow, Planes, ROW_VERSION, StoreRow, TenantRow, key_check};

/// The tenant that `init` makes.
pub const DEFAULT_TENANT: &str = "default";
/// The gateway that `init` makes.
pub const DEFAULT_GATEWAY: &str = "default";

/// Why a folder could not be made.
#[derive(Debug, Error)]
pub enum InitError {
    /// There is one already.
    #[error("{0} exists already and is left as it is")]
    Exists(PathBuf),
    /// A file cannot be written.
    #[error("{path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The configuration cannot be written as TOML.
    #[error("the configuration cannot be written: {0}")]
    Config(#[from] toml::ser::Error),
    /// A row cannot be written as JSON.
    #[error("a row cannot be written: {0}")]
    Row(#[from] serde_json::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store did not take the first rows.
    #[error("the store did not take the first rows: {0}")]
    Store(#[from] StoreError),
    /// A key could not be wrapped.
    #[error("a key cannot be wrapped: {0}")]
    Seal(#[from] SealFault),
}

/// Makes a folder with configuration, CA, certificates, keys, store, and the
/// tenant and gateway `default`. Never overwrites anything.
///
/// # Errors
/// [`InitError`]; a folder that was begun and not finished is left behind.
pub async fn init(
    folder: &Folder,
    config: &Config,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), InitError> {
    if folder.config().exists() || folder.store().exists() {
        return Err(InitError::Exists(folder.root().to_owned()));
    }
    for part in ["", "tls", "secrets"] {
        let path = folder.root().join(part);
        let made = std::fs::create_dir_all(&path);
        made.map_err(|source| InitError::Write { path, source })?;
    }
    certificates(folder, clock)?;
    let master = secret(folder, "master", entropy)?;
    let index = secret(folder, "index-1", entropy)?;
    let pepper = secret(folder, "pepper-1", entropy)?;
    let store_row = StoreRow {
        version: ROW_VERSION,
        index: key_check(&index),
        pepper: key_check(&pepper),
    };
    secret(folder, "reset", entropy)?;
    rows(folder, &store_row, &LocalMaster::new(master), entropy).await?;
    let root = folder.root();
    for part in [root.join("secrets"), root.join("tls"), root.to_owned()] {
        written(part, sync_folder)?;
    }
    // Written last: a folder with a configuration is whole.
    let text = toml::to_string(config)?;
    written(folder.config(), |path| write_public(path, text.as_bytes()))?;
    written(root.to_owned(), sync_folder)?;
    let parent = root
        .canonicalize()
        .ok()
        .and_then(|path| path.parent().map(Path::to_owned));
    parent.map_or(Ok(()), |parent| written(parent, sync_folder))
}

/// Makes the names in a folder durable: the files themselves are already.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}

fn certificates(folder: &Folder, clock: &dyn Clock) -> Result<(), InitError> {
    let now_s = i64::try_from(clock.unix_ms() / 1000).unwrap_or(i64::MAX);
    let ca = make_ca(now_s)?;
    put_certificate(folder, "ca", &ca)?;
    let node = Identity {
        role: Role::Node,
        name: "node".into(),
    };
    put_certificate(folder, "node", &issue(&ca, &node, now_s)?)?;
    let gateway = Identity {
        role: Role::Gateway,
        name: DEFAULT_GATEWAY.into(),
    };
    let name = format!("gateway-{DEFAULT_GATEWAY}");
    put_certificate(folder, &name, &issue(&ca, &gateway, now_s)?)
}

fn put_certificate(folder: &Folder, name: &str, issued: &Issued) -> Result<(), InitError> {
    written(folder.certificate(name), |path| {
        write_public(path, issued.certificate.as_bytes())
    })?;
    written(folder.private_key(name), |path| {
        write_private(path, issued.key.as_bytes())
    })
}

fn secret(folder: &Folder, name: &str, entropy: &dyn Entropy) -> Result<Key, InitError> {
    let bytes = Zeroizing::new(entropy.seed());
    written(folder.secret(name), |path| write_private(path, &*bytes))?;
    Ok(Key::new(*bytes))
}

fn written(
    path: PathBuf,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), InitError> {
    write(&path).map_err(|source| InitError::Write { path, source })
}

async fn rows(
    folder: &Folder,
    store_row: &StoreRow,
    master: &dyn Master,
    entropy: &dyn Entropy,
) -> Result<(), InitError> {
    let store: Arc<dyn Store> = Arc::new(FjallStore::open(&folder.store(), &Options::default())?);
    let tenant = TenantId::of_name(DEFAULT_TENANT);
    let mut nonce = [0; 24];
    nonce.copy_from_slice(&entropy.seed()[..24]);
    let wrapped = master.wrap(&tenant_context(tenant), nonce, &Key::new(entropy.seed()))?;
    let tenant_row = TenantRow {
        version: ROW_VERSION,
        name: DEFAULT_TENANT.into(),
        wrapped_key: hex(&wrapped),
    };
    let gateway_row = GatewayRow {
        version: ROW_VERSION,
        name: DEFAULT_GATEWAY.into(),
        tenants: vec![DEFAULT_TENANT.into()],
        planes: Planes::AuthAndAdmin,
        rate_per_s: 0,
    };
    let tenant_key = RowKey::system(SystemPart::Tenant(tenant.0));
    let gateway_key = RowKey::system(SystemPart::Gateway(DEFAULT_GATEWAY));
    let commit = Commit::default()
        .check(Check::Absent(tenant_key.clone()))
        .put(
            RowKey::system(SystemPart::Store),
            serde_json::to_vec(store_row)?,
        )
        .put(tenant_key, serde_json::to_vec(&tenant_row)?)
        .put(gateway_key, serde_json::to_vec(&gateway_row)?);
    store.commit(commit).await?;
    Ok(())
}

pub(crate) fn tenant_context(tenant: TenantId) -> SealContext {
    SealContext {
        tenant,
        user: UserId::from_bytes([0; 16]),
        field: Field::TenantKey,
        revision: 0,
    }
}

fn hex(key: &WrappedKey) -> String {
    key.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Option<WrappedKey> {
    let digits = text.as_bytes().chunks_exact(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes = bytes.collect::<Option<Vec<u8>>>()?;
    bytes.try_into().ok().map(WrappedKey)
}
