//! The heads of frames, fixed and little-endian.
//!
//! ```text
//! request                           reply
//!  0 length u32 (of what follows)    0 length u32 (of what follows)
//!  4 version u8 | 0                  4 version u8 | 0
//!  6 opcode u16                      6 code u16
//!  8 correlation u64                 8 correlation u64
//! 16 tenant u64                     16 epoch u64
//! 24 epoch u64                      24 age_ms u32
//! 32 remaining_ms u32               28 retry_after_ms u32
//! 36 max_age_ms u32                 32 body
//! 40 idempotency key 16
//! 56 body
//! ```

use bytes::BufMut;

use crate::fault::Fault;

/// The bytes before a request's body.
pub const REQUEST_HEAD_BYTES: usize = 56;
/// The bytes before a reply's body.
pub const REPLY_HEAD_BYTES: usize = 32;

/// 128 bits that a client draws for one change; zero stands for none.
pub type IdempotencyKey = [u8; 16];

/// The head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The version of the message.
    pub version: u8,
    /// The operation's number.
    pub opcode: u16,
    /// The client's name for the request; the reply carries the same.
    pub correlation: u64,
    /// The tenant's id.
    pub tenant: u64,
    /// The highest epoch that the client knows for the person's slot.
    pub epoch: u64,
    /// How long the client still waits, in milliseconds.
    pub remaining_ms: u32,
    /// The greatest age that it accepts for an answer from memory that could
    /// not be brought up to date, in milliseconds.
    pub max_age_ms: u32,
    /// What tells a repeat.
    pub idempotency_key: IdempotencyKey,
}

/// The head of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHead {
    /// The version of the message.
    pub version: u8,
    /// The result's number.
    pub code: u16,
    /// The request's correlation id.
    pub correlation: u64,
    /// The epoch under which the slot is owned; 0 when that was not asked.
    pub epoch: u64,
    /// How old the knowledge is that a `degraded` answer rests on.
    pub age_ms: u32,
    /// When to try again, for a code that says "later".
    pub retry_after_ms: u32,
}

/// The correlation id of a frame, request or reply, that may not be readable
/// otherwise; 0 when it is too short to have one.
#[must_use]
pub fn correlation_of(frame: &[u8]) -> u64 {
    match frame.get(8..16) {
        Some(_) => number(frame, 8),
        None => 0,
    }
}

impl RequestHead {
    pub(crate) fn write(&self, out: &mut impl BufMut, length: u32) {
        out.put_u32_le(length);
        out.put_slice(&[self.version, 0]);
        out.put_u16_le(self.opcode);
        out.put_u64_le(self.correlation);
        out.put_u64_le(self.tenant);
        out.put_u64_le(self.epoch);
        out.put_u32_le(self.remaining_ms);
        out.put_u32_le(self.max_age_ms);
        out.put_slice(&self.idempotency_key);
    }

    pub(crate) fn read(frame: &[u8]) -> Result<(RequestHead, &[u8]), Fault> {
        let (head, body) = split::<REQUEST_HEAD_BYTES>(frame)?;
        let head = RequestHead {
            version: head[4],
            opcode: u16::from_le_bytes([head[6], head[7]]),
            correlation: number(head, 8),
            tenant: number(head, 16),
            epoch: number(head, 24),
            remaining_ms: short(head, 32),
            max_age_ms: short(head, 36),
            idempotency_key: array(head, 40),
        };
        Ok((head, body))
    }
}

impl ReplyHead {
    pub(crate) fn write(&self, out: &mut impl BufMut, length: u32) {
        out.put_u32_le(length);
        out.put_slice(&[self.version, 0]);
        out.put_u16_le(self.code);
        out.put_u64_le(self.correlation);
        out.put_u64_le(self.epoch);
        out.put_u32_le(self.age_ms);
        out.put_u32_le(self.retry_after_ms);
    }

    pub(crate) fn read(frame: &[u8]) -> Result<(ReplyHead, &[u8]), Fault> {
        let (head, body) = split::<REPLY_HEAD_BYTES>(frame)?;
        let head = ReplyHead {
            version: head[4],
            code: u16::from_le_bytes([head[6], head[7]]),
            correlation: number(head, 8),
            epoch: number(head, 16),
            age_ms: short(head, 24),
            retry_after_ms: short(head, 28),
        };
        Ok((head, body))
    }
}

fn split<const N: usize>(frame: &[u8]) -> Result<(&[u8; N], &[u8]), Fault> {
    let (head, body) = frame.split_first_chunk::<N>().ok_or(Fault::Malformed)?;
    let length = usize::try_from(short(head, 0)).map_err(|_| Fault::Malformed)?;
    match length == frame.len() - 4 && head[5] == 0 {
        true => Ok((head, body)),
        false => Err(Fault::Malformed),
    }
}

fn array<const M: usize>(head: &[u8], at: usize) -> [u8; M] {
    let mut bytes = [0; M];
    bytes.copy_from_slice(&head[at..at + M]);
    bytes
}

fn number(head: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(head, at))
}

fn short(head: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(head, at))
}
