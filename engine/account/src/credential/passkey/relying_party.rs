//! Who asks, and what of a ceremony is required.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

/// A relying party, as its tenant configured it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// The RP ID: a domain name, to which credentials belong for ever.
    pub id: String,
    /// The origins of the pages that may ask, each exactly as a browser writes it
    /// (`https://example.org`, `android:apk-key-hash:...`). Origins outside the RP
    /// ID's domain are related origins (WebAuthn L3 §5.11), which
    /// `https://{id}/.well-known/webauthn` must list too.
    pub origins: Vec<String>,
    /// Whether such a page may stand in another origin's frame.
    pub framing: Framing,
}

impl RelyingParty {
    /// SHA-256 of the RP ID, as authenticator data begins (WebAuthn L3 §6.1).
    #[must_use]
    pub fn id_hash(&self) -> [u8; 32] {
        Sha256::digest(self.id.as_bytes()).into()
    }
}

/// Whether a page that asks may stand in a frame of another origin: who frames
/// it can hide it, and have a person click it (WebAuthn L3, Visibility
/// Considerations for Embedded Usage).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// It may not.
    #[default]
    Forbidden,
    /// It may. A browser that names the origin of the top page must name one of
    /// these, each exactly as it writes it.
    Within(Vec<String>),
}

/// Whether the authenticator shall verify the user: WebAuthn L3 §5.8.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserVerification {
    /// It must; a response without is refused.
    Required,
    /// It should; a response without has less assurance.
    Preferred,
    /// It should not.
    Discouraged,
}

impl UserVerification {
    pub(super) fn name(self) -> &'static str {
        match self {
            UserVerification::Required => "required",
            UserVerification::Preferred => "preferred",
            UserVerification::Discouraged => "discouraged",
        }
    }
}

/// Whether a test of user presence is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserPresence {
    /// It is.
    Required,
    /// It is not: a registration under conditional mediation, where the browser
    /// makes a passkey after a password was filled in (WebAuthn L3 §7.1, step 15).
    Conditional,
}
