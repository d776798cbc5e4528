//! Time and randomness of the client: the one place that asks for them.
#![allow(clippy::disallowed_methods, reason = "this is the port")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;

/// What a client asks of the world. Production gives it the system; a
/// simulator its own.
pub trait Surroundings: Send + Sync + 'static {
    /// Milliseconds since an arbitrary moment. Never goes back.
    fn monotonic_ms(&self) -> u64;

    /// Waits.
    fn sleep(&self, ms: u32) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Fills with random bytes.
    ///
    /// # Errors
    /// [`NoRandomness`] when the system gives none.
    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness>;
}

/// The system gives no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system gives no randomness")]
pub struct NoRandomness;

/// The system's clock and randomness.
pub(crate) struct System {
    start: Instant,
}

impl System {
    pub(crate) fn new() -> System {
        System {
            start: Instant::now(),
        }
    }
}

impl Surroundings for System {
    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sleep(&self, ms: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(Duration::from_millis(u64::from(ms))))
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }
}

/// A moment by which a call must be answered.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    at_ms: u64,
}

/// The surroundings with what is made of them.
#[derive(Clone)]
pub(crate) struct World(pub(crate) Arc<dyn Surroundings>);

impl World {
    pub(crate) fn deadline(&self, in_ms: u32) -> Deadline {
        Deadline {
            at_ms: self.0.monotonic_ms().saturating_add(u64::from(in_ms)),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.0.monotonic_ms()
    }

    /// Milliseconds left; 0 when it has passed.
    pub(crate) fn remaining_ms(&self, deadline: Deadline) -> u32 {
        let left_ms = deadline.at_ms.saturating_sub(self.0.monotonic_ms());
        u32::try_from(left_ms).unwrap_or(u32::MAX)
    }

    /// Waits for a future for so long; `None` when the time passes first.
    pub(crate) async fn within<T>(&self, ms: u32, future: impl Future<Output = T>) -> Option<T> {
        let over = self.0.sleep(ms);
        tokio::select! {
            biased;
            value = future => Some(value),
            () = over => None,
        }
    }

    pub(crate) async fn wait_ms(&self, ms: u32) {
        self.0.sleep(ms).await;
    }

    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.0.random(&mut bytes)?;
        Ok(bytes)
    }

    /// A random number below `max`, for jitter; 0 without randomness.
    pub(crate) fn up_to(&self, max: u32) -> u32 {
        let drawn = self.random::<4>().map_or(0, u32::from_le_bytes);
        drawn.checked_rem(max).unwrap_or(0)
    }
}
