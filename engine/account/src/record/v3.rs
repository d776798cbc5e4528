//! The check part of format 3. Frozen: a change of any field is a new format.
//! It holds what a check reads and what a record is found by, and no more: the
//! rest of a session lies in a section of the sealed part. Everything in clear
//! is associated data of that part, so that it opens beside no other.
//! Times are Unix milliseconds; hashes are SHA-256.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use alloc::vec::Vec;

use rkyv::{Archive, Archived, Deserialize, Serialize};

use super::{SESSIONS_MAX, parts, v1};

/// The most sessions that it is made for.
const SESSIONS: usize = 50;
const _: () = assert!(SESSIONS_MAX <= SESSIONS);

/// The largest check part.
pub const CHECK_MAX_BYTES: usize =
    size_of::<Archived<CheckPart>>() + SESSIONS * size_of::<Archived<Session>>();

/// What a check reads, in clear.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct CheckPart {
    pub tenant: u64,
    pub user: [u8; 16],
    pub revision: u64,
    pub created_at: u64,
    pub status: v1::Status,
    /// When the record is no longer needed, unless something happens before;
    /// 0: never.
    pub abandoned_at: u64,
    pub sessions: Vec<Session>,
}

/// What a check reads of a session.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Session {
    pub id: u64,
    pub secret_hash: [u8; 32],
    pub used_at: u64,
    pub idle_ms: u64,
    pub expires_at: u64,
    pub assurance: u8,
    pub methods: u8,
    /// Tells a session whose token is being replaced.
    pub refresh_hash: [u8; 32],
}

impl From<&parts::CheckPart> for CheckPart {
    fn from(live: &parts::CheckPart) -> CheckPart {
        let session = |live: &parts::Session| Session {
            id: live.id,
            secret_hash: live.secret_hash,
            used_at: live.used_at,
            idle_ms: live.idle_ms,
            expires_at: live.expires_at,
            assurance: live.assurance,
            methods: live.methods,
            refresh_hash: live.refresh_hash,
        };
        CheckPart {
            tenant: live.tenant,
            user: live.user,
            revision: live.revision,
            created_at: live.created_at,
            status: live.status.into(),
            abandoned_at: live.abandoned_at,
            sessions: live.sessions.iter().map(session).collect(),
        }
    }
}

impl From<CheckPart> for parts::CheckPart {
    /// Without what a section holds of the sessions.
    fn from(stored: CheckPart) -> parts::CheckPart {
        let session = |stored: Session| parts::Session {
            id: stored.id,
            secret_hash: stored.secret_hash,
            created_at: 0,
            used_at: stored.used_at,
            idle_ms: stored.idle_ms,
            expires_at: stored.expires_at,
            assurance: stored.assurance,
            methods: stored.methods,
            device: 0,
            refresh_hash: stored.refresh_hash,
            rotated: None,
        };
        parts::CheckPart {
            tenant: stored.tenant,
            user: stored.user,
            revision: stored.revision,
            created_at: stored.created_at,
            status: stored.status.into(),
            abandoned_at: stored.abandoned_at,
            sessions: stored.sessions.into_iter().map(session).collect(),
        }
    }
}
