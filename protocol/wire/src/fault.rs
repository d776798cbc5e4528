//! Why bytes are refused.

use thiserror::Error;

use crate::code::Code;

/// Why a frame cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is not a frame, or its body is not a message.
    #[error("the message cannot be read")]
    Malformed,
    /// Its version is not spoken here.
    #[error("the message's version is not supported")]
    UnsupportedVersion,
    /// A length is over its limit.
    #[error("a length is over its limit")]
    TooLarge,
    /// Its operation is not known.
    #[error("the operation is not known")]
    UnknownOpcode,
    /// It changes something and has no idempotency key.
    #[error("a changing request needs an idempotency key")]
    IdempotencyMissing,
}

impl Fault {
    /// The code that says so.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Fault::Malformed => Code::Malformed,
            Fault::UnsupportedVersion => Code::UnsupportedVersion,
            Fault::TooLarge => Code::TooLarge,
            Fault::UnknownOpcode => Code::UnknownOpcode,
            Fault::IdempotencyMissing => Code::IdempotencyMissing,
        }
    }
}

/// A length is within its limit.
pub(crate) fn limited(length: usize, max: usize) -> Result<(), Fault> {
    match length <= max {
        true => Ok(()),
        false => Err(Fault::TooLarge),
    }
}
