//! Writing frames.

use std::cell::Cell;

use bytes::BytesMut;
use rkyv::Serialize;
use rkyv::api::high::HighSerializer;
use rkyv::rancor::Failure;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use zeroize::Zeroize;

use crate::fault::Fault;
use crate::frame::{REPLY_HEAD_BYTES, REQUEST_HEAD_BYTES, ReplyHead, RequestHead};
use crate::{MAX_REPLY_BYTES, MAX_REQUEST_BYTES};

thread_local! {
    /// Where bodies are archived before they are copied behind their head: the
    /// length stands in front.
    static SCRATCH: Cell<AlignedVec> = Cell::default();
}

/// What a body must be to be written.
pub trait Body: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, Failure>> {}

impl<T> Body for T where T: for<'a> Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, Failure>> {}

/// Appends a request to `out`.
///
/// # Errors
/// `TooLarge` when the frame would be over [`MAX_REQUEST_BYTES`]; `out` is
/// as before.
pub fn encode_request(
    out: &mut BytesMut,
    head: &RequestHead,
    body: &impl Body,
) -> Result<(), Fault> {
    append(
        out,
        body,
        REQUEST_HEAD_BYTES,
        MAX_REQUEST_BYTES,
        |out, length| {
            head.write(out, length);
        },
    )
}

/// Appends a reply to `out`.
///
/// # Errors
/// `TooLarge` when the frame would be over [`MAX_REPLY_BYTES`]; `out` is as
/// before.
pub fn encode_reply(out: &mut BytesMut, head: &ReplyHead, body: &impl Body) -> Result<(), Fault> {
    append(
        out,
        body,
        REPLY_HEAD_BYTES,
        MAX_REPLY_BYTES,
        |out, length| {
            head.write(out, length);
        },
    )
}

/// Appends a reply without a body to `out`.
pub fn encode_refusal(out: &mut BytesMut, head: &ReplyHead) {
    const LENGTH: u32 = REPLY_HEAD_BYTES as u32 - 4;
    head.write(out, LENGTH);
}

fn append(
    out: &mut BytesMut,
    body: &impl Body,
    head_bytes: usize,
    max_bytes: usize,
    write_head: impl FnOnce(&mut BytesMut, u32),
) -> Result<(), Fault> {
    let scratch = SCRATCH.take();
    let bytes = rkyv::api::high::to_bytes_in::<_, Failure>(body, scratch);
    let mut bytes = bytes.map_err(|_| Fault::TooLarge)?;
    let length = head_bytes + bytes.len();
    let fits = u32::try_from(length - 4)
        .ok()
        .filter(|_| length <= max_bytes);
    if let Some(length) = fits {
        write_head(out, length);
        out.extend_from_slice(&bytes);
    }
    // A body can hold a password or a token.
    bytes.as_mut_slice().zeroize();
    bytes.clear();
    SCRATCH.set(bytes);
    fits.map(|_| ()).ok_or(Fault::TooLarge)
}
