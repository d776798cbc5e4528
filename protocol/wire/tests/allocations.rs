//! Decoding allocates nothing, whatever it is given. One test alone in its
//! program, because the count is the whole program's.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod samples;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tidegate_wire::{Opcode, REPLY_HEAD_BYTES, decode_reply, decode_request};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn decoding_allocates_nothing() {
    let mut frames = Vec::new();
    for opcode in Opcode::ALL {
        let whole = samples::request(opcode).to_vec();
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 0xA5;
            frames.push(flipped);
        }
        frames.push(whole);
        frames.push(samples::reply(opcode).to_vec());
    }
    let region = Region::new(ALLOCATOR);
    let mut read = 0;
    for frame in &frames {
        read += usize::from(decode_request(frame).is_ok());
        read += usize::from(decode_reply(frame).is_ok());
        for opcode in Opcode::ALL {
            read += usize::from(
                opcode
                    .read_answer(frame.get(REPLY_HEAD_BYTES..).unwrap_or_default())
                    .is_ok(),
            );
        }
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
    assert!(read >= Opcode::ALL.len());
}
