//! Cutting a stream of bytes into frames.

use bytes::{Buf, Bytes, BytesMut};

use crate::decode::Fault;

const LENGTH_BYTES: usize = 4;

/// Takes chunks as they arrive and gives whole frames. A frame that lies
/// within one chunk is not copied; at most one frame is held back.
pub struct Splitter {
    max_bytes: usize,
    chunk: Bytes,
    partial: BytesMut,
}

impl Splitter {
    /// A splitter for frames of at most `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: usize) -> Splitter {
        Splitter {
            max_bytes,
            chunk: Bytes::new(),
            partial: BytesMut::new(),
        }
    }

    /// Takes the next chunk; the one before must have been used up by
    /// [`Splitter::next_frame`].
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty());
        self.chunk = chunk;
    }

    /// The next whole frame, its length field included; `None` until more
    /// bytes arrive.
    ///
    /// # Errors
    /// `TooLarge` or `Malformed` as soon as a length field says so. The stream
    /// cannot be read any further then.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.partial.is_empty() {
            if let Some(length) = self.frame_length(&self.chunk)?
                && length <= self.chunk.len()
            {
                return Ok(Some(self.chunk.split_to(length)));
            }
            self.take(self.chunk.len());
            return Ok(None);
        }
        self.take(LENGTH_BYTES.saturating_sub(self.partial.len()));
        let Some(length) = self.frame_length(&self.partial)? else {
            return Ok(None);
        };
        self.take(length.saturating_sub(self.partial.len()));
        match self.partial.len() == length {
            true => Ok(Some(self.partial.split().freeze())),
            false => Ok(None),
        }
    }

    fn take(&mut self, wanted: usize) {
        let count = wanted.min(self.chunk.len());
        self.partial.extend_from_slice(&self.chunk[..count]);
        self.chunk.advance(count);
    }

    fn frame_length(&self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some(field) = bytes.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let rest = usize::try_from(u32::from_le_bytes(*field)).map_err(|_| Fault::TooLarge)?;
        match rest.checked_add(LENGTH_BYTES) {
            Some(length) if length > self.max_bytes => Err(Fault::TooLarge),
            Some(length) if length > LENGTH_BYTES => Ok(Some(length)),
            _ => Err(Fault::Malformed),
        }
    }
}
