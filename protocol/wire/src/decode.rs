//! Reading frames: every untrusted byte is validated, in place.

use rkyv::rancor::Failure;

use crate::code::{Code, Kind};
use crate::fault::Fault;
use crate::frame::{ReplyHead, RequestHead};
use crate::operation::{InPlace, Message, Opcode, Requested, access};
use crate::{MAX_REPLY_BYTES, MAX_REQUEST_BYTES, MESSAGE_VERSION, v1};

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
