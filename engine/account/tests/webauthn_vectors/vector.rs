//! The vectors as they are listed, and as a browser would send them.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use tidegate_account::credential::passkey::{Algorithm, SignatureWork};

const VECTORS: &str = include_str!("../webauthn_vectors.tsv");
/// What an attestation object of `none` begins with, up to its data.
const NONE: &[u8] = b"\xA3\x63fmt\x64none\x67attStmt\xA0\x68authData";

/// One credential: its registration, and an authentication with it.
#[derive(Clone)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) registration_challenge: [u8; 32],
    pub(crate) credential_id: Vec<u8>,
    pub(crate) aaguid: [u8; 16],
    pub(crate) registration_client_data: Vec<u8>,
    pub(crate) attestation_object: Vec<u8>,
    pub(crate) authentication_challenge: [u8; 32],
    pub(crate) authenticator_data: Vec<u8>,
    pub(crate) authentication_client_data: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

pub(crate) fn vectors() -> Vec<Vector> {
    let rows = VECTORS.lines().filter(|line| !line.starts_with('#'));
    // Its challenge has 128 bytes, and ours have 32: it is none of ours before its
    // algorithm is looked at, which `packed-es384` shows.
    let rows = rows.filter(|line| !line.starts_with("packed-es512\t"));
    rows.map(|line| {
        let mut columns = line.split('\t');
        let name = columns.next().unwrap().to_owned();
        let mut next = || HEXLOWER.decode(columns.next().unwrap().as_bytes()).unwrap();
        Vector {
            name,
            registration_challenge: next().try_into().unwrap(),
            credential_id: next(),
            aaguid: next().try_into().unwrap(),
            registration_client_data: next(),
            attestation_object: next(),
            authentication_challenge: next().try_into().unwrap(),
            authenticator_data: next(),
            authentication_client_data: next(),
            signature: next(),
        }
    })
    .collect()
}

impl Vector {
    pub(crate) fn registration_json(&self) -> String {
        let response = serde_json::json!({
            "clientDataJSON": text(&self.registration_client_data),
            "attestationObject": text(&self.attestation_object),
            "transports": ["internal", "hybrid"],
        });
        self.credential_json(response)
    }

    /// A handle of no byte stands for none.
    pub(crate) fn authentication_json(&self, user_handle: &[u8]) -> String {
        let user_handle = (!user_handle.is_empty()).then(|| text(user_handle));
        let response = serde_json::json!({
            "clientDataJSON": text(&self.authentication_client_data),
            "authenticatorData": text(&self.authenticator_data),
            "signature": text(&self.signature),
            "userHandle": user_handle,
        });
        self.credential_json(response)
    }

    fn credential_json(&self, response: serde_json::Value) -> String {
        let id = text(&self.credential_id);
        let credential = serde_json::json!({
            "id": id,
            "rawId": id,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        });
        credential.to_string()
    }

    /// Where the authenticator data begins in the attestation object, of which it
    /// is the last member.
    fn data_at(&self) -> usize {
        let at = self.head_at();
        match self.attestation_object[at] {
            0x58 => at + 2,
            0x59 => at + 3,
            head => panic!("{head:#x} begins no long byte string"),
        }
    }

    fn head_at(&self) -> usize {
        let key = b"\x68authData";
        let mut windows = self.attestation_object.windows(key.len());
        windows.position(|window| window == key).unwrap() + key.len()
    }

    /// The authenticator data of the registration.
    pub(crate) fn attested_data(&self) -> &[u8] {
        &self.attestation_object[self.data_at()..]
    }

    pub(crate) fn registration_flags(&self) -> u8 {
        self.attested_data()[32]
    }

    /// Changes bits of one byte of the registration's authenticator data.
    pub(crate) fn flip(&mut self, at: usize, bits: u8) {
        let begin = self.data_at();
        self.attestation_object[begin + at] ^= bits;
    }

    /// The same credential with no attestation: what a browser sends that was
    /// asked for none.
    pub(crate) fn without_attestation(&self) -> Vector {
        let rest = &self.attestation_object[self.head_at()..];
        Vector {
            attestation_object: [NONE, rest].concat(),
            ..self.clone()
        }
    }

    /// With other authenticator data, rightly encoded and not attested.
    pub(crate) fn with_attested_data(&self, data: &[u8]) -> Vector {
        let length = u16::try_from(data.len()).unwrap();
        let head = match length {
            0..=23 => vec![0x40 + data.len() as u8],
            24..=255 => vec![0x58, data.len() as u8],
            _ => [&[0x59][..], &length.to_be_bytes()].concat(),
        };
        Vector {
            attestation_object: [NONE, &head, data].concat(),
            ..self.clone()
        }
    }

    /// The registration's client data with its first `from` replaced.
    pub(crate) fn client_data_with(&self, from: &str, to: &str) -> Vec<u8> {
        let json = std::str::from_utf8(&self.registration_client_data).unwrap();
        json.replacen(from, to, 1).into_bytes()
    }
}

/// Whether a signature verifies.
pub(crate) fn holds(work: &SignatureWork) -> bool {
    let algorithm: &'static dyn VerificationAlgorithm = match work.algorithm() {
        Algorithm::Es256 => &ECDSA_P256_SHA256_ASN1,
        Algorithm::EdDsa => &ED25519,
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
    };
    let key = UnparsedPublicKey::new(algorithm, work.public_key.raw_key());
    key.verify(&work.message, &work.signature).is_ok()
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}
