//! How a tenant lets people in by flows.

use alloc::vec::Vec;

use super::guess::GuessPolicy;
use crate::assurance::Method;
use crate::credential::code::CodePolicy;

/// How a tenant lets people in by flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowPolicy {
    /// The methods, in the order in which they are offered. One that needs
    /// something that the tenant has not (mail) is not offered.
    pub methods: Vec<Method>,
    /// What counts as a second factor, in the order in which it is offered. An
    /// account that has an authenticator app is asked for one of these beside
    /// anything that is not two factors already.
    pub second_factors: Vec<Method>,
    /// How codes are sent and judged.
    pub codes: CodePolicy,
    /// Failed codes of one account, over all attempts.
    pub code_guesses: GuessPolicy,
    /// For this long after its beginning a flow goes on, in milliseconds.
    pub lifetime_ms: u64,
}

const MINUTE_MS: u64 = 60_000;

impl Default for FlowPolicy {
    fn default() -> FlowPolicy {
        FlowPolicy {
            methods: [Method::Passkey, Method::EmailCode, Method::Password].into(),
            second_factors: [Method::Passkey, Method::Totp, Method::RecoveryCode].into(),
            codes: CodePolicy::default(),
            code_guesses: GuessPolicy {
                free: 20,
                base_ms: MINUTE_MS / 2,
                cap_ms: 60 * MINUTE_MS,
                forget_ms: 24 * 60 * MINUTE_MS,
            },
            lifetime_ms: 15 * MINUTE_MS,
        }
    }
}

/// What carries messages to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing does.
    Nothing,
    /// Mail.
    Mail,
}
