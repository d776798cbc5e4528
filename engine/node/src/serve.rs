//! Running a node: assembly, readiness, drain.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tidegate_account::TenantId;
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{
    Engine, HashingPool, IndexKey, Key, LocalMaster, Master, OsEntropy, Ownership, Parts,
    SystemClock, Tenant, Tenants,
};
use tidegate_storage_api::{Key as RowKey, KeyRange, Region, Store, StoreError, SystemPart};
use tidegate_storage_fjall::{FjallStore, OpenError, Options};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use crate::admin::{self, Admin};
use crate::config::{Config, ConfigError};
use crate::folder::Folder;
use crate::init::{tenant_context, unhex};
use crate::rights::{Gateway, GatewayRow, Gateways, ROW_VERSION, StoreRow, TenantRow, key_check};
use crate::service::{Endpoint, EndpointError, Service};

/// Tenants and gateways read at once; far more than a deployment has.
const ROWS_MAX: usize = 100_000;
/// How long the last answers have to leave before connections close.
const LINGER_MS: u64 = 100;
const PEPPER_KEY: u32 = 1;
const INDEX_KEY: u16 = 1;

/// What the command line changes about the configuration.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// Another address for QUIC.
    pub listen: Option<SocketAddr>,
    /// Another address for metrics.
    pub metrics: Option<SocketAddr>,
}

/// Why a node could not run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// There is no node's folder here.
    #[error("{0} is not a node's folder; `tidegate init` makes one")]
    NoFolder(PathBuf),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file cannot be used.
    #[error("{path}: {message}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    /// A tenant's or gateway's row cannot be read.
    #[error("the row of {0} cannot be read")]
    Row(String),
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

fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}

/// Runs a node until SIGTERM or SIGINT, then drains it. `ready` is called
/// once, with the addresses of QUIC and metrics.
///
/// # Errors
/// [`ServeError`] when it cannot start.
pub fn serve(
    folder: &Folder,
    options: &ServeOptions,
    ready: impl FnOnce(SocketAddr, SocketAddr),
) -> Result<(), ServeError> {
    if !folder.config().exists() {
        return Err(ServeError::NoFolder(folder.root().to_owned()));
    }
    let config = Config::read(&folder.config())?;
    let metrics = metrics_handle();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.node.actor_threads)
        .thread_name("actors")
        .enable_all()
        .build()
        .map_err(system("the actors' threads"))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    let service = assemble(folder, &config, &runtime, &clock)?;
    let listen = options.listen.unwrap_or(config.node.listen);
    let reset = key_file(&folder.secret("reset"))?;
    let endpoint = Endpoint::start(folder, &reset, listen, Arc::clone(&service))?;
    let admin = Arc::new(Admin {
        service: Arc::clone(&service),
        metrics,
    });
    let metrics_at = options.metrics.unwrap_or(config.node.metrics);
    let metrics_at = runtime
        .block_on(admin::serve(admin, metrics_at))
        .map_err(system("the metrics' address"))?;
    publish_address(folder, endpoint.address)?;
    ready(endpoint.address, metrics_at);
    tracing::info!(event = "node.ready", quic = %endpoint.address, metrics = %metrics_at);
    runtime.block_on(signals.any());
    drain(&runtime, &service, &endpoint, &*clock, config.node.drain_ms);
    // An address that leads nowhere would mislead; a missing file misleads nobody.
    let _ = std::fs::remove_file(folder.address());
    drop(endpoint);
    tracing::info!(event = "node.stopped");
    Ok(())
}

fn metrics_handle() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!(event = "metrics.recorder_taken");
    }
    handle
}

