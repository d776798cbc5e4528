//! The hot record: how one person is stored, and how a check reads it in place.
//!
//! ```text
//! version u8 | 0 0 0 | length of the check part u32 LE
//! | check part (rkyv, in clear) | sealed part (nonce and ciphertext)
//! ```
//! The stored bytes are the warm form. The version stands outside rkyv; each
//! version is a frozen module and a step to the next.

pub mod v1;
pub mod v2;

use alloc::vec::Vec;

use rkyv::rancor::Error as RkyvError;
use zeroize::Zeroizing;

use crate::digest::SecretHash;
use crate::id::{DeviceId, SessionId, TenantId, UserId};
use crate::session::Span;
use crate::status::Status;

/// The largest record, in bytes.
pub const RECORD_MAX_BYTES: usize = 16 * 1024;
/// The most sessions of one person; the least recently used one makes room.
pub const SESSIONS_MAX: usize = 50;
/// The most devices that are remembered; a further one is not.
pub const DEVICES_MAX: usize = 20;
/// The most identifiers of one person.
pub const IDENTIFIERS_MAX: usize = 8;
/// The most outcomes of past requests that are kept for their repeats.
pub const OUTCOMES_MAX: usize = 8;
const HEAD_BYTES: usize = 8;

/// A version of the record. All are read; which one is written is the
/// deployment's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Format {
    /// Without regions.
    V1 = 1,
    /// With the hashes of the directory of regions.
    V2 = 2,
}

impl Format {
    /// The newest.
    pub const NEWEST: Format = Format::V2;

    /// The newest one whose number is not greater than this.
    #[must_use]
    pub fn up_to(number: u16) -> Format {
        match number {
            0 | 1 => Format::V1,
            _ => Format::V2,
        }
    }
}

/// Stored bytes that are no record of a version that this code reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// The check part, in the form in which it is changed.
pub type CheckPart = v1::CheckPart;
/// The sealed part, in the form in which it is changed.
pub type SealedPart = v2::SealedPart;
/// An identifier of the sealed part.
pub type IdentifierRow = v2::IdentifierRow;

/// Puts a record together from its check part and the sealed bytes.
///
/// # Errors
/// [`Corrupt`] when the record would be over [`RECORD_MAX_BYTES`].
pub fn assemble(format: Format, check: &CheckPart, sealed: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let check = rkyv::to_bytes::<RkyvError>(check).map_err(|_| Corrupt)?;
    let length = u32::try_from(check.len()).map_err(|_| Corrupt)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + check.len() + sealed.len());
    bytes.extend_from_slice(&[format as u8, 0, 0, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&check);
    bytes.extend_from_slice(sealed);
    match bytes.len() <= RECORD_MAX_BYTES {
        true => Ok(bytes),
        false => Err(Corrupt),
    }
}

/// The plaintext of the sealed part: to be sealed and forgotten.
///
/// # Errors
/// [`Corrupt`] when the format cannot say what it holds.
pub fn sealed_plaintext(
    format: Format,
    sealed: &SealedPart,
) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
    let bytes = match format {
        Format::V1 => rkyv::to_bytes::<RkyvError>(&sealed.to_v1()?),
        Format::V2 => rkyv::to_bytes::<RkyvError>(sealed),
    };
    let bytes = bytes.map_err(|_| Corrupt)?;
    Ok(Zeroizing::new(bytes.to_vec()))
}

/// Reads the plaintext of a sealed part.
///
/// # Errors
/// [`Corrupt`] when it is none.
pub fn read_sealed(format: Format, plaintext: &[u8]) -> Result<SealedPart, Corrupt> {
    match format {
        Format::V1 => rkyv::from_bytes::<v1::SealedPart, RkyvError>(plaintext).map(Into::into),
        Format::V2 => rkyv::from_bytes::<v2::SealedPart, RkyvError>(plaintext),
    }
    .map_err(|_| Corrupt)
}

/// A stored record, read in place.
#[derive(Clone, Copy)]
pub struct View<'a> {
    format: Format,
    check: &'a v1::ArchivedCheckPart,
    sealed: &'a [u8],
}

