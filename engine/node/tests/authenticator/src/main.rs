//! A browser with a device that holds one passkey. Each line of standard input is a
//! ceremony, `{"ceremony": "create" | "get", "origin", "options"}`; what it comes to
//! is written as a line of JSON.

use std::io::BufRead;

use passkey_authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey_client::{Client, DefaultClientData};
use passkey_crypto::AvailableBackend;
use passkey_types::Passkey;
use passkey_types::ctap2::{Aaguid, Ctap2Error};
use passkey_types::webauthn::{CredentialCreationOptions, CredentialRequestOptions};
use serde_json::{Value, json};
use tokio::runtime::Builder;
use url::Url;

/// A person who touches it and is recognised.
struct Finger;

#[async_trait::async_trait]
impl UserValidationMethod for Finger {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(
        &self,
        _: UiHint<'a, Passkey>,
        _: bool,
        _: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck {
            presence: true,
            verification: true,
        })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

fn main() {
    let aaguid = Aaguid::new_empty();
    let holds: Option<Passkey> = None;
    let authenticator = Authenticator::new(aaguid, holds, Finger, AvailableBackend);
    let mut client = Client::new(authenticator);
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let origin = Url::parse(asked["origin"].as_str().expect("an origin")).expect("a URL");
        let options = json!({ "publicKey": asked["options"] });
        let answer = match asked["ceremony"].as_str() {
            Some("create") => {
                let options: CredentialCreationOptions =
                    serde_json::from_value(options).expect("creation options");
                let made = client.register(&origin, options, DefaultClientData);
                serde_json::to_value(runtime.block_on(made).expect("a passkey"))
            }
            _ => {
                let options: CredentialRequestOptions =
                    serde_json::from_value(options).expect("request options");
                let signed = client.authenticate(&origin, options, DefaultClientData);
                serde_json::to_value(runtime.block_on(signed).expect("an assertion"))
            }
        };
        println!("{}", answer.expect("JSON"));
    }
}
