//! The fuzzer's corpus, replayed on the stable toolchain.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod samples;

use std::path::Path;

use bytes::Bytes;
use tidegate_wire::{MAX_REQUEST_BYTES, Opcode, Splitter, decode_reply, decode_request};

#[test]
fn the_corpus_decodes_without_a_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/decode");
    if std::env::var_os("TIDEGATE_WRITE_TABLES").is_some() {
        for opcode in Opcode::ALL {
            let name = format!("{opcode:?}").to_lowercase();
            std::fs::write(folder.join(&name), samples::request(opcode)).unwrap();
            let reply = samples::reply(opcode);
            std::fs::write(folder.join(format!("{name}-reply")), reply).unwrap();
        }
    }
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        read += usize::from(decode_request(&bytes).is_ok());
        read += usize::from(decode_reply(&bytes).is_ok());
        let mut splitter = Splitter::new(MAX_REQUEST_BYTES);
        splitter.push(Bytes::from(bytes));
        while let Ok(Some(_)) = splitter.next_frame() {}
    }
    assert!(read >= 2 * Opcode::ALL.len(), "{read} read");
}
