//! The bytes of every message and the numbers of every code, as written down.
//! `TIDEGATE_WRITE_TABLES=1` writes them anew; a difference is a new version.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod samples;

use std::fmt::Write;
use std::path::Path;

use tidegate_wire::{Authority, Away, Close, Code, Nature, Opcode, Repeat};

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
fn every_operation_has_the_row_written_down() {
    let mut text = String::new();
    for opcode in Opcode::ALL {
        let number = opcode as u16;
        assert_eq!(Opcode::from_number(number), Some(opcode));
        let is = (opcode.family(), opcode.class(), opcode.plane());
        let takes = (opcode.authority(), opcode.nature());
        let gives = (opcode.away(), opcode.repeat());
        let name = opcode.name();
        writeln!(text, "{number} {name} {is:?} {takes:?} {gives:?}").unwrap();
    }
    let beyond = u16::try_from(Opcode::ALL.len()).unwrap() + 1;
    assert_eq!(Opcode::from_number(0), None);
    assert_eq!(Opcode::from_number(beyond), None);
    assert_golden("operations.txt", &text);
}

/// The row of an operation in `docs/protocol.md`.
fn row(opcode: Opcode) -> String {
    let authority = match opcode.authority() {
        Authority::Nobody => "nobody",
        Authority::Session => "session",
        Authority::FreshSession => "fresh session",
        Authority::Administrator => "administrator",
        Authority::Operator => "operator",
    };
    let changes = match opcode.nature() {
        Nature::Reads => "no",
        Nature::Changes => "yes",
    };
    let away = match opcode.away() {
        Away::Answers => "as always",
        Away::Degraded => "`degraded`",
        Away::Provisional => "`provisional`",
        Away::NotDurable => "`accepted_not_durable`",
        Away::Unavailable => "`unavailable`",
    };
    let repeat = match opcode.repeat() {
        Repeat::Anew => "anew",
        Repeat::Kept => "outcome",
        Repeat::Successor => "successor",
        Repeat::Tombstone => "tombstone",
    };
    let name = opcode.name().replace('_', " ");
    let [family, class, plane] = [
        format!("{:?}", opcode.family()),
        format!("{:?}", opcode.class()),
        format!("{:?}", opcode.plane()),
    ]
    .map(|name| name.to_lowercase());
    let number = opcode as u16;
    format!(
        "| {number} | {name} | {family} | {class} | {plane} | {authority} | {changes} | {away} | {repeat} |\n"
    )
}

#[test]
fn the_document_has_the_table_of_operations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let rows: String = Opcode::ALL.into_iter().map(row).collect();
    if std::env::var_os("TIDEGATE_WRITE_TABLES").is_some() {
        let is_row = |line: &&str| {
            let mut cells = line.split('|');
            let number = cells.nth(1).map(str::trim);
            number.is_some_and(|cell| cell.parse::<u16>().is_ok()) && cells.count() == 9
        };
        let kept = document.lines().filter(|line| !is_row(line));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        let head = "| a repeat |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
        let kept = kept.replace("OPERATIONS\n", "");
        let written = kept.replace(head, &format!("{head}{rows}"));
        std::fs::write(&path, &written).unwrap();
        assert!(written.contains(&rows));
        return;
    }
    assert!(document.contains(&rows), "docs/protocol.md lacks:\n{rows}");
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
