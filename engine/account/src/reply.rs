//! What the account answers. A "no" is a value.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rkyv::{Archive, Deserialize, Serialize};

use crate::assurance::Method;
use crate::command::DeviceProof;
use crate::credential::held::{Backup, PasskeyName};
use crate::id::{DeviceId, SessionId, UserId};
use crate::record::v1::{self, GrantRow, Outcome};
use crate::refresh::session_secret;
use crate::secret::Secret;

/// Who verified an identifier.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verification {
    /// The person who set the account up: everything stays.
    Confirmed = 1,
    /// Another person: everything that was set up before is gone.
    TakenOver = 2,
}

impl From<v1::Verification> for Verification {
    fn from(stored: v1::Verification) -> Verification {
        match stored {
            v1::Verification::Confirmed => Verification::Confirmed,
            v1::Verification::TakenOver => Verification::TakenOver,
        }
    }
}

impl From<Verification> for v1::Verification {
    fn from(live: Verification) -> v1::Verification {
        match live {
            Verification::Confirmed => v1::Verification::Confirmed,
            Verification::TakenOver => v1::Verification::TakenOver,
        }
    }
}

/// Why the answer is no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The identifier and password do not go together.
    InvalidCredentials,
    /// No such session, or not with this secret or tenant.
    InvalidToken,
    /// The session was there but has expired.
    SessionExpired,
    /// An old refresh token was used again: the session has ended.
    RefreshReused,
    /// Too many guesses.
    Throttled {
        /// When the next one may be made.
        retry_after_ms: u64,
    },
    /// The account is locked.
    AccountLocked,
    /// The account is suspended.
    AccountSuspended,
    /// Another account holds this identifier.
    IdentifierTaken,
    /// The tenant does not take such an identifier.
    InvalidIdentifier,
    /// The new password has too few characters.
    PasswordTooShort,
    /// The idempotency key belongs to another request.
    IdempotencyReused,
    /// The status does not change that way.
    StatusConflict,
    /// There is no such account.
    UnknownAccount,
    /// The account does not claim this identifier, or no longer.
    ClaimExpired,
    /// The account has as many of these as it can have.
    LimitReached,
    /// The session's sign-in is too long ago for this: a fresh one is asked for.
    StaleSignIn,
    /// The code is not the one that was sent.
    InvalidCode,
    /// The passkey's answer is not one to what was asked, or the account has no such
    /// passkey.
    InvalidPasskey,
    /// The password is right, and the account wants another factor beside it: a flow
    /// asks for it.
    SecondFactorNeeded,
    /// Without this credential the account would have no way in.
    LastCredential,
    /// The flow has ended, or this step of it was taken.
    FlowOver,
    /// Not now: there is no room in the hashing pool or for one more successor of
    /// a refresh token, or the identifier must be looked up anew. Nothing was
    /// verified, charged or changed.
    Busy {
        /// When there may be.
        retry_after_ms: u32,
    },
}

/// What a refusal says about guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// A secret was compared, and it was wrong.
    Wrong,
    /// Nothing was compared, because too much was wrong before.
    Held,
    /// Nothing was compared, or what was compared was right.
    Nothing,
}

impl Refusal {
    /// What it says about guessing: what the caller is charged for.
    #[must_use]
    pub fn judged(self) -> Judged {
        match self {
            Refusal::InvalidCredentials
            | Refusal::InvalidToken
            | Refusal::RefreshReused
            | Refusal::InvalidCode
            | Refusal::InvalidPasskey => Judged::Wrong,
            Refusal::Throttled { .. } => Judged::Held,
            Refusal::SessionExpired
            | Refusal::AccountLocked
            | Refusal::AccountSuspended
            | Refusal::IdentifierTaken
            | Refusal::InvalidIdentifier
            | Refusal::PasswordTooShort
            | Refusal::IdempotencyReused
            | Refusal::StatusConflict
            | Refusal::UnknownAccount
            | Refusal::ClaimExpired
            | Refusal::LimitReached
            | Refusal::StaleSignIn
            | Refusal::SecondFactorNeeded
            | Refusal::LastCredential
            | Refusal::FlowOver
            | Refusal::Busy { .. } => Judged::Nothing,
        }
    }

