//! Reading frames: every untrusted byte is validated, in place.

use rkyv::Portable;
use rkyv::api::high::HighValidator;
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Failure;
use thiserror::Error;

use crate::code::{Code, Kind};
use crate::frame::{ReplyHead, RequestHead};
use crate::opcode::Opcode;
use crate::{
    MAX_ADDRESS_BYTES, MAX_IDENTIFIER_BYTES, MAX_IDENTIFIERS, MAX_PASSWORD_BYTES, MAX_REPLY_BYTES,
    MAX_REQUEST_BYTES, MAX_SESSIONS, MESSAGE_VERSION, v1,
};

/// Why a frame cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// It is not a frame, or its body is not a message.
    #[error("the message cannot be read")]
    Malformed,
    /// Its version is not spoken here.
    #[error("the message's version is not supported")]
    UnsupportedVersion,
    /// A length is over its limit.
    #[error("a length is over its limit")]
    TooLarge,
    /// Its operation is not known.
    #[error("the operation is not known")]
    UnknownOpcode,
    /// It changes something and has no idempotency key.
    #[error("a changing request needs an idempotency key")]
    IdempotencyMissing,
}

impl Fault {
    /// The code that says so.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Fault::Malformed => Code::Malformed,
            Fault::UnsupportedVersion => Code::UnsupportedVersion,
            Fault::TooLarge => Code::TooLarge,
            Fault::UnknownOpcode => Code::UnknownOpcode,
            Fault::IdempotencyMissing => Code::IdempotencyMissing,
        }
    }
}

/// A request, read in place.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its head.
    pub head: RequestHead,
    /// Its operation.
    pub opcode: Opcode,
    /// Its body.
    pub body: Requested<'a>,
    /// The bytes of its body, for the hash that tells a repeat.
    pub bytes: &'a [u8],
}

