//! The examples of `docs/protocol.md`, held against what a client writes and
//! reads by the document's own rules.

use std::path::Path;

use crate::gateway::TENANT;
use crate::layout::{Body, Head, Reply, request};
use crate::messages::{
    CHECK, Checked, Device, MAIL, Row, SIGN_IN, SIGN_UP, Session, SignIn, redirect, sign_up,
};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    std::fs::read_to_string(path).unwrap()
}

/// What stands under a heading in blocks of their own.
fn blocks(heading: &str) -> Vec<String> {
    let page = page();
    let under = page.split(&format!("\n## {heading}\n")).nth(1);
    let under = under.unwrap_or_else(|| panic!("no {heading}"));
    let under = under.split("\n## ").next().unwrap();
    let blocks = under.split("```text\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// `01 02`, or `a1 x 16`.
fn run(hex: &str) -> Vec<u8> {
    let byte = |hex: &str| u8::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("{hex}"));
    match hex.split_once(" x ") {
        Some((hex, times)) => vec![byte(hex); times.parse().unwrap()],
        None => hex.split(' ').map(byte).collect(),
    }
}

/// The frames of a worked example: in each line an offset, bytes and what they
/// are, with two spaces or more between them.
fn frames(heading: &str) -> Vec<Vec<u8>> {
    let frame = |block: &String| {
        let mut frame = Vec::new();
        for line in block.lines() {
            let (offset, rest) = line.trim_start().split_once("  ").unwrap();
            let offset: usize = offset.parse().unwrap();
            assert_eq!(offset, frame.len(), "{heading}: {line}");
            let hex = rest.trim_start().split("  ").next().unwrap();
            frame.extend(run(hex));
        }
        frame
    };
    blocks(heading).iter().map(frame).collect()
}

fn head(key: [u8; 16]) -> Head {
    Head {
        correlation: 0x0102_0304_0506_0708,
        tenant: 0x1112_1314_1516_1718,
        epoch: 3,
        remaining_ms: 1_500,
        max_age_ms: 60_000,
        key,
    }
}

fn reply(code: u16, body: &[u8]) -> Reply {
    Reply {
        code,
        correlation: 0x0102_0304_0506_0708,
        epoch: 3,
        age_ms: 0,
        retry_after_ms: 250,
        body: body.to_vec(),
    }
}

#[test]
fn the_check_of_the_document_and_its_answer_follow_its_rules() {
    let frames = frames("Worked example 1: a check and its answer");
    let session = Session {
        user: [0xA1; 16],
        id: 7,
        secret: [0x51; 24],
    };
    let asked = request(&head([0; 16]), CHECK, &session.shown());
    let answered = Reply::read(&frames[1]);
    assert_eq!((frames.len(), &asked), (2, &frames[0]));
    let checked = Checked {
        user: [0xA1; 16],
        idle_expires_at: 1,
        expires_at: 2,
        assurance: 1,
        methods: 1,
    };
    assert_eq!(Checked::read(&answered), checked);
    assert_eq!(answered, reply(0, &answered.body));
}

#[test]
fn the_sign_in_of_the_document_and_its_refusal_follow_its_rules() {
    let frames = frames("Worked example 2: a sign-in and a refusal");
    let sign_in = SignIn {
        kind: MAIL,
        identifier: "ada@example.com",
        password: "correct horse",
        device: Some(Device {
            id: 9,
            secret: [0x53; 24],
        }),
        remember: 1,
        source: Some((2, [0x20; 16])),
    };
    let asked = request(&head([0xEE; 16]), SIGN_IN, &sign_in.body());
    assert_eq!((frames.len(), &asked), (2, &frames[0]));
    assert_eq!(Reply::read(&frames[1]), reply(300, &[]));
}

#[test]
fn the_sign_up_of_the_document_and_its_answer_follow_its_rules() {
    let frames = frames("Worked example 3: a sign-up and its answer");
    let identifiers = [(MAIL, "ada@example.com"), (MAIL, "ada")];
    let body = sign_up(&identifiers, "correct horse");
    let asked = request(&head([0xEE; 16]), SIGN_UP, &body);
    assert_eq!((frames.len(), &asked), (2, &frames[0]));
    assert_eq!(Reply::read(&frames[1]), reply(0, &[0xA1; 16]));
}

#[test]
fn the_answers_of_the_document_with_lists_and_texts_can_be_read() {
    let frames = frames("Worked example 4: a list and a redirect");
    assert_eq!(frames.len(), 2);
    let row = |session| Row {
        session,
        created_at: 1,
        used_at: 2,
        idle_expires_at: 3,
        expires_at: 4,
        assurance: 1,
        methods: 1,
    };
    let listed = Reply::read(&frames[0]);
    assert_eq!(Row::list(&listed), [row(8), row(7)]);
    assert_eq!(listed, reply(0, &listed.body));
    let elsewhere = Reply::read(&frames[1]);
    assert_eq!(redirect(&elsewhere), (7, "127.0.0.1:7443".to_owned()));
    assert_eq!(elsewhere, reply(304, &elsewhere.body));
}

#[test]
fn a_long_text_has_the_length_of_the_document() {
    let body = Body::default().text(&"p".repeat(80)).end();
    assert_eq!(body[..80], [b'p'; 80]);
    assert_eq!(body[80..], run("90 01 00 00 b0 ff ff ff"));
    assert!(page().contains("`90 01 00 00 b0 ff ff ff`"));
}

#[test]
fn the_tenant_of_the_document_is_made_of_its_name_as_it_says() {
    let text = b"\x0btg-tenant-1default";
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text);
    assert_eq!(hash.as_ref()[..8], TENANT.to_be_bytes());
    let in_a_head: Vec<String> = TENANT
        .to_le_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let told = format!(
        "`0x{TENANT:016x}`; in a head it reads `{}`",
        in_a_head.join(" ")
    );
    assert!(page().contains(&told), "{told}");
}

/// The CRC-32 of gzip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| match sum & 1 {
        0 => sum >> 1,
        _ => (sum >> 1) ^ 0xEDB8_8320,
    };
    let all = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum))
    });
    !all
}

fn base64url(bytes: &[u8]) -> String {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bits);
        for place in 0..=three.len() {
            let six = (bits >> (18 - 6 * place)) & 0b0011_1111;
            text.push(char::from(letters[usize::try_from(six).unwrap()]));
        }
    }
    text
}

#[test]
fn the_token_of_the_document_is_made_of_its_bytes_as_it_says() {
    let blocks = blocks("Tokens as text");
    let (token, bytes) = blocks[1].trim_end().split_once('\n').unwrap();
    let bytes: Vec<u8> = bytes.trim_start().split(" | ").flat_map(run).collect();
    assert_eq!(format!("tgs_{}", base64url(&bytes)), token);
    let (before, sum) = bytes.split_last_chunk::<4>().unwrap();
    assert_eq!(crc32(before).to_be_bytes(), *sum);
}
