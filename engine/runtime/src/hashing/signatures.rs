//! Signatures of passkeys, by aws-lc-rs.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use tidegate_account::SignatureCheck;
use tidegate_account::credential::passkey::{Algorithm, SignatureWork};

/// A key that is none, a point off its curve, verifies nothing.
pub(super) fn verify(work: &SignatureWork) -> SignatureCheck {
    let algorithm: &dyn VerificationAlgorithm = match work.algorithm() {
        Algorithm::Es256 => &ECDSA_P256_SHA256_ASN1,
        Algorithm::EdDsa => &ED25519,
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
    };
    let key = UnparsedPublicKey::new(algorithm, work.public_key.raw_key());
    match key.verify(&work.message, &work.signature) {
        Ok(()) => SignatureCheck::Valid,
        Err(_) => SignatureCheck::Invalid,
    }
}
