//! A vector that is changed or cut off is refused, and for the right reason.

use tidegate_account::credential::passkey::CredentialId;

use super::*;

#[test]
fn what_was_not_asked_for_is_refused_at_registration() {
    let whole = vector("none-es256");
    let change = |change: &dyn Fn(&mut Vector)| {
        let mut vector = vector("none-es256");
        change(&mut vector);
        preferred(&vector, &rp(Framing::Forbidden)).err()
    };
    let replace = |from: &str, to: &str| {
        change(&|it| it.registration_client_data = it.client_data_with(from, to))
    };
    for (verdict, fault) in [
        (
            change(&|it| it.registration_challenge[0] ^= 1),
            PasskeyFault::WrongChallenge,
        ),
        (
            replace("webauthn.create", "webauthn.get"),
            PasskeyFault::WrongType,
        ),
        (
            replace("https://example.org", "https://example.com"),
            PasskeyFault::WrongOrigin,
        ),
        (
            replace("{", "{\"type\":\"webauthn.create\","),
            PasskeyFault::MalformedClientData,
        ),
        (change(&|it| it.flip(0, 1)), PasskeyFault::WrongRelyingParty),
        (
            change(&|it| it.flip(32, 0x01)),
            PasskeyFault::UserNotPresent,
        ),
        (
            change(&|it| it.flip(32, 0x08)),
            PasskeyFault::BackupContradiction,
        ),
        (
            change(&|it| it.flip(32, 0x40)),
            PasskeyFault::MalformedAuthenticatorData,
        ),
        (change(&|it| it.flip(32, 0x80)), PasskeyFault::MalformedCbor),
        (
            change(&|it| it.flip(55, 1)),
            PasskeyFault::CredentialIdMismatch,
        ),
        (
            change(&|it| it.attestation_object.push(0)),
            PasskeyFault::MalformedCbor,
        ),
        (
            change(&|it| it.credential_id.push(0)),
            PasskeyFault::CredentialIdMismatch,
        ),
    ] {
        assert_eq!(verdict, Some(fault));
    }
    let required = register(&whole, &rp(Framing::Forbidden), UserVerification::Required);
    assert_eq!(required, Err(PasskeyFault::UserNotVerified));
    let response = RegistrationResponse::parse(whole.registration_json().as_bytes()).unwrap();
    let asked = Registration {
        rp: &rp(Framing::Forbidden),
        challenge: &Challenge::new(whole.registration_challenge),
        algorithms: &[Algorithm::EdDsa, Algorithm::Rs256],
        user_presence: UserPresence::Required,
        user_verification: UserVerification::Preferred,
    };
    assert_eq!(
        asked.check(&response),
        Err(PasskeyFault::AlgorithmNotOffered)
    );
}

#[test]
fn what_was_not_asked_for_is_refused_at_authentication() {
    let rp = rp(Framing::Forbidden);
    let passkey = preferred(&vector("none-es256"), &rp).unwrap().passkey;
    let change = |change: &dyn Fn(&mut Vector)| {
        let mut vector = vector("none-es256");
        change(&mut vector);
        authenticate(&vector, &rp, &passkey).err()
    };
    for (verdict, fault) in [
        (
            change(&|it| it.authentication_challenge[0] ^= 1),
            PasskeyFault::WrongChallenge,
        ),
        (
            change(&|it| it.authentication_client_data = it.registration_client_data.clone()),
            PasskeyFault::WrongType,
        ),
        (
            change(&|it| it.authenticator_data[0] ^= 1),
            PasskeyFault::WrongRelyingParty,
        ),
        (
            change(&|it| it.authenticator_data[32] ^= 0x01),
            PasskeyFault::UserNotPresent,
        ),
        (
            change(&|it| it.authenticator_data[32] = 0x01),
            PasskeyFault::BackupEligibilityChanged,
        ),
        (
            change(&|it| it.authenticator_data[32] = 0x11),
            PasskeyFault::BackupContradiction,
        ),
        (
            change(&|it| it.authenticator_data.push(0)),
            PasskeyFault::MalformedAuthenticatorData,
        ),
        (
            change(&|it| it.authenticator_data = it.attested_data().to_vec()),
            PasskeyFault::AttestedDataUnexpected,
        ),
        (
            change(&|it| it.signature.clear()),
            PasskeyFault::SignatureLength,
        ),
        (
            change(&|it| it.credential_id[0] ^= 1),
            PasskeyFault::CredentialNotAllowed,
        ),
    ] {
        assert_eq!(verdict, Some(fault));
    }
}

#[test]
fn the_account_and_the_credential_are_those_that_were_asked_for() {
    let rp = rp(Framing::Forbidden);
    let vector = vector("none-es256");
    let passkey = preferred(&vector, &rp).unwrap().passkey;
    let verdict = |response_handle: &[u8], account: &[u8], allowed: &[CredentialId], found| {
        let json = vector.authentication_json(response_handle);
        let response = AuthenticationResponse::parse(json.as_bytes()).unwrap();
        let asked = Authentication {
            rp: &rp,
            challenge: &Challenge::new(vector.authentication_challenge),
            allowed,
            found,
            user_verification: UserVerification::Preferred,
        };
        let account = UserHandle::new(account).unwrap();
        asked.check(&response, &stored(&passkey, &account)).err()
    };
    let own = std::slice::from_ref(&passkey.id);
    let other = [CredentialId::new(&[1]).unwrap()];
    use Found::{Before, ByUserHandle};
    let missing = Some(PasskeyFault::UserHandleMissing);
    let wrong = Some(PasskeyFault::WrongUserHandle);
    let not_allowed = Some(PasskeyFault::CredentialNotAllowed);
    for (handle, account, allowed, found, expected) in [
        (HANDLE, HANDLE, &[][..], Before, None),
        (HANDLE, HANDLE, own, ByUserHandle, None),
        (&[], HANDLE, own, Before, None),
        (&[], HANDLE, own, ByUserHandle, missing),
        (HANDLE, b"other", own, Before, wrong),
        (HANDLE, b"other", own, ByUserHandle, wrong),
        (HANDLE, HANDLE, &other, Before, not_allowed),
    ] {
        assert_eq!(verdict(handle, account, allowed, found), expected);
    }
}

#[test]
fn what_is_cut_off_anywhere_is_refused() {
    for name in ["none-es256", "packed-self-es256"] {
        let whole = vector(name);
        let rp = rp(Framing::Forbidden);
        let passkey = preferred(&whole, &rp).unwrap().passkey;
        for cut in 0..whole.attestation_object.len() {
            let mut part = whole.clone();
            part.attestation_object.truncate(cut);
            let verdict = preferred(&part, &rp);
            assert_eq!(verdict, Err(PasskeyFault::MalformedCbor), "{cut}");
        }
        for cut in 0..whole.attested_data().len() {
            let part = whole.with_attested_data(&whole.attested_data()[..cut]);
            assert!(preferred(&part, &rp).is_err(), "{cut}");
        }
        for cut in 0..whole.registration_client_data.len() {
            let mut part = whole.clone();
            part.registration_client_data.truncate(cut);
            let verdict = preferred(&part, &rp);
            assert_eq!(verdict, Err(PasskeyFault::MalformedClientData), "{cut}");
        }
        for cut in 0..whole.authenticator_data.len() {
            let mut part = whole.clone();
            part.authenticator_data.truncate(cut);
            let verdict = authenticate(&part, &rp, &passkey);
            assert_eq!(
                verdict,
                Err(PasskeyFault::MalformedAuthenticatorData),
                "{cut}"
            );
        }
    }
}
