//! Passkeys of a tenant.

use alloc::string::String;

use crate::credential::passkey::{RelyingParty, UserVerification};

/// Passkeys of a tenant: who asks for them, and what is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyPolicy {
    /// The relying party. A tenant sets its id once: credentials belong to it for
    /// ever.
    pub rp: RelyingParty,
    /// Its name, for people.
    pub name: String,
    /// Whether a user is to be verified.
    pub user_verification: UserVerification,
}
