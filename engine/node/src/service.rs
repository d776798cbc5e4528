//! The QUIC service: endpoints, connections, streams, requests.

mod batch;
mod brought;
mod connection;
mod request;
mod sans_io;
mod stream;
mod tls;

pub use brought::Brought;
pub use sans_io::{Answers, Frames, Front};
pub(crate) use tls::ServerCertificate;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use metrics::{Counter, Gauge, counter, gauge};
use thiserror::Error;
use tidegate_cluster::Standing;
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{Engine, Histogram, Key};
use tidegate_storage_fjall::Health;
use tidegate_wire::{Class, Close, Opcode};
use tokio::sync::{oneshot, watch};

use crate::certificates::expires_at_s;
use crate::config::LimitsConfig;
use crate::folder::Folder;
use crate::operator::Operator;
use crate::rights::Gateways;
use crate::whereabouts::Whereabouts;

/// What every connection shares.
pub(crate) struct Service {
    pub(crate) engine: Engine,
    /// Carries out operators' orders; none in a node without a folder.
    pub(crate) operator: Option<Operator>,
    pub(crate) gateways: Arc<Gateways>,
    pub(crate) whereabouts: Arc<dyn Whereabouts>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: LimitsConfig,
    pub(crate) draining: AtomicBool,
    connections: AtomicUsize,
    meters: Meters,
}

struct Meters {
    requests: [Counter; Opcode::ALL.len()],
    malformed: Counter,
    not_permitted: Counter,
    rate_limited: Counter,
    in_flight_full: Counter,
    panics: Counter,
    connections: Gauge,
    connections_refused: Counter,
    certificate_expiry: Gauge,
    store_failed: Gauge,
    waiting: [Gauge; 3],
    /// From the frame's arrival to its answer, by class.
    durations: [Histogram; Class::ALL.len()],
}

impl Service {
    pub(crate) fn new(
        engine: Engine,
        operator: Option<Operator>,
        gateways: Arc<Gateways>,
        whereabouts: Arc<dyn Whereabouts>,
        clock: Arc<dyn Clock>,
        limits: LimitsConfig,
    ) -> Service {
        let of_opcode = |opcode: Opcode| {
            let name = format!("{opcode:?}").to_lowercase();
            counter!("tidegate_requests_total", "opcode" => name)
        };
        let waits = engine.waits();
        Service {
            engine,
            operator,
            gateways,
            whereabouts,
            clock,
            limits,
            draining: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            meters: Meters {
                requests: Opcode::ALL.map(of_opcode),
                malformed: counter!("tidegate_requests_malformed_total"),
                not_permitted: counter!("tidegate_requests_not_permitted_total"),
                rate_limited: counter!("tidegate_requests_rate_limited_total"),
                in_flight_full: counter!("tidegate_refused_total", "limit" => "frames_in_flight"),
                panics: counter!("tidegate_requests_panicked_total"),
                connections: gauge!("tidegate_connections"),
                connections_refused: counter!("tidegate_connections_refused_total"),
                certificate_expiry: gauge!("tidegate_certificate_expiry_seconds"),
                store_failed: gauge!("tidegate_store_failed"),
                waiting: waits
                    .map(|(limit, _)| gauge!("tidegate_waiting", "limit" => limit.name())),
                durations: Class::ALL.map(|class| {
                    let labels = format!("class=\"{}\"", format!("{class:?}").to_lowercase());
                    Histogram::new(
                        "tidegate_request_seconds",
                        "from a frame's arrival to its answer",
                        &labels,
                    )
                }),
            },
        }
    }

    pub(crate) fn store_health(&self) -> Health {
        let operator = self.operator.as_ref();
        operator.map_or(Health::Good, |operator| {
            operator.deployment.backend.health()
        })
    }

    /// How the node stands among others; one that is alone is always in.
    pub(crate) fn standing(&self) -> Standing {
        let member = self.operator.as_ref().and_then(|one| one.member.as_ref());
        member.map_or(Standing::Member, |member| member.standing())
    }

    /// Brings up to date what is only known when it is asked for.
    pub(crate) fn observe(&self) {
        let now_s = i64::try_from(self.clock.unix_ms() / 1000).unwrap_or(i64::MAX);
        let operator = self.operator.as_ref();
        let leaf = operator.and_then(|operator| operator.certificate.leaf());
        let expires_at_s = leaf.and_then(|leaf| expires_at_s(&leaf)).unwrap_or(0);
        let left_s = i32::try_from(expires_at_s.saturating_sub(now_s)).unwrap_or(i32::MAX);
        self.meters.certificate_expiry.set(f64::from(left_s));
        self.meters.store_failed.set(match self.store_health() {
            Health::Good => 0.0,
            Health::Failed => 1.0,
        });
        if let Some(operator) = operator {
            operator.deployment.backend.observe();
            if let Some(member) = &operator.member {
                member.observe(self.clock.monotonic_ms());
            }
        }
        for (gauge, (_, waiting)) in self.meters.waiting.iter().zip(self.engine.waits()) {
            gauge.set(f64::from(u32::try_from(waiting).unwrap_or(u32::MAX)));
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// Why an endpoint could not start.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// A certificate or key cannot be used.
    #[error("{path}: {message}")]
    Credentials {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(std::io::Error),
}

/// A running endpoint on a thread of its own: quinn coalesces far better on a
/// current-thread runtime than on a work-stealing one.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    close: watch::Sender<Stage>,
    thread: Option<JoinHandle<()>>,
}

/// How far an endpoint is on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Serving,
    /// Takes no new connections.
    Draining,
    /// Closes everything.
    Closing,
}

impl Endpoint {
    pub(crate) fn start(
        folder: &Folder,
        reset: &Key,
        listen: SocketAddr,
        certificate: Arc<ServerCertificate>,
        service: Arc<Service>,
    ) -> Result<Endpoint, EndpointError> {
        let config = Config {
            server: tls::server_config(folder, certificate, &service.limits)?,
            endpoint: tls::endpoint_config(reset),
        };
        let (close, stage) = watch::channel(Stage::Serving);
        let (bound, address) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("endpoint".into())
            .spawn(move || run(config, listen, service, stage, bound))
            .map_err(EndpointError::Thread)?;
        let address = match address.blocking_recv() {
            Ok(Ok(address)) => address,
            Ok(Err(source)) => {
                let address = listen;
                return Err(EndpointError::Listen { address, source });
            }
            Err(_) => return Err(EndpointError::Tls("the endpoint's thread ended".into())),
        };
        Ok(Endpoint {
            address,
            close,
            thread: Some(thread),
        })
    }

