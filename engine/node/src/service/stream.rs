//! One stream: frames in, frames out, in any order. All frames of one read
//! are answered in one write where that can be at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tidegate_wire::{Code, Fault, MAX_REQUEST_BYTES, Splitter, correlation_of};
use tokio::sync::mpsc;

use super::Service;
use super::request::{self, Replies};
use crate::answers;
use crate::rights::Gateway;

/// Why a stream ended before the client closed it.
#[derive(Debug, Error)]
pub(super) enum End {
    #[error("reading: {0}")]
    Read(#[from] quinn::ReadError),
    #[error("writing: {0}")]
    Write(#[from] quinn::WriteError),
    /// Where the next frame begins is not known.
    #[error("unreadable: {0}")]
    Unreadable(Fault),
}

pub(super) async fn serve(
    mut send: quinn::SendStream,
    mut recv: quinn::RecvStream,
    service: &Arc<Service>,
    gateway: &Gateway,
    of_connection: Arc<AtomicUsize>,
) -> Result<(), End> {
    let (later, mut answered) = mpsc::unbounded_channel();
    let mut replies = Replies {
        later,
        in_flight: 0,
        of_connection,
    };
    let mut splitter = Splitter::new(MAX_REQUEST_BYTES);
    let mut out = BytesMut::new();
    let mut open = true;
    let mut unreadable = None;
    // The channel never closes while `replies` lives here; the loop ends when
    // the client has closed its side and nothing is under way any more.
    while open || replies.in_flight > 0 {
        tokio::select! {
            biased;
            frame = answered.recv() => if let Some(frame) = frame {
                replies.in_flight -= gather(&mut out, &frame, &mut answered);
            },
            chunk = recv.read_chunk(usize::MAX, true), if open => match chunk? {
                Some(chunk) => {
                    splitter.push(chunk.bytes);
                    let read = frames(&mut splitter, service, gateway, &mut replies, &mut out);
                    if let Err(fault) = read {
                        // Where the next frame begins is not known any more; what is
                        // under way is answered all the same.
                        answers::refuse(&mut out, 0, fault.code(), 0, 0);
                        unreadable = Some(fault);
                        open = false;
                    }
                }
                None => open = false,
            },
        }
        if !out.is_empty() {
            send.write_chunk(out.split().freeze()).await?;
        }
    }
    // Finishing fails only when the client has gone already.
    let _ = send.finish();
    unreadable.map_or(Ok(()), |fault| Err(End::Unreadable(fault)))
}

/// Takes every answer that has come through; how many there were.
fn gather(
    out: &mut BytesMut,
    first: &Bytes,
    answered: &mut mpsc::UnboundedReceiver<Bytes>,
) -> usize {
    out.extend_from_slice(first);
    let mut count = 1;
    while let Ok(frame) = answered.try_recv() {
        out.extend_from_slice(&frame);
        count += 1;
    }
    count
}

fn frames(
    splitter: &mut Splitter,
    service: &Arc<Service>,
    gateway: &Gateway,
    replies: &mut Replies,
    out: &mut BytesMut,
) -> Result<(), Fault> {
    while let Some(frame) = splitter.next_frame()? {
        let (before, in_flight) = (out.len(), replies.in_flight);
        let answered = catch_unwind(AssertUnwindSafe(|| {
            request::answer(&frame, service, gateway, replies, out);
        }));
        if answered.is_err() {
            service.meters.panics.increment(1);
            tracing::error!(event = "request.panicked");
            out.truncate(before);
            if replies.in_flight > in_flight {
                // Its responder exists, and answers `unknown` when it is dropped.
                continue;
            }
            answers::refuse(out, correlation_of(&frame), Code::Unknown, 0, 0);
        }
    }
    Ok(())
}
