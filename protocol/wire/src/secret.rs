//! Secret parts of messages: redacted when shown, wiped when dropped.

use std::fmt;

use rkyv::{Archive, Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The bytes of a token's secret: 192 bits.
pub const SECRET_BYTES: usize = 24;

/// A token's secret. There is no `==`; nodes compare hashes in constant time.
#[derive(Archive, Serialize, Deserialize, Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(pub [u8; SECRET_BYTES]);

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

/// A text that must not be shown: a password, an identifier.
#[derive(Archive, Serialize, Deserialize, Clone, Zeroize, ZeroizeOnDrop)]
pub struct Text(pub String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(..)")
    }
}

impl ArchivedText {
    /// The text. UTF-8, as validated.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
