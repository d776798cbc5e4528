//! The bytes of every message and the numbers of every code, as written down.
//! `TIDEGATE_WRITE_TABLES=1` writes them anew; a difference is a new version.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod samples;

use std::fmt::Write;
use std::path::Path;

use tidegate_wire::{Close, Code, Opcode};

fn assert_golden(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let path = folder.join(name);
    if std::env::var_os("TIDEGATE_WRITE_TABLES").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap(), "{name}");
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn every_request_has_the_bytes_written_down() {
    let mut text = String::new();
    for opcode in Opcode::ALL {
        let number = opcode as u16;
        let facts = (
            opcode.class(),
            opcode.plane(),
            opcode.needs_idempotency_key(),
        );
        writeln!(text, "{number} {opcode:?} {facts:?}").unwrap();
        text += &hex(&samples::request(opcode));
    }
    assert_golden("requests.txt", &text);
}

#[test]
fn every_reply_has_the_bytes_written_down() {
    let mut text = String::new();
    for opcode in Opcode::ALL {
        writeln!(text, "{opcode:?}").unwrap();
        text += &hex(&samples::reply(opcode));
    }
    text += "not_owner\n";
    text += &hex(&samples::redirect());
    text += "wrong_region\n";
    text += &hex(&samples::elsewhere());
    text += "refusal\n";
    text += &hex(&samples::refusal(Code::Busy));
    assert_golden("replies.txt", &text);
}

#[test]
fn every_code_has_the_number_and_name_written_down() {
    let mut text = String::new();
    for code in Code::ALL {
        writeln!(text, "{} {} {:?}", *code as u16, code.name(), code.kind()).unwrap();
        assert_eq!(Code::from_number(*code as u16), Some(*code));
    }
    assert_golden("codes.txt", &text);
}

#[test]
fn every_reason_to_close_has_the_number_and_name_written_down() {
    let mut text = String::new();
    for close in Close::ALL {
        let number = *close as u32;
        writeln!(text, "{number} {}", close.name()).unwrap();
        assert_eq!(Close::from_number(number.into()), Some(*close));
    }
    assert_eq!(Close::from_number(1), None);
    assert_golden("closes.txt", &text);
}
