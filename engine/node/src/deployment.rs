//! The deployment: its store, its keys, its tenants and who may connect.

mod keys;
mod news;
mod rows;

pub(crate) use keys::{KeyFault, key_file, make_key};
pub(crate) use news::told;
pub(crate) use rows::{
    AuditRow, GatewayRow, KeyKind, KeyRef, LEASE_MS, PersonKeys, RegionRef, RotationRow, StoreRow,
    TenantPolicy, TenantRow, VersionRow, read, write,
};

use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tidegate_account::{Policy, TenantId, UserId};
use tidegate_runtime::{
    Costs, Field, Formats, IndexKey, IndexKeys, Key, LocalMaster, Master, OsEntropy, Peppers,
    SealContext, Tenant, Tenants,
};
use tidegate_storage_api::{Key as RowKey, KeyRange, Region, Store, StoreError, SystemPart};

use crate::backend::{Backend, BackendError, open_directory};
use crate::config::Config;
use crate::folder::Folder;
use crate::hex::unhex;
use crate::regions::{Bordered, RegionError};
use crate::rights::Gateways;

/// The newest formats that this program reads.
pub(crate) const READS: u16 = 4;
/// Tenants and gateways read at once; far more than a deployment has.
pub(crate) const ROWS_MAX: usize = 100_000;

/// Why a deployment cannot be read.
#[derive(Debug, Error)]
pub enum DeploymentError {
    /// A key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The directory of regions cannot be used.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// It cannot be opened.
    #[error(transparent)]
    Directory(#[from] BackendError),
    /// A row cannot be read.
    #[error("the row of {0} cannot be read")]
    Row(String),
    /// It is written by newer programs than this one.
    #[error(
        "the deployment is written in version {needed}; this program reads up to {reads}: \
         run a newer one"
    )]
    Newer {
        /// What must be read.
        needed: u16,
        /// What is.
        reads: u16,
    },
}

/// A deployment, open.
pub(crate) struct Deployment {
    pub(crate) folder: Folder,
    pub(crate) config: Config,
    pub(crate) backend: Backend,
    store: Arc<dyn Store>,
    pub(crate) lease_ms: u64,
    pub(crate) region: Region,
    pub(crate) formats: Arc<Formats>,
    /// The other regions, where there are any.
    pub(crate) border: Option<Bordered>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) index_keys: Arc<IndexKeys>,
    pub(crate) peppers: Arc<Peppers>,
    pub(crate) gateways: Arc<Gateways>,
    master: Mutex<Arc<LocalMaster>>,
    seen: tokio::sync::Mutex<news::Seen>,
    /// Told when this program cannot read any more what the others write.
    pub(crate) outdated: tokio::sync::Notify,
}

impl Deployment {
    /// Reads everything and sees to it that the key files are this store's.
    pub(crate) async fn open(
        folder: &Folder,
        config: &Config,
        backend: Backend,
    ) -> Result<Deployment, DeploymentError> {
        let store = backend.store();
        refuse_newer(&*store, READS).await?;
        let seen = news::newest(&*store).await?;
        let row = store_row(&*store).await?;
        backend.follow(&row);
        let master = LocalMaster::new(keys::belonging(folder, "master", &row.master)?);
        let deployment = Deployment {
            folder: folder.clone(),
            config: config.clone(),
            tenants: Arc::default(),
            index_keys: Arc::new(index_keys(folder, &row)?),
            peppers: Arc::default(),
            gateways: Arc::default(),
            master: Mutex::new(Arc::new(master)),
            lease_ms: row.lease_ms,
            region: row
                .region()
                .ok_or_else(|| DeploymentError::Row("the store's region".into()))?,
            formats: Arc::new(Formats::new(VersionRow::default().active)),
            border: border(folder, config, &row)?,
            seen: tokio::sync::Mutex::new(seen),
            outdated: tokio::sync::Notify::new(),
            store,
            backend,
        };
        for key in &row.pepper {
            let pepper = keys::belonging(folder, "pepper", key)?;
            deployment.peppers.add(key.number, pepper);
        }
        if let Some(border) = &deployment.border {
            border.look().await?;
        }
        deployment.serve_rows(&row).await?;
        Ok(deployment)
    }

