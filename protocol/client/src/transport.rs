//! What carries a call's frames to a node and back.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

/// The answer to a frame, on its way.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<Bytes, Gone>> + Send + 'a>>;

/// A way to a node. Production has QUIC connections; a simulator brings its
/// own.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request's frame and waits for the answer's, which begins with
    /// its head.
    fn ask(&self, correlation: u64, frame: Bytes) -> Asked<'_>;
}

/// The way is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Nothing was sent: trying again costs no node anything.
    BeforeSending,
    /// Whether the request arrived is not known.
    AfterSending,
}
