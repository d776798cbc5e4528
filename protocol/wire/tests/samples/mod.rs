//! One of each message, for the tests of the codec.
#![allow(dead_code, reason = "each test program uses some")]

use bytes::{Bytes, BytesMut};
use tidegate_wire::{
    Code, Opcode, ReplyHead, RequestHead, SecretBytes, Text, encode_refusal, encode_reply,
    encode_request, v1,
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

fn secret(fill: u8) -> SecretBytes {
    SecretBytes([fill; 24])
}

pub(crate) fn check() -> v1::Check {
    v1::Check {
        user: [0xA1; 16],
        session: 7,
        secret: secret(0x51),
    }
}

pub(crate) fn identifier(text: &str) -> v1::Identifier {
    v1::Identifier {
        kind: 1,
        text: Text(text.into()),
    }
}

pub(crate) fn sign_in(identifier: v1::Identifier, password: &str) -> v1::SignIn {
    v1::SignIn {
        identifier,
        password: Text(password.into()),
        device: Some(v1::Device {
            id: 9,
            secret: secret(0x53),
        }),
        remember: 1,
        source: Some(source()),
    }
}

fn source() -> v1::Source {
    v1::Source {
        kind: 2,
        bytes: [0x20; 16],
    }
}

fn frame(write: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    write(&mut out);
    out.freeze()
}

pub(crate) fn request(opcode: Opcode) -> Bytes {
    let head = head(opcode);
    frame(|out| {
        match opcode {
            Opcode::Ping => encode_request(out, &head, &v1::Ping {}),
            Opcode::Check => encode_request(out, &head, &check()),
            Opcode::Refresh => encode_request(
                out,
                &head,
                &v1::Refresh {
                    user: [0xA1; 16],
                    session: 7,
                    family: secret(0x52),
                    secret: secret(0x51),
                },
            ),
            Opcode::SignIn => {
                let body = sign_in(identifier("ada@example.com"), "correct horse");
                encode_request(out, &head, &body)
            }
            Opcode::SignUp => {
                let body = v1::SignUp {
                    identifiers: vec![identifier("ada@example.com"), identifier("ada")],
                    password: Text("correct horse".into()),
                    source: None,
                };
                encode_request(out, &head, &body)
            }
            Opcode::Revoke => {
                let body = v1::Revoke {
                    by: check(),
                    scope: 2,
                    target: 8,
                };
                encode_request(out, &head, &body)
            }
            Opcode::Sessions => encode_request(out, &head, &v1::Sessions { by: check() }),
            Opcode::SetStatus => {
                let body = v1::SetStatus {
                    user: [0xA1; 16],
                    change: 3,
                };
                encode_request(out, &head, &body)
            }
            Opcode::Erase => encode_request(out, &head, &v1::Erase { user: [0xA2; 16] }),
            Opcode::Claim => {
                let body = v1::Claim {
                    by: check(),
                    identifier: identifier("ada@example.org"),
                };
                encode_request(out, &head, &body)
            }
            Opcode::Verify => {
                let body = v1::Verify {
                    user: [0xA1; 16],
                    identifier: identifier("ada@example.org"),
                    session: Some(check()),
                    password: Some(Text("correct horse".into())),
                };
                encode_request(out, &head, &body)
            }
            Opcode::Operate => {
                let command = Text(r#"{"command":"status"}"#.into());
                encode_request(out, &head, &v1::Operate { command })
            }
        }
        .unwrap();
    })
}

pub(crate) fn reply(opcode: Opcode) -> Bytes {
    let head = reply_head(Code::Ok);
    frame(|out| {
        match opcode {
            Opcode::Ping => encode_reply(out, &head, &v1::Ping {}),
            Opcode::Check => encode_reply(
                out,
                &head,
                &v1::Checked {
                    user: [0xA1; 16],
                    idle_expires_at: 1,
                    expires_at: 2,
                    assurance: 1,
                    methods: 1,
                },
            ),
            Opcode::Refresh | Opcode::SignIn => encode_reply(
                out,
                &head,
                &v1::Granted {
                    user: [0xA1; 16],
                    session: 7,
                    secret: secret(0x51),
                    family: secret(0x52),
                    refresh: secret(0x53),
                    idle_expires_at: 1,
                    expires_at: 2,
                    assurance: 1,
                    methods: 1,
                    device: None,
                },
            ),
            Opcode::SignUp => encode_reply(out, &head, &v1::SignedUp { user: [0xA1; 16] }),
            Opcode::Revoke => encode_reply(out, &head, &v1::Revoked { count: 2 }),
            Opcode::Sessions => {
                let row = v1::SessionRow {
                    session: 7,
                    created_at: 1,
                    used_at: 2,
                    idle_expires_at: 3,
                    expires_at: 4,
                    assurance: 1,
                    methods: 1,
                };
                let sessions = vec![row; 50];
                encode_reply(out, &head, &v1::SessionList { sessions })
            }
            Opcode::SetStatus => encode_reply(out, &head, &v1::StatusSet { status: 3 }),
            Opcode::Erase => encode_reply(out, &head, &v1::Erased { at: 11 }),
            Opcode::Claim => encode_reply(out, &head, &v1::Claimed { until: 9 }),
            Opcode::Verify => encode_reply(out, &head, &v1::Verified { verification: 2 }),
            Opcode::Operate => {
                let answer = Text("{}".into());
                encode_reply(out, &head, &v1::Operated { outcome: 1, answer })
            }
        }
        .unwrap();
    })
}

pub(crate) fn refusal(code: Code) -> Bytes {
    frame(|out| encode_refusal(out, &reply_head(code)))
}

pub(crate) fn redirect() -> Bytes {
    let body = v1::Redirect {
        slot: 7,
        address: "127.0.0.1:7443".to_owned(),
    };
    frame(|out| encode_reply(out, &reply_head(Code::NotOwner), &body).unwrap())
}

pub(crate) fn elsewhere() -> Bytes {
    let body = v1::Elsewhere { region: 2 };
    frame(|out| encode_reply(out, &reply_head(Code::WrongRegion), &body).unwrap())
}
