//! A stored record, read in place: what a check costs.

use rkyv::rancor::Error as RkyvError;

use super::parts::{CheckPart, SealedPart};
use super::{Corrupt, Format, HEAD_BYTES, bound, section, v1, v2, v3};
use crate::digest::SecretHash;
use crate::id::{SessionId, TenantId, UserId};
use crate::session::Expiry;
use crate::status::Status;

/// A stored record, read in place.
#[derive(Clone, Copy)]
pub struct View<'a> {
    check: Check<'a>,
    /// The whole record.
    bytes: &'a [u8],
    sealed: &'a [u8],
}

/// The check part, by the format that it is of.
#[derive(Clone, Copy)]
enum Check<'a> {
    V1(&'a v1::ArchivedCheckPart),
    V2(&'a v1::ArchivedCheckPart),
    V3(&'a v3::ArchivedCheckPart),
}

/// What every format has in its check part, as it lies there.
macro_rules! field {
    ($view:expr, $($name:tt)+) => {
        match $view.check {
            Check::V1(check) | Check::V2(check) => check.$($name)+,
            Check::V3(check) => check.$($name)+,
        }
    };
}

/// A session whose secret matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its place in the record's list, which a node's touches follow.
    pub place: usize,
    /// When it ends. `touched_at` is the caller's to set.
    pub expiry: Expiry,
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
            [3, 0, 0, 0, length @ ..] => (Format::V3, length),
            _ => return Err(Corrupt),
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| Corrupt)?;
        let (check, sealed) = rest.split_at_checked(length).ok_or(Corrupt)?;
        let check = match format {
            Format::V1 => Check::V1(older(check)?),
            Format::V2 => Check::V2(older(check)?),
            Format::V3 => {
                let check = rkyv::access::<v3::ArchivedCheckPart, RkyvError>(check);
                Check::V3(check.map_err(|_| Corrupt)?)
            }
        };
        Ok(View {
            check,
            bytes,
            sealed,
        })
    }

    /// The version in which it is stored.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.check {
            Check::V1(_) => Format::V1,
            Check::V2(_) => Format::V2,
            Check::V3(_) => Format::V3,
        }
    }

    /// Whose record it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId::from_bytes(field!(self, user))
    }

    /// The person's tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        TenantId(field!(self, tenant.to_native()))
    }

    /// How often the record was written.
    #[must_use]
    pub fn revision(&self) -> u64 {
        field!(self, revision.to_native())
    }

    /// The account's status.
    #[must_use]
    pub fn status(&self) -> Status {
        let status = match self.check {
            Check::V1(check) | Check::V2(check) => &check.status,
            Check::V3(check) => &check.status,
        };
        match status {
            v1::ArchivedStatus::Active => Status::Active,
            v1::ArchivedStatus::Locked => Status::Locked,
            v1::ArchivedStatus::Suspended => Status::Suspended,
            v1::ArchivedStatus::Decoy => Status::Decoy,
        }
    }

    /// When the record expires, in Unix milliseconds; 0: never.
    #[must_use]
    pub fn abandoned_at(&self) -> u64 {
        field!(self, abandoned_at.to_native())
    }

    /// The sealed part, as stored.
    #[must_use]
    pub fn sealed(&self) -> &'a [u8] {
        self.sealed
    }

    /// What the seal binds besides its context, as associated data.
    #[must_use]
    pub fn bound(&self) -> &'a [u8] {
        let (clear, _) = self.bytes.split_at(self.bytes.len() - self.sealed.len());
        bound(self.format(), clear)
    }

    /// Finds the session whose id and secret these are.
    #[must_use]
    pub fn find(&self, id: SessionId, secret: &SecretHash) -> Option<Found> {
        match self.check {
            Check::V1(check) | Check::V2(check) => found(check.sessions.as_slice(), id, secret),
            Check::V3(check) => found(check.sessions.as_slice(), id, secret),
        }
    }

    /// Whether a session is here that has another refresh token there.
    #[must_use]
    pub fn replaces_token(&self, there: &View<'_>, id: SessionId) -> bool {
        self.token(id)
            .is_some_and(|hash| there.token(id) != Some(hash))
    }

    fn token(&self, id: SessionId) -> Option<[u8; 32]> {
        match self.check {
            Check::V1(check) | Check::V2(check) => token(check.sessions.as_slice(), id),
            Check::V3(check) => token(check.sessions.as_slice(), id),
        }
    }

    /// Every session's id and expiry, in the record's order.
    pub fn sessions(&self) -> impl ExactSizeIterator<Item = (SessionId, Expiry)> + '_ {
        let check = self.check;
        let count = field!(self, sessions.len());
        (0..count).map(move |place| match check {
            Check::V1(check) | Check::V2(check) => named(&check.sessions[place]),
            Check::V3(check) => named(&check.sessions[place]),
        })
    }

    /// The whole record in the form in which it is changed, given the plaintext
    /// of its sealed part.
    ///
    /// # Errors
    /// [`Corrupt`] when that is no plaintext of this record's format.
    pub fn read(&self, plain: &[u8]) -> Result<(CheckPart, SealedPart), Corrupt> {
        match self.check {
            Check::V1(check) => {
                let sealed = rkyv::from_bytes::<v1::SealedPart, RkyvError>(plain);
                let sealed = v2::SealedPart::from(sealed.map_err(|_| Corrupt)?);
                Ok((changeable(check)?, sealed.into()))
            }
            Check::V2(check) => {
                let sealed = rkyv::from_bytes::<v2::SealedPart, RkyvError>(plain);
                let sealed = sealed.map_err(|_| Corrupt)?;
                Ok((changeable(check)?, sealed.into()))
            }
            Check::V3(check) => {
                let check = rkyv::deserialize::<v3::CheckPart, RkyvError>(check);
                let mut check = CheckPart::from(check.map_err(|_| Corrupt)?);
                let sealed = section::read(&mut check, plain)?;
                Ok((check, sealed))
            }
        }
    }
}

