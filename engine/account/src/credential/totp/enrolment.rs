//! The secret, and how an authenticator app gets it.

use alloc::string::String;
use core::fmt;

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use super::TOTP_SECRET_BYTES;
use crate::entropy::Entropy;
use crate::secret::Secret;

/// The longest issuer or account of a label, in bytes.
pub const LABEL_MAX_BYTES: usize = 256;

/// The secret that an authenticator shares: 160 random bits.
#[derive(Clone, Debug)]
pub struct TotpSecret(Secret<TOTP_SECRET_BYTES>);

/// What of a label cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelFault {
    /// The issuer is empty, too long, or has a colon, which ends it.
    Issuer,
    /// The account is empty or too long.
    Account,
}

impl fmt::Display for LabelFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LabelFault::Issuer => "the issuer is empty, too long, or has a colon",
            LabelFault::Account => "the account is empty or too long",
        })
    }
}

impl TotpSecret {
    /// A new one.
    #[must_use]
    pub fn draw(entropy: &mut Entropy) -> TotpSecret {
        TotpSecret(Secret::new(entropy.bytes()))
    }

    /// Takes the bytes of one.
    #[must_use]
    pub fn new(bytes: [u8; TOTP_SECRET_BYTES]) -> TotpSecret {
        TotpSecret(Secret::new(bytes))
    }

    pub(super) fn expose(&self) -> &[u8; TOTP_SECRET_BYTES] {
        self.0.expose()
    }

    /// The secret in base32 (RFC 4648, 6), for an app that cannot scan: 32
    /// characters, which leave nothing to pad.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(self.expose()))
    }

    /// The URL that apps scan (google-authenticator's wiki, "Key Uri Format").
    /// Issuer and account are what an app shows; the issuer stands there twice,
    /// because apps read one or the other.
    ///
    /// # Errors
    /// [`LabelFault`] when issuer or account are none.
    pub fn to_url(&self, issuer: &str, account: &str) -> Result<Zeroizing<String>, LabelFault> {
        let fits = |text: &str| (1..=LABEL_MAX_BYTES).contains(&text.len());
        if !fits(issuer) || issuer.contains(':') {
            return Err(LabelFault::Issuer);
        }
        if !fits(account) {
            return Err(LabelFault::Account);
        }
        // At once as large as it can become: what grows leaves copies behind.
        let capacity = 128 + 3 * (2 * issuer.len() + account.len());
        let mut url = Zeroizing::new(String::with_capacity(capacity));
        url.push_str("otpauth://totp/");
        push_encoded(&mut url, issuer);
        url.push(':');
        push_encoded(&mut url, account);
        url.push_str("?secret=");
        url.push_str(&self.to_base32());
        url.push_str("&issuer=");
        push_encoded(&mut url, issuer);
        url.push_str("&algorithm=SHA1&digits=6&period=30");
        Ok(url)
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3). A space is
/// `%20`: some apps show a plus as it is.
fn push_encoded(url: &mut String, text: &str) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                url.push(byte.into());
            }
            byte => {
                let [high, low] = [byte >> 4, byte & 0x0F].map(|half| HEX[usize::from(half)]);
                url.extend(['%', high, low]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_in_base32() {
        let secret = TotpSecret::new(*b"12345678901234567890");
        assert_eq!(
            secret.to_base32().as_str(),
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        );
        assert_eq!(std::format!("{secret:?}"), "TotpSecret(Secret(..))");
    }

    #[test]
    fn the_url_says_what_apps_want_to_know_and_encodes_the_rest() {
        let secret = TotpSecret::new(*b"12345678901234567890");
        let url = |issuer, account| secret.to_url(issuer, account);
        assert_eq!(
            url("Caf\u{e9} & Co", "ada+b:1@example.com")
                .unwrap()
                .as_str(),
            "otpauth://totp/Caf%C3%A9%20%26%20Co:ada%2Bb%3A1%40example.com\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Caf%C3%A9%20%26%20Co&algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(
            url("A-z_0.9~", "/?#[]@%").unwrap().as_str(),
            "otpauth://totp/A-z_0.9~:%2F%3F%23%5B%5D%40%25\
             ?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=A-z_0.9~&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn what_is_no_label_is_a_fault() {
        let secret = TotpSecret::new([1; 20]);
        let fault = |issuer: &str, account: &str| secret.to_url(issuer, account).err();
        let (longest, longer) = ("x".repeat(256), "x".repeat(257));
        assert_eq!(fault(&longest, &longest), None);
        for issuer in ["", "a:b", &longer] {
            assert_eq!(fault(issuer, "ada"), Some(LabelFault::Issuer));
        }
        for account in ["", &longer] {
            assert_eq!(fault("shop", account), Some(LabelFault::Account));
        }
    }

    #[test]
    fn two_draws_are_two_secrets() {
        let mut entropy = Entropy::new([1; 32]);
        let [a, b] = [(); 2].map(|()| TotpSecret::draw(&mut entropy));
        assert!(!a.0.matches(&b.0));
    }
}
