//! Outcomes kept for repeats: a request that arrives again with the same
//! idempotency key and the same content gets the same answer.
//!
//! What is kept is sealed (ChaCha20-Poly1305, RFC 8439) under a key derived
//! from the request, so that the record holds no secret that was handed out.

use alloc::vec::Vec;

use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use rkyv::rancor::Error as RkyvError;
use zeroize::Zeroizing;

use crate::command::Idempotency;
use crate::digest::tagged;
use crate::entropy::Entropy;
use crate::record::v1::Outcome;
use crate::record::{OUTCOMES_MAX, OutcomeRow};

/// How long an outcome is kept.
pub(crate) const OUTCOME_KEPT_MS: u64 = 5 * 60_000;

/// What is known of an earlier request with this key.
#[derive(Debug)]
pub(crate) enum Earlier {
    None,
    Same(Outcome),
    /// Another request had this key.
    Different,
}

pub(crate) fn recall(rows: &[OutcomeRow], key: &Idempotency, now_ms: u64) -> Earlier {
    let hash = key_hash(key);
    let mut live = rows.iter().filter(|row| row.kept_until > now_ms);
    match live.find(|row| row.key_hash == hash) {
        None => Earlier::None,
        Some(row) => match open(key, &row.sealed) {
            Some(outcome) => Earlier::Same(outcome),
            None => Earlier::Different,
        },
    }
}

pub(crate) fn keep(
    rows: &mut Vec<OutcomeRow>,
    key: &Idempotency,
    outcome: &Outcome,
    now_ms: u64,
    entropy: &mut Entropy,
) {
    let Some(sealed) = seal(key, outcome, entropy.bytes()) else {
        return;
    };
    rows.retain(|row| row.kept_until > now_ms);
    if rows.len() >= OUTCOMES_MAX {
        rows.remove(oldest(rows));
    }
    rows.push(OutcomeRow {
        key_hash: key_hash(key),
        kept_until: now_ms + OUTCOME_KEPT_MS,
        grants: match outcome {
            Outcome::SignedUp | Outcome::SignedIn(_) => 1,
            Outcome::InvalidCredentials
            | Outcome::Revoked(_)
            | Outcome::StatusSet(_)
            | Outcome::Claimed(_)
            | Outcome::Verified(_) => 0,
        },
        sealed,
    });
}

/// The row to give up: the oldest of those that hand nothing out, so that a
/// flood of failures does not drive out the one success that a client may ask
/// for again.
fn oldest(rows: &[OutcomeRow]) -> usize {
    rows.iter().position(|row| row.grants == 0).unwrap_or(0)
}

fn key_hash(key: &Idempotency) -> [u8; 16] {
    let hash = tagged("tg-repeat-1", &[&key.key]);
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    short
}

fn cipher(key: &Idempotency) -> ChaCha20Poly1305 {
    let key = Zeroizing::new(tagged("tg-outcome-1", &[&key.key, &key.request]));
    ChaCha20Poly1305::new(&(*key).into())
}

fn seal(key: &Idempotency, outcome: &Outcome, nonce: [u8; 12]) -> Option<Vec<u8>> {
    let plain = rkyv::to_bytes::<RkyvError>(outcome).ok()?;
    let plain = Zeroizing::new(plain.to_vec());
    let sealed = cipher(key).encrypt(&Nonce::from(nonce), plain.as_slice());
    let mut bytes = nonce.to_vec();
    bytes.extend_from_slice(&sealed.ok()?);
    Some(bytes)
}

fn open(key: &Idempotency, sealed: &[u8]) -> Option<Outcome> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<12>()?;
    let plain = cipher(key).decrypt(&Nonce::from(*nonce), ciphertext);
    let plain = Zeroizing::new(plain.ok()?);
    rkyv::from_bytes::<Outcome, RkyvError>(&plain).ok()
}
