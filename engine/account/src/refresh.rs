//! Refresh tokens that rotate (RFC 9700 §4.14.2) without throwing out a client
//! that presents one twice by accident.
//!
//! A token is the family's secret and a secret of its own. The session's
//! secret is derived from the family's, so that one stored hash proves both.
//!
//! A token's own secret says when it was made, and that it was made here:
//!
//! ```text
//! at u48 BE, Unix milliseconds | random 10 | tag 8
//! tag: SHA-256 (tag "tg-lineage-1") over family, session u64 LE, at and random
//! ```
//! So a token of the family that is neither the current nor the last one is
//! told from garbage, and an old one, used again, from one that is newer than
//! the rows know because they came back from an older copy. A caller who can
//! make a tag holds a token of the family, and can end the session anyway; a
//! tag grants no access.
//!
//! The row says when the current token was made, in the nonce under which it is
//! sealed for the holder of the last one:
//!
//! ```text
//! at u48 BE, Unix milliseconds
//! | SHA-256 (tag "tg-made-1") over session u64 LE, the token's stored hash and at: 6
//! ```
//! Rows of older programs have random nonces. Their time of replacement would
//! not do: it is moved on for clients that could not be answered.

use alloc::vec::Vec;
use core::cmp::Reverse;

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit, Nonce};
use constant_time_eq::constant_time_eq_32;
use zeroize::Zeroizing;

use crate::digest::{SecretHash, tagged};
use crate::entropy::Entropy;
use crate::record::{CheckPart, Rotated, SUCCESSORS_MAX, Session};
use crate::secret::Secret;

/// The secret of the session that belongs to a family.
pub(crate) fn session_secret(family: &Secret) -> Secret {
    let derived = Zeroizing::new(tagged("tg-family-1", &[family.expose()]));
    let mut secret = [0; 24];
    secret.copy_from_slice(&derived[..24]);
    Secret::new(secret)
}

const AT_BYTES: usize = 6;
const BODY_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// A refresh token's own secret, made at `at_ms` (Unix milliseconds).
#[must_use]
pub fn refresh_secret(family: &Secret, session: u64, at_ms: u64, random: [u8; 10]) -> Secret {
    let mut secret = Zeroizing::new([0; 24]);
    secret[..AT_BYTES].copy_from_slice(&at_ms.to_be_bytes()[2..]);
    secret[AT_BYTES..BODY_BYTES].copy_from_slice(&random);
    let tag = lineage(family, session, &secret[..BODY_BYTES]);
    secret[BODY_BYTES..].copy_from_slice(&tag[..8]);
    Secret::new(*secret)
}

/// When a token was made here, in Unix milliseconds; `None` when it was not.
fn made_at(family: &Secret, session: u64, token: &Secret) -> Option<u64> {
    let (body, tag) = token.expose().split_at(BODY_BYTES);
    if lineage(family, session, body)[..8] != *tag {
        return None;
    }
    let mut at = [0; 8];
    at[2..].copy_from_slice(&body[..AT_BYTES]);
    Some(u64::from_be_bytes(at))
}

fn lineage(family: &Secret, session: u64, body: &[u8]) -> Zeroizing<[u8; 32]> {
    let parts = [&family.expose()[..], &session.to_le_bytes(), body];
    Zeroizing::new(tagged("tg-lineage-1", &parts))
}

/// The nonce of a current token that was made at `at_ms` (Unix milliseconds). It
/// is the token's own, because one that was replaced in vain is replaced again
/// under the same key.
fn nonce_of(session: u64, refresh_hash: &[u8; 32], at_ms: u64) -> [u8; NONCE_BYTES] {
    let (session, at) = (session.to_le_bytes(), at_ms.to_be_bytes());
    let at = &at[2..];
    let made = tagged("tg-made-1", &[&session[..], &refresh_hash[..], at]);
    let mut nonce = [0; NONCE_BYTES];
    nonce[..AT_BYTES].copy_from_slice(at);
    nonce[AT_BYTES..].copy_from_slice(&made[..NONCE_BYTES - AT_BYTES]);
    nonce
}

/// What a presented token of the right family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented {
    Current,
    /// The one before, whose successor has not been used.
    Last {
        age_ms: u64,
    },
    /// Made here before the current one, and not the last.
    Older,
    /// Made here after the current one: the rows are of an older copy.
    Newer,
    /// Not made here, or by a program that left no mark.
    Unknown,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Rotate,
    Repeat,
    EndFamily,
    /// It opens nothing and ends nothing.
    Refuse,
}

