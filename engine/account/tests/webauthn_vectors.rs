//! The relying party held against the test vectors of WebAuthn Level 3, with
//! their signatures verified.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test program"
)]

#[path = "webauthn_vectors/refusals.rs"]
mod refusals;
#[path = "webauthn_vectors/vector.rs"]
mod vector;

use tidegate_account::credential::passkey::{
    Algorithm, Asserted, Authentication, AuthenticationResponse, Challenge, Found, Framing,
    NewPasskey, PasskeyFault, Registered, Registration, RegistrationResponse, RelyingParty,
    SignCount, StoredPasskey, UserHandle, UserPresence, UserVerification,
};
use vector::{Vector, holds, vectors};

const HANDLE: &[u8] = b"handle";

fn rp(framing: Framing) -> RelyingParty {
    RelyingParty {
        id: "example.org".to_owned(),
        origins: vec!["https://example.org".to_owned()],
        framing,
    }
}

fn framed() -> RelyingParty {
    rp(Framing::Within(vec!["https://example.com".to_owned()]))
}

fn register(
    vector: &Vector,
    rp: &RelyingParty,
    user_verification: UserVerification,
) -> Result<Registered, PasskeyFault> {
    let response = RegistrationResponse::parse(vector.registration_json().as_bytes())?;
    let asked = Registration {
        rp,
        challenge: &Challenge::new(vector.registration_challenge),
        algorithms: &Algorithm::ALL,
        user_presence: UserPresence::Required,
        user_verification,
    };
    asked.check(&response)
}

fn authenticate(
    vector: &Vector,
    rp: &RelyingParty,
    passkey: &NewPasskey,
) -> Result<Asserted, PasskeyFault> {
    let json = vector.authentication_json(HANDLE);
    let response = AuthenticationResponse::parse(json.as_bytes())?;
    let asked = Authentication {
        rp,
        challenge: &Challenge::new(vector.authentication_challenge),
        allowed: &[],
        found: Found::ByUserHandle,
        user_verification: UserVerification::Preferred,
    };
    asked.check(&response, &stored(passkey, &UserHandle::new(HANDLE)?))
}

fn stored<'a>(passkey: &'a NewPasskey, user_handle: &'a UserHandle) -> StoredPasskey<'a> {
    StoredPasskey {
        id: &passkey.id,
        user_handle,
        public_key: &passkey.public_key,
        sign_count: passkey.sign_count,
        backup_eligible: passkey.backup_eligible,
    }
}

fn preferred(vector: &Vector, rp: &RelyingParty) -> Result<Registered, PasskeyFault> {
    register(vector, rp, UserVerification::Preferred)
}

fn vector(name: &str) -> Vector {
    let mut vectors = vectors().into_iter();
    vectors.find(|vector| vector.name == name).unwrap()
}

#[test]
fn every_vector_has_its_verdict() {
    let unsupported = PasskeyFault::UnsupportedAttestation;
    let algorithm = PasskeyFault::UnsupportedAlgorithm;
    let verdicts = vectors().into_iter().map(|vector| {
        let verdict = [rp(Framing::Forbidden), framed()].map(|rp| preferred(&vector, &rp).err());
        (vector.name.clone(), verdict)
    });
    let expected = [
        ("none-es256", [None, None]),
        ("packed-self-es256", [None, None]),
        (
            "none-es256-crossOrigin",
            [Some(PasskeyFault::CrossOrigin), None],
        ),
        (
            "none-es256-topOrigin",
            [Some(PasskeyFault::CrossOrigin), None],
        ),
        ("none-es256-long-credential-id", [None, None]),
        ("packed-es256", [Some(unsupported); 2]),
        ("packed-es384", [Some(algorithm); 2]),
        ("packed-rs256", [Some(unsupported); 2]),
        ("packed-eddsa", [Some(unsupported); 2]),
        ("packed-ed448", [Some(algorithm); 2]),
        ("tpm-es256", [Some(unsupported); 2]),
        ("android-key-es256", [Some(unsupported); 2]),
        ("apple-es256", [Some(unsupported); 2]),
        ("fido-u2f-es256", [Some(unsupported); 2]),
    ];
    let expected = expected.map(|(name, verdict)| (name.to_owned(), verdict));
    assert_eq!(verdicts.collect::<Vec<_>>(), expected);
}

#[test]
fn a_credential_is_what_its_vector_says() {
    for vector in vectors() {
        let Ok(registered) = preferred(&vector, &framed()) else {
            continue;
        };
        let passkey = registered.passkey;
        let flags = vector.registration_flags();
        assert_eq!(
            passkey.id.as_bytes(),
            vector.credential_id,
            "{}",
            vector.name
        );
        let said = (
            passkey.aaguid,
            passkey.sign_count,
            passkey.user_verified,
            passkey.backup_eligible,
            passkey.backed_up,
            passkey.transports.len(),
        );
        let expected = (
            vector.aaguid,
            0,
            flags & 0x04 != 0,
            flags & 0x08 != 0,
            flags & 0x10 != 0,
            2,
        );
        assert_eq!(said, expected, "{}", vector.name);
    }
}

#[test]
fn a_self_attestation_is_signed_by_its_own_key() {
    let vector = vector("packed-self-es256");
    let required = register(&vector, &framed(), UserVerification::Required).unwrap();
    let mut work = required.work.unwrap();
    assert_eq!(work.public_key, required.passkey.public_key);
    assert!(holds(&work));
    work.message[40] ^= 1;
    assert!(!holds(&work));
}

/// With attestation taken away, every vector of an algorithm that is known.
#[test]
fn every_assertion_is_signed_by_its_key() {
    let mut seen = Vec::new();
    for vector in vectors().iter().map(Vector::without_attestation) {
        let Ok(registered) = preferred(&vector, &framed()) else {
            continue;
        };
        assert_eq!(registered.work, None, "{}", vector.name);
        let asserted = authenticate(&vector, &framed(), &registered.passkey).unwrap();
        assert!(holds(&asserted.work), "{}", vector.name);
        assert_eq!(asserted.sign_count, SignCount::NotCounted);
        assert_eq!(asserted.user_handle, UserHandle::new(HANDLE).ok());
        let flags = vector.authenticator_data[32];
        assert_eq!(asserted.user_verified, flags & 0x04 != 0);
        assert_eq!(asserted.backed_up, flags & 0x10 != 0);
        seen.push(registered.passkey.algorithm());
    }
    let count = |algorithm| seen.iter().filter(|seen| **seen == algorithm).count();
    assert_eq!(Algorithm::ALL.map(count), [10, 1, 1]);
}
