//! What every message can do.

use rkyv::api::high::{HighDeserializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Failure;
use rkyv::{Archive, Deserialize, Portable};

use super::Opcode;
use crate::encode::Body;
use crate::fault::Fault;
use crate::token::UserId;

/// A request's or an answer's body.
pub trait Message:
    Body
    + Sized
    + Archive<
        Archived: Portable
                      + for<'b> CheckBytes<HighValidator<'b, Failure>>
                      + Deserialize<Self, HighDeserializer<Failure>>,
    > + 'static
{
    /// Whether lengths are within their limits and numbers are known ones.
    ///
    /// # Errors
    /// `TooLarge` and `Malformed`.
    fn validate(archived: &Self::Archived) -> Result<(), Fault>;

    /// One message for golden bytes, fuzzing and documents. Its bytes are
    /// written down: it never changes.
    fn sample() -> Self;
}

/// A request, and which account it names.
pub trait Addressed: Message {
    /// The account that it names, which says where it is answered; `None` where
    /// an identifier leads to it, or no account is concerned.
    fn subject(&self) -> Option<UserId>;
}

/// A request's body with its opcode and its answer, as the table has them.
pub trait Operation: Addressed {
    /// The operation.
    const OPCODE: Opcode;
    /// The body of a yes.
    type Answer: Message;
}

/// A message as it stands in a frame, read in place.
pub type InPlace<M> = <M as Archive>::Archived;

/// Reads a body in place.
pub(crate) fn access<M: Message>(bytes: &[u8]) -> Result<&InPlace<M>, Fault> {
    let archived = rkyv::access::<InPlace<M>, Failure>(bytes);
    let archived = archived.map_err(|_| Fault::Malformed)?;
    M::validate(archived)?;
    Ok(archived)
}
