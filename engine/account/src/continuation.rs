//! What a browser carries between two steps of a flow: sealed, so that no server
//! keeps anything of a flow that is under way.
//!
//! It says who the flow is about, and that is an account or the decoy in the
//! place of one: both have the same form, and every continuation has the same
//! length, whatever is in it. It is bound to the browser by the hash of a secret
//! that another cookie holds. That it is used once is not decided here: the
//! account does, by attempt and step.
//!
//! As text: `tgf_`, then base64url without padding (RFC 4648, 5) of
//!
//! ```text
//! nonce 24 | XChaCha20-Poly1305 of the plaintext 448 | tag 16
//! associated data: "tg-continuation-1" | tenant u64 LE
//! ```

mod plain;
mod purpose;

pub use plain::{IDENTIFIER_MAX_BYTES, PLAIN_BYTES};
pub use purpose::{AttemptId, Purpose};

use alloc::string::String;
use core::fmt;

use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use constant_time_eq::constant_time_eq_32;
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::assurance::Proofs;
use crate::digest::tagged;
use crate::id::{SessionId, TenantId, UserId};
use crate::identifier::Identifier;
use crate::secret::Secret;

const PREFIX: &str = "tgf_";
const ASSOCIATED: &[u8; 17] = b"tg-continuation-1";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const SEALED_BYTES: usize = NONCE_BYTES + PLAIN_BYTES + TAG_BYTES;
/// The length of every continuation as text.
pub const CONTINUATION_TEXT_BYTES: usize = PREFIX.len() + (SEALED_BYTES * 8).div_ceil(6);

/// The hash of the secret that the browser of a flow holds.
#[derive(Clone, Copy)]
pub struct BrowserHash([u8; 32]);

impl BrowserHash {
    /// The hash of a browser's secret.
    #[must_use]
    pub fn of(secret: &Secret) -> BrowserHash {
        BrowserHash(tagged("tg-browser-1", &[secret.expose()]))
    }

    fn matches(&self, other: &BrowserHash) -> bool {
        constant_time_eq_32(&self.0, &other.0)
    }
}

impl fmt::Debug for BrowserHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserHash(..)")
    }
}

/// The state of a flow between two steps. Times are Unix milliseconds.
#[derive(Clone, Debug)]
pub struct Continuation {
    /// What the flow is for.
    pub purpose: Purpose,
    /// The tenant.
    pub tenant: TenantId,
    /// The account, or the decoy in the place of one.
    pub subject: UserId,
    /// The attempt.
    pub attempt: AttemptId,
    /// The identifier that the flow began with, where it began with one.
    pub identifier: Option<Identifier>,
    /// What was proven so far.
    pub proofs: Proofs,
    /// How many steps were taken.
    pub step: u16,
    /// When it was made.
    pub issued_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
    /// The browser that it is bound to.
    pub browser: BrowserHash,
    /// The session that is stepped up, or from which something is changed.
    pub session: Option<SessionId>,
}

/// Why a continuation cannot be sealed: the identifier is longer than
/// [`IDENTIFIER_MAX_BYTES`], which none that was parsed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Why a continuation is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContinuationFault {
    /// It is no continuation of this version.
    Malformed,
    /// It was sealed under another key or for another tenant, or was changed.
    Foreign,
    /// It is bound to another browser.
    OtherBrowser,
    /// It is over.
    Expired,
}

impl fmt::Display for ContinuationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ContinuationFault::Malformed => "the continuation is not well formed",
            ContinuationFault::Foreign => "the continuation is not one of this tenant's",
            ContinuationFault::OtherBrowser => "the continuation is of another browser",
            ContinuationFault::Expired => "the continuation is over",
        })
    }
}

/// By whom a continuation is presented, and when.
#[derive(Clone, Copy, Debug)]
pub struct Presenter<'a> {
    /// The tenant at whose pages.
    pub tenant: TenantId,
    /// The secret of the browser.
    pub browser: &'a Secret,
    /// The time, in Unix milliseconds.
    pub now_ms: u64,
}

impl Continuation {
    /// Seals it. The nonce is 24 random bytes, used once.
    ///
    /// # Errors
    /// [`TooLong`] when the identifier is.
    pub fn seal(
        &self,
        key: &Secret<32>,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Zeroizing<String>, TooLong> {
        let mut sealed = Zeroizing::new([0; SEALED_BYTES]);
        let (head, rest) = sealed.split_at_mut(NONCE_BYTES);
        let (body, end) = rest.split_at_mut(PLAIN_BYTES);
        head.copy_from_slice(&nonce);
        body.copy_from_slice(self.encode()?.as_slice());
        let associated = associated(self.tenant);
        let tag =
            cipher(key).encrypt_inout_detached(&XNonce::from(nonce), &associated, body.into());
        // Only 256 GiB are too long for the cipher.
        end.copy_from_slice(&tag.map_err(|_| TooLong)?);
        let mut text = Zeroizing::new(String::with_capacity(CONTINUATION_TEXT_BYTES));
        text.push_str(PREFIX);
        BASE64URL_NOPAD.encode_append(sealed.as_slice(), &mut text);
        Ok(text)
    }

    /// Opens one that a browser presents.
    ///
    /// # Errors
    /// [`ContinuationFault`], which says why it is not taken. Whether it is over
    /// is told to the browser alone that it is bound to.
    pub fn open(
        text: &str,
        key: &Secret<32>,
        presenter: &Presenter<'_>,
    ) -> Result<Continuation, ContinuationFault> {
        let mut sealed = read(text).ok_or(ContinuationFault::Malformed)?;
        let (head, rest) = sealed.split_at_mut(NONCE_BYTES);
        let (body, end) = rest.split_at_mut(PLAIN_BYTES);
        let nonce = XNonce::try_from(&*head).map_err(|_| ContinuationFault::Malformed)?;
        let tag = Tag::try_from(&*end).map_err(|_| ContinuationFault::Malformed)?;
        let associated = associated(presenter.tenant);
        cipher(key)
            .decrypt_inout_detached(&nonce, &associated, (&mut *body).into(), &tag)
            .map_err(|_| ContinuationFault::Foreign)?;
        // Sealed here and not readable: of a newer program.
        let opened = Continuation::decode(body).map_err(|_| ContinuationFault::Malformed)?;
        if opened.tenant != presenter.tenant {
            return Err(ContinuationFault::Foreign);
        }
        if !opened.browser.matches(&BrowserHash::of(presenter.browser)) {
            return Err(ContinuationFault::OtherBrowser);
        }
        match presenter.now_ms < opened.expires_ms {
            true => Ok(opened),
            false => Err(ContinuationFault::Expired),
        }
    }
}

fn cipher(key: &Secret<32>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

fn associated(tenant: TenantId) -> [u8; 25] {
    let mut associated = [0; 25];
    associated[..17].copy_from_slice(ASSOCIATED);
    associated[17..].copy_from_slice(&tenant.0.to_le_bytes());
    associated
}

/// The sealed bytes of a text.
fn read(text: &str) -> Option<Zeroizing<[u8; SEALED_BYTES]>> {
    if text.len() != CONTINUATION_TEXT_BYTES {
        return None;
    }
    let encoded = text.strip_prefix(PREFIX)?;
    let mut sealed = Zeroizing::new([0; SEALED_BYTES]);
    BASE64URL_NOPAD
        .decode_mut(encoded.as_bytes(), sealed.as_mut_slice())
        .ok()?;
    Some(sealed)
}

#[cfg(test)]
mod tests;
