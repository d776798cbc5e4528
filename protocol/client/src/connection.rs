//! One connection with one long-lived stream: requests go out coalesced,
//! answers come back in any order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tidegate_wire::{Close, MAX_REPLY_BYTES, Splitter, correlation_of};
use tokio::sync::{mpsc, oneshot};

use crate::options::NODE_NAME;
use crate::transport::{Asked, Gone, Refused, Transport};

/// Frames that may wait to be written.
const OUTGOING_MAX: usize = 1_024;
/// Bytes gathered into one write.
const COALESCED_BYTES: usize = 64 * 1024;

/// A place for a connection, made anew whenever it is gone.
pub(crate) struct Lane {
    endpoint: quinn::Endpoint,
    address: SocketAddr,
    live: tokio::sync::Mutex<Option<Live>>,
}

#[derive(Clone)]
struct Live {
    outgoing: mpsc::Sender<Bytes>,
    waiting: Arc<Waiting>,
}

/// Who waits for which answer; closed when the connection is gone.
struct Waiting {
    connection: quinn::Connection,
    by_correlation: Mutex<Option<BTreeMap<u64, oneshot::Sender<Bytes>>>>,
}

/// Ways to a node at an address, each with a connection of its own that is made
/// when it is needed.
#[must_use]
pub fn lanes(
    endpoint: &quinn::Endpoint,
    address: SocketAddr,
    count: usize,
) -> Vec<Arc<dyn Transport>> {
    let lane = |_| -> Arc<dyn Transport> { Arc::new(Lane::new(endpoint.clone(), address)) };
    (0..count).map(lane).collect()
}

impl Lane {
    fn new(endpoint: quinn::Endpoint, address: SocketAddr) -> Lane {
        Lane {
            endpoint,
            address,
            live: tokio::sync::Mutex::default(),
        }
    }

    async fn exchange(&self, correlation: u64, frame: Bytes) -> Result<Bytes, Gone> {
        let live = self.live().await?;
        let answer = live.waiting.enter(correlation)?;
        let _leave = Leave {
            waiting: &live.waiting,
            correlation,
        };
        live.outgoing
            .send(frame)
            .await
            .map_err(|_| live.waiting.gone(Gone::BeforeSending))?;
        answer
            .await
            .map_err(|_| live.waiting.gone(Gone::AfterSending))
    }

    /// The live connection, made when there is none. One flight however many
    /// wait for it.
    async fn live(&self) -> Result<Live, Gone> {
        let mut place = self.live.lock().await;
        if let Some(live) = place.as_ref().filter(|live| live.waiting.is_open()) {
            return Ok(live.clone());
        }
        let live = self.connect().await?;
        *place = Some(live.clone());
        Ok(live)
    }

    async fn connect(&self) -> Result<Live, Gone> {
        let connecting = self.endpoint.connect(self.address, NODE_NAME);
        let connecting = connecting.map_err(|error| {
            tracing::warn!(event = "client.connect_refused", %error);
            Gone::BeforeSending
        })?;
        let connection = connecting.await.map_err(|error| {
            tracing::debug!(event = "client.connect_failed", %error);
            gone_before_sending(&error)
        })?;
        let (send, recv) = connection
            .open_bi()
            .await
            .map_err(|error| gone_before_sending(&error))?;
        let (outgoing, frames) = mpsc::channel(OUTGOING_MAX);
        let waiting = Arc::new(Waiting::open(connection.clone()));
        tokio::spawn(write(send, frames, Arc::clone(&waiting)));
        tokio::spawn(read(connection, recv, Arc::clone(&waiting)));
        Ok(Live { outgoing, waiting })
    }
}

impl Transport for Lane {
    fn ask(&self, correlation: u64, frame: Bytes) -> Asked<'_> {
        Box::pin(self.exchange(correlation, frame))
    }
}

async fn write(
    mut stream: quinn::SendStream,
    mut frames: mpsc::Receiver<Bytes>,
    waiting: Arc<Waiting>,
) {
    let mut gathered = BytesMut::new();
    while let Some(frame) = frames.recv().await {
        gathered.extend_from_slice(&frame);
        while gathered.len() < COALESCED_BYTES {
            match frames.try_recv() {
                Ok(frame) => gathered.extend_from_slice(&frame),
                Err(_) => break,
            }
        }
        if stream.write_chunk(gathered.split().freeze()).await.is_err() {
            return waiting.close();
        }
    }
}