impl Presented {
    pub(crate) fn verdict(self, retry_ms: u64) -> Verdict {
        match self {
            Presented::Current => Verdict::Rotate,
            Presented::Last { age_ms } if age_ms <= retry_ms => Verdict::Repeat,
            Presented::Last { .. } | Presented::Older => Verdict::EndFamily,
            Presented::Newer | Presented::Unknown => Verdict::Refuse,
        }
    }
}

impl Session {
    /// Tells what a token is whose family was already proven.
    pub(crate) fn presented(&self, family: &Secret, token: &Secret, now_ms: u64) -> Presented {
        let hash = SecretHash::of_refresh(token);
        if hash.matches(&self.refresh_hash) {
            return Presented::Current;
        }
        match &self.rotated {
            Some(last) if constant_time_eq_32(&hash.0, &last.hash) => Presented::Last {
                age_ms: now_ms.saturating_sub(last.at),
            },
            _ => self.neither(family, token),
        }
    }

    /// A token that is neither the current one nor the one before.
    fn neither(&self, family: &Secret, token: &Secret) -> Presented {
        match made_at(family, self.id, token) {
            None => Presented::Unknown,
            Some(at) if at > self.current_made_at() => Presented::Newer,
            Some(_) => Presented::Older,
        }
    }

    /// When the current token was made, in Unix milliseconds.
    fn current_made_at(&self) -> u64 {
        let Some(last) = &self.rotated else {
            return self.created_at;
        };
        // One that was given up left its time of replacement.
        let Some(successor) = &last.successor else {
            return last.at;
        };
        let nonce = &successor[..NONCE_BYTES];
        let mut at = [0; 8];
        at[2..].copy_from_slice(&nonce[..AT_BYTES]);
        let at = u64::from_be_bytes(at);
        match *nonce == nonce_of(self.id, &self.refresh_hash, at) {
            true => at,
            false => last.at,
        }
    }

    /// Replaces the current token; the successor stays readable for the holder
    /// of the token it replaces.
    pub(crate) fn rotate(
        &mut self,
        family: &Secret,
        token: &Secret,
        now_ms: u64,
        entropy: &mut Entropy,
    ) -> Secret {
        // Later than the one that it replaces, though the date was set back: or an
        // old one would be taken for one that the rows do not know yet.
        let after = made_at(family, self.id, token).map_or(0, |at| at.saturating_add(1));
        let at_ms = now_ms.max(after);
        let successor = refresh_secret(family, self.id, at_ms, entropy.bytes());
        let hash = self.refresh_hash;
        self.refresh_hash = SecretHash::of_refresh(&successor).0;
        let nonce = nonce_of(self.id, &self.refresh_hash, at_ms);
        self.rotated = seal(token, self.id, nonce, &successor).map(|successor| Rotated {
            hash,
            at: now_ms,
            successor: Some(successor),
        });
        successor
    }

    /// The successor of the last token; `None` when it does not open it, or is
    /// not kept any more.
    pub(crate) fn successor(&self, token: &Secret) -> Option<Secret> {
        let sealed = self.rotated.as_ref()?.successor.as_ref()?;
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

/// How long successors must be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeping {
    pub(crate) now_ms: u64,
    /// For so long a replaced token gives its successor.
    pub(crate) retry_ms: u64,
    /// A time of replacement lies at most so far ahead: the client was told to
    /// keep its token until then.
    pub(crate) ahead_ms: u64,
}

impl Keeping {
    /// When a successor may be given up. One that a wrong date put far ahead may
    /// be at once, or it would hold up all others until then.
    fn until(self, replaced_at: u64) -> u64 {
        match replaced_at > self.now_ms.saturating_add(self.ahead_ms) {
            true => 0,
            false => replaced_at.saturating_add(self.retry_ms).saturating_add(1),
        }
    }
}

impl CheckPart {
    /// Makes room for the successor of one more session's token.
    ///
    /// # Errors
    /// How long to wait, in milliseconds, when every one that is kept may still
    /// be asked for.
    pub(crate) fn make_room_for_successor(
        &mut self,
        place: usize,
        keeping: Keeping,
    ) -> Result<(), u64> {
        let sessions = self.sessions.iter_mut().enumerate();
        // The session's own gives way to its next.
        let others = sessions.filter(|(other, _)| *other != place);
        let rotated = others.filter_map(|(_, session)| session.rotated.as_mut());
        let mut kept: Vec<&mut Rotated> = rotated
            .filter(|rotated| rotated.successor.is_some())
            .collect();
        if kept.len() < SUCCESSORS_MAX {
            return Ok(());
        }
        let Some(first) = kept.iter_mut().min_by_key(|one| keeping.until(one.at)) else {
            return Ok(());
        };
        match keeping.until(first.at).saturating_sub(keeping.now_ms) {
            0 => {
                first.successor = None;
                Ok(())
            }
            wait_ms => Err(wait_ms),
        }
    }

