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
use super::batch::Batch;
use super::request::Replies;
use crate::answers::frame;
use crate::rights::Gateway;

/// Chunks taken at once: what one receive call of the endpoint can bring for
/// one stream.
const CHUNKS: usize = 32;

/// Answers that are written before the next chunk is looked at: frames can be
/// shorter than their refusals.
const OUT_BYTES: usize = 64 * 1024;

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
        whereabouts: Arc::clone(&service.whereabouts),
    };
    let mut splitter = Splitter::new(MAX_REQUEST_BYTES);
    let mut chunks: [Bytes; CHUNKS] = Default::default();
    let mut out = BytesMut::new();
    let mut batch = Batch::new(service, gateway);
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
            read = recv.read_chunks(&mut chunks), if open => match read? {
                Some(count) => {
                    let mut arrived = chunks[..count].iter_mut();
                    let mut read = Ok(());
                    while read.is_ok() && arrived.len() > 0 {
                        if out.len() >= OUT_BYTES {
                            send.write_chunk(out.split().freeze()).await?;
                        }
                        read = frames(&mut splitter, &mut arrived, &mut batch, &mut replies, &mut out);
                    }
                    if let Err(fault) = read {
                        // Where the next frame begins is not known any more; what is
                        // under way is answered all the same.
                        frame::refuse(&mut out, 0, fault.code(), 0, 0);
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

/// Answers what has arrived together, up to so many bytes of answers.
pub(super) fn frames(
    splitter: &mut Splitter,
    arrived: &mut std::slice::IterMut<'_, Bytes>,
    batch: &mut Batch<'_>,
    replies: &mut Replies,
    out: &mut BytesMut,
) -> Result<(), Fault> {
    let read = take(splitter, arrived, batch, replies, out);
    answer_checks(batch, replies, out);
    if catch_unwind(AssertUnwindSafe(|| batch.finish())).is_err() {
        batch.panicked();
    }
    read
}

fn take(
    splitter: &mut Splitter,
    arrived: &mut std::slice::IterMut<'_, Bytes>,
    batch: &mut Batch<'_>,
    replies: &mut Replies,
    out: &mut BytesMut,
) -> Result<(), Fault> {
    while out.len() < OUT_BYTES
        && let Some(chunk) = arrived.next()
    {
        splitter.push(std::mem::take(chunk));
        while let Some(frame) = splitter.next_frame()? {
            let correlation = correlation_of(frame);
            caught(correlation, batch, replies, out, |batch, replies, out| {
                batch.take(frame, replies, out);
            });
            if batch.is_full() {
                answer_checks(batch, replies, out);
            }
        }
    }
    Ok(())
}

fn answer_checks(batch: &mut Batch<'_>, replies: &mut Replies, out: &mut BytesMut) {
    batch.approach();
    let mut place = 0;
    while let Some(correlation) = batch.waiting(place) {
        caught(correlation, batch, replies, out, |batch, replies, out| {
            batch.answer_check(place, replies, out);
        });
        place += 1;
    }
    batch.answered();
}

/// Does the work of one frame. When it panics, that frame's answer is
/// `unknown`, and the stream goes on.
fn caught(
    correlation: u64,
    batch: &mut Batch<'_>,
    replies: &mut Replies,
    out: &mut BytesMut,
    work: impl FnOnce(&mut Batch<'_>, &mut Replies, &mut BytesMut),
) {
    let (before, in_flight) = (out.len(), replies.in_flight);
    let done = catch_unwind(AssertUnwindSafe(|| work(batch, replies, out)));
    if done.is_err() {
        batch.panicked();
        out.truncate(before);
        if replies.in_flight == in_flight {
            frame::refuse(out, correlation, Code::Unknown, 0, 0);
        }
        // Otherwise its responder exists, and answers when it is dropped.
    }
}

#[cfg(test)]
#[path = "../../../../protocol/wire/tests/samples/mod.rs"]
mod samples;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread::{self, ThreadId};

    use tidegate_runtime::ports::{Clock, PortFuture};
    use tidegate_runtime::{OsEntropy, SystemClock};
    use tidegate_wire::{Opcode, decode_reply, tenant_id};

    use super::*;
    use crate::assembly::{Journal, assemble, serving};
    use crate::backend::Backend;
    use crate::config::{Config, Overrides};
    use crate::deployment::{Deployment, GatewayRow};
    use crate::folder::Folder;
    use crate::rights::Right;

    /// A clock that panics on one thread, after it was asked so often.
    struct Trap {
        clock: SystemClock,
        set: Mutex<Option<(ThreadId, u32)>>,
    }

    impl Trap {
        fn set(&self, asked: Option<u32>) {
            *self.set.lock().unwrap() = asked.map(|asked| (thread::current().id(), asked));
        }

        /// Whether it is set still.
        fn is_set(&self) -> bool {
            self.set.lock().unwrap().is_some()
        }

        fn step(&self) {
            let mut set = self.set.lock().unwrap();
            let planted = match &mut *set {
                Some((id, left)) if *id == thread::current().id() => {
                    *left = left.wrapping_sub(1);
                    *left == u32::MAX
                }
                _ => false,
            };
            if planted {
                *set = None;
                drop(set);
                panic!("planted");
            }
        }
    }

    impl Clock for Trap {
        fn unix_ms(&self) -> u64 {
            self.step();
            self.clock.unix_ms()
        }

        fn monotonic_ms(&self) -> u64 {
            self.step();
            self.clock.monotonic_ms()
        }

        fn monotonic_us(&self) -> u64 {
            self.step();
            self.clock.monotonic_us()
        }

        fn sleep(&self, ms: u64) -> PortFuture<()> {
            self.clock.sleep(ms)
        }
    }

    /// A request of this kind, in the name of the tenant that there is.
    fn request(opcode: Opcode) -> Bytes {
        let mut bytes = samples::request(opcode).to_vec();
        let theirs = samples::head(opcode).tenant.to_le_bytes();
        let place = bytes.windows(8).position(|window| window == theirs);
        let place = place.unwrap();
        bytes[place..place + 8].copy_from_slice(&tenant_id("default").to_le_bytes());
        bytes.into()
    }

    #[test]
    fn a_panic_anywhere_in_any_request_is_unknown_and_the_stream_goes_on() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::at(&scratch.path().join("node"));
        let config = Config::default();
        let trap = Arc::new(Trap {
            clock: SystemClock::new(),
            set: Mutex::default(),
        });
        let clock: Arc<dyn Clock> = trap.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(crate::init::init(
                &folder,
                &Overrides::default(),
                &crate::init::Founding::default(),
                &*clock,
                &OsEntropy,
            ))
            .unwrap();
        let backend = Backend::open(&folder, &config, &OsEntropy).unwrap();
        let deployment = runtime.block_on(Deployment::open(&folder, &config, backend));
        let operator = assemble(
            &folder,
            &config,
            deployment.unwrap(),
            Journal::None,
            &runtime,
            &clock,
        )
        .unwrap();
        let service = serving(&operator, &config);
        let gateway = Gateway::new(&GatewayRow {
            name: "everything".into(),
            tenants: vec!["default".into()],
            rights: vec![Right::Auth, Right::Admin, Right::Operator],
            rate_per_s: 0,
            certificates: Vec::new(),
        });
        let (later, mut answered) = mpsc::unbounded_channel();
        let mut replies = Replies {
            later,
            in_flight: 0,
            of_connection: Arc::default(),
            whereabouts: Arc::new(crate::Nowhere),
        };
        let mut ask = |frame: Bytes| {
            let mut splitter = Splitter::new(MAX_REQUEST_BYTES);
            let mut out = BytesMut::new();
            let mut batch = Batch::new(&service, &gateway);
            frames(
                &mut splitter,
                &mut [frame].iter_mut(),
                &mut batch,
                &mut replies,
                &mut out,
            )
            .unwrap();
            if out.is_empty() {
                out.extend_from_slice(&answered.blocking_recv().unwrap());
            }
            let mut splitter = Splitter::new(MAX_REQUEST_BYTES);
            splitter.push(out.freeze());
            let reply = splitter.next_frame().unwrap().unwrap().to_vec();
            assert_eq!(splitter.next_frame(), Ok(None));
            let reply = decode_reply(&reply).unwrap();
            (reply.code, reply.head.correlation)
        };
        let correlation = samples::head(Opcode::Ping).correlation;
        let mut caught = 0;
        for opcode in Opcode::ALL {
            let calm = ask(request(opcode)).0;
            for asked in 0.. {
                trap.set(Some(asked));
                let answer = ask(request(opcode));
                if trap.is_set() {
                    // It was not asked that often.
                    break;
                }
                // After the last answer the clock is asked how long all took.
                assert!(
                    [Code::Unknown, calm].contains(&answer.0),
                    "{opcode:?}, {asked}"
                );
                assert_eq!(answer.1, correlation);
                caught += usize::from(answer.0 == Code::Unknown);
            }
            trap.set(None);
            assert_eq!(ask(request(Opcode::Ping)), (Code::Ok, correlation));
        }
        assert!(caught >= Opcode::ALL.len());
        assert_eq!(service.engine.waiting(), 0);
    }
}
