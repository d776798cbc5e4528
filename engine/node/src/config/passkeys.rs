//! Passkeys: who asks for them.

use serde::{Deserialize, Serialize};
use tidegate_account::PasskeyPolicy;
use tidegate_account::credential::passkey::{Framing, RelyingParty, UserVerification};

/// Passkeys. There are none while `rp_id` is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasskeysConfig {
    /// The domain to which passkeys belong, for ever: `example.com`.
    pub rp_id: String,
    /// The origins of the pages that may ask for them: `https://login.example.com`.
    /// One outside of the domain is a related origin (WebAuthn L3, 5.11).
    pub origins: Vec<String>,
    /// What people know the service by; the domain when it is empty.
    pub name: String,
    /// Whether an authenticator verifies its user.
    pub user_verification: Verification,
    /// Origins in whose frames those pages may stand; none: in no other's.
    pub framed_by: Vec<String>,
}

/// Whether an authenticator verifies its user, by a PIN or a biometric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// It must.
    Required,
    /// It should; without, a session has level 1.
    #[default]
    Preferred,
    /// It need not.
    Discouraged,
}

impl PasskeysConfig {
    /// Whether the domain is one, and the origins are, of which there is one.
    pub(super) fn is_sound(&self) -> bool {
        let origins = self.origins.iter().chain(&self.framed_by);
        match self.rp_id.is_empty() {
            true => *self == PasskeysConfig::default(),
            false => {
                is_domain(&self.rp_id)
                    && !self.origins.is_empty()
                    && origins.into_iter().all(|origin| is_origin(origin))
                    && self.name.len() <= NAME_MAX_BYTES
                    && !self.name.chars().any(char::is_control)
            }
        }
    }

    pub(super) fn policy(&self) -> Option<PasskeyPolicy> {
        if self.rp_id.is_empty() {
            return None;
        }
        Some(PasskeyPolicy {
            rp: RelyingParty {
                id: self.rp_id.clone(),
                origins: self.origins.clone(),
                framing: match self.framed_by.is_empty() {
                    true => Framing::Forbidden,
                    false => Framing::Within(self.framed_by.clone()),
                },
            },
            name: match self.name.is_empty() {
                true => self.rp_id.clone(),
                false => self.name.clone(),
            },
            user_verification: match self.user_verification {
                Verification::Required => UserVerification::Required,
                Verification::Preferred => UserVerification::Preferred,
                Verification::Discouraged => UserVerification::Discouraged,
            },
        })
    }
}

/// As long as a name in `otpauth` URLs may be.
const NAME_MAX_BYTES: usize = 64;

/// A domain in small letters, as a browser writes it.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// An origin as a browser writes it: scheme, domain, and a port that is not the
/// scheme's own. Without TLS there are passkeys on this machine alone. Apps have
/// origins of another kind.
fn is_origin(text: &str) -> bool {
    if let Some(hash) = text.strip_prefix("android:apk-key-hash:") {
        return !hash.is_empty();
    }
    let (scheme, authority) = text.split_once("://").unwrap_or(("", ""));
    let (domain, port) = match authority.split_once(':') {
        Some((domain, port)) => (domain, port.parse::<u16>().ok()),
        None => (authority, Some(0)),
    };
    let may = match scheme {
        "https" => port != Some(443),
        "http" => domain == "localhost" && port != Some(80),
        _ => false,
    };
    may && port.is_some() && is_domain(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rp_id: &str, origins: &[&str]) -> PasskeysConfig {
        PasskeysConfig {
            rp_id: rp_id.to_owned(),
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            ..PasskeysConfig::default()
        }
    }

    #[test]
    fn a_domain_has_origins_as_browsers_write_them() {
        assert!(PasskeysConfig::default().is_sound());
        assert_eq!(PasskeysConfig::default().policy(), None);
        for origin in [
            "https://example.com",
            "https://login.example.com:8443",
            "http://localhost:8080",
            "android:apk-key-hash:AbC-_1",
        ] {
            assert!(of("example.com", &[origin]).is_sound(), "{origin}");
        }
        for origin in [
            "",
            "example.com",
            "http://example.com",
            "https://example.com/",
            "https://example.com:443",
            "https://Example.com",
            "https://example.com:x",
            "https://a@example.com",
        ] {
            assert!(!of("example.com", &[origin]).is_sound(), "{origin}");
        }
        let other = ["", "Example.com", "https://example.com", "a..b", "-a.b"];
        for rp_id in other {
            assert!(!of(rp_id, &["https://example.com"]).is_sound(), "{rp_id}");
        }
        assert!(!of("example.com", &[]).is_sound());
    }
}