async fn read(connection: quinn::Connection, mut stream: quinn::RecvStream, waiting: Arc<Waiting>) {
    let mut splitter = Splitter::new(MAX_REPLY_BYTES);
    while let Ok(Some(chunk)) = stream.read_chunk(usize::MAX, true).await {
        splitter.push(chunk.bytes);
        loop {
            match splitter.next_frame() {
                Ok(Some(frame)) => waiting.deliver(Bytes::copy_from_slice(frame)),
                Ok(None) => break,
                Err(_) => {
                    connection.close(quinn::VarInt::from_u32(1), b"malformed");
                    return waiting.close();
                }
            }
        }
    }
    waiting.close();
    // To close it again would put our own word in the place of the node's.
    if connection.close_reason().is_none() {
        connection.close(quinn::VarInt::from_u32(0), b"");
    }
}

impl Waiting {
    fn open(connection: quinn::Connection) -> Waiting {
        Waiting {
            connection,
            by_correlation: Mutex::new(Some(BTreeMap::new())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<u64, oneshot::Sender<Bytes>>>> {
        self.by_correlation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    fn enter(&self, correlation: u64) -> Result<oneshot::Receiver<Bytes>, Gone> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        match waiting.as_mut() {
            Some(all) => all.insert(correlation, sender),
            None => return Err(self.gone(Gone::BeforeSending)),
        };
        Ok(receiver)
    }

    /// Why the connection is gone: what the node said, if it said something.
    fn gone(&self, otherwise: Gone) -> Gone {
        let reason = self.connection.close_reason();
        let said = reason.as_ref().and_then(refused);
        said.map_or(otherwise, |reason| otherwise.for_reason(reason))
    }

    fn deliver(&self, frame: Bytes) {
        // Whatever it holds: the waiting call must learn that it cannot be
        // read.
        let correlation = correlation_of(&frame);
        let waiter = self
            .lock()
            .as_mut()
            .and_then(|all| all.remove(&correlation));
        if let Some(waiter) = waiter {
            // The call that asked may have given up.
            let _ = waiter.send(frame);
        }
    }

    /// Fails the pending requests: their answers will not come.
    fn close(&self) {
        drop(self.lock().take());
    }
}

/// The alerts of TLS (RFC 8446, 6.2) that say that a certificate is not
/// accepted: bad, unsupported, revoked, expired or unknown, of an unknown CA,
/// not signed by the issuer it names, or none at all.
const CERTIFICATE_ALERTS: [u64; 8] = [42, 43, 44, 45, 46, 48, 51, 116];
/// Where they begin among QUIC's codes (RFC 9001, 4.8).
const ALERTS: u64 = 0x100;

/// What the end of a connection says about which side does not accept the
/// other.
fn refused(error: &quinn::ConnectionError) -> Option<Refused> {
    let of_certificate = |code: u64| {
        let alert = code.checked_sub(ALERTS)?;
        CERTIFICATE_ALERTS.contains(&alert).then_some(())
    };
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => {
            match Close::from_number(close.error_code.into_inner())? {
                // Another node, or the same one in a moment, answers.
                Close::Draining => None,
                close => Some(Refused::Closed(close)),
            }
        }
        quinn::ConnectionError::TransportError(error) => {
            of_certificate(error.code.into()).map(|()| Refused::NodeCertificate)
        }
        quinn::ConnectionError::ConnectionClosed(close) => {
            of_certificate(close.error_code.into()).map(|()| Refused::OwnCertificate)
        }
        _ => None,
    }
}

/// No connection was made: nothing was sent.
fn gone_before_sending(error: &quinn::ConnectionError) -> Gone {
    let gone = Gone::BeforeSending;
    refused(error).map_or(gone, |reason| gone.for_reason(reason))
}

/// Forgets a call that is answered or given up.
struct Leave<'a> {
    waiting: &'a Waiting,
    correlation: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.lock().as_mut() {
            waiting.remove(&self.correlation);
        }
    }
}
