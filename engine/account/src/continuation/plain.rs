//! The plaintext of a continuation.
//!
//! Version 1: version u8 | purpose u8 | tenant u64 LE | subject 16 | attempt 16
//! | step u16 LE | issued u64 LE | expires u64 LE | browser's hash 32 | session:
//! 0 or 1 u8, id u64 LE | proofs in their stored form 46 | identifier: kind u8
//! (0: none), length u16 LE, text | zeros up to 448, a multiple of 64. Frozen: a
//! change of any field is a new version.

use zeroize::Zeroizing;

use super::{AttemptId, BrowserHash, Continuation, Purpose, TooLong};
use crate::assurance::{PROOFS_BYTES, Proofs};
use crate::corrupt::Corrupt;
use crate::fields::Fields;
use crate::id::{SessionId, TenantId, UserId};
use crate::identifier::{Identifier, IdentifierKind};

const VERSION: u8 = 1;
/// The longest identifier, in bytes: more than a mail address may have.
pub const IDENTIFIER_MAX_BYTES: usize = 256;
const HEAD_BYTES: usize = 2 + 8 + 16 + 16 + 2 + 8 + 8 + 32;
const SESSION_BYTES: usize = 1 + 8;
const IDENTIFIER_BYTES: usize = 1 + 2 + IDENTIFIER_MAX_BYTES;
const FIELD_BYTES: usize = HEAD_BYTES + SESSION_BYTES + PROOFS_BYTES + IDENTIFIER_BYTES;
/// The plaintext's length, whatever is in it.
pub const PLAIN_BYTES: usize = FIELD_BYTES.next_multiple_of(64);
const _: () = assert!(PLAIN_BYTES == 448);

impl Continuation {
    pub(super) fn encode(&self) -> Result<Zeroizing<[u8; PLAIN_BYTES]>, TooLong> {
        let (has_session, session) = match self.session {
            Some(SessionId(id)) => (1, id),
            None => (0, 0),
        };
        let (kind, text) = match &self.identifier {
            Some(identifier) => (identifier.kind() as u8, identifier.expose()),
            None => (0, ""),
        };
        if text.len() > IDENTIFIER_MAX_BYTES {
            return Err(TooLong);
        }
        let length = u16::try_from(text.len()).map_err(|_| TooLong)?;
        let fields: [&[u8]; 14] = [
            &[VERSION, self.purpose.number()],
            &self.tenant.0.to_le_bytes(),
            self.subject.as_bytes(),
            self.attempt.as_bytes(),
            &self.step.to_le_bytes(),
            &self.issued_ms.to_le_bytes(),
            &self.expires_ms.to_le_bytes(),
            &self.browser.0,
            &[has_session],
            &session.to_le_bytes(),
            &self.proofs.encode(),
            &[kind],
            &length.to_le_bytes(),
            text.as_bytes(),
        ];
        let mut plain = Zeroizing::new([0; PLAIN_BYTES]);
        for (place, byte) in plain.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        Ok(plain)
    }

    pub(super) fn decode(plain: &[u8]) -> Result<Continuation, Corrupt> {
        let mut fields = Fields(plain);
        let [VERSION, purpose] = fields.next()? else {
            return Err(Corrupt);
        };
        let continuation = Continuation {
            purpose: Purpose::of(purpose).ok_or(Corrupt)?,
            tenant: TenantId(u64::from_le_bytes(fields.next()?)),
            subject: UserId::from_bytes(fields.next()?),
            attempt: AttemptId::from_bytes(fields.next()?),
            step: u16::from_le_bytes(fields.next()?),
            issued_ms: u64::from_le_bytes(fields.next()?),
            expires_ms: u64::from_le_bytes(fields.next()?),
            browser: BrowserHash(fields.next()?),
            session: match (fields.next()?, u64::from_le_bytes(fields.next()?)) {
                ([0], 0) => None,
                ([1], id) => Some(SessionId(id)),
                _ => return Err(Corrupt),
            },
            proofs: Proofs::decode(&fields.next::<PROOFS_BYTES>()?)?,
            identifier: fields.identifier()?,
        };
        match fields.0.iter().all(|byte| *byte == 0) {
            true => Ok(continuation),
            false => Err(Corrupt),
        }
    }
}

impl Fields<'_> {
    fn identifier(&mut self) -> Result<Option<Identifier>, Corrupt> {
        let [kind] = self.next()?;
        let text = self.counted()?;
        if text.len() > IDENTIFIER_MAX_BYTES {
            return Err(Corrupt);
        }
        let text = core::str::from_utf8(text).map_err(|_| Corrupt)?;
        let of_kind = |kind| Ok(Some(Identifier::from_stored(kind, text)));
        match kind {
            0 if text.is_empty() => Ok(None),
            1 => of_kind(IdentifierKind::Email),
            2 => of_kind(IdentifierKind::Phone),
            3 => of_kind(IdentifierKind::Username),
            _ => Err(Corrupt),
        }
    }
}
