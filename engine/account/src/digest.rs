//! SHA-256 with a tag per purpose, so that no hash stands for two things.

use constant_time_eq::constant_time_eq_32;
use sha2::{Digest, Sha256};

use crate::secret::Secret;

/// SHA-256 (FIPS 180-4) over the tag's length (one byte), the tag and the
/// parts in turn. Parts must have fixed lengths or carry their own.
#[must_use]
pub fn tagged(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update([u8::try_from(tag.len()).unwrap_or(u8::MAX)]);
    hasher.update(tag.as_bytes());
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// What is stored of a random secret.
#[derive(Clone, Copy, Debug)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// The hash under which a session's secret is stored.
    #[must_use]
    pub fn of_session(secret: &Secret) -> SecretHash {
        SecretHash(tagged("tg-session-1", &[secret.expose()]))
    }

    /// The hash under which a refresh token's secret is stored.
    #[must_use]
    pub fn of_refresh(secret: &Secret) -> SecretHash {
        SecretHash(tagged("tg-refresh-1", &[secret.expose()]))
    }

    pub(crate) fn of_device(secret: &Secret) -> SecretHash {
        SecretHash(tagged("tg-device-1", &[secret.expose()]))
    }

    /// Compares in constant time with stored bytes.
    #[must_use]
    pub fn matches(&self, stored: &[u8; 32]) -> bool {
        constant_time_eq_32(&self.0, stored)
    }
}

/// The keyed hash of an identifier: the key of its index row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexHash(pub [u8; 32]);
