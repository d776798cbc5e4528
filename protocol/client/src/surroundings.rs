//! Time and randomness of the client: the one place that asks for them.
#![allow(clippy::disallowed_methods, reason = "this is the port")]

use std::future::Future;
use std::time::{Duration, Instant};

/// A moment by which a call must be answered.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn in_ms(ms: u32) -> Deadline {
        Deadline(Instant::now() + Duration::from_millis(u64::from(ms)))
    }

    /// Milliseconds left; 0 when it has passed.
    pub(crate) fn remaining_ms(self) -> u32 {
        let left = self.0.saturating_duration_since(Instant::now());
        u32::try_from(left.as_millis()).unwrap_or(u32::MAX)
    }

    /// Waits for a future until the deadline; `None` when that comes first.
    pub(crate) async fn before<T>(self, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.0.into(), future).await.ok()
    }
}

pub(crate) async fn wait_ms(ms: u32) {
    tokio::time::sleep(Duration::from_millis(u64::from(ms))).await;
}

/// Random bytes; `None` when the system gives none.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A random number up to `max`, for jitter.
pub(crate) fn up_to(max: u32) -> u32 {
    let drawn = random::<4>().map_or(0, u32::from_le_bytes);
    match max {
        0 => 0,
        max => drawn % max,
    }
}
