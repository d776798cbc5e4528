//! What a tenant may decide otherwise for its people: how long sessions live, the
//! bound on guesses, what is said without the store.

use serde::{Deserialize, Serialize};
use tidegate_account::Policy;

/// How long sessions live.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionsConfig {
    /// Unused for this long, a session ends.
    pub idle_ms: u64,
    /// Used or not, a session ends after this long.
    pub lifetime_ms: u64,
}

/// The bound on guesses at one account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuessingConfig {
    /// Failures that cost no wait.
    pub free: u16,
    /// The first wait.
    pub base_ms: u64,
    /// The longest wait.
    pub cap_ms: u64,
    /// Silence after which failures are forgotten.
    pub forget_ms: u64,
}

impl Default for SessionsConfig {
    fn default() -> SessionsConfig {
        let policy = Policy::default().session;
        SessionsConfig {
            idle_ms: policy.idle_ms,
            lifetime_ms: policy.lifetime_ms,
        }
    }
}

impl Default for GuessingConfig {
    fn default() -> GuessingConfig {
        let policy = Policy::default().guess;
        GuessingConfig {
            free: policy.free,
            base_ms: policy.base_ms,
            cap_ms: policy.cap_ms,
            forget_ms: policy.forget_ms,
        }
    }
}

/// What is answered while the store is out of reach.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DegradedConfig {
    /// For how long, in milliseconds; 0 for not at all.
    pub grace_ms: u64,
}

impl Default for DegradedConfig {
    fn default() -> DegradedConfig {
        DegradedConfig {
            grace_ms: Policy::default().grace_ms,
        }
    }
}
