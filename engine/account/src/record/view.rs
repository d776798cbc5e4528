//! A stored record, read in place: what a check costs.

use rkyv::rancor::Error as RkyvError;

use super::parts::{CheckPart, SealedPart};
use super::{Corrupt, Format, HEAD_BYTES, v1, v2};
use crate::digest::SecretHash;
use crate::id::{SessionId, TenantId, UserId};
use crate::session::Span;
use crate::status::Status;

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
            v1::ArchivedStatus::Active => Status::Active,
            v1::ArchivedStatus::Locked => Status::Locked,
            v1::ArchivedStatus::Suspended => Status::Suspended,
            v1::ArchivedStatus::StandIn => Status::StandIn,
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

    /// The whole record in the form in which it is changed, given the plaintext
    /// of its sealed part.
    ///
    /// # Errors
    /// [`Corrupt`] when that is no plaintext of this record's format.
    pub fn read(&self, plaintext: &[u8]) -> Result<(CheckPart, SealedPart), Corrupt> {
        let check = rkyv::deserialize::<v1::CheckPart, RkyvError>(self.check);
        let sealed = match self.format {
            Format::V1 => {
                rkyv::from_bytes::<v1::SealedPart, RkyvError>(plaintext).map(v2::SealedPart::from)
            }
            Format::V2 => rkyv::from_bytes::<v2::SealedPart, RkyvError>(plaintext),
        };
        let check = check.map_err(|_| Corrupt)?;
        Ok((check.into(), sealed.map_err(|_| Corrupt)?.into()))
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
