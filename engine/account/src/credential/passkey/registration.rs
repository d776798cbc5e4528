//! The registration of a credential: WebAuthn L3 §7.1.

use alloc::vec::Vec;

use super::attestation::{AttestationObject, Statement};
use super::authenticator_data::AuthenticatorData;
use super::challenge::Challenge;
use super::client_data::{self, Ceremony};
use super::descriptor::Transport;
use super::fault::PasskeyFault;
use super::id::CredentialId;
use super::public_key::{Algorithm, PublicKey};
use super::relying_party::{RelyingParty, UserPresence, UserVerification};
use super::response::RegistrationResponse;
use super::signature::SignatureWork;

/// What was asked for, and what a response is held against.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    /// Who asked.
    pub rp: &'a RelyingParty,
    /// The challenge of this ceremony; the caller sees to it that it is used once.
    pub challenge: &'a Challenge,
    /// Algorithms that were offered.
    pub algorithms: &'a [Algorithm],
    /// Whether the user is to be present.
    pub user_presence: UserPresence,
    /// Whether the user is to be verified.
    pub user_verification: UserVerification,
}

/// A new credential: the credential record of WebAuthn L3 §4 (Terminology).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// Its id. That no account has it yet is the caller's to see (step 26).
    pub id: CredentialId,
    /// Its key.
    pub public_key: PublicKey,
    /// The signature counter; 0 where there is none.
    pub sign_count: u32,
    /// Whether it may be backed up. This never changes.
    pub backup_eligible: bool,
    /// Whether it is.
    pub backed_up: bool,
    /// Whether the user was verified.
    pub user_verified: bool,
    /// The model of the authenticator, unproven; zeros where it is not told.
    pub aaguid: [u8; 16],
    /// How it is reached: each once, in order.
    pub transports: Vec<Transport>,
}

impl NewPasskey {
    /// The key's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public_key.algorithm()
    }
}

/// What a registration came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The new credential.
    pub passkey: NewPasskey,
    /// A self attestation's signature: the credential is new only once it is
    /// verified. `None` where nothing is attested.
    pub work: Option<SignatureWork>,
}

impl Registration<'_> {
    /// Steps 5 to 25 of §7.1, but for the signature of step 22, which is handed
    /// back. Steps 1 to 4 are the browser's, 26 to 29 the caller's; extensions are
    /// not asked for, and their outputs ignored.
    ///
    /// # Errors
    /// [`PasskeyFault`] for the first step that fails. What cannot be read is
    /// found before what was not asked for.
    pub fn check(&self, response: &RegistrationResponse) -> Result<Registered, PasskeyFault> {
        let client_data = &response.client_data;
        let ceremony = Ceremony::Registration;
        let hash = client_data::check(client_data, ceremony, self.rp, self.challenge)?;
        let object = AttestationObject::parse(&response.attestation_object)?;
        let data = AuthenticatorData::parse(object.authenticator_data)?;
        data.check(self.rp, self.user_presence, self.user_verification)?;
        let attested = data.attested.ok_or(PasskeyFault::AttestedDataMissing)?;
        let algorithm = attested.public_key.algorithm();
        if !self.algorithms.contains(&algorithm) {
            return Err(PasskeyFault::AlgorithmNotOffered);
        }
        let work = match object.statement(algorithm)? {
            Statement::None => None,
            Statement::OwnKey { signature } => Some(SignatureWork::new(
                &attested.public_key,
                object.authenticator_data,
                &hash,
                signature,
            )?),
        };
        if attested.id != response.id {
            return Err(PasskeyFault::CredentialIdMismatch);
        }
        let passkey = NewPasskey {
            id: attested.id,
            public_key: attested.public_key,
            sign_count: data.sign_count,
            backup_eligible: data.flags.backup_eligible(),
            backed_up: data.flags.backed_up(),
            user_verified: data.flags.user_verified(),
            aaguid: attested.aaguid,
            transports: response.transports.clone(),
        };
        Ok(Registered { passkey, work })
    }
}
