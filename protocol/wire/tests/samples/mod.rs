//! One of each message, for the tests of the codec.
#![allow(dead_code, reason = "each test program uses some")]

use bytes::{Bytes, BytesMut};
use tidegate_wire::{
    Code, Message, Opcode, Operation, ReplyHead, RequestHead, Text, Visitor, encode_refusal,
    encode_reply, encode_request, v1,
};

pub(crate) fn head(opcode: Opcode) -> RequestHead {
    RequestHead {
        version: 1,
        opcode: opcode as u16,
        correlation: 0x0102_0304_0506_0708,
        tenant: 0x1112_1314_1516_1718,
        epoch: 3,
        remaining_ms: 1_500,
        max_age_ms: 60_000,
        idempotency_key: match opcode.needs_idempotency_key() {
            true => [0xEE; 16],
            false => [0; 16],
        },
    }
}

pub(crate) fn reply_head(code: Code) -> ReplyHead {
    ReplyHead {
        version: 1,
        code: code as u16,
        correlation: 0x0102_0304_0506_0708,
        epoch: 3,
        age_ms: 0,
        retry_after_ms: 250,
    }
}

pub(crate) fn check() -> v1::Check {
    v1::Check::sample()
}

pub(crate) fn identifier(text: &str) -> v1::Identifier {
    v1::Identifier::new(v1::IdentifierKind::Email, text)
}

pub(crate) fn sign_in(identifier: v1::Identifier, password: &str) -> v1::SignIn {
    v1::SignIn {
        identifier,
        password: Text(password.into()),
        ..v1::SignIn::sample()
    }
}

fn frame(write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    write(&mut out);
    out.freeze()
}

struct Asked(RequestHead);
struct Answered(ReplyHead);

impl Visitor for Asked {
    type Output = Bytes;

    fn visit<O: Operation>(self) -> Bytes {
        frame(|out| encode_request(out, &self.0, &O::sample()).unwrap())
    }
}

impl Visitor for Answered {
    type Output = Bytes;

    fn visit<O: Operation>(self) -> Bytes {
        frame(|out| encode_reply(out, &self.0, &O::Answer::sample()).unwrap())
    }
}

pub(crate) fn request(opcode: Opcode) -> Bytes {
    opcode.visit(Asked(head(opcode)))
}

pub(crate) fn reply(opcode: Opcode) -> Bytes {
    opcode.visit(Answered(reply_head(Code::Ok)))
}

pub(crate) fn refusal(code: Code) -> Bytes {
    frame(|out| encode_refusal(out, &reply_head(code)))
}

pub(crate) fn redirect() -> Bytes {
    let body = v1::Redirect::sample();
    frame(|out| encode_reply(out, &reply_head(Code::NotOwner), &body).unwrap())
}

pub(crate) fn elsewhere() -> Bytes {
    let body = v1::Elsewhere::sample();
    frame(|out| encode_reply(out, &reply_head(Code::WrongRegion), &body).unwrap())
}
