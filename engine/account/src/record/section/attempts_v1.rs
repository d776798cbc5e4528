//! Flows, version 1. Frozen: a change of any field is a new version.
//!
//! ```text
//! horizon u64 LE | wrong codes u16 LE, the last at u64 LE
//! | count u8 | of each attempt: id 16 | step u16 LE | ends u64 LE | 0 or 1 u8 | code 55
//! | count u8 | of each identifier: number u16 LE | sends 33
//! ```
//! Times are Unix milliseconds. In the place of a code that is not there are
//! zeros, so that the section's length does not say whether one was sent.

use alloc::vec::Vec;

use crate::continuation::AttemptId;
use crate::credential::code::{LIVE_CODE_BYTES, LiveCode, SEND_LOG_BYTES, SendLog};
use crate::fields::Fields;
use crate::flow::{ATTEMPTS_MAX, Attempt, Attempts, SENT_TO_MAX, SendLogRow};
use crate::record::Corrupt;
use crate::record::parts::Guesses;

/// The most rows of each kind that it is made for.
const ATTEMPTS: usize = 6;
const SENDS: usize = 4;
const _: () = assert!(ATTEMPTS_MAX <= ATTEMPTS && SENT_TO_MAX <= SENDS);

const HEAD_BYTES: usize = 8 + 2 + 8;
const ATTEMPT_BYTES: usize = 16 + 2 + 8 + 1 + LIVE_CODE_BYTES;
const SENDS_BYTES: usize = 2 + SEND_LOG_BYTES;

/// Its largest form.
pub(super) const MAX_BYTES: usize =
    HEAD_BYTES + 1 + ATTEMPTS * ATTEMPT_BYTES + 1 + SENDS * SENDS_BYTES;

pub(super) fn write(attempts: &Attempts) -> Result<Vec<u8>, Corrupt> {
    let mut bytes = Vec::new();
    if attempts.is_empty() {
        return Ok(bytes);
    }
    let count = |rows: usize| u8::try_from(rows).map_err(|_| Corrupt);
    bytes.extend_from_slice(&attempts.horizon_ms.to_le_bytes());
    bytes.extend_from_slice(&attempts.failures.failures.to_le_bytes());
    bytes.extend_from_slice(&attempts.failures.failed_at.to_le_bytes());
    bytes.push(count(attempts.rows.len())?);
    for row in &attempts.rows {
        bytes.extend_from_slice(row.id.as_bytes());
        bytes.extend_from_slice(&row.step.to_le_bytes());
        bytes.extend_from_slice(&row.expires_ms.to_le_bytes());
        bytes.push(row.code.is_some().into());
        let code = row.code.as_ref().map(LiveCode::encode);
        bytes.extend_from_slice(&code.unwrap_or([0; LIVE_CODE_BYTES]));
    }
    bytes.push(count(attempts.sends.len())?);
    for row in &attempts.sends {
        bytes.extend_from_slice(&row.number.to_le_bytes());
        bytes.extend_from_slice(&row.log.encode());
    }
    Ok(bytes)
}

pub(super) fn read(bytes: &[u8]) -> Result<Attempts, Corrupt> {
    let mut fields = Fields(bytes);
    let mut attempts = Attempts {
        horizon_ms: u64::from_le_bytes(fields.next()?),
        failures: Guesses {
            failures: u16::from_le_bytes(fields.next()?),
            failed_at: u64::from_le_bytes(fields.next()?),
        },
        ..Attempts::default()
    };
    let [count] = fields.next()?;
    for _ in 0..count {
        let id = AttemptId::from_bytes(fields.next()?);
        attempts.rows.push(Attempt {
            id,
            step: u16::from_le_bytes(fields.next()?),
            expires_ms: u64::from_le_bytes(fields.next()?),
            code: match (fields.next()?, fields.next::<LIVE_CODE_BYTES>()?) {
                ([0], code) if code == [0; LIVE_CODE_BYTES] => None,
                ([1], code) => Some(LiveCode::decode(id, &code)?),
                _ => return Err(Corrupt),
            },
        });
    }
    let [count] = fields.next()?;
    for _ in 0..count {
        attempts.sends.push(SendLogRow {
            number: u16::from_le_bytes(fields.next()?),
            log: SendLog::decode(&fields.next::<SEND_LOG_BYTES>()?)?,
        });
    }
    fields.end()?;
    match attempts.is_empty() {
        false => Ok(attempts),
        true => Err(Corrupt),
    }
}
