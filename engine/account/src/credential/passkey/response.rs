//! What a browser answers: `RegistrationResponseJSON` and
//! `AuthenticationResponseJSON` (WebAuthn L3 §5.1).
//!
//! Read are the members that were signed, the ids, and the transports. Copies of
//! what was signed (`authenticatorData`, `publicKey` of a registration) and
//! outputs of extensions are ignored like members that are not known.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::descriptor::Transport;
use super::fault::PasskeyFault;
use super::id::{CredentialId, UserHandle};
use super::signature::SIGNATURE_MAX_BYTES;

/// The longest response, as JSON.
pub const RESPONSE_MAX_BYTES: usize = 65_536;
/// The longest client data: origins are at most some hundred bytes.
pub const CLIENT_DATA_MAX_BYTES: usize = 4_096;
/// The longest attestation object: with certificates, which are refused under a
/// name of their own, some 10 KiB.
pub const ATTESTATION_OBJECT_MAX_BYTES: usize = 16_384;
/// The longest authenticator data of an assertion: 37 bytes and extensions.
pub const AUTHENTICATOR_DATA_MAX_BYTES: usize = 4_096;
/// The most transports that are listed.
pub const TRANSPORTS_MAX: usize = 16;

#[derive(Deserialize)]
struct CredentialJson<R> {
    id: String,
    #[serde(rename = "rawId")]
    raw_id: String,
    r#type: String,
    response: R,
}

#[derive(Deserialize)]
struct AttestationJson {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    #[serde(rename = "attestationObject")]
    attestation_object: String,
    #[serde(default)]
    transports: Vec<String>,
}

#[derive(Deserialize)]
struct AssertionJson {
    #[serde(rename = "clientDataJSON")]
    client_data: String,
    #[serde(rename = "authenticatorData")]
    authenticator_data: String,
    signature: String,
    #[serde(rename = "userHandle")]
    user_handle: Option<String>,
}

/// An authenticator's answer to a registration.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationResponse {
    pub(super) id: CredentialId,
    pub(super) client_data: Vec<u8>,
    pub(super) attestation_object: Vec<u8>,
    pub(super) transports: Vec<Transport>,
}

impl RegistrationResponse {
    /// Reads a `RegistrationResponseJSON` of at most [`RESPONSE_MAX_BYTES`].
    ///
    /// # Errors
    /// [`PasskeyFault`] when it is not one, or a part is over its limit.
    pub fn parse(json: &[u8]) -> Result<RegistrationResponse, PasskeyFault> {
        let (id, response) = credential::<AttestationJson>(json)?;
        if response.transports.len() > TRANSPORTS_MAX {
            return Err(PasskeyFault::TooLarge);
        }
        let named = response.transports.iter();
        let mut transports: Vec<_> = named.filter_map(|it| Transport::of_name(it)).collect();
        transports.sort_unstable();
        transports.dedup();
        let attestation_object = &response.attestation_object;
        Ok(RegistrationResponse {
            id,
            client_data: bytes(&response.client_data, CLIENT_DATA_MAX_BYTES)?,
            attestation_object: bytes(attestation_object, ATTESTATION_OBJECT_MAX_BYTES)?,
            transports,
        })
    }

    /// The new credential's id, as the browser says it.
    #[must_use]
    pub fn id(&self) -> &CredentialId {
        &self.id
    }
}

impl fmt::Debug for RegistrationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistrationResponse(..)")
    }
}

/// An authenticator's answer to an authentication.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthenticationResponse {
    pub(super) id: CredentialId,
    pub(super) client_data: Vec<u8>,
    pub(super) authenticator_data: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) user_handle: Option<UserHandle>,
}

impl AuthenticationResponse {
    /// Reads an `AuthenticationResponseJSON` of at most [`RESPONSE_MAX_BYTES`].
    ///
    /// # Errors
    /// [`PasskeyFault`] when it is not one, or a part is over its limit.
    pub fn parse(json: &[u8]) -> Result<AuthenticationResponse, PasskeyFault> {
        let (id, response) = credential::<AssertionJson>(json)?;
        let user_handle = response.user_handle.map(|text| {
            let bytes = decode(&text)?;
            UserHandle::new(&bytes)
        });
        let authenticator_data = &response.authenticator_data;
        Ok(AuthenticationResponse {
            id,
            client_data: bytes(&response.client_data, CLIENT_DATA_MAX_BYTES)?,
            authenticator_data: bytes(authenticator_data, AUTHENTICATOR_DATA_MAX_BYTES)?,
            signature: bytes(&response.signature, SIGNATURE_MAX_BYTES)?,
            user_handle: user_handle.transpose()?,
        })
    }

    /// The credential's id, by which it is looked for.
    #[must_use]
    pub fn id(&self) -> &CredentialId {
        &self.id
    }

    /// The account's handle, by which it is looked for when it was not named
    /// before. Nothing is proven of it yet.
    #[must_use]
    pub fn user_handle(&self) -> Option<&UserHandle> {
        self.user_handle.as_ref()
    }
}

impl fmt::Debug for AuthenticationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthenticationResponse(..)")
    }
}

fn credential<R: DeserializeOwned>(json: &[u8]) -> Result<(CredentialId, R), PasskeyFault> {
    if json.len() > RESPONSE_MAX_BYTES {
        return Err(PasskeyFault::TooLarge);
    }
    let read = serde_json::from_slice(json);
    let credential: CredentialJson<R> = read.map_err(|_| PasskeyFault::MalformedJson)?;
    if credential.r#type != "public-key" {
        return Err(PasskeyFault::WrongCredentialType);
    }
    if credential.id != credential.raw_id {
        return Err(PasskeyFault::CredentialIdMismatch);
    }
    let id = CredentialId::new(&decode(&credential.id)?)?;
    Ok((id, credential.response))
}

fn bytes(base64url: &str, max_bytes: usize) -> Result<Vec<u8>, PasskeyFault> {
    let bytes = decode(base64url)?;
    match bytes.len() <= max_bytes {
        true => Ok(bytes),
        false => Err(PasskeyFault::TooLarge),
    }
}

fn decode(base64url: &str) -> Result<Vec<u8>, PasskeyFault> {
    let bytes = BASE64URL_NOPAD.decode(base64url.as_bytes());
    bytes.map_err(|_| PasskeyFault::MalformedBase64url)
}

#[cfg(test)]
mod tests;
