//! The hottest functions, with what they work on: a check's frame, a record
//! with one session, an answer.

use bytes::BytesMut;
use tidegate_account::record::{CheckPart, Format, SealedPart, Session, View, assemble, write};
use tidegate_account::session::Liveness;
use tidegate_account::{Secret, SecretHash, SessionId, Status, TenantId};
use tidegate_wire::{
    MESSAGE_VERSION, Opcode, ReplyHead, RequestHead, Requested, SecretBytes, decode_request,
    encode_reply, encode_request, v1,
};

const USER: [u8; 16] = [7; 16];
const SESSION: u64 = 9;
const TENANT: TenantId = TenantId(1);
const NOW_MS: u64 = 1_700_000_000_000;

/// Everything that is measured; none of it waits or asks the system.
pub(crate) struct Subjects {
    frame: BytesMut,
    record: Vec<u8>,
    secret: SecretHash,
    out: BytesMut,
}

impl Subjects {
    /// Makes them.
    pub(crate) fn new() -> Option<Subjects> {
        let mut frame = BytesMut::new();
        let head = RequestHead {
            version: MESSAGE_VERSION,
            opcode: Opcode::Check as u16,
            correlation: 1,
            tenant: TENANT.0,
            epoch: 1,
            remaining_ms: 5_000,
            max_age_ms: 0,
            idempotency_key: [0; 16],
        };
        let body = v1::Check {
            user: USER,
            session: SESSION,
            secret: SecretBytes([5; 24]),
        };
        encode_request(&mut frame, &head, &body).ok()?;
        let secret = SecretHash::of_session(&Secret::new([5; 24]));
        let session = Session {
            id: SESSION,
            secret_hash: secret.0,
            created_at: NOW_MS,
            used_at: NOW_MS,
            idle_ms: 3_600_000,
            expires_at: NOW_MS + 86_400_000,
            assurance: 1,
            methods: 1,
            device: 0,
            refresh_hash: [3; 32],
            rotated: None,
        };
        let check = CheckPart {
            tenant: TENANT.0,
            user: USER,
            revision: 1,
            created_at: NOW_MS,
            status: Status::Active,
            abandoned_at: 0,
            sessions: vec![session],
        };
        let written = write(Format::NEWEST, &check, &SealedPart::default());
        Some(Subjects {
            frame,
            record: assemble(written.ok()?.clear, &[0; 250]).ok()?,
            secret,
            out: BytesMut::with_capacity(4096),
        })
    }

    /// Reads a check's frame in place.
    pub(crate) fn decode(&self) -> bool {
        let request = decode_request(std::hint::black_box(&self.frame));
        request.is_ok_and(|request| matches!(request.body, Requested::Check(_)))
    }

    /// Finds the session in a record in place, and whether it is alive.
    pub(crate) fn view(&self) -> bool {
        let view = View::new(std::hint::black_box(&self.record));
        let found = view
            .ok()
            .and_then(|view| view.find(SessionId(SESSION), &self.secret));
        found.is_some_and(|found| {
            matches!(found.expiry.liveness(NOW_MS + 1), Liveness::Active { .. })
        })
    }

    /// Writes the answer.
    pub(crate) fn encode(&mut self) -> bool {
        self.out.clear();
        let head = ReplyHead {
            version: MESSAGE_VERSION,
            code: 0,
            correlation: 1,
            epoch: 1,
            age_ms: 0,
            retry_after_ms: 0,
        };
        let body = v1::Checked {
            user: USER,
            idle_expires_at: NOW_MS,
            expires_at: NOW_MS,
            assurance: 1,
            methods: 1,
        };
        let written = encode_reply(&mut self.out, &head, std::hint::black_box(&body));
        written.is_ok()
    }
}
