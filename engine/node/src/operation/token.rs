//! Tokens, and what they prove.

use tidegate_account::{Secret, SessionId, SessionProof};
use tidegate_wire::{ArchivedSecretBytes, v1};

/// What proves a session, of a token.
pub(super) fn proof(check: &v1::ArchivedCheck) -> SessionProof {
    SessionProof {
        session: SessionId(check.session.to_native()),
        secret: secret(&check.secret),
    }
}

pub(super) fn secret(bytes: &ArchivedSecretBytes) -> Secret {
    Secret::new(bytes.0)
}
