//! What goes in (commands, completions) and what leaves to be done (effects).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::credential::passkey::SignatureWork;
use crate::digest::IndexHash;
use crate::id::{DeviceId, SessionId, TenantId};
use crate::identifier::Identifier;
use crate::password::{Password, PasswordHash};
use crate::policy::PasswordPolicy;
use crate::secret::Secret;

/// The caller's name for a command; its reply carries the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The core's name for work under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PendingId(pub u64);

/// What tells a repeat of a request: its 128-bit key and a hash of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key that the client chose at random.
    pub key: [u8; 16],
    /// SHA-256 of what was asked.
    pub request: [u8; 32],
}

/// Who answers for an administrative act: the gateway's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administrator(pub String);

/// An identifier that a person has shown to be theirs, whether or not that
/// person claimed it.
#[derive(Clone, Debug)]
pub struct Attest {
    /// The identifier.
    pub identifier: ClaimedIdentifier,
    /// A session of the account, when the caller has one.
    pub session: Option<SessionProof>,
    /// A password: the account's shows that the same person claimed and
    /// verified; another becomes the account's.
    pub password: Option<Password>,
    /// By whose authority the identifier was shown.
    pub by: Administrator,
}

/// A new account.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// Its identifiers, at most [`crate::record::IDENTIFIERS_MAX`].
    pub identifiers: Vec<ClaimedIdentifier>,
    /// Its password.
    pub password: Password,
}

/// An identifier and the index row that it claims.
#[derive(Clone, Debug)]
pub struct ClaimedIdentifier {
    /// The identifier.
    pub identifier: Identifier,
    /// Its keyed hash.
    pub hash: IndexHash,
    /// The version of the key of that hash.
    pub key_version: u16,
    /// Its hashes under older keys that still live, and under the form that an
    /// older rule made of it.
    pub older: Vec<IndexHash>,
    /// Its place in the directory of regions, where there is one and the
    /// identifier may become the person's by this command.
    pub reservation: Option<Box<Reservation>>,
}

impl ClaimedIdentifier {
    /// Its hash in the directory of regions, where its place is reserved.
    pub(crate) fn directory(&self) -> Option<[u8; 32]> {
        self.reservation.as_ref().map(|reserved| reserved.hash)
    }
}

/// A place in the directory of regions, reserved for one attempt to give an
/// identifier to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The identifier's keyed hash there.
    pub hash: [u8; 32],
    /// The attempt: random.
    pub attempt: [u8; 16],
    /// When it began, in Unix milliseconds.
    pub at_ms: u64,
}

/// A sign-in with a password.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The password.
    pub password: Password,
    /// The device token, when the device has one.
    pub device: Option<DeviceProof>,
    /// Whether to make one when it has none.
    pub remember: Remember,
    /// What is held against where it comes from.
    pub source: Source,
    /// What led to the account.
    pub led_by: LedBy,
}

/// What led a sign-in to its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedBy {
    /// An identifier, by every hash under which the account may hold it. The row
    /// of the index that led here is not authenticated, and may be of before the
    /// account gave the identifier up: the account says whether it holds it.
    Identifier(Vec<IndexHash>),
    /// The account's own id.
    Id,
}

/// What is held against the source of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing.
    Clear,
    /// It has tried too often: only a known device gets past.
    Held {
        /// When it may try again.
        retry_after_ms: u64,
    },
}

/// Whether a device asks to be known next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remember {
    /// It does.
    Device,
    /// It does not.
    Nothing,
}

/// A device token.
#[derive(Clone, Debug)]
pub struct DeviceProof {
    /// The device.
    pub id: DeviceId,
    /// Its secret.
    pub secret: Secret,
}

/// A session token's part that proves.
#[derive(Clone, Debug)]
pub struct SessionProof {
    /// The session.
    pub session: SessionId,
    /// Its secret.
    pub secret: Secret,
}

/// Which sessions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeScope {
    /// The asking one.
    This,
    /// One by its id.
    One(SessionId),
    /// All but the asking one.
    Others,
    /// All.
    All,
}

/// Work that the core asks for. Each kind has a port of its own.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A password's, for the bounded pool.
    Hash {
        /// What the completion must carry.
        pending: PendingId,
        /// What to do.
        work: PasswordWork,
    },
    /// A signature is to be verified.
    Verify {
        /// What the completion must carry.
        pending: PendingId,
        /// By which key, over what.
        work: Box<SignatureWork>,
    },
}

/// What to do with a password.
#[derive(Clone, Debug)]
pub enum PasswordWork {
    /// Hash it anew.
    New {
        /// The password.
        password: Password,
        /// The salt to use.
        salt: [u8; 16],
        /// The cost and the pepper key.
        policy: PasswordPolicy,
    },
    /// Compare it with a stored hash; without one, do the same work.
    Compare {
        /// The password.
        password: Password,
        /// The stored hash.
        stored: Option<PasswordHash>,
    },
}

impl Effect {
    /// The work's name.
    #[must_use]
    pub fn pending(&self) -> PendingId {
        match self {
            Effect::Hash { pending, .. } | Effect::Verify { pending, .. } => *pending,
        }
    }
}

/// Work done.
#[derive(Clone, Debug)]
pub enum Completion {
    /// A password's new hash.
    Hashed(PasswordHash),
    /// A comparison's outcome.
    Verified(PasswordCheck),
    /// A signature's.
    Signature(SignatureCheck),
    /// There was no room for the work, and it was not done.
    Refused {
        /// When there may be room.
        retry_after_ms: u32,
    },
}

/// How a signature came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// It is the key's, over this message.
    Valid,
    /// It is not, or the key is none.
    Invalid,
}

/// How a comparison came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is the password.
    Match,
    /// It is not.
    Mismatch,
}

/// The surroundings of a command.
#[derive(Clone, Debug)]
pub struct Request {
    /// The caller's name for it.
    pub ticket: Ticket,
    /// The tenant in whose name it comes.
    pub tenant: TenantId,
    /// What tells a repeat.
    pub idempotency: Option<Idempotency>,
}
