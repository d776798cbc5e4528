//! How a client reaches its node, and which gateway it is.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::version::TLS13;
use thiserror::Error;
use tidegate_wire::ALPN;

const KEEP_ALIVE_MS: u64 = 2_000;
/// A node that says nothing for this long is taken for gone.
const IDLE_TIMEOUT_MS: u32 = 6_000;

/// The name that every node's certificate carries.
pub(crate) const NODE_NAME: &str = "node.tidegate";

/// How a client reaches its node, and which gateway it is.
#[derive(Clone)]
pub struct Options {
    /// The node's address; of a cluster, any node's.
    pub address: SocketAddr,
    /// Further nodes of the cluster, for when the first does not answer. Those
    /// that are not named are learnt of as calls are answered.
    pub others: Vec<SocketAddr>,
    /// The deployment's CA certificate, PEM.
    pub ca_pem: Vec<u8>,
    /// The gateway's certificate, PEM.
    pub certificate_pem: Vec<u8>,
    /// The gateway's private key, PEM (PKCS #8).
    pub key_pem: Vec<u8>,
    /// The tenant's name.
    pub tenant: String,
    /// Connections to keep.
    pub connections: usize,
    /// How long a call may take with all its retries, in milliseconds.
    pub deadline_ms: u32,
    /// The greatest age that is accepted of an answer from memory that could
    /// not be brought up to date, in milliseconds.
    pub max_age_ms: u32,
    /// After how long without an answer a check is asked once more by another
    /// connection, in milliseconds; the first answer counts. Paid from the
    /// budget for retries. Never, when it says nothing.
    pub hedge_ms: Option<u32>,
}

impl Options {
    /// Options with two connections and a deadline of five seconds.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        ca_pem: Vec<u8>,
        certificate_pem: Vec<u8>,
        key_pem: Vec<u8>,
        tenant: &str,
    ) -> Options {
        Options {
            address,
            others: Vec::new(),
            ca_pem,
            certificate_pem,
            key_pem,
            tenant: tenant.to_owned(),
            connections: 2,
            deadline_ms: 5_000,
            max_age_ms: 300_000,
            hedge_ms: None,
        }
    }
}

/// Why a client could not be made.
#[derive(Debug, Error)]
pub enum SetupError {
    /// A PEM text does not hold what it should.
    #[error("the {0} is not valid PEM")]
    Pem(&'static str),
    /// Certificate, key or CA do not work together.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The TLS library lacks the cipher suite that QUIC begins with.
    #[error("the cipher suite that QUIC begins with is missing")]
    Cipher(#[from] NoInitialCipherSuite),
    /// No local socket could be had.
    #[error("no local socket: {0}")]
    Socket(#[from] std::io::Error),
}

/// How the library's own connections are set up: for load generators, which
/// bring their own connections and frames.
///
/// # Errors
/// [`SetupError`].
pub fn quic_config(options: &Options) -> Result<quinn::ClientConfig, SetupError> {
    quic_config_by(options, Arc::new(DefaultTimeProvider))
}

/// The same, with certificates looked at by another date than the system's.
///
/// # Errors
/// [`SetupError`].
pub fn quic_config_by(
    options: &Options,
    date: Arc<dyn TimeProvider>,
) -> Result<quinn::ClientConfig, SetupError> {
    let pem = |what| move |_| SetupError::Pem(what);
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&options.ca_pem) {
        roots.add(certificate.map_err(pem("CA certificate"))?)?;
    }
    let chain = CertificateDer::pem_slice_iter(&options.certificate_pem);
    let chain = chain.collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_slice(&options.key_pem);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_details(provider, date)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(
            chain.map_err(pem("certificate"))?,
            key.map_err(pem("private key"))?,
        )?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // A request that is replayed is a request made twice.
    tls.enable_early_data = false;
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let mut transport = quinn::TransportConfig::default();
    transport.keep_alive_interval(Some(Duration::from_millis(KEEP_ALIVE_MS)));
    transport.max_idle_timeout(Some(quinn::VarInt::from_u32(IDLE_TIMEOUT_MS).into()));
    config.transport_config(Arc::new(transport));
    Ok(config)
}
