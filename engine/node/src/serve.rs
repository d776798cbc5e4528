//! Running a node: assembly, readiness, drain.

mod error;

pub use error::ServeError;
pub(crate) use error::{system, unwritable};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{OsEntropy, SystemClock};
use tidegate_storage_fjall::OpenError;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::{self, Admin};
use crate::assembly::{Journal, assemble, serving};
use crate::backend::{Backend, BackendError};
use crate::config::{Config, StorageConfig};
use crate::credentials::{self, Whose};
use crate::deployment::{Deployment, READS, key_file, refuse_newer};
use crate::described::describe;
use crate::disk;
use crate::folder::Folder;
use crate::member::Member;
use crate::operator::Operator;
use crate::patience::{patiently, when_free};
use crate::service::{Endpoint, Service};

/// How long the last answers have to leave before connections close.
const LINGER_MS: u64 = 100;
/// How often it is looked whether the cluster took the node in or let it go.
const LOOK_MS: u64 = 20;

/// What the command line changes about the configuration.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// Another address for QUIC.
    pub listen: Option<SocketAddr>,
    /// Another address for metrics.
    pub metrics: Option<SocketAddr>,
}

/// Names what is wrong with the disk, where an opening failed by it.
fn by_disk(error: ServeError) -> ServeError {
    if let ServeError::Open(BackendError::Embedded(OpenError::Io { path, source }))
    | ServeError::OpenJournal(OpenError::Io { path, source }) = &error
        && disk::is_of_the_disk(source.kind())
    {
        return unwritable(path, source.kind());
    }
    error
}

/// The runtime of actors. tokio panics where the system refuses it a thread.
pub(crate) fn actors(threads: usize) -> Result<Runtime, ServeError> {
    const WHAT: &str = "the actors' threads";
    let built = std::panic::catch_unwind(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("actors")
            .enable_all()
            .build()
    });
    let built = built.unwrap_or_else(|_| Err(std::io::Error::other("the system refuses them")));
    built.map_err(system(WHAT))
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
    run(folder, options, ready).map_err(by_disk)
}

fn run(
    folder: &Folder,
    options: &ServeOptions,
    ready: impl FnOnce(SocketAddr, SocketAddr),
) -> Result<(), ServeError> {
    if !folder.config().exists() {
        return Err(ServeError::NoFolder(folder.root().to_owned()));
    }
    let config = Config::read(&folder.config())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    refuse_unreachable(folder, &*clock)?;
    let metrics = metrics_handle(&config);
    let runtime = actors(config.node.actor_threads)?;
    let mut signals = runtime.block_on(async { Signals::listen() })?;
    let backend = runtime.block_on(when_free(&*clock, || {
        Backend::open(folder, &config, &OsEntropy).map_err(ServeError::from)
    }))?;
    let read = runtime.block_on(patiently(
        &*clock,
        async || signals.any().await,
        async || {
            let read = Deployment::open(folder, &config, backend.clone()).await;
            read.map_err(ServeError::from)
        },
    ));
    let Some(deployment) = read? else {
        return Ok(());
    };
    drop(backend);
    let operator = assemble(folder, &config, deployment, Journal::Own, &runtime, &clock)?;
    let service = serving(&operator, &config);
    operator.resume();
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
    if let Some(member) = &operator.member {
        let reached_at = config.cluster.address.unwrap_or(endpoint.address);
        if reached_at.ip().is_unspecified() {
            return Err(ServeError::Nowhere(reached_at));
        }
        member.reached_at(reached_at.to_string());
        let joined = join(&operator, member, &*clock, &mut signals);
        if runtime.block_on(joined) == Asked::Ended {
            return Ok(());
        }
        let read = runtime.block_on(patiently(
            &*clock,
            async || signals.any().await,
            async || {
                let read = refuse_newer(operator.deployment.store(), READS).await;
                read.map_err(ServeError::from)
            },
        ));
        if read?.is_none() {
            return Ok(());
        }
    }
    operator.follow_regions();
    operator.follow_certificate();
    publish_address(folder, endpoint.address)?;
    ready(endpoint.address, metrics_at);
    tracing::info!(event = "node.ready", quic = %endpoint.address, metrics = %metrics_at);
    let end = runtime.block_on(async {
        tokio::select! {
            biased;
            () = signals.any() => End::Asked,
            () = operator.deployment.outdated.notified() => End::Outdated,
        }
    });
    if let Some(member) = &operator.member {
        runtime.block_on(leave(member, &*clock, config.node.drain_ms));
    }
    drain(&runtime, &service, &endpoint, &*clock, config.node.drain_ms);
    // An address that leads nowhere would mislead; a missing file does not.
    let _ = std::fs::remove_file(folder.address());
    drop(endpoint);
    let ended = match end {
        End::Asked => Ok(()),
        End::Outdated => runtime.block_on(refuse_newer(operator.deployment.store(), READS)),
    };
    runtime.block_on(operator.deployment.backend.settle());
    tracing::info!(event = "node.stopped");
    if operator.deployment.backend.may_be_left() {
        // The system takes a process's memory back at once; we would take
        // seconds for a million people, one allocation at a time.
        runtime.shutdown_background();
        std::mem::forget((operator, service));
    }
    Ok(ended?)
}

