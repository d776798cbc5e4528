//! Why a response of an authenticator is refused.

/// Why a response is refused. None of them tells what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PasskeyFault {
    /// A part of the response is larger than its limit.
    TooLarge,
    /// The response is not the JSON of WebAuthn L3 §5.1.
    MalformedJson,
    /// A member is not base64url without padding (RFC 4648 §5).
    MalformedBase64url,
    /// The credential's type is not `public-key`.
    WrongCredentialType,
    /// A credential id has no byte, or more than 1,023.
    CredentialIdLength,
    /// The credential id is not the same everywhere in the response.
    CredentialIdMismatch,
    /// A user handle has no byte, or more than 64.
    UserHandleLength,
    /// The client data is not JSON with the members of §5.8.1, each once.
    MalformedClientData,
    /// The client data is of another ceremony.
    WrongType,
    /// The client data carries another challenge.
    WrongChallenge,
    /// The page's origin is not one of the relying party's.
    WrongOrigin,
    /// The page was framed by another origin, which the relying party forbids.
    CrossOrigin,
    /// The page was framed by an origin that the relying party does not name.
    WrongTopOrigin,
    /// CBOR that is not in the canonical form of CTAP2.
    MalformedCbor,
    /// The attestation object or its statement has not the shape of its format.
    MalformedAttestation,
    /// The statement is of a kind that was not asked for.
    UnsupportedAttestation,
    /// The statement names another algorithm than the key's.
    AttestationAlgorithm,
    /// The authenticator data is too short, or something follows it.
    MalformedAuthenticatorData,
    /// The credential is another relying party's.
    WrongRelyingParty,
    /// No test of user presence.
    UserNotPresent,
    /// No user verification, where it is required.
    UserNotVerified,
    /// Backed up, but not eligible for it.
    BackupContradiction,
    /// A registration without attested credential data.
    AttestedDataMissing,
    /// An assertion with attested credential data.
    AttestedDataUnexpected,
    /// A key of an algorithm that is not implemented.
    UnsupportedAlgorithm,
    /// A key of an algorithm that the options did not name.
    AlgorithmNotOffered,
    /// A key that has not the shape of its algorithm.
    MalformedPublicKey,
    /// A signature that has no byte, or more than any algorithm's.
    SignatureLength,
    /// The credential is none of those that were allowed, or not the stored one.
    CredentialNotAllowed,
    /// The account was to be found by its user handle, and there is none.
    UserHandleMissing,
    /// The user handle is another account's.
    WrongUserHandle,
    /// Eligible for backup now and not at the registration, or the reverse.
    BackupEligibilityChanged,
}

impl PasskeyFault {
    /// A stable name for metrics and audits, in snake case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PasskeyFault::TooLarge => "too_large",
            PasskeyFault::MalformedJson => "malformed_json",
            PasskeyFault::MalformedBase64url => "malformed_base64url",
            PasskeyFault::WrongCredentialType => "wrong_credential_type",
            PasskeyFault::CredentialIdLength => "credential_id_length",
            PasskeyFault::CredentialIdMismatch => "credential_id_mismatch",
            PasskeyFault::UserHandleLength => "user_handle_length",
            PasskeyFault::MalformedClientData => "malformed_client_data",
            PasskeyFault::WrongType => "wrong_type",
            PasskeyFault::WrongChallenge => "wrong_challenge",
            PasskeyFault::WrongOrigin => "wrong_origin",
            PasskeyFault::CrossOrigin => "cross_origin",
            PasskeyFault::WrongTopOrigin => "wrong_top_origin",
            PasskeyFault::MalformedCbor => "malformed_cbor",
            PasskeyFault::MalformedAttestation => "malformed_attestation",
            PasskeyFault::UnsupportedAttestation => "unsupported_attestation",
            PasskeyFault::AttestationAlgorithm => "attestation_algorithm",
            PasskeyFault::MalformedAuthenticatorData => "malformed_authenticator_data",
            PasskeyFault::WrongRelyingParty => "wrong_relying_party",
            PasskeyFault::UserNotPresent => "user_not_present",
            PasskeyFault::UserNotVerified => "user_not_verified",
            PasskeyFault::BackupContradiction => "backup_contradiction",
            PasskeyFault::AttestedDataMissing => "attested_data_missing",
            PasskeyFault::AttestedDataUnexpected => "attested_data_unexpected",
            PasskeyFault::UnsupportedAlgorithm => "unsupported_algorithm",
            PasskeyFault::AlgorithmNotOffered => "algorithm_not_offered",
            PasskeyFault::MalformedPublicKey => "malformed_public_key",
            PasskeyFault::SignatureLength => "signature_length",
            PasskeyFault::CredentialNotAllowed => "credential_not_allowed",
            PasskeyFault::UserHandleMissing => "user_handle_missing",
            PasskeyFault::WrongUserHandle => "wrong_user_handle",
            PasskeyFault::BackupEligibilityChanged => "backup_eligibility_changed",
        }
    }
}