    /// Serves tenants and gateways as their rows say from now on.
    async fn serve_rows(&self, row: &StoreRow) -> Result<(), DeploymentError> {
        self.formats.raise(version_row(&*self.store).await?.active);
        let pepper = self.pepper(row);
        for (_, value) in self.store.range(KeyRange::tenants(), ROWS_MAX).await? {
            let row = read(&value).ok_or_else(|| DeploymentError::Row("a tenant".into()))?;
            self.serve_tenant(&row, pepper)?;
        }
        let mut gateways = Vec::new();
        for (_, value) in self.store.range(KeyRange::gateways(), ROWS_MAX).await? {
            let row = read(&value).ok_or_else(|| DeploymentError::Row("a gateway".into()))?;
            gateways.push(row);
        }
        self.gateways.replace(&gateways);
        Ok(())
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn master(&self) -> Arc<LocalMaster> {
        let master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&master)
    }

    pub(crate) fn set_master(&self, key: Key) {
        let mut master = self.master.lock().unwrap_or_else(PoisonError::into_inner);
        *master = Arc::new(LocalMaster::new(key));
    }

    /// The pepper key for new hashes.
    pub(crate) fn pepper(&self, row: &StoreRow) -> u32 {
        row.pepper.last().map_or(0, |key| key.number)
    }

    /// Serves a tenant as its row says from now on.
    pub(crate) fn serve_tenant(&self, row: &TenantRow, pepper: u32) -> Result<(), DeploymentError> {
        let unreadable = || DeploymentError::Row(format!("tenant {}", row.name));
        let id = TenantId::of_name(&row.name);
        let master = self.master();
        let unwrap = |text: &String| {
            let wrapped = unhex(text).ok_or_else(unreadable)?;
            let key = master.unwrap(&tenant_context(id), &wrapped);
            key.map_err(|_| unreadable())
        };
        let keys = row.wrapped_keys.iter().map(unwrap);
        self.tenants.put(Tenant {
            id,
            name: row.name.clone(),
            keys: keys.collect::<Result<_, _>>()?,
            policy: Policy {
                usernames: row.policy.usernames(),
                ..self.config.of_tenant(&row.policy).policy(pepper)
            },
            home: home_of(&row.policy).ok_or_else(unreadable)?,
            costs: Costs::default(),
        });
        Ok(())
    }
}

pub(crate) async fn version_row(store: &dyn Store) -> Result<VersionRow, DeploymentError> {
    match store.get(RowKey::system(SystemPart::Version)).await? {
        None => Ok(VersionRow::default()),
        Some(value) => read(&value).ok_or_else(|| DeploymentError::Row("the version".into())),
    }
}

/// Refuses a deployment that a program which reads up to `reads` may not be
/// able to read. A node that joins asks once more when its own row is there:
/// the node that raises the version says so first and reads the rows then, so
/// that one of the two sees the other.
pub(crate) async fn refuse_newer(store: &dyn Store, reads: u16) -> Result<(), DeploymentError> {
    let needed = version_row(store).await?.needed();
    match needed <= reads {
        true => Ok(()),
        false => Err(DeploymentError::Newer { needed, reads }),
    }
}

/// Where a tenant's people must be registered, if it says.
fn home_of(policy: &TenantPolicy) -> Option<Option<Region>> {
    match policy.home_region {
        None => Some(None),
        Some(number) => Region::new(number).map(Some),
    }
}

/// The directory of regions, where the deployment is one of several.
fn border(
    folder: &Folder,
    config: &Config,
    row: &StoreRow,
) -> Result<Option<Bordered>, DeploymentError> {
    let Some(region) = &row.region else {
        return Ok(None);
    };
    let key = keys::belonging(folder, "directory", &region.directory)?;
    let directory = open_directory(config, region.number, &OsEntropy)?;
    Ok(Some(Bordered::new(directory, key, region.clone())))
}

pub(crate) async fn store_row(store: &dyn Store) -> Result<StoreRow, DeploymentError> {
    let value = store.get(RowKey::system(SystemPart::Store)).await?;
    let row = value.and_then(|value| read(&value));
    row.ok_or_else(|| DeploymentError::Row("the store's keys".into()))
}

fn index_keys(folder: &Folder, row: &StoreRow) -> Result<IndexKeys, DeploymentError> {
    let mut all = row.index.iter().map(|key| {
        let version = u16::try_from(key.number);
        Ok::<_, DeploymentError>(IndexKey {
            version: version.map_err(|_| DeploymentError::Row("the store's keys".into()))?,
            key: keys::belonging(folder, "index", key)?,
        })
    });
    let first = all.next();
    let first = first.ok_or_else(|| DeploymentError::Row("the store's keys".into()))??;
    let index_keys = IndexKeys::new(first);
    for key in all {
        index_keys.add(key?);
    }
    Ok(index_keys)
}

pub(crate) fn tenant_context(tenant: TenantId) -> SealContext {
    SealContext {
        tenant,
        user: UserId::from_bytes([0; 16]),
        field: Field::TenantKey,
        revision: 0,
    }
}
