//! What is asked of a browser: `PublicKeyCredentialCreationOptionsJSON` and
//! `PublicKeyCredentialRequestOptionsJSON` (WebAuthn L3 §5.1.8, §5.1.9), with
//! members in the order of the standard.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::challenge::Challenge;
use super::descriptor::{Descriptor, DescriptorJson};
use super::id::UserHandle;
use super::public_key::Algorithm;
use super::relying_party::UserVerification;

/// Whether the credential shall be one that is found without its id: WebAuthn L3
/// §5.4.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResidentKey {
    /// It must: a passkey that signs in without an identifier.
    Required,
    /// It should.
    Preferred,
}

/// Which authenticator a browser may offer first: WebAuthn L3 §5.8.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// A security key.
    SecurityKey,
    /// The device itself.
    ClientDevice,
    /// A phone beside it.
    Hybrid,
}

/// The account, as an authenticator shows it.
#[derive(Clone, Copy)]
pub struct User<'a> {
    /// Its handle.
    pub handle: &'a UserHandle,
    /// A name that tells it from the person's other accounts.
    pub name: &'a str,
    /// The person's name; empty where it is not known.
    pub display_name: &'a str,
}

/// What is asked for a registration. Attestation is not.
#[derive(Clone, Copy)]
pub struct CreationOptions<'a> {
    /// The RP ID.
    pub rp_id: &'a str,
    /// The relying party's name, for people.
    pub rp_name: &'a str,
    /// The account.
    pub user: User<'a>,
    /// The challenge.
    pub challenge: &'a Challenge,
    /// Algorithms, the preferred first.
    pub algorithms: &'a [Algorithm],
    /// How long the browser may wait, in milliseconds.
    pub timeout_ms: u32,
    /// Credentials that the account has: their authenticators make no other.
    pub exclude: &'a [Descriptor],
    /// Whether it shall be found without its id.
    pub resident_key: ResidentKey,
    /// Whether the user shall be verified.
    pub user_verification: UserVerification,
    /// Authenticators to offer first.
    pub hints: &'a [Hint],
}

/// What is asked for an authentication.
#[derive(Clone, Copy)]
pub struct RequestOptions<'a> {
    /// The RP ID.
    pub rp_id: &'a str,
    /// The challenge.
    pub challenge: &'a Challenge,
    /// How long the browser may wait, in milliseconds.
    pub timeout_ms: u32,
    /// Credentials that may be used; none where every one may.
    pub allow: &'a [Descriptor],
    /// Whether the user shall be verified.
    pub user_verification: UserVerification,
    /// Authenticators to offer first.
    pub hints: &'a [Hint],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreationJson<'a> {
    rp: RpJson<'a>,
    user: UserJson<'a>,
    challenge: String,
    pub_key_cred_params: Vec<ParameterJson>,
    timeout: u32,
    exclude_credentials: Vec<DescriptorJson>,
    authenticator_selection: SelectionJson,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<&'static str>,
    attestation: &'static str,
}

#[derive(Serialize)]
struct RpJson<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserJson<'a> {
    id: String,
    name: &'a str,
    display_name: &'a str,
}

#[derive(Serialize)]
struct ParameterJson {
    r#type: &'static str,
    alg: i16,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SelectionJson {
    resident_key: &'static str,
    /// For browsers of Level 1, which know no `residentKey` (§5.4.4).
    require_resident_key: bool,
    user_verification: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestJson<'a> {
    challenge: String,
    timeout: u32,
    rp_id: &'a str,
    /// Left out where every one may be used: there are readers for whom an empty list
    /// allows none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow_credentials: Vec<DescriptorJson>,
    user_verification: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<&'static str>,
}

impl CreationOptions<'_> {
    /// The options as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (resident_key, require_resident_key) = match self.resident_key {
            ResidentKey::Required => ("required", true),
            ResidentKey::Preferred => ("preferred", false),
        };
        let parameters = self.algorithms.iter().map(|algorithm| ParameterJson {
            r#type: "public-key",
            alg: algorithm.number(),
        });
        write(&CreationJson {
            rp: RpJson {
                id: self.rp_id,
                name: self.rp_name,
            },
            user: UserJson {
                id: self.user.handle.to_base64url(),
                name: self.user.name,
                display_name: self.user.display_name,
            },
            challenge: self.challenge.to_base64url(),
            pub_key_cred_params: parameters.collect(),
            timeout: self.timeout_ms,
            exclude_credentials: self.exclude.iter().map(Descriptor::to_json).collect(),
            authenticator_selection: SelectionJson {
                resident_key,
                require_resident_key,
                user_verification: self.user_verification.name(),
            },
            hints: self.hints.iter().copied().map(Hint::name).collect(),
            attestation: "none",
        })
    }
}

