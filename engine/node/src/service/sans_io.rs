//! A node without sockets: bytes of a stream go in, bytes go out. The caller
//! brings the engine with its ports, and carries the bytes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use tidegate_runtime::Engine;
use tidegate_runtime::ports::Clock;
use tidegate_wire::{Fault, MAX_REQUEST_BYTES, Splitter};
use tokio::sync::mpsc;

use super::batch::Batch;
use super::request::Replies;
use super::{Service, stream};
use crate::config::LimitsConfig;
use crate::deployment::GatewayRow;
use crate::rights::{Gateway, Gateways, Right};
use crate::whereabouts::Whereabouts;

/// What serves the streams of a node without sockets. Operators' orders are
/// not taken: there is no folder to carry them out on.
pub struct Front {
    service: Arc<Service>,
}

impl Front {
    /// A node on this engine, for gateways of these names, each of which may
    /// ask anything in this tenant's name.
    #[must_use]
    pub fn new(
        engine: Engine,
        clock: Arc<dyn Clock>,
        whereabouts: Arc<dyn Whereabouts>,
        limits: LimitsConfig,
        tenant: &str,
        names: &[&str],
    ) -> Front {
        let gateways = Arc::new(Gateways::default());
        for name in names {
            gateways.put(&GatewayRow {
                name: (*name).to_owned(),
                tenants: vec![tenant.to_owned()],
                rights: vec![Right::Auth, Right::Admin],
                rate_per_s: 0,
                certificates: Vec::new(),
            });
        }
        Front {
            service: Arc::new(Service::new(
                engine,
                None,
                gateways,
                whereabouts,
                clock,
                limits,
            )),
        }
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Opens a stream of a gateway; `None` when it may not connect.
    #[must_use]
    pub fn open(&self, gateway: &str) -> Option<(Frames, Answers)> {
        let gateway = self.service.gateways.get(gateway)?;
        let (later, answered) = mpsc::unbounded_channel();
        let frames = Frames {
            service: Arc::clone(&self.service),
            gateway,
            splitter: Splitter::new(MAX_REQUEST_BYTES),
            replies: Replies {
                later,
                in_flight: 0,
                of_connection: Arc::default(),
                whereabouts: Arc::clone(&self.service.whereabouts),
            },
        };
        Some((frames, Answers(answered)))
    }

    /// Takes nothing new from now on.
    pub fn drain(&self) {
        self.service.draining.store(true, Ordering::Release);
    }
}

/// One stream's way in.
pub struct Frames {
    service: Arc<Service>,
    gateway: Arc<Gateway>,
    splitter: Splitter,
    replies: Replies,
}

/// The answers of a stream that could not be given at once.
pub struct Answers(mpsc::UnboundedReceiver<Bytes>);

impl Frames {
    /// Takes chunks of the stream that have arrived together. What is answered
    /// at once is appended to `out`; the rest comes through [`Answers`].
    ///
    /// # Errors
    /// [`Fault`] when it is not known where the next frame begins: the stream
    /// is over.
    pub fn take(&mut self, chunks: &mut [Bytes], out: &mut BytesMut) -> Result<(), Fault> {
        let mut batch = Batch::new(&self.service, &self.gateway);
        let mut arrived = chunks.iter_mut();
        let mut read = Ok(());
        while read.is_ok() && arrived.len() > 0 {
            // Only so much is answered before it is carried away.
            let mut some = BytesMut::new();
            let (splitter, replies) = (&mut self.splitter, &mut self.replies);
            read = stream::frames(splitter, &mut arrived, &mut batch, replies, &mut some);
            out.unsplit(some);
        }
        read
    }

    /// So many answers have come through.
    pub fn answered(&mut self, count: usize) {
        self.replies.in_flight = self.replies.in_flight.saturating_sub(count);
    }

    /// Requests whose answer has not come through yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.replies.of_connection.load(Ordering::Relaxed)
    }
}

impl Answers {
    /// The next answer's frame; `None` after the last of a stream that is gone.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.0.recv().await
    }
}
