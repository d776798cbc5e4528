//! Signatures of calls (Standard Webhooks, `v1`): HMAC-SHA256 over id, time and body,
//! with a secret that both sides have.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// A secret, without its prefix.
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Reads `whsec_` and base64.
    pub(super) fn parse(text: &str) -> Option<Secret> {
        let text = text.strip_prefix("whsec_")?;
        let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).ok()?);
        (24..=64).contains(&bytes.len()).then_some(Secret(bytes))
    }

    /// The value of the header `webhook-signature`; none when the secret is no key,
    /// which none that was parsed is.
    pub(super) fn sign(&self, id: &str, unix_s: u64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{unix_s}.").as_bytes());
        mac.update(body);
        let tag = mac.finalize().into_bytes();
        Some(format!("v1,{}", BASE64.encode(&tag)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_standards_own_library() {
        let text = format!("whsec_{}", BASE64.encode(&[7; 32]));
        let theirs = standardwebhooks::Webhook::new(&text).unwrap();
        let ours = Secret::parse(&text).unwrap();
        for body in ["", "{\"text\":\"\u{e9}\"}"] {
            let signed = ours.sign("msg_1", 1_700_000_000, body.as_bytes()).unwrap();
            let expected = theirs
                .sign("msg_1", 1_700_000_000, body.as_bytes())
                .unwrap();
            assert_eq!(signed, expected);
        }
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let encoded = |bytes: usize| format!("whsec_{}", BASE64.encode(&vec![1; bytes]));
        let bad = [
            String::new(),
            "whsec_".into(),
            "whsec_!".into(),
            encoded(23),
            encoded(65),
        ];
        for text in bad {
            assert!(Secret::parse(&text).is_none(), "{text}");
        }
        assert!(Secret::parse(&encoded(24)).is_some());
        assert!(Secret::parse(encoded(24).trim_start_matches("whsec_")).is_none());
    }
}
