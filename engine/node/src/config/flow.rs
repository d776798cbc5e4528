//! How people sign up, in and recover step by step.

use serde::{Deserialize, Serialize};
use tidegate_account::assurance::Method;
use tidegate_account::flow::FlowPolicy;

/// How people sign up, in and recover step by step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowConfig {
    /// The methods, in the order in which they are offered. A code that stands
    /// first of those that are offered is sent at once, another when it is asked for. Codes are offered where there is mail, passkeys where there is
    /// a `passkeys.rp_id`.
    pub methods: Vec<FlowMethod>,
    /// What counts as a second factor, in the order in which it is offered. People
    /// who have an authenticator app are asked for one.
    pub second_factors: Vec<SecondFactor>,
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
    /// A passkey.
    Passkey,
}

/// A second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// A passkey.
    Passkey,
    /// A code of an authenticator app.
    Totp,
    /// A saved recovery code.
    RecoveryCode,
}

impl Default for FlowConfig {
    fn default() -> FlowConfig {
        let policy = FlowPolicy::default();
        FlowConfig {
            methods: vec![
                FlowMethod::Passkey,
                FlowMethod::EmailCode,
                FlowMethod::Password,
            ],
            second_factors: vec![
                SecondFactor::Passkey,
                SecondFactor::Totp,
                SecondFactor::RecoveryCode,
            ],
            lifetime_ms: policy.lifetime_ms,
            code_ms: policy.codes.lifetime_ms,
            tries: policy.codes.tries,
            sends_per_hour: policy.codes.sends_per_hour,
        }
    }
}

impl FlowConfig {
    /// Whether there is a method, and none is there twice.
    pub(super) fn has_methods(&self) -> bool {
        !self.methods.is_empty() && each_once(&self.methods)
    }

    /// Whether no second factor is there twice.
    pub(super) fn has_second_factors(&self) -> bool {
        each_once(&self.second_factors)
    }

    pub(super) fn policy(&self) -> FlowPolicy {
        let mut policy = FlowPolicy::default();
        let methods = self.methods.iter().map(|method| match method {
            FlowMethod::EmailCode => Method::EmailCode,
            FlowMethod::Password => Method::Password,
            FlowMethod::Passkey => Method::Passkey,
        });
        policy.methods = methods.collect();
        let second_factors = self.second_factors.iter().map(|method| match method {
            SecondFactor::Passkey => Method::Passkey,
            SecondFactor::Totp => Method::Totp,
            SecondFactor::RecoveryCode => Method::RecoveryCode,
        });
        policy.second_factors = second_factors.collect();
        policy.lifetime_ms = self.lifetime_ms;
        policy.codes.lifetime_ms = self.code_ms;
        policy.codes.tries = self.tries;
        policy.codes.sends_per_hour = self.sends_per_hour;
        policy
    }
}

fn each_once<T: PartialEq>(list: &[T]) -> bool {
    let mut places = list.iter().enumerate();
    places.all(|(place, one)| !list[..place].contains(one))
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
        assert_eq!(
            sound.map(|config| config.has_methods()),
            [false, true, false]
        );
    }
}
