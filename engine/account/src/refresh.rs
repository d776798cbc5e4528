//! Refresh tokens that rotate (RFC 9700 §4.14.2) without throwing out whoever
//! presents one twice by accident.
//!
//! A token is the family's secret and a secret of its own. The session's
//! secret is derived from the family's, so that one stored hash proves both,
//! and a token of the family that is neither the current nor the last one is
//! known to be an old one, used again.

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit, Nonce};
use constant_time_eq::constant_time_eq_32;
use zeroize::Zeroizing;

use crate::digest::{SecretHash, tagged};
use crate::entropy::Entropy;
use crate::record::v1::{Rotated, Session};
use crate::secret::Secret;

/// The secret of the session that belongs to a family.
pub(crate) fn session_secret(family: &Secret) -> Secret {
    let derived = Zeroizing::new(tagged("tg-family-1", &[family.expose()]));
    let mut secret = [0; 24];
    secret.copy_from_slice(&derived[..24]);
    Secret::new(secret)
}

/// What a presented token of the right family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented {
    Current,
    /// The one before, whose successor has not been used.
    Last {
        age_ms: u64,
    },
    Older,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Rotate,
    Repeat,
    EndFamily,
}

impl Presented {
    pub(crate) fn verdict(self, retry_ms: u64) -> Verdict {
        match self {
            Presented::Current => Verdict::Rotate,
            Presented::Last { age_ms } if age_ms <= retry_ms => Verdict::Repeat,
            Presented::Last { .. } | Presented::Older => Verdict::EndFamily,
        }
    }
}

impl Session {
    /// Tells what a token is whose family was already proven.
    pub(crate) fn presented(&self, token: &Secret, now_ms: u64) -> Presented {
        let hash = SecretHash::of_refresh(token);
        if hash.matches(&self.refresh_hash) {
            return Presented::Current;
        }
        match &self.rotated {
            Some(last) if constant_time_eq_32(&hash.0, &last.hash) => Presented::Last {
                age_ms: now_ms.saturating_sub(last.at),
            },
            _ => Presented::Older,
        }
    }

    /// Replaces the current token; the successor stays readable for whoever
    /// holds the token it replaces.
    pub(crate) fn rotate(&mut self, token: &Secret, now_ms: u64, entropy: &mut Entropy) -> Secret {
        let successor = Secret::new(entropy.bytes());
        let hash = self.refresh_hash;
        let nonce = entropy.bytes();
        self.rotated = seal(token, self.id, nonce, &successor).map(|successor| Rotated {
            hash,
            at: now_ms,
            successor,
        });
        self.refresh_hash = SecretHash::of_refresh(&successor).0;
        successor
    }

    /// The successor of the last token; `None` when it does not open it.
    pub(crate) fn successor(&self, token: &Secret) -> Option<Secret> {
        let sealed = &self.rotated.as_ref()?.successor;
        let (nonce, rest) = sealed.split_first_chunk::<12>()?;
        let (ciphertext, tag) = rest.split_first_chunk::<24>()?;
        let mut secret = Zeroizing::new(*ciphertext);
        cipher(token)
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                &self.id.to_le_bytes(),
                secret.as_mut_slice().into(),
                &chacha20poly1305::Tag::try_from(tag).ok()?,
            )
            .ok()?;
        Some(Secret::new(*secret))
    }
}

fn cipher(token: &Secret) -> ChaCha20Poly1305 {
    let key = Zeroizing::new(tagged("tg-successor-1", &[token.expose()]));
    ChaCha20Poly1305::new(&(*key).into())
}

fn seal(token: &Secret, session: u64, nonce: [u8; 12], successor: &Secret) -> Option<[u8; 52]> {
    let mut sealed = [0; 52];
    sealed[..12].copy_from_slice(&nonce);
    sealed[12..36].copy_from_slice(successor.expose());
    let tag = cipher(token)
        .encrypt_inout_detached(
            &Nonce::from(nonce),
            &session.to_le_bytes(),
            (&mut sealed[12..36]).into(),
        )
        .ok()?;
    sealed[36..].copy_from_slice(&tag);
    Some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_table_of_verdicts_is_as_written_down() {
        let mut table = std::string::String::new();
        for presented in [
            Presented::Current,
            Presented::Last { age_ms: 0 },
            Presented::Last { age_ms: 30_000 },
            Presented::Last { age_ms: 30_001 },
            Presented::Older,
        ] {
            writeln!(table, "{presented:?} = {:?}", presented.verdict(30_000)).unwrap();
        }
        crate::table::assert_table("refresh", &table);
    }

    fn session() -> (Session, Secret) {
        let token = Secret::new([5; 24]);
        let session = Session {
            id: 9,
            secret_hash: [0; 32],
            created_at: 0,
            used_at: 0,
            idle_ms: 0,
            expires_at: 0,
            assurance: 1,
            methods: 1,
            device: 0,
            refresh_hash: SecretHash::of_refresh(&token).0,
            rotated: None,
        };
        (session, token)
    }

    #[test]
    fn a_successor_opens_for_the_token_it_replaced_and_for_no_other() {
        let (mut session, first) = session();
        let second = session.rotate(&first, 100, &mut Entropy::new([1; 32]));
        assert!(session.successor(&first).unwrap().matches(&second));
        assert!(session.successor(&second).is_none());
        assert_eq!(session.presented(&second, 100), Presented::Current);
        assert_eq!(
            session.presented(&first, 350),
            Presented::Last { age_ms: 250 }
        );
        let third = session.rotate(&second, 400, &mut Entropy::new([2; 32]));
        assert_eq!(session.presented(&first, 400), Presented::Older);
        assert!(session.successor(&first).is_none());
        assert!(session.successor(&second).unwrap().matches(&third));
    }

    #[test]
    fn a_clock_that_goes_back_ends_no_family() {
        let (mut session, first) = session();
        session.rotate(&first, 100_000, &mut Entropy::new([1; 32]));
        assert_eq!(session.presented(&first, 1), Presented::Last { age_ms: 0 });
    }
}
