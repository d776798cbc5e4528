//! What the store asks of the made-up world.

use std::future::Future;
use std::pin::Pin;

/// A wait.
pub type Slept = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Virtual time and seeded randomness.
pub trait World: Send + Sync + 'static {
    /// Nanoseconds since the world began.
    fn now_ns(&self) -> u64;
    /// Waits.
    fn sleep_ns(&self, ns: u64) -> Slept;
    /// 64 random bits, from a stream that nothing else draws from.
    fn draw(&self) -> u64;
}