    pub(crate) fn drain(&self) {
        self.close.send_replace(Stage::Draining);
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.close.send_replace(Stage::Closing);
        if let Some(thread) = self.thread.take() {
            // A panic there has been logged; the process is going down anyway.
            let _ = thread.join();
        }
    }
}

struct Config {
    server: quinn::ServerConfig,
    endpoint: quinn::EndpointConfig,
}

type Bound = oneshot::Sender<Result<SocketAddr, std::io::Error>>;

fn run(
    config: Config,
    listen: SocketAddr,
    service: Arc<Service>,
    stage: watch::Receiver<Stage>,
    bound: Bound,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(bound.send(Err(error))),
    };
    runtime.block_on(async {
        let opened =
            open(config, listen).and_then(|endpoint| Ok((endpoint.local_addr()?, endpoint)));
        match opened {
            Ok((address, endpoint)) => {
                // The caller that started us may have given up.
                let _ = bound.send(Ok(address));
                accept(endpoint, service, stage).await;
            }
            Err(error) => drop(bound.send(Err(error))),
        }
    });
}

fn open(config: Config, listen: SocketAddr) -> std::io::Result<quinn::Endpoint> {
    let socket = std::net::UdpSocket::bind(listen)?;
    let runtime = Arc::new(quinn::TokioRuntime);
    quinn::Endpoint::new(config.endpoint, Some(config.server), socket, runtime)
}

/// How long the end of connections is waited for, once it was said.
const CLOSE_MS: u64 = 500;

async fn accept(
    endpoint: quinn::Endpoint,
    service: Arc<Service>,
    mut stage: watch::Receiver<Stage>,
) {
    loop {
        tokio::select! {
            biased;
            changed = stage.changed() => {
                let now = *stage.borrow_and_update();
                if changed.is_err() || now == Stage::Closing {
                    break;
                }
                endpoint.set_server_config(None);
            }
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => admit(incoming, &service),
                None => break,
            },
        }
    }
    let clock = Arc::clone(&service.clock);
    let code = quinn::VarInt::from_u32(Close::Draining as u32);
    endpoint.close(code, Close::Draining.name().as_bytes());
    // A peer that does not answer would be waited for over three of its timeouts
    // (RFC 9000, 10.2), and those are long after a storm. It is told by a reset.
    tokio::select! {
        biased;
        () = endpoint.wait_idle() => {}
        () = clock.sleep(CLOSE_MS) => {}
    }
}

/// A connection counted against the node's limit, from its first packet on.
pub(crate) struct Counted(Arc<Service>);

impl Counted {
    /// `None` when there is no room or the node is going down.
    fn count(service: &Arc<Service>) -> Option<Counted> {
        if service.is_draining() {
            return None;
        }
        let more = |open: usize| (open < service.limits.connections).then_some(open + 1);
        let counted = service
            .connections
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        counted.is_ok().then(|| {
            service.meters.connections.increment(1.0);
            Counted(Arc::clone(service))
        })
    }
}

impl Counted {
    fn service(&self) -> &Arc<Service> {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
        self.0.meters.connections.decrement(1.0);
    }
}

fn admit(incoming: quinn::Incoming, service: &Arc<Service>) {
    // With half of the room gone, a client must show that its address is its
    // own (RFC 9000 §8.1.2), so that made-up ones cannot take the rest.
    let open = service.connections.load(Ordering::Acquire);
    if open >= service.limits.connections / 2 && incoming.may_retry() {
        if let Err(error) = incoming.retry() {
            tracing::debug!(event = "connection.not_retried", %error);
        }
        return;
    }
    let Some(counted) = Counted::count(service) else {
        service.meters.connections_refused.increment(1);
        return incoming.refuse();
    };
    // A client with another ALPN or without a certificate fails here, and
    // unwrapping that would let any client crash the node.
    match incoming.accept() {
        Ok(connecting) => {
            tokio::spawn(connection::serve(connecting, counted));
        }
        Err(error) => {
            service.meters.connections_refused.increment(1);
            tracing::debug!(event = "connection.refused", %error);
        }
    }
}
