//! How people sign up, in and recover step by step.

use serde::{Deserialize, Serialize};
use tidegate_account::assurance::Method;
use tidegate_account::flow::FlowPolicy;

/// How people sign up, in and recover step by step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowConfig {
    /// The methods, in the order in which they are offered. A code that stands
    /// before `password` is sent at once; one that stands after it when it is
    /// asked for. Codes are offered where there is mail.
    pub methods: Vec<FlowMethod>,
    /// For this long a flow goes on, in milliseconds.
    pub lifetime_ms: u64,
    /// For this long a code is taken, in milliseconds.
    pub code_ms: u64,
    /// So many answers an attempt may give.
    pub tries: u8,
    /// So many codes an address is sent in an hour.
    pub sends_per_hour: u8,
}

/// A method of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowMethod {
    /// A code sent by mail.
    EmailCode,
    /// A password.
    Password,
}

impl Default for FlowConfig {
    fn default() -> FlowConfig {
        let policy = FlowPolicy::default();
        FlowConfig {
            methods: vec![FlowMethod::EmailCode, FlowMethod::Password],
            lifetime_ms: policy.lifetime_ms,
            code_ms: policy.codes.lifetime_ms,
            tries: policy.codes.tries,
            sends_per_hour: policy.codes.sends_per_hour,
        }
    }
}

impl FlowConfig {
    /// Whether there is a method, and none is there twice.
    pub(super) fn is_sound(&self) -> bool {
        let twice = |(place, method)| self.methods[..place].contains(method);
        !self.methods.is_empty() && !self.methods.iter().enumerate().any(twice)
    }

    pub(super) fn policy(&self) -> FlowPolicy {
        let mut policy = FlowPolicy::default();
        let methods = self.methods.iter().map(|method| match method {
            FlowMethod::EmailCode => Method::EmailCode,
            FlowMethod::Password => Method::Password,
        });
        policy.methods = methods.collect();
        policy.lifetime_ms = self.lifetime_ms;
        policy.codes.lifetime_ms = self.code_ms;
        policy.codes.tries = self.tries;
        policy.codes.sends_per_hour = self.sends_per_hour;
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_that_of_the_engine() {
        assert_eq!(FlowConfig::default().policy(), FlowPolicy::default());
    }

    #[test]
    fn methods_are_there_once() {
        let with = |methods: &[FlowMethod]| FlowConfig {
            methods: methods.to_vec(),
            ..FlowConfig::default()
        };
        let sound = [
            with(&[]),
            with(&[FlowMethod::Password]),
            with(&[FlowMethod::Password, FlowMethod::Password]),
        ];
        assert_eq!(sound.map(|config| config.is_sound()), [false, true, false]);
    }
}
