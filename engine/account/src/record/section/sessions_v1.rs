//! What of the sessions no check reads, version 1: a row for each session of
//! the check part, in its order, and the successors that are kept.
//! Frozen: a change of any field is a new version.

use alloc::vec::Vec;

use rkyv::rancor::Error as RkyvError;
use rkyv::{Archive, Archived, Deserialize, Serialize};

use crate::record::parts::{self, Session};
use crate::record::{Corrupt, SESSIONS_MAX, SUCCESSORS_MAX};

/// The most sessions and successors that it is made for.
const ROWS: usize = 50;
const SUCCESSORS: usize = 16;
const _: () = assert!(SESSIONS_MAX <= ROWS && SUCCESSORS_MAX <= SUCCESSORS);

/// Its largest form.
pub(super) const MAX_BYTES: usize = size_of::<Archived<Stored>>()
    + ROWS * size_of::<Archived<Row>>()
    + SUCCESSORS * size_of::<Archived<Successor>>();

#[derive(Archive, Serialize, Deserialize)]
struct Stored {
    rows: Vec<Row>,
    successors: Vec<Successor>,
}

#[derive(Archive, Serialize, Deserialize)]
struct Row {
    created_at: u64,
    /// 0: none.
    device: u64,
    rotated: Option<Rotated>,
}

/// The refresh token before the current one.
#[derive(Archive, Serialize, Deserialize)]
struct Rotated {
    hash: [u8; 32],
    at: u64,
}

/// What replaced a token, sealed for it.
#[derive(Archive, Serialize, Deserialize)]
struct Successor {
    /// The session's place in the check part; later ones come later.
    place: u8,
    /// Nonce (12), ciphertext (24), tag (16).
    sealed: [u8; 52],
}

pub(super) fn write(sessions: &[Session]) -> Result<Vec<u8>, Corrupt> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sessions.iter().map(|session| Row {
        created_at: session.created_at,
        device: session.device,
        rotated: session.rotated.as_ref().map(|rotated| Rotated {
            hash: rotated.hash,
            at: rotated.at,
        }),
    });
    let mut successors = Vec::new();
    for (place, session) in sessions.iter().enumerate() {
        let rotated = session.rotated.as_ref();
        if let Some(sealed) = rotated.and_then(|rotated| rotated.successor) {
            let place = u8::try_from(place).map_err(|_| Corrupt)?;
            successors.push(Successor { place, sealed });
        }
    }
    let stored = Stored {
        rows: rows.collect(),
        successors,
    };
    let bytes = rkyv::to_bytes::<RkyvError>(&stored).map_err(|_| Corrupt)?;
    Ok(bytes.to_vec())
}

/// Adds to the sessions of the check part what is stored here.
pub(super) fn read(bytes: &[u8], sessions: &mut [Session]) -> Result<(), Corrupt> {
    let stored = rkyv::from_bytes::<Stored, RkyvError>(bytes).map_err(|_| Corrupt)?;
    if stored.rows.len() != sessions.len() {
        return Err(Corrupt);
    }
    for (session, row) in sessions.iter_mut().zip(stored.rows) {
        session.created_at = row.created_at;
        session.device = row.device;
        session.rotated = row.rotated.map(|rotated| parts::Rotated {
            hash: rotated.hash,
            at: rotated.at,
            successor: None,
        });
    }
    let mut next = 0;
    for Successor { place, sealed } in stored.successors {
        let place = usize::from(place);
        let session = sessions.get_mut(place).filter(|_| place >= next);
        let rotated = session.and_then(|session| session.rotated.as_mut());
        rotated.ok_or(Corrupt)?.successor = Some(sealed);
        next = place + 1;
    }
    Ok(())
}