    /// What is kept of it for a repeat: a wrong guess is not compared twice. A
    /// repeat of any other is judged anew.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        match self {
            // The caller knows what it answered with.
            Refusal::InvalidCredentials | Refusal::InvalidCode => Some(Outcome::InvalidCredentials),
            Refusal::InvalidToken
            | Refusal::SessionExpired
            | Refusal::RefreshReused
            | Refusal::Throttled { .. }
            | Refusal::AccountLocked
            | Refusal::AccountSuspended
            | Refusal::IdentifierTaken
            | Refusal::InvalidIdentifier
            | Refusal::PasswordTooShort
            | Refusal::IdempotencyReused
            | Refusal::StatusConflict
            | Refusal::UnknownAccount
            | Refusal::ClaimExpired
            | Refusal::LimitReached
            | Refusal::StaleSignIn
            | Refusal::InvalidPasskey
            | Refusal::SecondFactorNeeded
            | Refusal::LastCredential
            | Refusal::FlowOver
            | Refusal::Busy { .. } => None,
        }
    }
}

/// What a sign-in or a refresh hands out.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Whose session it is.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The secret of its refresh family, from which its own is derived.
    pub family: Secret,
    /// The secret of the refresh token.
    pub refresh: Secret,
    /// The idle deadline, in Unix milliseconds.
    pub idle_expires_at: u64,
    /// The absolute end, in Unix milliseconds.
    pub expires_at: u64,
    /// How sure the sign-in was: 1, 2 or 3 (SP 800-63B AAL).
    pub assurance: u8,
    /// How the person signed in, one bit per method; 1 is a password.
    pub methods: u8,
    /// The device token, when one was asked for and made.
    pub device: Option<DeviceProof>,
}

/// One session of a person's list. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// The session.
    pub id: SessionId,
    /// When the person signed in.
    pub created_at: u64,
    /// When it was last used, at most a tenth of the idle time ago more.
    pub used_at: u64,
    /// When it ends unused.
    pub idle_expires_at: u64,
    /// When it ends.
    pub expires_at: u64,
    /// How sure the sign-in was: 1, 2 or 3 (SP 800-63B AAL).
    pub assurance: u8,
    /// How the person signed in.
    pub methods: u8,
}

impl Grant {
    /// The secret of the session's own token.
    #[must_use]
    pub fn session_secret(&self) -> Secret {
        session_secret(&self.family)
    }

    pub(crate) fn to_row(&self) -> GrantRow {
        GrantRow {
            session: self.session.0,
            family: *self.family.expose(),
            refresh: *self.refresh.expose(),
            idle_expires_at: self.idle_expires_at,
            expires_at: self.expires_at,
            assurance: self.assurance,
            methods: self.methods,
            device: self
                .device
                .as_ref()
                .map(|device| (device.id.0, *device.secret.expose())),
        }
    }

    pub(crate) fn from_row(row: GrantRow, user: UserId) -> Grant {
        Grant {
            user,
            session: SessionId(row.session),
            family: Secret::new(row.family),
            refresh: Secret::new(row.refresh),
            idle_expires_at: row.idle_expires_at,
            expires_at: row.expires_at,
            assurance: row.assurance,
            methods: row.methods,
            device: row.device.map(|(id, secret)| DeviceProof {
                id: DeviceId(id),
                secret: Secret::new(secret),
            }),
        }
    }
}

/// A credential of an account, without what proves it. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialInfo {
    /// Of which method.
    pub method: Method,
    /// Names it among those of its method; 0 where there is one.
    pub number: u16,
    /// When it was set or added.
    pub added_at: u64,
    /// When it was last used; 0 where that is not kept.
    pub used_at: u64,
    /// Whether it is copied to other devices, of a passkey.
    pub backup: Option<Backup>,
    /// How many are left, of recovery codes.
    pub remaining: Option<u8>,
    /// What its person calls it.
    pub name: PasskeyName,
}

/// What an account has to prove with.
#[derive(Clone)]
pub struct CredentialList {
    /// Each.
    pub credentials: Vec<CredentialInfo>,
    /// What a browser is told of its passkeys, as JSON; may be empty. It names the
    /// account and its passkeys.
    pub signal: String,
}

impl fmt::Debug for CredentialList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialList({:?}, ..)", self.credentials)
    }
}

impl CredentialInfo {
    pub(crate) fn of(method: Method, added_at: u64) -> CredentialInfo {
        CredentialInfo {
            method,
            number: 0,
            added_at,
            used_at: 0,
            backup: None,
            remaining: None,
            name: PasskeyName::default(),
        }
    }
}