fn assemble(
    folder: &Folder,
    config: &Config,
    runtime: &Runtime,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Service>, ServeError> {
    let options = Options {
        cache_bytes: config.node.cache_mib * 1024 * 1024,
        read_threads: config.node.read_threads,
    };
    let store: Arc<dyn Store> = Arc::new(FjallStore::open(&folder.store(), &options)?);
    let master = LocalMaster::new(key_file(&folder.secret("master"))?);
    let tenants = runtime.block_on(tenants(&*store, &master, config))?;
    let gateways = runtime.block_on(gateways(&*store))?;
    let ownership = runtime.block_on(Ownership::claim_all(Region::FIRST, &*store))?;
    let pepper_path = folder.secret(&format!("pepper-{PEPPER_KEY}"));
    let index_path = folder.secret(&format!("index-{INDEX_KEY}"));
    let (pepper, index) = (key_file(&pepper_path)?, key_file(&index_path)?);
    let row = runtime.block_on(store_row(&*store))?;
    belongs(&pepper_path, &pepper, &row.pepper)?;
    belongs(&index_path, &index, &row.index)?;
    let peppers = BTreeMap::from([(PEPPER_KEY, pepper)]);
    let cpu = HashingPool::start(config.hashing(), peppers, Arc::clone(clock))
        .map_err(system("the hashing threads"))?;
    let parts = Parts {
        store,
        ownership,
        tenants,
        index_key: IndexKey {
            version: INDEX_KEY,
            key: index,
        },
        limits: config.limits(),
        clock: Arc::clone(clock),
        entropy: Arc::new(OsEntropy),
        cpu: Arc::new(cpu),
    };
    let engine = Engine::start(parts, runtime.handle().clone());
    let limits = config.limits.clone();
    Ok(Arc::new(Service::new(
        engine,
        gateways,
        Arc::clone(clock),
        limits,
    )))
}

async fn store_row(store: &dyn Store) -> Result<StoreRow, ServeError> {
    let unreadable = || ServeError::Row("the store's keys".into());
    let value = store.get(RowKey::system(SystemPart::Store)).await?;
    let row: StoreRow =
        serde_json::from_slice(&value.ok_or_else(unreadable)?).map_err(|_| unreadable())?;
    match row.version {
        ROW_VERSION => Ok(row),
        _ => Err(unreadable()),
    }
}

fn belongs(path: &Path, key: &Key, expected: &str) -> Result<(), ServeError> {
    match key_check(key) == expected {
        true => Ok(()),
        false => Err(ServeError::KeyFile {
            path: path.to_owned(),
            message: "this is not the key of this store".into(),
        }),
    }
}

fn key_file(path: &Path) -> Result<Key, ServeError> {
    let fault = |message: String| ServeError::KeyFile {
        path: path.to_owned(),
        message,
    };
    let bytes = std::fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| fault(error.to_string()))?;
    let key = <[u8; 32]>::try_from(bytes.as_slice());
    let key = key.map_err(|_| fault("a key file holds exactly 32 bytes".into()))?;
    Ok(Key::new(key))
}

async fn tenants(
    store: &dyn Store,
    master: &dyn Master,
    config: &Config,
) -> Result<Tenants, ServeError> {
    let tenants = Tenants::default();
    for (_, value) in store.range(KeyRange::tenants(), ROWS_MAX).await? {
        let row: TenantRow =
            serde_json::from_slice(&value).map_err(|_| ServeError::Row("a tenant".into()))?;
        let unreadable = || ServeError::Row(format!("tenant {}", row.name));
        if row.version != ROW_VERSION {
            return Err(unreadable());
        }
        let id = TenantId::of_name(&row.name);
        let wrapped = unhex(&row.wrapped_key).ok_or_else(unreadable)?;
        let key = master.unwrap(&tenant_context(id), &wrapped);
        let key = key.map_err(|_| unreadable())?;
        tenants.put(Tenant {
            id,
            key,
            policy: config.policy(PEPPER_KEY),
            name: row.name,
        });
    }
    Ok(tenants)
}

async fn gateways(store: &dyn Store) -> Result<Gateways, ServeError> {
    let mut gateways = Gateways::new();
    for (_, value) in store.range(KeyRange::gateways(), ROWS_MAX).await? {
        let row: GatewayRow =
            serde_json::from_slice(&value).map_err(|_| ServeError::Row("a gateway".into()))?;
        if row.version != ROW_VERSION {
            return Err(ServeError::Row(format!("gateway {}", row.name)));
        }
        gateways.insert(row.name.clone(), Arc::new(Gateway::new(&row)));
    }
    Ok(gateways)
}

/// Tells commands on this machine where the node is. Replaced whole, so that
/// nobody reads half an address.
fn publish_address(folder: &Folder, address: SocketAddr) -> Result<(), ServeError> {
    let half = folder.address().with_extension("new");
    std::fs::write(&half, format!("{address}\n"))
        .and_then(|()| std::fs::rename(&half, folder.address()))
        .map_err(system("the address file"))
}

/// Takes nothing new, lets what is under way finish, for at most `drain_ms`.
fn drain(
    runtime: &Runtime,
    service: &Service,
    endpoint: &Endpoint,
    clock: &dyn Clock,
    drain_ms: u64,
) {
    tracing::info!(event = "node.draining", waiting = service.engine.waiting());
    service.draining.store(true, Ordering::Release);
    endpoint.drain();
    let until = clock.monotonic_ms().saturating_add(drain_ms);
    runtime.block_on(async {
        while service.engine.waiting() > 0 && clock.monotonic_ms() < until {
            clock.sleep(5).await;
        }
        // What was answered last is on its way out.
        clock.sleep(LINGER_MS).await;
    });
}

/// The signals that end a node.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Signals, ServeError> {
        let listen = |kind| signal(kind).map_err(system("the signal handler"));
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
