//! Signatures, which are verified outside the core.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::fmt;

use super::fault::PasskeyFault;
use super::public_key::{Algorithm, PublicKey};

/// The longest signature: that of an RSA key of 4,096 bits.
pub const SIGNATURE_MAX_BYTES: usize = 512;

/// A signature to be verified: an effect. What the ceremony found holds only if
/// the signature is one by this key over this message.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureWork {
    /// The key of the credential.
    pub public_key: PublicKey,
    /// Authenticator data and the SHA-256 of the client data.
    pub message: Vec<u8>,
    /// In the form of WebAuthn L3 §6.5.5: ECDSA as ASN.1 DER, EdDSA as 64 bytes,
    /// RSASSA-PKCS1-v1_5 as it is.
    pub signature: Vec<u8>,
}

impl SignatureWork {
    pub(super) fn new(
        public_key: &PublicKey,
        authenticator_data: &[u8],
        client_data_hash: &[u8; 32],
        signature: &[u8],
    ) -> Result<SignatureWork, PasskeyFault> {
        let length = signature.len();
        if length == 0 || length > SIGNATURE_MAX_BYTES {
            return Err(PasskeyFault::SignatureLength);
        }
        Ok(SignatureWork {
            public_key: public_key.clone(),
            message: [authenticator_data, client_data_hash].concat(),
            signature: signature.to_owned(),
        })
    }

    /// The key's algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public_key.algorithm()
    }
}

impl fmt::Debug for SignatureWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureWork({:?}, ..)", self.algorithm())
    }
}
