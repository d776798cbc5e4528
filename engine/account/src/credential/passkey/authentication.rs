//! An authentication with a credential: WebAuthn L3 §7.2.

use super::authenticator_data::AuthenticatorData;
use super::challenge::Challenge;
use super::client_data::{self, Ceremony};
use super::fault::PasskeyFault;
use super::id::{CredentialId, UserHandle};
use super::public_key::PublicKey;
use super::relying_party::{RelyingParty, UserPresence, UserVerification};
use super::response::AuthenticationResponse;
use super::signature::SignatureWork;

/// What was asked for, and what a response is held against.
#[derive(Clone, Copy, Debug)]
pub struct Authentication<'a> {
    /// Who asked.
    pub rp: &'a RelyingParty,
    /// The challenge of this ceremony; the caller sees to it that it is used once.
    pub challenge: &'a Challenge,
    /// Credentials that were allowed; none where every one was.
    pub allowed: &'a [CredentialId],
    /// How the account was found whose credential it is.
    pub found: Found,
    /// Whether the user is to be verified.
    pub user_verification: UserVerification,
}

/// How the account was found: step 6 of §7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was named before the ceremony, by an identifier or a session.
    Before,
    /// By the user handle of the response, which must be there.
    ByUserHandle,
}

/// The credential as it is stored, and the handle of the account that has it.
#[derive(Clone, Copy, Debug)]
pub struct StoredPasskey<'a> {
    /// Its id.
    pub id: &'a CredentialId,
    /// The account's handle.
    pub user_handle: &'a UserHandle,
    /// Its key.
    pub public_key: &'a PublicKey,
    /// The signature counter of the last ceremony.
    pub sign_count: u32,
    /// Whether it may be backed up, as its registration said.
    pub backup_eligible: bool,
}

/// What an authentication came to, once its signature is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// The handle that the response carried, which is the account's.
    pub user_handle: Option<UserHandle>,
    /// Whether the user was verified.
    pub user_verified: bool,
    /// Whether the credential may be backed up.
    pub backup_eligible: bool,
    /// Whether it is, to be stored.
    pub backed_up: bool,
    /// How the signature counter moved.
    pub sign_count: SignCount,
    /// The signature, to be verified before anything of this holds.
    pub work: SignatureWork,
}

/// How a signature counter moved: step 22 of §7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignCount {
    /// It was 0 and is: the authenticator does not count, as synced ones do not.
    NotCounted,
    /// It grew.
    Advanced {
        /// The counter, to be stored.
        to: u32,
    },
    /// It did not grow. That is a signal, not a proof, that the key was copied: it
    /// is weighed with the risk, and refuses nothing here.
    Regressed {
        /// The counter that was stored.
        stored: u32,
        /// The counter of this response.
        received: u32,
    },
}

impl SignCount {
    fn between(stored: u32, received: u32) -> SignCount {
        match (stored, received) {
            (0, 0) => SignCount::NotCounted,
            _ if received > stored => SignCount::Advanced { to: received },
            _ => SignCount::Regressed { stored, received },
        }
    }
}

impl Authentication<'_> {
    /// Steps 5 to 22 of §7.2, but for the signature of step 21, which is handed
    /// back. Steps 1 to 4 are the browser's, 24 and 25 the caller's; extensions are
    /// not asked for, and their outputs ignored.
    ///
    /// # Errors
    /// [`PasskeyFault`] for the first step that fails.
    pub fn check(
        &self,
        response: &AuthenticationResponse,
        stored: &StoredPasskey<'_>,
    ) -> Result<Asserted, PasskeyFault> {
        self.identify(response, stored)?;
        let client_data = &response.client_data;
        let ceremony = Ceremony::Authentication;
        let hash = client_data::check(client_data, ceremony, self.rp, self.challenge)?;
        let data = AuthenticatorData::parse(&response.authenticator_data)?;
        data.check(self.rp, UserPresence::Required, self.user_verification)?;
        // §6.1: AT must not be set for assertion signatures.
        if data.attested.is_some() {
            return Err(PasskeyFault::AttestedDataUnexpected);
        }
        if data.flags.backup_eligible() != stored.backup_eligible {
            return Err(PasskeyFault::BackupEligibilityChanged);
        }
        let work = SignatureWork::new(
            stored.public_key,
            &response.authenticator_data,
            &hash,
            &response.signature,
        )?;
        Ok(Asserted {
            user_handle: response.user_handle.clone(),
            user_verified: data.flags.user_verified(),
            backup_eligible: data.flags.backup_eligible(),
            backed_up: data.flags.backed_up(),
            sign_count: SignCount::between(stored.sign_count, data.sign_count),
            work,
        })
    }

    /// Steps 5 and 6.
    fn identify(
        &self,
        response: &AuthenticationResponse,
        stored: &StoredPasskey<'_>,
    ) -> Result<(), PasskeyFault> {
        let is_allowed = self.allowed.is_empty() || self.allowed.contains(&response.id);
        if !is_allowed || response.id != *stored.id {
            return Err(PasskeyFault::CredentialNotAllowed);
        }
        match (&response.user_handle, self.found) {
            (Some(handle), Found::Before | Found::ByUserHandle) if handle != stored.user_handle => {
                Err(PasskeyFault::WrongUserHandle)
            }
            (Some(_), Found::Before | Found::ByUserHandle) | (None, Found::Before) => Ok(()),
            (None, Found::ByUserHandle) => Err(PasskeyFault::UserHandleMissing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_a_signal() {
        let moved = [(0, 0), (0, 1), (1, 2), (1, 1), (2, 1), (1, 0)];
        let regressed = |stored, received| SignCount::Regressed { stored, received };
        assert_eq!(
            moved.map(|(stored, received)| SignCount::between(stored, received)),
            [
                SignCount::NotCounted,
                SignCount::Advanced { to: 1 },
                SignCount::Advanced { to: 2 },
                regressed(1, 1),
                regressed(2, 1),
                regressed(1, 0),
            ]
        );
    }
}
