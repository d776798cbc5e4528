//! A gateway over QUIC, with the certificates that `tidegate init` makes and
//! what `docs/protocol.md` says of the transport.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::layout::{Head, Reply, request};
use crate::messages::{CHECK, PING, SESSIONS};
use crate::rig::Dir;

/// The id of the tenant `default`, as the document gives it.
pub(crate) const TENANT: u64 = 0xd5fd_4dcb_59ff_2740;

/// One stream of one connection.
pub(crate) struct Gateway {
    connection: quinn::Connection,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
    asked: u64,
}

impl Gateway {
    pub(crate) async fn open(dir: &Dir, node: SocketAddr) -> Gateway {
        let connection = connect(dir, node).await;
        let (send, receive) = connection.open_bi().await.unwrap();
        Gateway {
            connection,
            send,
            receive,
            asked: 0,
        }
    }

    /// Goes on with another stream of the same connection.
    pub(crate) async fn open_stream(&mut self) {
        (self.send, self.receive) = self.connection.open_bi().await.unwrap();
    }

    /// A head that no request had before.
    pub(crate) fn head(&mut self, opcode: u16) -> Head {
        self.asked += 1;
        let mut key = [0; 16];
        if ![PING, CHECK, SESSIONS].contains(&opcode) {
            key[..8].copy_from_slice(b"foreign!");
            key[8..].copy_from_slice(&self.asked.to_le_bytes());
        }
        Head {
            correlation: self.asked,
            tenant: TENANT,
            epoch: 0,
            // Passwords are hashed at the lowest priority, and a build may run
            // beside.
            remaining_ms: 30_000,
            max_age_ms: 0,
            key,
        }
    }

    /// Asks once; the reply carries the request's correlation id.
    pub(crate) async fn ask(&mut self, opcode: u16, body: &[u8]) -> Reply {
        let head = self.head(opcode);
        self.ask_as(&head, opcode, body).await
    }

    pub(crate) async fn ask_as(&mut self, head: &Head, opcode: u16, body: &[u8]) -> Reply {
        let reply = self.send(&request(head, opcode, body)).await;
        assert_eq!(reply.correlation, head.correlation);
        reply
    }

    /// Asks, and gets a "no" of this number with nothing behind it.
    pub(crate) async fn refused(&mut self, opcode: u16, body: &[u8], code: u16) {
        let reply = self.ask(opcode, body).await;
        assert_eq!((reply.code, reply.body), (code, Vec::new()));
    }

    /// Sends these bytes; the next reply.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Reply {
        self.send.write_all(bytes).await.unwrap();
        self.receive().await.expect("the stream ended")
    }

    /// The next reply; none at the end of the stream.
    pub(crate) async fn receive(&mut self) -> Option<Reply> {
        let mut frame = vec![0; 4];
        match self.receive.read_exact(&mut frame).await {
            Ok(()) => {}
            Err(quinn::ReadExactError::FinishedEarly(0)) => return None,
            Err(error) => panic!("{error}"),
        }
        let length = u32::from_le_bytes([frame[0], frame[1], frame[2], frame[3]]);
        frame.resize(4 + usize::try_from(length).unwrap(), 0);
        self.receive.read_exact(&mut frame[4..]).await.unwrap();
        Some(Reply::read(&frame))
    }
}

async fn connect(dir: &Dir, node: SocketAddr) -> quinn::Connection {
    let mut roots = rustls::RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(&dir.file("tls/ca.crt")).unwrap();
    roots.add(ca).unwrap();
    let certificate = CertificateDer::from_pem_slice(&dir.file("tls/gateway-default.crt"));
    let key = PrivateKeyDer::from_pem_slice(&dir.file("tls/gateway-default.key"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.unwrap()], key.unwrap())
        .unwrap();
    tls.alpn_protocols = vec![b"tidegate/1".to_vec()];
    let quic = QuicClientConfig::try_from(tls).unwrap();
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(quic)));
    endpoint
        .connect(node, "node.tidegate")
        .unwrap()
        .await
        .unwrap()
}
