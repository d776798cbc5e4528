//! The bound on guesses.

/// The bound on guesses: `free` failures at once, then waits that double from
/// `base_ms` to `cap_ms`, forgotten after `forget_ms` without a failure. In
/// any time `T` one lane thus allows at most
/// `free + ceil(log2(cap_ms / base_ms)) + 1 + T / cap_ms` guesses, as long as
/// `forget_ms / cap_ms` is no less than the terms before the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuessPolicy {
    /// Failures, counting those under way, that cost no wait.
    pub free: u16,
    /// The first wait.
    pub base_ms: u64,
    /// The longest wait.
    pub cap_ms: u64,
    /// Silence after which failures are forgotten.
    pub forget_ms: u64,
}

impl GuessPolicy {
    /// The guesses at once that the bound allows; `forget_ms` must be at
    /// least this many times `cap_ms`, or pausing would pay for an attacker.
    #[must_use]
    pub fn burst(&self) -> u64 {
        let steps = self.cap_ms.div_ceil(self.base_ms.max(1));
        let doublings = steps.next_power_of_two().trailing_zeros();
        u64::from(self.free) + u64::from(doublings) + 1
    }
}
