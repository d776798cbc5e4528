//! What decoding takes, what it refuses, and what it costs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod samples;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tidegate_wire::{
    Code, Fault, MAX_REPLY_BYTES, MAX_REQUEST_BYTES, Message, Opcode, REPLY_HEAD_BYTES, Requested,
    Splitter, decode_reply, decode_request, encode_request, v1,
};

fn fault(frame: &[u8]) -> Option<Fault> {
    decode_request(frame).err()
}

fn with(opcode: Opcode, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = samples::request(opcode).to_vec();
    change(&mut frame);
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame
}

#[test]
fn every_request_reads_back() {
    for opcode in Opcode::ALL {
        let frame = samples::request(opcode);
        let request = decode_request(&frame).unwrap();
        assert_eq!(
            (request.opcode, request.head),
            (opcode, samples::head(opcode))
        );
    }
    let frame = samples::request(Opcode::SignIn);
    let Requested::SignIn(body) = decode_request(&frame).unwrap().body else {
        panic!("another body");
    };
    assert_eq!(body.identifier.text.as_str(), "ada@example.com");
    assert_eq!(body.password.as_str(), "correct horse");
    assert_eq!(body.device.as_ref().unwrap().id.to_native(), 9);
}

#[test]
fn every_reply_reads_back() {
    let frame = samples::reply(Opcode::Check);
    let reply = decode_reply(&frame).unwrap();
    let checked = reply.answer::<v1::Checked>().unwrap();
    assert_eq!(checked.expires_at.to_native(), 2);
    let frame = samples::reply(Opcode::SignIn);
    let reply = decode_reply(&frame).unwrap();
    let granted = reply.answer::<v1::Granted>().unwrap();
    assert_eq!(granted.session.to_native(), 7);
    let frame = samples::reply(Opcode::Sessions);
    let reply = decode_reply(&frame).unwrap();
    let list = reply.answer::<v1::SessionList>().unwrap();
    assert_eq!(list.sessions.len(), 50);
    let frame = samples::refusal(Code::Throttled);
    let refusal = decode_reply(&frame).unwrap();
    assert_eq!(
        (refusal.code, refusal.head.retry_after_ms),
        (Code::Throttled, 250)
    );
    let body = refusal.answer::<v1::Checked>();
    assert_eq!(body.err(), Some(Fault::Malformed));
}

#[test]
fn what_is_wrong_with_a_frame_has_a_name() {
    let malformed = Some(Fault::Malformed);
    assert_eq!(fault(&[]), malformed);
    assert_eq!(fault(&[0; 55]), malformed);
    assert_eq!(
        fault(&with(Opcode::Check, |frame| frame.truncate(99))),
        malformed
    );
    assert_eq!(
        fault(&with(Opcode::Check, |frame| frame.truncate(56))),
        malformed
    );
    assert_eq!(fault(&with(Opcode::Check, |frame| frame[5] = 1)), malformed);
    let mut longer = samples::request(Opcode::Check).to_vec();
    longer[0] += 1;
    assert_eq!(fault(&longer), malformed);
    let version = with(Opcode::Check, |frame| frame[4] = 2);
    assert_eq!(fault(&version), Some(Fault::UnsupportedVersion));
    let opcode = with(Opcode::Check, |frame| frame[6] = 0xFF);
    assert_eq!(fault(&opcode), Some(Fault::UnknownOpcode));
    let no_key = with(Opcode::SignIn, |frame| frame[40..56].fill(0));
    assert_eq!(fault(&no_key), Some(Fault::IdempotencyMissing));
    let huge = with(Opcode::Check, |frame| {
        frame.resize(MAX_REQUEST_BYTES + 1, 0)
    });
    assert_eq!(fault(&huge), Some(Fault::TooLarge));
    let text = with(Opcode::SignIn, |frame| {
        let at = frame.windows(4).position(|w| w == b"ada@").unwrap();
        frame[at] = 0xFF;
    });
    assert_eq!(fault(&text), malformed);
}

#[test]
fn lengths_over_their_limits_are_refused() {
    let head = samples::head(Opcode::SignIn);
    let mut long = Vec::new();
    for (identifier, password) in [(321, 8), (8, 1025)] {
        let body = samples::sign_in(
            samples::identifier(&"a".repeat(identifier)),
            &"p".repeat(password),
        );
        let mut out = BytesMut::new();
        encode_request(&mut out, &head, &body).unwrap();
        long.push(fault(&out));
    }
    assert_eq!(long, [Some(Fault::TooLarge); 2]);
    let body = samples::sign_in(samples::identifier("a"), &"p".repeat(MAX_REQUEST_BYTES));
    let mut out = BytesMut::new();
    assert_eq!(encode_request(&mut out, &head, &body), Err(Fault::TooLarge));
    assert!(out.is_empty());
}

#[test]
fn a_reply_with_an_unknown_code_or_a_body_to_a_no_is_malformed() {
    let mut unknown = samples::refusal(Code::Busy).to_vec();
    unknown[6] = 0xFE;
    assert_eq!(decode_reply(&unknown).err(), Some(Fault::Malformed));
    let mut body = samples::reply(Opcode::Check).to_vec();
    body[6] = Code::InvalidToken as u8;
    assert_eq!(decode_reply(&body).err(), Some(Fault::Malformed));
}

