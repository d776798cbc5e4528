//! The bounds on what comes from one source, or from none that is known.

use serde::{Deserialize, Serialize};
use tidegate_account::{Policy, SourcePolicy};

/// The bound on what one source of requests may try.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourcesConfig {
    /// Attempts at once; 0 for no bound.
    pub free: u32,
    /// How long until one more.
    pub refill_ms: u64,
}

/// The bound on the accounts that are made from one source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignUpsConfig {
    /// Accounts at once; 0 for no bound.
    pub free: u32,
    /// How long until one more.
    pub refill_ms: u64,
}

/// The bound on attempts from sources that are not named or not trusted, for
/// each tenant and for each gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrowdConfig {
    /// Attempts at once; 0 for no bound.
    pub free: u32,
    /// How long until one more.
    pub refill_ms: u64,
}

/// The bound on the messages that one source asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SendsConfig {
    /// Messages at once; 0 for no bound.
    pub free: u32,
    /// How long until one more.
    pub refill_ms: u64,
}

impl Default for SendsConfig {
    fn default() -> SendsConfig {
        let policy = Policy::default().sends;
        SendsConfig {
            free: policy.free,
            refill_ms: policy.refill_ms,
        }
    }
}

impl SendsConfig {
    pub(super) fn policy(&self) -> SourcePolicy {
        SourcePolicy {
            free: self.free,
            refill_ms: self.refill_ms,
        }
    }
}

impl Default for SourcesConfig {
    fn default() -> SourcesConfig {
        let policy = Policy::default().source;
        SourcesConfig {
            free: policy.free,
            refill_ms: policy.refill_ms,
        }
    }
}

impl Default for SignUpsConfig {
    fn default() -> SignUpsConfig {
        let policy = Policy::default().sign_ups;
        SignUpsConfig {
            free: policy.free,
            refill_ms: policy.refill_ms,
        }
    }
}

impl Default for CrowdConfig {
    fn default() -> CrowdConfig {
        let policy = Policy::default().crowd;
        CrowdConfig {
            free: policy.free,
            refill_ms: policy.refill_ms,
        }
    }
}

impl SourcesConfig {
    pub(super) fn policy(&self) -> SourcePolicy {
        SourcePolicy {
            free: self.free,
            refill_ms: self.refill_ms,
        }
    }
}

impl SignUpsConfig {
    pub(super) fn policy(&self) -> SourcePolicy {
        SourcePolicy {
            free: self.free,
            refill_ms: self.refill_ms,
        }
    }
}

impl CrowdConfig {
    pub(super) fn policy(&self) -> SourcePolicy {
        SourcePolicy {
            free: self.free,
            refill_ms: self.refill_ms,
        }
    }

    /// How long all of it takes to come back.
    pub(super) fn whole_ms(&self) -> u64 {
        u64::from(self.free).saturating_mul(self.refill_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn policy(text: &str) -> Policy {
        toml::from_str::<Config>(text).unwrap().policy(1)
    }

    #[test]
    fn each_bound_is_what_its_own_section_says_and_else_the_default() {
        let default = Policy::default();
        assert_eq!(policy(""), default);
        let told = policy("[crowd]\nfree = 7\n[sign_ups]\nrefill_ms = 9\n[sources]\nfree = 0\n");
        let expected = Policy {
            crowd: SourcePolicy {
                free: 7,
                refill_ms: default.crowd.refill_ms,
            },
            sign_ups: SourcePolicy {
                free: default.sign_ups.free,
                refill_ms: 9,
            },
            source: SourcePolicy {
                free: 0,
                refill_ms: default.source.refill_ms,
            },
            ..default
        };
        assert_eq!(told, expected);
    }
}
