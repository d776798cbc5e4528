//! Mutual TLS 1.3 (RFC 8446).

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use quinn::crypto::rustls::QuicServerConfig;
use quinn_proto::HashedConnectionIdGenerator;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::version::TLS13;
use tidegate_account::tagged;
use tidegate_runtime::Key;
use tidegate_wire::ALPN;

use super::EndpointError;
use crate::config::LimitsConfig;
use crate::credentials::of_node;
use crate::folder::Folder;

const IDLE_TIMEOUT_S: u64 = 30;
/// Bytes of one stream that may lie unread; more than a stream's frames in
/// flight need, little enough for thousands of connections.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// The same of all streams of a connection, each way: what a gateway that
/// never reads, or sends and never lets be answered, can hold at most.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// The node's certificate, which can be read again while it serves.
pub(crate) struct ServerCertificate {
    folder: Folder,
    current: RwLock<Arc<CertifiedKey>>,
}

impl ServerCertificate {
    pub(crate) fn read(folder: &Folder) -> Result<ServerCertificate, EndpointError> {
        Ok(ServerCertificate {
            folder: folder.clone(),
            current: RwLock::new(Arc::new(certified_key(folder)?)),
        })
    }

    /// Takes the files as they are now, if clients would; connections that are
    /// open stay open.
    pub(crate) fn reload(&self, now_s: i64) -> Result<(), EndpointError> {
        of_node(&self.folder, now_s).map_err(|trouble| EndpointError::Credentials {
            path: trouble.file,
            message: format!("{}: {}", trouble.what, trouble.mend),
        })?;
        let read = Arc::new(certified_key(&self.folder)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// The file that it is read from.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.certificate("node")
    }

    /// The certificate that is shown.
    pub(crate) fn leaf(&self) -> Option<CertificateDer<'static>> {
        self.current().cert.first().cloned()
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCertificate").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn certified_key(folder: &Folder) -> Result<CertifiedKey, EndpointError> {
    let key_path = folder.private_key("node");
    let key =
        PrivateKeyDer::from_pem_file(&key_path).map_err(|error| unusable(&key_path, &error))?;
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let chain = certificates(&folder.certificate("node"))?;
    // Refuses a key that is not the certificate's: a half replaced pair.
    let read = CertifiedKey::from_der(chain, key, &provider);
    read.map_err(|error| unusable(&folder.certificate("node"), &error))
}

pub(super) fn server_config(
    folder: &Folder,
    certificate: Arc<ServerCertificate>,
    limits: &LimitsConfig,
) -> Result<quinn::ServerConfig, EndpointError> {
    let mut roots = RootCertStore::empty();
    let ca = folder.certificate("ca");
    for certificate in certificates(&ca)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(&ca, &error))?;
    }
    config(roots, certificate, Arc::new(DefaultTimeProvider), limits)
}

/// The same of certificates that were read already, looked at by this date.
pub(super) fn config(
    roots: RootCertStore,
    certificate: Arc<dyn ResolvesServerCert>,
    date: Arc<dyn TimeProvider>,
    limits: &LimitsConfig,
) -> Result<quinn::ServerConfig, EndpointError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| EndpointError::Tls(format!("the CA: {error}")))?;
    let mut tls = rustls::ServerConfig::builder_with_details(provider, date)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| EndpointError::Tls(error.to_string()))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(certificate);
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // 0-RTT stays off: a request that is replayed is a request made twice.
    tls.max_early_data_size = 0;
    let quic =
        QuicServerConfig::try_from(tls).map_err(|error| EndpointError::Tls(error.to_string()))?;
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(quic));
    config.transport_config(Arc::new(transport(limits)?));
    Ok(config)
}

/// What lets a restarted node tell its clients at once that their connections
/// are gone (RFC 9000 §10.3): resets and connection ids made with a key that
/// outlives the process. Without it they would wait for their idle timeout.
pub(super) fn endpoint_config(reset: &Key) -> quinn::EndpointConfig {
    let key = hmac::Key::new(hmac::HMAC_SHA256, reset.expose());
    let mut config = quinn::EndpointConfig::new(Arc::new(key));
    let hash = tagged("tg-connection-id-1", &[reset.expose()]);
    let [a, b, c, d, e, f, g, h, ..] = hash;
    let ids = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

fn transport(limits: &LimitsConfig) -> Result<quinn::TransportConfig, EndpointError> {
    let idle = Duration::from_secs(IDLE_TIMEOUT_S).try_into();
    let idle = idle.map_err(|_| EndpointError::Tls("the idle timeout is out of range".into()))?;
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_idle_timeout(Some(idle))
        .max_concurrent_bidi_streams(limits.streams_per_connection.into())
        .max_concurrent_uni_streams(0u32.into())
        .datagram_receive_buffer_size(None)
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(CONNECTION_WINDOW_BYTES.into())
        .send_window(CONNECTION_WINDOW_BYTES.into());
    Ok(transport)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, EndpointError> {
    let chain = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?;
    chain
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> EndpointError {
    EndpointError::Credentials {
        path: path.to_owned(),
        message: error.to_string(),
    }
}
