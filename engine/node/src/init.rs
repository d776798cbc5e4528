//! Making a node's folder.

mod gateways;
mod ground;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tidegate_account::TenantId;
use tidegate_runtime::ports::{Clock, Entropy};
use tidegate_runtime::{Key, LocalMaster, Master, SealFault};
use tidegate_storage_api::{Check, Commit, Key as RowKey, Region, Store, StoreError, SystemPart};
use zeroize::Zeroizing;

use crate::backend::{Backend, BackendError, open_directory};
use crate::certificates::{CertificateError, Identity, Role, make_ca};
use crate::config::{Config, ConfigError, Overrides, StorageConfig};
use crate::deployment::{
    GatewayRow, KeyFault, LEASE_MS, PersonKeys, READS, RegionRef, StoreRow, TenantPolicy,
    TenantRow, VersionRow, key_file, make_key, tenant_context, write,
};
use crate::folder::{Folder, make_private_folder, write_private, write_public};
use crate::hex::hex;
use crate::issuing::{IssuingError, Put, issue_to, put_certificate};
use crate::regions::{
    Brought, RegionError, refuse_taken, refuse_wrong_key, register, registration,
};
pub use gateways::{DEFAULT_GATEWAY, DEFAULT_OPERATOR, OFFICE_GATEWAY, Rates};
pub(crate) use gateways::{DEFAULT_RATE_PER_S, OFFICE_RATE_PER_S};
use ground::refuse_occupied;

/// The tenant that `init` makes.
pub const DEFAULT_TENANT: &str = "default";