/// What is asked.
#[derive(Clone, Copy)]
pub enum Requested<'a> {
    /// Nothing.
    Ping,
    /// Is this session alive?
    Check(&'a v1::ArchivedCheck),
    /// Replace this refresh token.
    Refresh(&'a v1::ArchivedRefresh),
    /// Sign in.
    SignIn(&'a v1::ArchivedSignIn),
    /// Make an account.
    SignUp(&'a v1::ArchivedSignUp),
    /// End sessions.
    Revoke(&'a v1::ArchivedRevoke),
    /// List sessions.
    Sessions(&'a v1::ArchivedSessions),
    /// Open or close an account.
    SetStatus(&'a v1::ArchivedSetStatus),
    /// Claim one more identifier.
    Claim(&'a v1::ArchivedClaim),
    /// Take an identifier as shown.
    Verify(&'a v1::ArchivedVerify),
    /// Run the node.
    Operate(&'a v1::ArchivedOperate),
    /// Erase a person.
    Erase(&'a v1::ArchivedErase),
}

/// Reads one whole request frame.
///
/// # Errors
/// [`Fault`]; nothing is allocated either way.
pub fn decode_request(frame: &[u8]) -> Result<Request<'_>, Fault> {
    if frame.len() > MAX_REQUEST_BYTES {
        return Err(Fault::TooLarge);
    }
    let (head, bytes) = RequestHead::read(frame)?;
    if head.version != MESSAGE_VERSION {
        return Err(Fault::UnsupportedVersion);
    }
    let opcode = Opcode::from_number(head.opcode).ok_or(Fault::UnknownOpcode)?;
    if opcode.needs_idempotency_key() && head.idempotency_key == [0; 16] {
        return Err(Fault::IdempotencyMissing);
    }
    let body = match opcode {
        Opcode::Ping => access::<v1::ArchivedPing>(bytes).map(|_| Requested::Ping),
        Opcode::Check => access(bytes).map(Requested::Check),
        Opcode::Refresh => access(bytes).map(Requested::Refresh),
        Opcode::SignIn => access(bytes).map(Requested::SignIn),
        Opcode::SignUp => access(bytes).map(Requested::SignUp),
        Opcode::Revoke => access(bytes).map(Requested::Revoke),
        Opcode::Sessions => access(bytes).map(Requested::Sessions),
        Opcode::SetStatus => access(bytes).map(Requested::SetStatus),
        Opcode::Claim => access(bytes).map(Requested::Claim),
        Opcode::Verify => access(bytes).map(Requested::Verify),
        Opcode::Operate => access(bytes).map(Requested::Operate),
        Opcode::Erase => access(bytes).map(Requested::Erase),
    }?;
    within_limits(&body)?;
    Ok(Request {
        head,
        opcode,
        body,
        bytes,
    })
}

fn access<'a, T>(bytes: &'a [u8]) -> Result<&'a T, Fault>
where
    T: Portable + for<'b> CheckBytes<HighValidator<'b, Failure>>,
{
    rkyv::access::<T, Failure>(bytes).map_err(|_| Fault::Malformed)
}

fn within_limits(body: &Requested<'_>) -> Result<(), Fault> {
    match body {
        Requested::SignIn(sign_in) => {
            identifier(&sign_in.identifier)?;
            limited(sign_in.password.as_str().len(), MAX_PASSWORD_BYTES)
        }
        Requested::SignUp(sign_up) => {
            limited(sign_up.identifiers.len(), MAX_IDENTIFIERS)?;
            sign_up.identifiers.iter().try_for_each(identifier)?;
            limited(sign_up.password.as_str().len(), MAX_PASSWORD_BYTES)
        }
        Requested::Claim(claim) => identifier(&claim.identifier),
        Requested::Verify(verify) => {
            identifier(&verify.identifier)?;
            let password = verify.password.as_ref();
            let length = password.map_or(0, |password| password.as_str().len());
            limited(length, MAX_PASSWORD_BYTES)
        }
        Requested::Ping
        | Requested::Check(_)
        | Requested::Refresh(_)
        | Requested::Revoke(_)
        | Requested::Sessions(_)
        | Requested::SetStatus(_)
        | Requested::Erase(_)
        // The frame's own limit is a command's.
        | Requested::Operate(_) => Ok(()),
    }
}

fn identifier(identifier: &v1::ArchivedIdentifier) -> Result<(), Fault> {
    limited(identifier.text.as_str().len(), MAX_IDENTIFIER_BYTES)
}

fn limited(length: usize, max: usize) -> Result<(), Fault> {
    match length <= max {
        true => Ok(()),
        false => Err(Fault::TooLarge),
    }
}

/// A reply, read in place.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    /// Its head.
    pub head: ReplyHead,
    /// Its result.
    pub code: Code,
    bytes: &'a [u8],
}

/// Reads one whole reply frame, its body excepted.
///
/// # Errors
/// [`Fault`]; a code that is not known is `Malformed`.
pub fn decode_reply(frame: &[u8]) -> Result<Reply<'_>, Fault> {
    if frame.len() > MAX_REPLY_BYTES {
        return Err(Fault::TooLarge);
    }
    let (head, bytes) = ReplyHead::read(frame)?;
    if head.version != MESSAGE_VERSION {
        return Err(Fault::UnsupportedVersion);
    }
    let code = Code::from_number(head.code).ok_or(Fault::Malformed)?;
    let names = matches!(code, Code::NotOwner | Code::WrongRegion);
    if code.kind() != Kind::Yes && !names && !bytes.is_empty() {
        return Err(Fault::Malformed);
    }
    Ok(Reply { head, code, bytes })
}

impl<'a> Reply<'a> {
    /// The body of a reply to [`Opcode::Check`].
    ///
    /// # Errors
    /// `Malformed`, as for every body.
    pub fn checked(&self) -> Result<&'a v1::ArchivedChecked, Fault> {
        access(self.bytes)
    }

    /// The body of a reply to [`Opcode::SignIn`] and [`Opcode::Refresh`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn granted(&self) -> Result<&'a v1::ArchivedGranted, Fault> {
        access(self.bytes)
    }

    /// The body of a reply to [`Opcode::SignUp`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn signed_up(&self) -> Result<&'a v1::ArchivedSignedUp, Fault> {
        access(self.bytes)
    }

    /// The body of a reply to [`Opcode::Revoke`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn revoked(&self) -> Result<&'a v1::ArchivedRevoked, Fault> {
        access(self.bytes)
    }

    /// The body of a reply to [`Opcode::Sessions`].
    ///
    /// # Errors
    /// `Malformed`; `TooLarge` over [`MAX_SESSIONS`].
    pub fn sessions(&self) -> Result<&'a v1::ArchivedSessionList, Fault> {
        let list: &v1::ArchivedSessionList = access(self.bytes)?;
        limited(list.sessions.len(), MAX_SESSIONS)?;
        Ok(list)
    }

    /// The body of a reply to [`Opcode::SetStatus`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn status_set(&self) -> Result<&'a v1::ArchivedStatusSet, Fault> {
        access(self.bytes)
    }

    /// The body of a reply to [`Opcode::Erase`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn erased(&self) -> Result<&'a v1::ArchivedErased, Fault> {
        access(self.bytes)
    }

    /// The body of a reply to [`Opcode::Claim`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn claimed(&self) -> Result<&'a v1::ArchivedClaimed, Fault> {
        access(self.bytes)
    }

    /// The body of a reply to [`Opcode::Verify`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn verified(&self) -> Result<&'a v1::ArchivedVerified, Fault> {
        access(self.bytes)
    }

    /// Who owns the slot instead, in a reply that says [`Code::NotOwner`];
    /// `None` when it does not say.
    ///
    /// # Errors
    /// `Malformed`; `TooLarge` over [`MAX_ADDRESS_BYTES`].
    pub fn redirect(&self) -> Result<Option<&'a v1::ArchivedRedirect>, Fault> {
        if self.code != Code::NotOwner || self.bytes.is_empty() {
            return Ok(None);
        }
        let redirect: &v1::ArchivedRedirect = access(self.bytes)?;
        limited(redirect.address.len(), MAX_ADDRESS_BYTES)?;
        Ok(Some(redirect))
    }

    /// The region that a reply names; none unless it is [`Code::WrongRegion`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn elsewhere(&self) -> Result<Option<u8>, Fault> {
        if self.code != Code::WrongRegion {
            return Ok(None);
        }
        let elsewhere: &v1::ArchivedElsewhere = access(self.bytes)?;
        Ok(Some(elsewhere.region))
    }

    /// The body of a reply to [`Opcode::Operate`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn operated(&self) -> Result<&'a v1::ArchivedOperated, Fault> {
        access(self.bytes)
    }
}
