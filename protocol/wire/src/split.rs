//! Cutting a stream of bytes into frames.

use bytes::{Bytes, BytesMut};
use zeroize::Zeroize;

use crate::fault::Fault;

const LENGTH_BYTES: usize = 4;

/// Takes chunks as they arrive and gives whole frames. A frame that lies
/// within one chunk is not copied; at most one frame is held back.
pub struct Splitter {
    max_bytes: usize,
    chunk: Bytes,
    /// How much of the chunk is used up.
    at: usize,
    partial: BytesMut,
    held: Held,
}

/// What the held back bytes are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// The beginning of a frame, or nothing.
    Beginning,
    /// A frame that was given already.
    Given,
}

impl Splitter {
    /// A splitter for frames of at most `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: usize) -> Splitter {
        Splitter {
            max_bytes,
            chunk: Bytes::new(),
            at: 0,
            partial: BytesMut::new(),
            held: Held::Beginning,
        }
    }

    /// Takes the next chunk; the one before must have been used up by
    /// [`Splitter::next_frame`].
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.at == self.chunk.len());
        self.chunk = chunk;
        self.at = 0;
    }

    /// The next whole frame, its length field included; `None` until more
    /// bytes arrive.
    ///
    /// # Errors
    /// `TooLarge` or `Malformed` as soon as a length field says so. The stream
    /// cannot be read any further then.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, Fault> {
        if self.held == Held::Given {
            // It can have held a password or a token.
            self.partial.as_mut().zeroize();
            self.partial.clear();
            self.held = Held::Beginning;
        }
        if self.partial.is_empty() {
            let rest = &self.chunk[self.at..];
            let length = frame_length(rest, self.max_bytes)?;
            if let Some(length) = length.filter(|length| *length <= rest.len()) {
                let from = self.at;
                self.at += length;
                return Ok(Some(&self.chunk[from..self.at]));
            }
            self.take(rest.len());
            // It would keep the whole buffer that it was received in.
            self.chunk = Bytes::new();
            self.at = 0;
            return Ok(None);
        }
        self.take(LENGTH_BYTES.saturating_sub(self.partial.len()));
        let Some(length) = frame_length(&self.partial, self.max_bytes)? else {
            return Ok(None);
        };
        self.take(length.saturating_sub(self.partial.len()));
        if self.partial.len() < length {
            return Ok(None);
        }
        self.held = Held::Given;
        Ok(Some(&self.partial))
    }

    fn take(&mut self, wanted: usize) {
        let until = self.chunk.len().min(self.at + wanted);
        self.partial.extend_from_slice(&self.chunk[self.at..until]);
        self.at = until;
    }
}

fn frame_length(bytes: &[u8], max_bytes: usize) -> Result<Option<usize>, Fault> {
    let Some(field) = bytes.first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let rest = usize::try_from(u32::from_le_bytes(*field)).map_err(|_| Fault::TooLarge)?;
    match rest.checked_add(LENGTH_BYTES) {
        Some(length) if length > max_bytes => Err(Fault::TooLarge),
        Some(length) if length > LENGTH_BYTES => Ok(Some(length)),
        _ => Err(Fault::Malformed),
    }
}