/// Why a folder could not be made.
#[derive(Debug, Error)]
pub enum InitError {
    /// There is one already.
    #[error("{0} exists already and is left as it is")]
    Exists(PathBuf),
    /// The cluster has its keys and tenants.
    #[error(
        "this FoundationDB cluster holds a deployment already: `tidegate bundle` on one of \
         its nodes, then `tidegate init --join`"
    )]
    Deployed,
    /// An embedded store was on its way here.
    #[error(
        "an embedded store was being moved into this FoundationDB cluster, and that was broken \
         off: repeat `tidegate move` in its folder; or give it up by emptying the database with \
         fdbcli: `writemode on; clearrange tg th; clearrange tk tl`"
    )]
    Migrating,
    /// There are rows without the deployment that they belong to.
    #[error(
        "this FoundationDB cluster holds a part of a deployment, as a restore that was broken off \
         leaves one: finish it, or empty the database with fdbcli: \
         `writemode on; clearrange tg th; clearrange tk tl`"
    )]
    Occupied,
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
    /// The configuration would not be valid.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
    /// The configuration cannot be written as TOML.
    #[error("the configuration cannot be written: {0}")]
    Config(#[from] toml::ser::Error),
    /// A row cannot be written as JSON.
    #[error("a row cannot be written")]
    Row,
    /// A key file cannot be written.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// A certificate cannot be put in its place.
    #[error(transparent)]
    Issuing(#[from] IssuingError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] BackendError),
    /// It is not there.
    #[error("the store does not answer: is FoundationDB up, and is what says where it is right?")]
    Away,
    /// It cannot be this region.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// The store did not take the first rows.
    #[error("the store did not take the first rows: {0}")]
    Store(#[from] StoreError),
    /// A key could not be wrapped.
    #[error("a key cannot be wrapped: {0}")]
    Seal(#[from] SealFault),
}

/// What a new deployment is to be, for all its nodes.
pub struct Founding {
    /// How long a node of a cluster may be silent, in milliseconds.
    pub lease_ms: u64,
    /// Which version of the formats the nodes write: an older one where some
    /// will be of an older program.
    pub formats: u16,
    /// How much its first gateways may ask for.
    pub rates: Rates,
    /// Which region it is, where there is more than one.
    pub region: Option<NewRegion>,
}

impl Default for Founding {
    fn default() -> Founding {
        Founding {
            lease_ms: LEASE_MS,
            formats: READS,
            rates: Rates::default(),
            region: None,
        }
    }
}

/// Which region a new deployment is to be.
pub struct NewRegion {
    /// Its number.
    pub number: u8,
    /// The file with the directory's key, where the directory is in use.
    pub key: Option<PathBuf>,
}

/// Makes a folder with configuration, CA, certificates, keys, store, the tenant
/// `default`, and who may connect in its name. Never overwrites anything.
///
/// # Errors
/// [`InitError`]. What was made by then is removed, unless rows were written, or
/// may have been: the keys to them are in the folder.
pub async fn init(
    folder: &Folder,
    overrides: &Overrides,
    founding: &Founding,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<(), InitError> {
    let mut config = Config::default();
    overrides.apply(&mut config);
    let config = config.valid(&folder.config())?;
    if folder.config().exists() || folder.store().exists() {
        return Err(InitError::Exists(folder.root().to_owned()));
    }
    let before = Before::of(folder);
    let begun = begin(folder, &config, founding, clock, entropy).await;
    let Begun {
        store,
        rows,
        joining,
    } = begun.inspect_err(|_| before.bring_back(folder))?;
    let written = store.commit(rows).await;
    if let Err(error) = written
        && error != StoreError::CommitUnknown
    {
        drop(store);
        before.bring_back(folder);
    }
    match written {
        Ok(_) => {}
        Err(StoreError::Conflict) => return Err(InitError::Deployed),
        Err(error) => return Err(error.into()),
    }
    if let Some(joining) = &joining {
        register(&*joining.directory, &joining.region).await?;
    }
    finish(folder, &config, entropy)
}

/// What was there before a folder was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// A folder, which belongs to another.
    Something,
}

impl Before {
    pub(crate) fn of(folder: &Folder) -> Before {
        match folder.root().exists() {
            true => Before::Something,
            false => Before::Nothing,
        }
    }

    /// Removes what was begun and leads nowhere.
    pub(crate) fn bring_back(self, folder: &Folder) {
        match self {
            Before::Something => {}
            Before::Nothing => {
                // What cannot be removed does no harm: it has no configuration.
                let _ = std::fs::remove_dir_all(folder.root());
            }
        }
    }
}

/// A deployment whose keys and certificates are written, and whose rows are
/// not.
struct Begun {
    store: Arc<dyn Store>,
    rows: Commit,
    joining: Option<Joining>,
}

async fn begin(
    folder: &Folder,
    config: &Config,
    founding: &Founding,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Begun, InitError> {
    match &config.storage {
        // It makes its folder, and the folders above it.
        StorageConfig::Embedded {} => make_folders(folder)?,
        StorageConfig::Foundationdb(_) => {}
    }
    let store = Backend::create(folder, config, entropy)?.store();
    refuse_occupied(&*store).await?;
    make_folders(folder)?;
    let joining = match &founding.region {
        None => None,
        Some(region) => Some(Joining::begin(folder, config, region, entropy).await?),
    };
    let gateways = certificates(folder, clock, &founding.rates)?;
    let (master, master_ref) = make_key(folder, "master", 1, entropy)?;
    let store_row = StoreRow {
        master: master_ref,
        index: vec![make_key(folder, "index", 1, entropy)?.1],
        pepper: vec![make_key(folder, "pepper", 1, entropy)?.1],
        generation: 1,
        lease_ms: founding.lease_ms,
        region: joining.as_ref().map(|joining| joining.region.clone()),
        person_keys: PersonKeys::of(founding.formats),
    };
    let master = LocalMaster::new(master);
    let version_row = VersionRow {
        active: founding.formats,
        raising: None,
    };
    let formats = (&store_row, &version_row);
    let rows = rows(formats, &master, &gateways, entropy)?;
    Ok(Begun {
        store,
        rows,
        joining,
    })
}

/// A region on its way into the directory.
struct Joining {
    directory: Arc<dyn Store>,
    region: RegionRef,
}

impl Joining {
    /// Nothing is written before it is known that the region can be.
    async fn begin(
        folder: &Folder,
        config: &Config,
        new: &NewRegion,
        entropy: &dyn Entropy,
    ) -> Result<Joining, InitError> {
        let number = Region::new(new.number).ok_or(RegionError::Number(new.number))?;
        let directory = open_directory(config, new.number, entropy)?;
        let brought = match &new.key {
            Some(_) => Brought::Key,
            None => Brought::Nothing,
        };
        refuse_taken(&*directory, number, brought).await?;
        if let Some(path) = &new.key {
            let key = key_file(path)?;
            written(folder.secret("directory-1"), |path| {
                write_private(path, key.expose())
            })?;
        }
        let (_, key) = make_key(folder, "directory", 1, entropy)?;
        refuse_wrong_key(&*directory, &key).await?;
        Ok(Joining {
            directory,
            region: RegionRef {
                number: new.number,
                registration: registration(entropy),
                directory: key,
            },
        })
    }
}

/// Makes the folders of a node's folder.
pub(crate) fn make_folders(folder: &Folder) -> Result<(), InitError> {
    for part in ["", "tls", "secrets"] {
        let path = folder.root().join(part);
        let made = make_private_folder(&path);
        made.map_err(|source| InitError::Write { path, source })?;
    }
    Ok(())
}

/// Writes what is every node's own, and makes everything durable.
pub(crate) fn finish(
    folder: &Folder,
    config: &Config,
    entropy: &dyn Entropy,
) -> Result<(), InitError> {
    let reset = Zeroizing::new(entropy.seed());
    written(folder.secret("reset"), |path| write_private(path, &*reset))?;
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

fn certificates(
    folder: &Folder,
    clock: &dyn Clock,
    rates: &Rates,
) -> Result<Vec<GatewayRow>, InitError> {
    let now_s = i64::try_from(clock.unix_ms() / 1000).unwrap_or(i64::MAX);
    let ca = make_ca(now_s)?;
    put_certificate(folder, "ca", &ca, Put::New)?;
    let node = Identity {
        role: Role::Node,
        name: "node".to_owned(),
    };
    issue_to(folder, &ca, &node, now_s, Put::New)?;
    gateways::made(folder, &ca, now_s, rates)
}

pub(crate) fn written(
    path: PathBuf,
    write: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<(), InitError> {
    write(&path).map_err(|source| InitError::Write { path, source })
}

fn rows(
    (store_row, version_row): (&StoreRow, &VersionRow),
    master: &dyn Master,
    gateways: &[GatewayRow],
    entropy: &dyn Entropy,
) -> Result<Commit, InitError> {
    let tenant = TenantId::of_name(DEFAULT_TENANT);
    let mut nonce = [0; 24];
    nonce.copy_from_slice(&entropy.seed()[..24]);
    let wrapped = master.wrap(&tenant_context(tenant), nonce, &Key::new(entropy.seed()))?;
    let tenant_row = TenantRow {
        name: DEFAULT_TENANT.into(),
        wrapped_keys: vec![hex(&wrapped.0)],
        policy: TenantPolicy::default(),
    };
    let tenant_key = RowKey::system(SystemPart::Tenant(tenant.0));
    let mut rows = Commit::default()
        .check(Check::Absent(RowKey::system(SystemPart::Store)))
        .check(Check::Absent(RowKey::system(SystemPart::Move)))
        .put(RowKey::system(SystemPart::Store), row_of(store_row)?)
        .put(RowKey::system(SystemPart::Version), row_of(version_row)?)
        .put(tenant_key, row_of(&tenant_row)?);
    for gateway in gateways {
        let key = RowKey::system(SystemPart::Gateway(&gateway.name));
        rows = rows.put(key, row_of(gateway)?);
    }
    Ok(rows)
}

fn row_of<T: serde::Serialize>(row: &T) -> Result<Vec<u8>, InitError> {
    write(row).ok_or(InitError::Row)
}
