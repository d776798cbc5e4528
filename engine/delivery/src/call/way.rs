//! The one way out: from a name to a connection with an address that the guard lets
//! through, encrypted unless the operator allowed the address.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault::CallFault;
use super::guard::Guard;
use crate::config::{CallConfig, TransportSecurity};
use crate::file;

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WayFault {
    /// The name has no address.
    Resolve,
    /// No address of it may be called.
    Forbidden,
    /// No address of it answers.
    Connect,
    /// Its certificate does not count, or it speaks no TLS.
    Tls,
    /// It says nothing that is an answer.
    Answer,
}

/// A connection with a system.
pub(super) enum Connection {
    /// In the clear.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// How a system is reached.
pub(super) struct Way {
    host: String,
    port: u16,
    guard: Guard,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl WayFault {
    pub(super) fn name(self) -> &'static str {
        match self {
            WayFault::Resolve => "resolve",
            WayFault::Forbidden => "forbidden",
            WayFault::Connect => "connect",
            WayFault::Tls => "tls",
            WayFault::Answer => "answer",
        }
    }
}

impl Way {
    /// # Errors
    /// [`CallFault`] when there is no certificate authority, or no name for TLS.
    pub(super) fn new(route: &str, config: &CallConfig, dir: &Path) -> Result<Way, CallFault> {
        let url = &config.url;
        let tls = match url.security {
            TransportSecurity::None => None,
            TransportSecurity::StartTls | TransportSecurity::Tls => {
                let tls = || CallFault::Tls {
                    route: route.to_owned(),
                };
                let name = ServerName::try_from(url.host.clone()).map_err(|_| tls())?;
                let roots = roots(config, dir)?;
                let connector = roots.and_then(connector).ok_or_else(tls)?;
                Some((connector, name))
            }
        };
        Ok(Way {
            host: url.host.clone(),
            port: url.port,
            guard: Guard::new(config.allow.clone()),
            tls,
        })
    }

    /// Connects.
    ///
    /// # Errors
    /// [`WayFault`], and nothing of what the system said.
    pub(super) async fn open(&self) -> Result<Connection, WayFault> {
        let stream = self.connect().await?;
        // A request is written whole.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => Ok(Connection::Plain(stream)),
            Some((connector, name)) => {
                let connected = connector.connect(name.clone(), stream).await;
                let stream = connected.map_err(|_| WayFault::Tls)?;
                Ok(Connection::Tls(Box::new(stream)))
            }
        }
    }

    async fn connect(&self) -> Result<TcpStream, WayFault> {
        // An address that stands in the place of a name comes back as it is, and so
        // meets the guard too.
        let resolved = tokio::net::lookup_host((&*self.host, self.port)).await;
        let resolved: Vec<_> = resolved.map_err(|_| WayFault::Resolve)?.collect();
        if resolved.is_empty() {
            return Err(WayFault::Resolve);
        }
        let mut may = resolved
            .into_iter()
            .filter(|address| self.may(address))
            .peekable();
        if may.peek().is_none() {
            return Err(WayFault::Forbidden);
        }
        for address in may.take(ADDRESSES_MAX) {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(WayFault::Connect)
    }

    fn may(&self, address: &SocketAddr) -> bool {
        match self.tls {
            Some(_) => self.guard.permits(address.ip()),
            None => self.guard.allows(address.ip()),
        }
    }
}

fn roots(config: &CallConfig, dir: &Path) -> Result<Option<RootCertStore>, CallFault> {
    let mut roots = RootCertStore::empty();
    let Some(file) = &config.ca_file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(Some(roots));
    };
    let certificates = file::certificates(&dir.join(file))?;
    let mut added = certificates.into_iter().map(|one| roots.add(one).is_ok());
    let all = added.all(|taken| taken);
    Ok(all.then_some(roots))
}

fn connector(roots: RootCertStore) -> Option<TlsConnector> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    Some(TlsConnector::from(Arc::new(config)))
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Connection::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Connection::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_flush(context),
            Connection::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Connection::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