#[test]
fn nothing_secret_is_shown() {
    let shown = format!(
        "{:?} {:?}",
        samples::sign_in(samples::identifier("ada@example.com"), "correct horse"),
        samples::check(),
    );
    for secret in ["ada", "horse", "81, 81"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn frames(mut splitter: Splitter, chunks: &[&[u8]]) -> Result<Vec<Bytes>, Fault> {
    let mut found = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = splitter.next_frame()? {
            found.push(Bytes::copy_from_slice(frame));
        }
    }
    Ok(found)
}

#[test]
fn a_length_over_the_limit_is_told_at_once_and_one_of_nothing_is_malformed() {
    let over = u32::try_from(MAX_REQUEST_BYTES - 3).unwrap().to_le_bytes();
    let splitter = || Splitter::new(MAX_REQUEST_BYTES);
    assert_eq!(frames(splitter(), &[&over]), Err(Fault::TooLarge));
    assert_eq!(
        frames(splitter(), &[&over[..3], &over[3..]]),
        Err(Fault::TooLarge)
    );
    assert_eq!(frames(splitter(), &[&[0xFF; 4]]), Err(Fault::TooLarge));
    assert_eq!(frames(splitter(), &[&[0; 4]]), Err(Fault::Malformed));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_request(&bytes);
        for opcode in Opcode::ALL {
            let _ = opcode.read_answer(&bytes);
        }
        if let Ok(reply) = decode_reply(&bytes) {
            let _ = (reply.redirect().is_ok(), reply.elsewhere().is_ok());
        }
    }

    #[test]
    fn a_whole_frame_with_any_bytes_changed_never_panics(
        which in 0..Opcode::ALL.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut frame = samples::request(Opcode::ALL[which]).to_vec();
        for (place, value) in changes {
            let place = 4 + place.index(frame.len() - 4);
            frame[place] = value;
        }
        let _ = decode_request(&frame);
        let mut reply = samples::reply(Opcode::ALL[which]).to_vec();
        reply.truncate(frame.len());
        let _ = decode_reply(&reply);
        let _ = Opcode::ALL[which].read_answer(reply.get(REPLY_HEAD_BYTES..).unwrap_or_default());
    }

    #[test]
    fn encoding_then_decoding_is_the_identity(
        text in "\\PC{0,80}", password in "\\PC{1,200}", session in any::<u64>(), device in any::<bool>(),
    ) {
        let mut body = samples::sign_in(samples::identifier(&text), &password);
        body.device = body.device.filter(|_| device);
        let mut head = samples::head(Opcode::SignIn);
        head.correlation = session;
        let mut out = BytesMut::new();
        encode_request(&mut out, &head, &body).unwrap();
        let read = decode_request(&out).unwrap();
        prop_assert_eq!(read.head, head);
        let Requested::SignIn(read) = read.body else { panic!("another body") };
        prop_assert_eq!(read.identifier.text.as_str(), text.as_str());
        prop_assert_eq!(read.password.as_str(), password.as_str());
        prop_assert_eq!(read.device.is_some(), device);
    }

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut(
        which in prop::collection::vec(0..Opcode::ALL.len(), 1..12), cuts in prop::collection::vec(1usize..300, 1..60),
    ) {
        let sent: Vec<Bytes> = which.iter().map(|n| samples::request(Opcode::ALL[*n])).collect();
        let stream = sent.concat();
        let (mut chunks, mut rest) = (Vec::new(), &stream[..]);
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (chunk, left) = rest.split_at((*cut).min(rest.len()));
            chunks.push(chunk);
            rest = left;
        }
        prop_assert_eq!(frames(Splitter::new(MAX_REQUEST_BYTES), &chunks), Ok(sent));
    }
}

/// A body changed at one number that is a choice.
fn chosen(opcode: Opcode, place: usize, number: u8) -> Option<Fault> {
    fault(&with(opcode, |frame| frame[place] = number))
}

#[test]
fn a_number_that_is_no_choice_is_malformed() {
    let malformed = Some(Fault::Malformed);
    let last = |opcode| samples::request(opcode).len() - 1;
    let scope = last(Opcode::Revoke) - 8;
    assert_eq!(chosen(Opcode::Revoke, scope, 4), None);
    assert_eq!(chosen(Opcode::Revoke, scope, 0), malformed);
    assert_eq!(chosen(Opcode::Revoke, scope, 5), malformed);
    let change = last(Opcode::SetStatus);
    assert_eq!(chosen(Opcode::SetStatus, change, 1), None);
    assert_eq!(chosen(Opcode::SetStatus, change, 5), malformed);
    // From the end: source 17, its mark, remember.
    let source = last(Opcode::SignIn) - 16;
    assert_eq!(chosen(Opcode::SignIn, source, 3), None);
    assert_eq!(chosen(Opcode::SignIn, source, 4), malformed);
    let remember = source - 2;
    assert_eq!(chosen(Opcode::SignIn, remember, 0), None);
    assert_eq!(chosen(Opcode::SignIn, remember, 2), malformed);
    // The text of a claim's identifier stands at its end, behind the kind.
    let kind = last(Opcode::Claim) - 8;
    assert_eq!(chosen(Opcode::Claim, kind, 3), None);
    assert_eq!(chosen(Opcode::Claim, kind, 4), malformed);
}

#[test]
fn an_attestation_by_a_session_of_another_account_is_malformed() {
    let mut body = v1::Verify::sample();
    let coded = |body: &v1::Verify| {
        let mut out = BytesMut::new();
        encode_request(&mut out, &samples::head(Opcode::Verify), body).unwrap();
        fault(&out)
    };
    assert_eq!(coded(&body), None);
    body.user = [0xA2; 16];
    assert_eq!(coded(&body), Some(Fault::Malformed));
}

#[test]
fn the_largest_list_fits_a_reply() {
    assert!(samples::reply(Opcode::Sessions).len() <= MAX_REPLY_BYTES);
}
