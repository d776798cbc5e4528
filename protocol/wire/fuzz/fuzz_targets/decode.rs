#![no_main]
//! `cargo +nightly fuzz run decode` in `protocol/wire`.

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tidegate_wire::{MAX_REQUEST_BYTES, Opcode, REPLY_HEAD_BYTES, Splitter, decode_reply, decode_request};

fuzz_target!(|data: &[u8]| {
    let _ = decode_request(data);
    for opcode in Opcode::ALL {
        let _ = opcode.read_answer(data.get(REPLY_HEAD_BYTES..).unwrap_or_default());
    }
    if let Ok(reply) = decode_reply(data) {
        let _ = reply.redirect();
        let _ = reply.elsewhere();
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
