//! A mutating fuzzer for the stable toolchain: every frame of the corpus is
//! bent in every way below, and whatever comes out is decoded as both sides
//! would. A panic ends the process.
//! `cargo run --release -p tidegate-wire --example mutate -- 100000000 1`
//! (frames, seed).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement that is run by hand"
)]

#[path = "../tests/samples/mod.rs"]
mod samples;

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tidegate_wire::{
    MAX_REQUEST_BYTES, Opcode, REPLY_HEAD_BYTES, Splitter, decode_reply, decode_request,
};

/// SplitMix64 (Steele, Lea and Flood 2014): the same seed, the same frames.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit.max(1) as u64) as usize
    }
}

/// Values that lengths, offsets and tags like to be wrong by.
const ODD: [u32; 10] = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
];

fn bend(bytes: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let place = dice.below(bytes.len());
        match dice.below(8) {
            0 => bytes.truncate(place),
            1 => bytes.insert(place, dice.roll() as u8),
            2 if !bytes.is_empty() => {
                bytes.remove(place);
            }
            3 if !bytes.is_empty() => bytes[place] ^= 1 << dice.below(8),
            4 if !bytes.is_empty() => bytes[place] = dice.roll() as u8,
            5 if place + 4 <= bytes.len() => {
                let odd = ODD[dice.below(ODD.len())];
                bytes[place..place + 4].copy_from_slice(&odd.to_le_bytes());
            }
            6 => {
                let other = &others[dice.below(others.len())];
                let from = dice.below(other.len());
                bytes.truncate(place);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                let end = place + dice.below(bytes.len() - place);
                let copy = bytes[place..end].to_vec();
                bytes.splice(place..place, copy);
            }
        }
    }
}

/// Sets the length field right, so that what lies behind it is reached.
fn mend_length(bytes: &mut [u8]) {
    if let Some(behind) = bytes.len().checked_sub(4) {
        bytes[..4].copy_from_slice(&(behind as u32).to_le_bytes());
    }
}

/// Decodes as both sides would; whether anything could be read.
fn decode(bytes: &[u8]) -> bool {
    let request = decode_request(bytes).is_ok();
    let reply = decode_reply(bytes);
    let readable = reply.is_ok();
    if let Ok(reply) = reply {
        let _ = reply.redirect();
        let _ = reply.elsewhere();
    }
    for opcode in Opcode::ALL {
        let _ = opcode.read_answer(bytes.get(REPLY_HEAD_BYTES..).unwrap_or_default());
    }
    request || readable
}

fn split(bytes: &[u8]) {
    let mut splitter = Splitter::new(MAX_REQUEST_BYTES);
    for half in [&bytes[..bytes.len() / 2], &bytes[bytes.len() / 2..]] {
        splitter.push(Bytes::copy_from_slice(half));
        while let Ok(Some(frame)) = splitter.next_frame() {
            let _ = decode_request(frame);
        }
    }
}

fn run(frames: u64, seed: u64) -> u64 {
    let mut corpus = Vec::new();
    for opcode in Opcode::ALL {
        corpus.push(samples::request(opcode).to_vec());
        corpus.push(samples::reply(opcode).to_vec());
    }
    let mut dice = Dice(seed);
    let mut readable = 0;
    let mut frame = BytesMut::new();
    for number in 0..frames {
        let mut bytes = corpus[dice.below(corpus.len())].clone();
        bend(&mut bytes, &corpus, &mut dice);
        if number % 4 != 0 {
            mend_length(&mut bytes);
        }
        // A frame begins where a buffer does, as the splitter hands it over.
        frame.clear();
        frame.extend_from_slice(&bytes);
        readable += u64::from(decode(&frame));
        if number % 8 == 0 {
            split(&bytes);
        }
    }
    readable
}

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse().unwrap());
    let frames: u64 = args.next().unwrap_or(10_000_000);
    let seed: u64 = args.next().unwrap_or(1);
    let threads = std::thread::available_parallelism().unwrap().get() as u64;
    let started = Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|worker| {
            let share = frames / threads + u64::from(worker < frames % threads);
            std::thread::spawn(move || run(share, seed.wrapping_mul(1_000).wrapping_add(worker)))
        })
        .collect();
    let readable: u64 = workers.into_iter().map(|one| one.join().unwrap()).sum();
    println!(
        "{frames} bent frames, {readable} readable all the same, no panic, {:.1} minutes (seed {seed})",
        started.elapsed().as_secs_f64() / 60.0
    );
}
