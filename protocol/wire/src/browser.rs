//! What binds a flow to one browser: a secret that its cookie holds.
//!
//! As text: `tgb_`, then base64url without padding (RFC 4648, 5) of
//! `version 1 | kind 4 | secret 24 | CRC-32 BE`.

use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::secret::{SECRET_BYTES, SecretBytes};
use crate::token::TokenFault;

const PREFIX: &str = "tgb_";
const HEAD: [u8; 2] = [1, 4];
const BODY_BYTES: usize = HEAD.len() + SECRET_BYTES;
const BYTES: usize = BODY_BYTES + 4;

/// Binds a flow to one browser.
#[derive(Clone, Debug)]
pub struct BrowserToken {
    /// Its secret: random, and the browser's alone.
    pub secret: SecretBytes,
}

impl BrowserToken {
    /// The token as text.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        bytes[..HEAD.len()].copy_from_slice(&HEAD);
        bytes[HEAD.len()..BODY_BYTES].copy_from_slice(&self.secret.0);
        let sum = crc32fast::hash(&bytes[..BODY_BYTES]);
        bytes[BODY_BYTES..].copy_from_slice(&sum.to_be_bytes());
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        BASE64URL_NOPAD.encode_append(bytes.as_slice(), &mut text);
        text
    }
}

impl FromStr for BrowserToken {
    type Err = TokenFault;

    fn from_str(text: &str) -> Result<BrowserToken, TokenFault> {
        let encoded = text.strip_prefix(PREFIX).ok_or(TokenFault)?;
        if BASE64URL_NOPAD.decode_len(encoded.len()) != Ok(BYTES) {
            return Err(TokenFault);
        }
        let mut bytes = Zeroizing::new([0; BYTES]);
        let decoded = BASE64URL_NOPAD.decode_mut(encoded.as_bytes(), bytes.as_mut_slice());
        decoded.map_err(|_| TokenFault)?;
        let (body, sum) = bytes.split_at(BODY_BYTES);
        let (head, secret) = body.split_at(HEAD.len());
        let whole = sum == crc32fast::hash(body).to_be_bytes();
        match (whole && head == HEAD, secret.try_into()) {
            (true, Ok(secret)) => Ok(BrowserToken {
                secret: SecretBytes(secret),
            }),
            _ => Err(TokenFault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_token_reads_back_and_nothing_else_does() {
        let token = BrowserToken {
            secret: SecretBytes([0x54; SECRET_BYTES]),
        };
        let text = token.to_text();
        assert_eq!(text.parse::<BrowserToken>().unwrap().secret.0, [0x54; 24]);
        let bent = text.replace("tgb_", "tgs_");
        let mut other = text.to_string();
        other.replace_range(10..11, "x");
        for text in ["", "tgb_", &text[..text.len() - 1], &bent, &other] {
            assert!(text.parse::<BrowserToken>().is_err(), "{text}");
        }
        assert_eq!(
            format!("{token:?}"),
            "BrowserToken { secret: SecretBytes(..) }"
        );
    }
}
