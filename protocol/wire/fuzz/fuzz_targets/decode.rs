#![no_main]
//! `cargo +nightly fuzz run decode` in `protocol/wire`.

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tidegate_wire::{MAX_REQUEST_BYTES, Splitter, decode_reply, decode_request};

fuzz_target!(|data: &[u8]| {
    let _ = decode_request(data);
    if let Ok(reply) = decode_reply(data) {
        let _ = reply.checked();
        let _ = reply.granted();
        let _ = reply.signed_up();
        let _ = reply.revoked();
        let _ = reply.sessions();
        let _ = reply.status_set();
        let _ = reply.erased();
        let _ = reply.claimed();
        let _ = reply.verified();
        let _ = reply.operated();
    }
    let mut splitter = Splitter::new(MAX_REQUEST_BYTES);
    for half in [&data[..data.len() / 2], &data[data.len() / 2..]] {
        splitter.push(Bytes::copy_from_slice(half));
        loop {
            match splitter.next_frame() {
                Ok(Some(frame)) => drop(decode_request(&frame)),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