/// A node to which no client can connect does not call itself ready. What is
/// wrong with the certificates of others is theirs, and is said.
fn refuse_unreachable(folder: &Folder, clock: &dyn Clock) -> Result<(), ServeError> {
    let now_s = i64::try_from(clock.unix_ms() / 1000).unwrap_or(i64::MAX);
    for trouble in credentials::examine(folder, now_s) {
        match trouble.of {
            Whose::Node => return Err(ServeError::Credentials(trouble)),
            Whose::Other => tracing::warn!(event = "certificate.unusable", error = %trouble),
        }
    }
    Ok(())
}

/// Why a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Asked,
    /// It could soon not read what it serves: the others take over.
    Outdated,
}

/// How the wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Answered,
    /// A signal came first.
    Ended,
}

/// Takes part in the cluster from now on; waits until the node is in.
async fn join(
    operator: &Operator,
    member: &Arc<Member>,
    clock: &dyn Clock,
    signals: &mut Signals,
) -> Asked {
    let store = operator.deployment.backend.store();
    let engine = operator.engine.clone();
    member.start(engine, store, Arc::clone(&operator.clock), &operator.actors);
    operator.follow_news();
    while !member.is_in() {
        tokio::select! {
            biased;
            () = signals.any() => return Asked::Ended,
            () = clock.sleep(LOOK_MS) => {}
        }
    }
    Asked::Answered
}

/// Gives every slot away while the node still serves, for at most `drain_ms`.
async fn leave(member: &Member, clock: &dyn Clock, drain_ms: u64) {
    tracing::info!(event = "cluster.leaving", slots = member.held());
    member.leave();
    let until = clock.monotonic_ms().saturating_add(drain_ms);
    while !member.is_gone() && !member.is_alone() && clock.monotonic_ms() < until {
        clock.sleep(LOOK_MS).await;
    }
    tracing::info!(event = "cluster.left", slots = member.held());
}

fn metrics_handle(config: &Config) -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!(event = "metrics.recorder_taken");
    }
    describe();
    let storage = match config.storage {
        StorageConfig::Embedded {} => "embedded",
        StorageConfig::Foundationdb(_) => "foundationdb",
    };
    metrics::gauge!(
        "tidegate_build_info",
        "version" => env!("CARGO_PKG_VERSION"),
        "formats" => READS.to_string(),
        "storage" => storage
    )
    .set(1.0);
    handle
}

/// Tells commands on this machine where the node is. Replaced whole, so that no
/// command reads half an address.
fn publish_address(folder: &Folder, address: SocketAddr) -> Result<(), ServeError> {
    let half = folder.address().with_extension("new");
    let address = reached_here(address);
    std::fs::write(&half, format!("{address}\n"))
        .and_then(|()| std::fs::rename(&half, folder.address()))
        .map_err(system("the address file"))
}

/// Where commands on this machine reach a node: nothing can be sent to the
/// address that stands for all of them.
fn reached_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
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
