//! How a tenant is named on the wire.

use sha2::{Digest, Sha256};

const TAG: &[u8] = b"tg-tenant-1";

/// The id of the tenant with this name: the first 64 bits, big endian, of
/// SHA-256 over the tag's length (one byte), the tag `tg-tenant-1` and the
/// name.
#[must_use]
pub fn tenant_id(name: &str) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update([11]);
    hasher.update(TAG);
    hasher.update(name.as_bytes());
    let hash: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}
