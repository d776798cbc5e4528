//! Reading frames: every untrusted byte is validated, in place.

use rkyv::rancor::Failure;
use thiserror::Error;

use crate::code::{Code, Kind};
use crate::frame::{ReplyHead, RequestHead};
use crate::operation::{InPlace, Message, Opcode, Requested};
use crate::{MAX_REPLY_BYTES, MAX_REQUEST_BYTES, MESSAGE_VERSION, v1};

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
    let body = opcode.read(bytes)?;
    Ok(Request {
        head,
        opcode,
        body,
        bytes,
    })
}

/// Reads a body in place.
pub(crate) fn access<M: Message>(bytes: &[u8]) -> Result<&InPlace<M>, Fault> {
    let archived = rkyv::access::<InPlace<M>, Failure>(bytes);
    let archived = archived.map_err(|_| Fault::Malformed)?;
    M::validate(archived)?;
    Ok(archived)
}

pub(crate) fn limited(length: usize, max: usize) -> Result<(), Fault> {
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
    /// The body of a yes, read in place.
    ///
    /// # Errors
    /// `Malformed`; `TooLarge` when a length is over its limit.
    pub fn answer<A: Message>(&self) -> Result<&'a InPlace<A>, Fault> {
        access::<A>(self.bytes)
    }

    /// The body of a yes, as a value of its own.
    ///
    /// # Errors
    /// As [`Reply::answer`].
    pub fn owned<A: Message>(&self) -> Result<A, Fault> {
        let archived = self.answer::<A>()?;
        rkyv::deserialize::<A, Failure>(archived).map_err(|_| Fault::Malformed)
    }

    /// Who owns the slot instead, in a reply that says [`Code::NotOwner`];
    /// `None` when it does not say.
    ///
    /// # Errors
    /// `Malformed`; `TooLarge` over [`crate::MAX_ADDRESS_BYTES`].
    pub fn redirect(&self) -> Result<Option<&'a v1::ArchivedRedirect>, Fault> {
        if self.code != Code::NotOwner || self.bytes.is_empty() {
            return Ok(None);
        }
        access::<v1::Redirect>(self.bytes).map(Some)
    }

    /// The region that a reply names; none unless it is [`Code::WrongRegion`].
    ///
    /// # Errors
    /// `Malformed`.
    pub fn elsewhere(&self) -> Result<Option<u8>, Fault> {
        if self.code != Code::WrongRegion {
            return Ok(None);
        }
        let elsewhere = access::<v1::Elsewhere>(self.bytes)?;
        Ok(Some(elsewhere.region))
    }
}
