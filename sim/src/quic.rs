//! Real QUIC on the made-up network: quinn's endpoints of nodes and gateways,
//! with certificates, handshakes, acknowledgements and retransmissions, on
//! sockets, timers and randomness of the simulator.

mod lane;
mod socket;
mod time;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use thiserror::Error;
use tidegate_account::tagged;
use tidegate_client::{Options, SetupError, quic_config_by};
use tidegate_node::certificates::{CertificateError, Identity, Issued, Role, issue, make_ca};
use tidegate_node::{Brought, EndpointError, Front};

use crate::agenda::Agenda;
use crate::machine::Machine;
use crate::network::Network;
use crate::people::TENANT;
use crate::ports::BEGINS_AT_MS;
pub(crate) use lane::Counted;
use socket::{Owner, Socket};
use time::{Date, Time};

/// Every gateway comes with the same certificate.
const GATEWAY: &str = "gateway";
const PORT: u16 = 4_433;

/// Why QUIC cannot be set up.
#[derive(Debug, Error)]
pub enum QuicError {
    /// A certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A gateway's side cannot be set up.
    #[error(transparent)]
    Client(#[from] SetupError),
    /// A node's side cannot be set up.
    #[error(transparent)]
    Node(#[from] EndpointError),
    /// An endpoint cannot be made.
    #[error("an endpoint cannot be made: {0}")]
    Endpoint(#[from] std::io::Error),
}

/// What all endpoints share: the wires between their sockets, and who signs.
pub(crate) struct Wires {
    seed: u64,
    agenda: Agenda,
    network: Arc<Network>,
    /// What a datagram costs a node, each way, in nanoseconds.
    datagram_ns: u64,
    sockets: Mutex<BTreeMap<SocketAddr, Arc<Socket>>>,
    ca: Issued,
    gateway: Issued,
    myself: Weak<Wires>,
}

/// Where a node's socket is.
pub(crate) fn address_of_node(node: u64) -> SocketAddr {
    address(0, node)
}

fn address(kind: u8, number: u64) -> SocketAddr {
    let [.., high, low] = number.to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, kind, high, low)), PORT)
}

fn identity(role: Role, name: &str) -> Identity {
    let name = name.to_owned();
    Identity { role, name }
}

/// Certificates are made for the world's own date.
fn now_s() -> i64 {
    i64::try_from(BEGINS_AT_MS / 1_000).unwrap_or(0)
}

impl Wires {
    pub(crate) fn new(
        seed: u64,
        agenda: Agenda,
        network: Arc<Network>,
        datagram_ns: u64,
    ) -> Result<Arc<Wires>, QuicError> {
        let ca = make_ca(now_s())?;
        let gateway = issue(&ca, &identity(Role::Gateway, GATEWAY), now_s())?;
        Ok(Arc::new_cyclic(|myself| Wires {
            seed,
            agenda,
            network,
            datagram_ns,
            sockets: Mutex::default(),
            ca,
            gateway,
            myself: Weak::clone(myself),
        }))
    }

    fn sockets(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Arc<Socket>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket here, instead of one that was here before.
    fn socket(&self, at: SocketAddr, owner: Owner) -> Arc<Socket> {
        let socket = Arc::new(Socket::new(at, owner, Weak::clone(&self.myself)));
        self.sockets().insert(at, Arc::clone(&socket));
        socket
    }

    fn seed_of(&self, name: &str, number: u64, life: u64) -> [u8; 32] {
        let words = [self.seed, number, life].map(u64::to_le_bytes);
        let parts: Vec<&[u8]> = words.iter().map(<[u8; 8]>::as_slice).collect();
        tagged(name, &parts)
    }

    fn date(&self) -> Arc<Date> {
        Arc::new(Date(self.agenda.clone()))
    }

    /// A gateway's endpoint.
    pub(crate) fn gateway(&self, number: u64) -> Result<quinn::Endpoint, QuicError> {
        let at = address(1, number);
        let options = Options::new(
            at,
            self.ca.certificate.clone().into_bytes(),
            self.gateway.certificate.clone().into_bytes(),
            self.gateway.key.as_bytes().to_vec(),
            TENANT,
        );
        let client = quic_config_by(&options, self.date())?;
        let mut config = quinn::EndpointConfig::default();
        config.rng_seed(Some(self.seed_of("tg-sim-quic-gateway-1", number, 0)));
        let runtime = Arc::new(Time::new(self.agenda.clone(), None));
        let socket = self.socket(at, Owner::Gateway);
        let mut endpoint =
            quinn::Endpoint::new_with_abstract_socket(config, None, socket, runtime)?;
        endpoint.set_default_client_config(client);
        Ok(endpoint)
    }

    /// Serves a node's life. Its datagrams cost its processor.
    pub(crate) fn serve(
        &self,
        front: &Front,
        node: u64,
        life: u64,
        machine: &Arc<Machine>,
    ) -> Result<(), QuicError> {
        let own = issue(&self.ca, &identity(Role::Node, "node"), now_s())?;
        let owner = Owner::Node(node, Arc::clone(machine));
        front.know(GATEWAY, TENANT, &self.gateway.certificate)?;
        let serving = front.serve(Brought {
            ca: self.ca.certificate.clone(),
            certificate: own.certificate,
            key: own.key,
            reset: self.seed_of("tg-sim-quic-reset-1", node, 0),
            seed: self.seed_of("tg-sim-quic-node-1", node, life),
            date: self.date(),
            socket: self.socket(address_of_node(node), owner),
            runtime: Arc::new(Time::new(self.agenda.clone(), Some(Arc::clone(machine)))),
        })?;
        tokio::spawn(serving);
        Ok(())
    }

    /// A node's socket is gone with it.
    pub(crate) fn close(&self, node: u64, machine: &Arc<Machine>) {
        let mut sockets = self.sockets();
        let at = address_of_node(node);
        if sockets.get(&at).is_some_and(|socket| socket.is_of(machine)) {
            sockets.remove(&at);
        }
    }
}
