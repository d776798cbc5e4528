//! Session checks: the question and what can be found.

use tidegate_account::{Refusal, Secret, SessionId, TenantId, UserId};

/// A question about a session.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The tenant in whose name it comes.
    pub tenant: TenantId,
    /// Whose session.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// Its secret.
    pub secret: Secret,
    /// Knowledge that cannot be brought up to date is accepted when it is younger
    /// than this, in milliseconds.
    pub max_age_ms: u32,
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The session is alive.
    Yes(Checked),
    /// It was alive so many milliseconds ago, when the store was last heard.
    Degraded(Checked, u64),
    /// It is not.
    No(Refusal),
    /// What is stored about the person cannot be read.
    Corrupt,
}

/// A session that is alive. Times are Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whose it is.
    pub user: UserId,
    /// When it ends unused; it does not end sooner.
    pub idle_expires_at: u64,
    /// When it ends.
    pub expires_at: u64,
    /// How sure the sign-in was: 1, 2 or 3 (SP 800-63B AAL).
    pub assurance: u8,
    /// How the person signed in, one bit per method.
    pub methods: u8,
}
