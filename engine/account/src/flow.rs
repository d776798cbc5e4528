//! The flow as a table: what may be shown next, and when it is over. The server
//! drives it; between two steps its state is a sealed
//! [`Continuation`](crate::continuation::Continuation), and what must be durable
//! of it is in [`Attempts`].
//!
//! What is offered follows from the tenant's policy, the purpose and the kind of
//! the identifier, and never from the account: a known identifier and an unknown
//! one get the same methods.

mod attempts;

pub use crate::policy::{FlowPolicy, Reach};
pub use attempts::{ATTEMPTS_MAX, Attempt, Attempts, FlowPlace, Over, SENT_TO_MAX, SendLogRow};

use alloc::vec::Vec;

use crate::assurance::{Method, Proofs};
use crate::continuation::Purpose;
use crate::identifier::IdentifierKind;

/// What a flow waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// One of these, in the order in which they are offered.
    Prove(Vec<Method>),
    /// The password that becomes the account's.
    NewPassword,
    /// Nothing: who is there was proven.
    Over,
}

impl FlowPolicy {
    /// What a flow waits for whose proofs are these. The table stands in
    /// `tests/tables/flow.txt`.
    #[must_use]
    pub fn stage(
        &self,
        purpose: Purpose,
        kind: IdentifierKind,
        reach: Reach,
        proofs: &Proofs,
    ) -> Stage {
        match (purpose, proofs.is_empty()) {
            (
                Purpose::SignIn
                | Purpose::SignUp
                | Purpose::Recover
                | Purpose::StepUp
                | Purpose::Add
                | Purpose::Change,
                true,
            ) => Stage::Prove(self.offered(purpose, kind, reach)),
            (Purpose::Recover, false) => Stage::NewPassword,
            (
                Purpose::SignIn
                | Purpose::SignUp
                | Purpose::StepUp
                | Purpose::Add
                | Purpose::Change,
                false,
            ) => Stage::Over,
        }
    }

    /// Whether a code is sent at once, before one is asked for: where it is what
    /// the tenant would have first, and a password is no way in or a later one.
    #[must_use]
    pub fn sends_at_once(&self, purpose: Purpose, kind: IdentifierKind, reach: Reach) -> bool {
        let offered = self.offered(purpose, kind, reach);
        let mut weighed = offered.iter().filter(|method| match method {
            Method::Password | Method::EmailCode | Method::SmsCode => true,
            Method::Passkey | Method::Link | Method::Totp | Method::RecoveryCode => false,
        });
        matches!(weighed.next(), Some(Method::EmailCode | Method::SmsCode))
    }

    fn offered(&self, purpose: Purpose, kind: IdentifierKind, reach: Reach) -> Vec<Method> {
        let is_offered = |method: &Method| match (method, purpose) {
            (Method::EmailCode, Purpose::SignIn | Purpose::SignUp | Purpose::Recover) => {
                (kind, reach) == (IdentifierKind::Email, Reach::Mail)
            }
            (Method::Password, Purpose::SignIn) => true,
            (
                Method::Password
                | Method::EmailCode
                | Method::Passkey
                | Method::SmsCode
                | Method::Link
                | Method::Totp
                | Method::RecoveryCode,
                _,
            ) => false,
        };
        self.methods.iter().copied().filter(is_offered).collect()
    }
}

#[cfg(test)]
mod tests;