    /// Gives up what an older program kept beyond [`SUCCESSORS_MAX`].
    pub(crate) fn bound_successors(&mut self) {
        let rotated = self
            .sessions
            .iter_mut()
            .filter_map(|one| one.rotated.as_mut());
        let mut kept: Vec<&mut Rotated> = rotated
            .filter(|rotated| rotated.successor.is_some())
            .collect();
        kept.sort_by_key(|rotated| Reverse(rotated.at));
        for older in kept.into_iter().skip(SUCCESSORS_MAX) {
            older.successor = None;
        }
    }
}

fn cipher(token: &Secret) -> ChaCha20Poly1305 {
    let key = Zeroizing::new(tagged("tg-successor-1", &[token.expose()]));
    ChaCha20Poly1305::new(&(*key).into())
}

fn seal(
    token: &Secret,
    session: u64,
    nonce: [u8; NONCE_BYTES],
    successor: &Secret,
) -> Option<[u8; 52]> {
    let mut sealed = [0; 52];
    sealed[..NONCE_BYTES].copy_from_slice(&nonce);
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
            Presented::Newer,
            Presented::Unknown,
        ] {
            writeln!(table, "{presented:?} = {:?}", presented.verdict(30_000)).unwrap();
        }
        crate::table::assert_table("refresh", &table);
    }

    fn family() -> Secret {
        Secret::new([6; 24])
    }

    fn session() -> (Session, Secret) {
        let token = refresh_secret(&family(), 9, 0, [5; 10]);
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

    /// Sessions whose tokens were replaced at these times.
    fn replaced_at(times: &[u64]) -> CheckPart {
        let sessions = times.iter().map(|at| {
            let (mut session, token) = session();
            session.rotate(&family(), &token, *at, &mut Entropy::new([1; 32]));
            session
        });
        CheckPart {
            tenant: 1,
            user: [1; 16],
            revision: 1,
            created_at: 0,
            status: crate::status::Status::Active,
            abandoned_at: 0,
            sessions: sessions.collect(),
        }
    }

    /// The places of the sessions whose successors are kept.
    fn kept(check: &CheckPart) -> Vec<usize> {
        let sessions = check.sessions.iter().enumerate();
        let kept = sessions.filter(|(_, session)| {
            let rotated = session.rotated.as_ref();
            rotated.is_some_and(|rotated| rotated.successor.is_some())
        });
        kept.map(|(place, _)| place).collect()
    }

    const KEEPING: Keeping = Keeping {
        now_ms: 1_000_000,
        retry_ms: 30_000,
        ahead_ms: 900_000,
    };

    #[test]
    fn the_successor_made_longest_ago_makes_room_when_it_may_not_be_asked_for_any_more() {
        let mut times: Vec<u64> = (0..16).map(|n| 969_999 + n).collect();
        // The seventeenth has none yet and asks for its first.
        times.push(0);
        let mut check = replaced_at(&times);
        check.sessions[16].rotated = None;
        assert_eq!(check.make_room_for_successor(16, KEEPING), Ok(()));
        assert_eq!(kept(&check), (1..16).collect::<Vec<_>>());
        // There is room for one now, and then for no other.
        assert_eq!(check.make_room_for_successor(16, KEEPING), Ok(()));
        let token = refresh_secret(&family(), 9, 0, [5; 10]);
        check.sessions[16].rotate(&family(), &token, 1_000_000, &mut Entropy::new([2; 32]));
        assert_eq!(kept(&check), (1..17).collect::<Vec<_>>());
        assert_eq!(check.make_room_for_successor(0, KEEPING), Err(1));
        assert_eq!(kept(&check), (1..17).collect::<Vec<_>>());
        // A session's own is replaced by its next.
        assert_eq!(check.make_room_for_successor(1, KEEPING), Ok(()));
    }

    #[test]
    fn a_successor_that_a_wrong_date_put_far_ahead_holds_up_nobody() {
        let mut times = [1_000_000; 17];
        times[3] = 1_900_001;
        let mut check = replaced_at(&times);
        check.sessions[16].rotated = None;
        assert_eq!(check.make_room_for_successor(16, KEEPING), Ok(()));
        assert!(!kept(&check).contains(&3) && kept(&check).len() == 15);
        times[3] = 1_900_000;
        let mut check = replaced_at(&times);
        check.sessions[16].rotated = None;
        assert_eq!(check.make_room_for_successor(16, KEEPING), Err(30_001));
        assert_eq!(kept(&check).len(), 16);
    }

    #[test]
    fn of_more_successors_than_are_kept_the_newest_stay() {
        let times: Vec<u64> = (0..50).map(|n| 1_000 + n % 25).collect();
        let mut check = replaced_at(&times);
        check.bound_successors();
        let newest: Vec<usize> = (17..25).chain(42..50).collect();
        assert_eq!(kept(&check), newest);
        let before = check.clone();
        check.bound_successors();
        assert_eq!(check, before);
    }

    #[test]
    fn a_successor_opens_for_the_token_it_replaced_and_for_no_other() {
        let (mut session, first) = session();
        let second = session.rotate(&family(), &first, 100, &mut Entropy::new([1; 32]));
        assert!(session.successor(&first).unwrap().matches(&second));
        assert!(session.successor(&second).is_none());
        assert_eq!(
            session.presented(&family(), &second, 100),
            Presented::Current
        );
        assert_eq!(
            session.presented(&family(), &first, 350),
            Presented::Last { age_ms: 250 }
        );
        let third = session.rotate(&family(), &second, 400, &mut Entropy::new([2; 32]));
        assert_eq!(session.presented(&family(), &first, 400), Presented::Older);
        assert!(session.successor(&first).is_none());
        assert!(session.successor(&second).unwrap().matches(&third));
    }

    #[test]
    fn a_clock_that_goes_back_ends_no_family() {
        let (mut session, first) = session();
        session.rotate(&family(), &first, 100_000, &mut Entropy::new([1; 32]));
        let presented = session.presented(&family(), &first, 1);
        assert_eq!(presented, Presented::Last { age_ms: 0 });
    }

    #[test]
    fn an_old_token_is_told_from_a_newer_one_though_the_date_was_set_back() {
        let (mut session, first) = session();
        let mut entropy = Entropy::new([1; 32]);
        let second = session.rotate(&family(), &first, 9_000_000, &mut entropy);
        let third = session.rotate(&family(), &second, 1_000, &mut entropy);
        let older_copy = session.clone();
        let fourth = session.rotate(&family(), &third, 1_000, &mut entropy);
        for old in [&first, &second] {
            assert_eq!(session.presented(&family(), old, 2_000), Presented::Older);
        }
        let newer = older_copy.presented(&family(), &fourth, 2_000);
        assert_eq!(newer, Presented::Newer);
    }

    #[test]
    fn to_let_a_repeat_wait_longer_makes_no_newer_token_old() {
        let (mut session, first) = session();
        let mut entropy = Entropy::new([1; 32]);
        let second = session.rotate(&family(), &first, 1_000, &mut entropy);
        let mut older_copy = session.clone();
        let third = session.rotate(&family(), &second, 2_000, &mut entropy);
        older_copy.rotated.as_mut().unwrap().at = 60_000;
        let newer = older_copy.presented(&family(), &third, 3_000);
        assert_eq!(newer, Presented::Newer);
        // The row of an older program says only when a token was replaced.
        let last = older_copy.rotated.as_mut().unwrap();
        last.successor.as_mut().unwrap()[..12].fill(7);
        last.at = 2_000;
        let older = older_copy.presented(&family(), &third, 3_000);
        assert_eq!(older, Presented::Older);
        older_copy.rotated.as_mut().unwrap().at = 1_000;
        let newer = older_copy.presented(&family(), &third, 3_000);
        assert_eq!(newer, Presented::Newer);
    }

    #[test]
    fn garbage_and_tokens_newer_than_the_rows_are_told_from_old_ones() {
        let (older_copy, first) = session();
        let mut session = older_copy.clone();
        let mut entropy = Entropy::new([1; 32]);
        let second = session.rotate(&family(), &first, 1_000, &mut entropy);
        let third = session.rotate(&family(), &second, 2_000, &mut entropy);
        for newer in [&second, &third] {
            let presented = older_copy.presented(&family(), newer, 3_000);
            assert_eq!(presented, Presented::Newer);
        }
        assert_eq!(
            session.presented(&family(), &first, 3_000),
            Presented::Older
        );
        for bit in 0..24 * 8 {
            let mut bytes = *first.expose();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let presented = session.presented(&family(), &Secret::new(bytes), 3_000);
            assert_eq!(presented, Presented::Unknown, "bit {bit}");
        }
        let of_another = refresh_secret(&Secret::new([7; 24]), 9, 0, [5; 10]);
        let presented = session.presented(&family(), &of_another, 3_000);
        assert_eq!(presented, Presented::Unknown);
    }
}
