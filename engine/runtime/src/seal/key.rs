//! What ports and seals both name: a key, and that something does not open.

use thiserror::Error;
use tidegate_account::Secret;

/// A 256-bit key.
pub type Key = Secret<32>;

/// Key, associated data and text do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("sealed data does not open")]
pub struct SealFault;