fn older(check: &[u8]) -> Result<&v1::ArchivedCheckPart, Corrupt> {
    rkyv::access::<v1::ArchivedCheckPart, RkyvError>(check).map_err(|_| Corrupt)
}

fn changeable(check: &v1::ArchivedCheckPart) -> Result<CheckPart, Corrupt> {
    let check = rkyv::deserialize::<v1::CheckPart, RkyvError>(check);
    Ok(check.map_err(|_| Corrupt)?.into())
}

/// A session as a check part holds it.
trait Stored {
    fn id(&self) -> u64;
    fn secret_hash(&self) -> &[u8; 32];
    fn refresh_hash(&self) -> &[u8; 32];
    fn expiry(&self) -> Expiry;
    /// Assurance and methods.
    fn strength(&self) -> (u8, u8);
}

macro_rules! stored {
    ($session:ty) => {
        impl Stored for $session {
            fn id(&self) -> u64 {
                self.id.to_native()
            }

            fn secret_hash(&self) -> &[u8; 32] {
                &self.secret_hash
            }

            fn refresh_hash(&self) -> &[u8; 32] {
                &self.refresh_hash
            }

            fn expiry(&self) -> Expiry {
                let used_at = self.used_at.to_native();
                Expiry {
                    used_at,
                    touched_at: used_at,
                    idle_ms: self.idle_ms.to_native(),
                    expires_at: self.expires_at.to_native(),
                }
            }

            fn strength(&self) -> (u8, u8) {
                (self.assurance, self.methods)
            }
        }
    };
}

stored!(v1::ArchivedSession);
stored!(v3::ArchivedSession);

fn found<S: Stored>(sessions: &[S], id: SessionId, secret: &SecretHash) -> Option<Found> {
    let mut sessions = sessions.iter().enumerate();
    let (place, session) = sessions.find(|(_, session)| session.id() == id.0)?;
    let (assurance, methods) = session.strength();
    secret.matches(session.secret_hash()).then(|| Found {
        place,
        expiry: session.expiry(),
        assurance,
        methods,
    })
}

fn token<S: Stored>(sessions: &[S], id: SessionId) -> Option<[u8; 32]> {
    let mut sessions = sessions.iter();
    let session = sessions.find(|session| session.id() == id.0)?;
    Some(*session.refresh_hash())
}

fn named<S: Stored>(session: &S) -> (SessionId, Expiry) {
    (SessionId(session.id()), session.expiry())
}
