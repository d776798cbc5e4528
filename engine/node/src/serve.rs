//! Running a node: assembly, readiness, drain.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use thiserror::Error;
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{Engine, HashingPool, Interims, OsEntropy, Ownership, Parts, SystemClock};
use tidegate_storage_api::{Region, StoreError};
use tidegate_storage_fjall::{FjallStore, OpenError, Options};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::{self, Admin};
use crate::config::{Config, ConfigError};
use crate::deployment::{Deployment, DeploymentError, KeyFault, key_file};
use crate::folder::Folder;
use crate::operator::Operator;
use crate::service::{Endpoint, EndpointError, ServerCertificate, Service};
use crate::whereabouts::Nowhere;

/// A journal holds a row for whoever was signed out while the store was away.
const JOURNAL: Options = Options {
    cache_bytes: 1024 * 1024,
    read_threads: 1,
};
/// How long the last answers have to leave before connections close.
const LINGER_MS: u64 = 100;

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
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// Keys, tenants or gateways cannot be read.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be read.
    #[error("the store cannot be read: {0}")]
    Store(#[from] StoreError),
    /// The node's own journal cannot be read.
    #[error("the journal cannot be read: {0}")]
    Journal(StoreError),
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
    let operator = assemble(folder, &config, &runtime, &clock)?;
    let service = serving(&operator, &config);
    if let Err(error) = runtime.block_on(operator.resume()) {
        tracing::error!(event = "rotation.not_resumed", %error);
    }
    let listen = options.listen.unwrap_or(config.node.listen);
    let reset = key_file(&folder.secret("reset"))?;
    let endpoint = Endpoint::start(
        folder,
        &reset,
        listen,
        Arc::clone(&operator.certificate),
        Arc::clone(&service),
    )?;
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

/// A node without its endpoint: its engine, and who runs it.
pub(crate) fn assemble(
    folder: &Folder,
    config: &Config,
    runtime: &Runtime,
    clock: &Arc<dyn Clock>,
) -> Result<Operator, ServeError> {
    let options = Options {
        cache_bytes: config.node.cache_mib * 1024 * 1024,
        read_threads: config.node.read_threads,
    };
    let store = Arc::new(FjallStore::open(&folder.store(), &options)?);
    let deployment = runtime.block_on(Deployment::open(folder, config, Arc::clone(&store)))?;
    let ownership = runtime.block_on(Ownership::claim_all(Region::FIRST, &*store))?;
    let journal = FjallStore::open(&folder.journal(), &JOURNAL)?;
    let interims = runtime.block_on(Interims::open(Arc::new(journal)));
    let interims = interims.map_err(ServeError::Journal)?;
    let peppers = Arc::clone(&deployment.peppers);
    let cpu = HashingPool::start(config.hashing(), peppers, Arc::clone(clock))
        .map_err(system("the hashing threads"))?;
    let parts = Parts {
        store,
        ownership: Arc::new(ownership),
        tenants: Arc::clone(&deployment.tenants),
        index_keys: Arc::clone(&deployment.index_keys),
        interims,
        retention: config.retention(),
        limits: config.limits(),
        clock: Arc::clone(clock),
        entropy: Arc::new(OsEntropy),
        cpu: Arc::new(cpu),
    };
    let engine = Engine::start(parts, runtime.handle().clone());
    Ok(Operator::new(
        Arc::new(deployment),
        engine,
        Arc::clone(clock),
        Arc::new(OsEntropy),
        Arc::new(ServerCertificate::read(folder)?),
        runtime.handle().clone(),
    ))
}

/// What the streams of a node are served by.
pub(crate) fn serving(operator: &Operator, config: &Config) -> Arc<Service> {
    Arc::new(Service::new(
        operator.engine.clone(),
        Some(operator.clone()),
        Arc::clone(&operator.deployment.gateways),
        Arc::new(Nowhere),
        Arc::clone(&operator.clock),
        config.limits.clone(),
    ))
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