/// A session whose secret matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its place in the record's list, which a node's touches follow.
    pub place: usize,
    /// When it ends. `touched_at` is the caller's to set.
    pub span: Span,
    /// How sure the sign-in was: 1, 2 or 3 (SP 800-63B AAL).
    pub assurance: u8,
    /// How the person signed in, one bit per method.
    pub methods: u8,
}

impl<'a> View<'a> {
    /// Validates stored bytes. No allocation, no copy.
    ///
    /// # Errors
    /// [`Corrupt`] when they are no record of a version that this code reads.
    pub fn new(bytes: &'a [u8]) -> Result<View<'a>, Corrupt> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(Corrupt)?;
        let (format, length) = match head {
            [1, 0, 0, 0, length @ ..] => (Format::V1, length),
            [2, 0, 0, 0, length @ ..] => (Format::V2, length),
            _ => return Err(Corrupt),
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Corrupt)?;
        let (check, sealed) = rest.split_at_checked(length).ok_or(Corrupt)?;
        let check = rkyv::access::<v1::ArchivedCheckPart, RkyvError>(check).map_err(|_| Corrupt)?;
        Ok(View {
            format,
            check,
            sealed,
        })
    }

    /// The version in which it is stored.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whose record it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId::from_bytes(self.check.user)
    }

    /// The person's tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        TenantId(self.check.tenant.to_native())
    }

    /// How often the record was written.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.check.revision.to_native()
    }

    /// The account's status.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.check.status {
            crate::status::ArchivedStatus::Active => Status::Active,
            crate::status::ArchivedStatus::Locked => Status::Locked,
            crate::status::ArchivedStatus::Suspended => Status::Suspended,
            crate::status::ArchivedStatus::StandIn => Status::StandIn,
        }
    }

    /// When nobody needs the record any more, in Unix milliseconds; 0: never.
    #[must_use]
    pub fn abandoned_at(&self) -> u64 {
        self.check.abandoned_at.to_native()
    }

    /// The sealed part, as stored.
    #[must_use]
    pub fn sealed(&self) -> &'a [u8] {
        self.sealed
    }

    /// Finds the session whose id and secret these are.
    #[must_use]
    pub fn find(&self, id: SessionId, secret: &SecretHash) -> Option<Found> {
        let mut sessions = self.check.sessions.iter().enumerate();
        let (place, session) = sessions.find(|(_, session)| session.id.to_native() == id.0)?;
        secret.matches(&session.secret_hash).then(|| Found {
            place,
            span: span_of(session),
            assurance: session.assurance,
            methods: session.methods,
        })
    }

    /// Whether a session is here that has another refresh token there.
    #[must_use]
    pub fn replaces_token(&self, there: &View<'_>, id: SessionId) -> bool {
        let token = |view: &View<'_>| {
            let mut sessions = view.check.sessions.iter();
            let session = sessions.find(|session| session.id.to_native() == id.0);
            session.map(|session| session.refresh_hash)
        };
        token(self).is_some_and(|hash| token(there) != Some(hash))
    }

    /// Every session's id and span, in the record's order.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = (SessionId, Span)> + '_ {
        let sessions = self.check.sessions.iter();
        sessions.map(|session| (SessionId(session.id.to_native()), span_of(session)))
    }

    /// The check part in the form in which it is changed.
    ///
    /// # Errors
    /// [`Corrupt`], which a validated view does not give.
    pub fn to_check_part(&self) -> Result<CheckPart, Corrupt> {
        rkyv::deserialize::<CheckPart, RkyvError>(self.check).map_err(|_| Corrupt)
    }
}

fn span_of(session: &v1::ArchivedSession) -> Span {
    let used_at = session.used_at.to_native();
    Span {
        used_at,
        touched_at: used_at,
        idle_ms: session.idle_ms.to_native(),
        expires_at: session.expires_at.to_native(),
    }
}

impl v1::Session {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId(self.id)
    }

    /// The device it was made on.
    #[must_use]
    pub fn device(&self) -> Option<DeviceId> {
        (self.device != 0).then_some(DeviceId(self.device))
    }

    pub(crate) fn span(&self) -> Span {
        Span {
            used_at: self.used_at,
            touched_at: self.used_at,
            idle_ms: self.idle_ms,
            expires_at: self.expires_at,
        }
    }
}
