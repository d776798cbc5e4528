//! A device that holds a passkey, and the browser before it. It signs as no key does:
//! what a production node takes for no signature.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidegate_account::tagged;

use crate::ports::stand_in_signature;
use crate::world::{ORIGIN, RP_ID};

/// An authenticator with one passkey.
pub(crate) struct Authenticator {
    id: [u8; 16],
    /// In the place of an Ed25519 key.
    key: [u8; 32],
    handle: String,
}

impl Authenticator {
    pub(crate) fn new(seed: u64) -> Authenticator {
        let drawn = |tag| tagged(tag, &[&seed.to_le_bytes()]);
        let mut id = [0; 16];
        id.copy_from_slice(&drawn("tg-sim-passkey-id-1")[..16]);
        Authenticator {
            id,
            key: drawn("tg-sim-passkey-key-1"),
            handle: String::new(),
        }
    }

    /// One that says that it is this, and has another key.
    pub(crate) fn forged(&self) -> Authenticator {
        Authenticator {
            id: self.id,
            key: tagged("tg-sim-passkey-forged-1", &[&self.key]),
            handle: self.handle.clone(),
        }
    }

    /// Answers creation options.
    pub(crate) fn make(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap_or_default();
        let handle = options["user"]["id"].as_str();
        self.handle = handle.unwrap_or_default().to_owned();
        // An OKP key of Ed25519 in COSE (RFC 9053, 7.2).
        let cose = [
            &[0xA4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20][..],
            &self.key,
        ];
        let data = [
            authenticator_data(0x45),
            vec![0; 16],
            vec![0, 16],
            self.id.to_vec(),
            cose.concat(),
        ]
        .concat();
        let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
        let object = [
            &b"\xA3\x63fmt\x64none\x67attStmt\xA0\x68authData\x58"[..],
            &[length],
            &data,
        ];
        self.answer(&json!({
            "clientDataJSON": encoded(&client_data("webauthn.create", &options)),
            "attestationObject": encoded(&object.concat()),
            "transports": ["internal"],
        }))
    }

    /// Answers request options.
    pub(crate) fn sign(&self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap_or_default();
        let client_data = client_data("webauthn.get", &options);
        let data = authenticator_data(0x05);
        let hash: [u8; 32] = Sha256::digest(&client_data).into();
        let signature = stand_in_signature(&self.key, &[&data[..], &hash].concat());
        self.answer(&json!({
            "clientDataJSON": encoded(&client_data),
            "authenticatorData": encoded(&data),
            "signature": encoded(&signature),
            "userHandle": self.handle,
        }))
    }

    fn answer(&self, response: &Value) -> String {
        let id = encoded(&self.id);
        let answer = json!({ "id": id, "rawId": id, "type": "public-key", "response": response });
        answer.to_string()
    }
}

fn encoded(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

fn client_data(ceremony: &str, options: &Value) -> Vec<u8> {
    let data = json!({
        "type": ceremony,
        "challenge": options["challenge"],
        "origin": ORIGIN,
    });
    data.to_string().into_bytes()
}

/// Of this relying party, with these flags, and without a counter.
fn authenticator_data(flags: u8) -> Vec<u8> {
    let hash: [u8; 32] = Sha256::digest(RP_ID.as_bytes()).into();
    [&hash[..], &[flags], &[0; 4]].concat()
}