impl RequestOptions<'_> {
    /// The options as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        write(&RequestJson {
            challenge: self.challenge.to_base64url(),
            timeout: self.timeout_ms,
            rp_id: self.rp_id,
            allow_credentials: self.allow.iter().map(Descriptor::to_json).collect(),
            user_verification: self.user_verification.name(),
            hints: self.hints.iter().copied().map(Hint::name).collect(),
        })
    }
}

impl Hint {
    fn name(self) -> &'static str {
        match self {
            Hint::SecurityKey => "security-key",
            Hint::ClientDevice => "client-device",
            Hint::Hybrid => "hybrid",
        }
    }
}

/// Writes texts, numbers and lists of them: that fails for none of these.
pub(super) fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::passkey::{CredentialId, Transport};
    use alloc::vec;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: CredentialId::new(&[0xFB, 0xFF]).unwrap(),
            transports: vec![Transport::Hybrid, Transport::Internal],
        }
    }

    #[test]
    fn creation_options_are_written_in_the_order_of_the_standard() {
        let handle = UserHandle::new(&[1, 2, 3]).unwrap();
        let options = CreationOptions {
            rp_id: "example.org",
            rp_name: "The \"Example\"",
            user: User {
                handle: &handle,
                name: "ada@example.org",
                display_name: "Ada \u{1F511}",
            },
            challenge: &Challenge::new([0; 32]),
            algorithms: &Algorithm::ALL,
            timeout_ms: 300_000,
            exclude: &[descriptor()],
            resident_key: ResidentKey::Required,
            user_verification: UserVerification::Preferred,
            hints: &[Hint::ClientDevice, Hint::Hybrid, Hint::SecurityKey],
        };
        let expected = concat!(
            r#"{"rp":{"id":"example.org","name":"The \"Example\""},"#,
            r#""user":{"id":"AQID","name":"ada@example.org","displayName":"Ada 🔑"},"#,
            r#""challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","#,
            r#""pubKeyCredParams":[{"type":"public-key","alg":-7},"#,
            r#"{"type":"public-key","alg":-8},{"type":"public-key","alg":-257}],"#,
            r#""timeout":300000,"excludeCredentials":[{"type":"public-key","id":"-_8","#,
            r#""transports":["hybrid","internal"]}],"authenticatorSelection":"#,
            r#"{"residentKey":"required","requireResidentKey":true,"#,
            r#""userVerification":"preferred"},"#,
            r#""hints":["client-device","hybrid","security-key"],"attestation":"none"}"#,
        );
        assert_eq!(options.to_json(), expected);
        let plain = CreationOptions {
            exclude: &[],
            resident_key: ResidentKey::Preferred,
            user_verification: UserVerification::Discouraged,
            hints: &[],
            ..options
        };
        let end = concat!(
            r#""excludeCredentials":[],"authenticatorSelection":{"residentKey":"preferred","#,
            r#""requireResidentKey":false,"userVerification":"discouraged"},"#,
            r#""attestation":"none"}"#,
        );
        assert!(plain.to_json().ends_with(end), "{}", plain.to_json());
    }

    #[test]
    fn request_options_are_written_in_the_order_of_the_standard() {
        let options = RequestOptions {
            rp_id: "example.org",
            challenge: &Challenge::new([0; 32]),
            timeout_ms: 60_000,
            allow: &[descriptor()],
            user_verification: UserVerification::Required,
            hints: &[],
        };
        let expected = concat!(
            r#"{"challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","timeout":60000,"#,
            r#""rpId":"example.org","allowCredentials":[{"type":"public-key","id":"-_8","#,
            r#""transports":["hybrid","internal"]}],"userVerification":"required"}"#,
        );
        assert_eq!(options.to_json(), expected);
    }
}
