use super::*;
use alloc::vec;
use proptest::prelude::*;
use std::format;

fn credential_json(id: &str, raw_id: &str, kind: &str, response: &str) -> String {
    format!(
        r#"{{"id":"{id}","rawId":"{raw_id}","response":{{{response}}},"type":"{kind}","authenticatorAttachment":"platform","clientExtensionResults":{{"credProps":{{"rk":true}}}}}}"#
    )
}

const ATTESTATION: &str = r#""clientDataJSON":"e30","attestationObject":"oA","transports":["internal","hybrid","cable","internal"],"publicKeyAlgorithm":-7,"authenticatorData":"AA""#;
const ASSERTION: &str =
    r#""clientDataJSON":"e30","authenticatorData":"AA","signature":"MAA","userHandle":"AQID""#;

fn registration(response: &str) -> Result<RegistrationResponse, PasskeyFault> {
    let json = credential_json("-_8", "-_8", "public-key", response);
    RegistrationResponse::parse(json.as_bytes())
}

fn authentication(response: &str) -> Result<AuthenticationResponse, PasskeyFault> {
    let json = credential_json("-_8", "-_8", "public-key", response);
    AuthenticationResponse::parse(json.as_bytes())
}

#[test]
fn a_registration_is_read() {
    let read = registration(ATTESTATION).unwrap();
    let expected = RegistrationResponse {
        id: CredentialId::new(&[0xFB, 0xFF]).unwrap(),
        client_data: b"{}".to_vec(),
        attestation_object: vec![0xA0],
        transports: vec![Transport::Hybrid, Transport::Internal],
    };
    assert_eq!(read, expected);
    assert_eq!(format!("{read:?}"), "RegistrationResponse(..)");
    let bare = registration(r#""clientDataJSON":"","attestationObject":"""#).unwrap();
    assert_eq!(bare.transports, []);
}

#[test]
fn an_authentication_is_read() {
    let read = authentication(ASSERTION).unwrap();
    let expected = AuthenticationResponse {
        id: CredentialId::new(&[0xFB, 0xFF]).unwrap(),
        client_data: b"{}".to_vec(),
        authenticator_data: vec![0],
        signature: vec![0x30, 0],
        user_handle: UserHandle::new(&[1, 2, 3]).ok(),
    };
    assert_eq!(read, expected);
    assert_eq!(format!("{read:?}"), "AuthenticationResponse(..)");
    let null = authentication(&ASSERTION.replace("\"AQID\"", "null"));
    let absent = authentication(&ASSERTION.replace("userHandle", "other"));
    for read in [null, absent] {
        assert_eq!(read.unwrap().user_handle, None);
    }
}

#[test]
fn what_is_not_the_json_of_the_standard_is_refused() {
    let whole = |id: &str, raw_id: &str, kind: &str| {
        let json = credential_json(id, raw_id, kind, ATTESTATION);
        RegistrationResponse::parse(json.as_bytes()).map(|_| ())
    };
    let parts = |from: &str, to: &str| {
        let attestation = registration(&ATTESTATION.replace(from, to)).map(|_| ());
        let assertion = authentication(&ASSERTION.replace(from, to)).map(|_| ());
        attestation.and(assertion)
    };
    let long_id = "A".repeat(1_366);
    for (verdict, fault) in [
        (
            whole("-_8", "-_8", "password"),
            PasskeyFault::WrongCredentialType,
        ),
        (
            whole("-_8", "-_9", "public-key"),
            PasskeyFault::CredentialIdMismatch,
        ),
        (
            whole("-_9", "-_9", "public-key"),
            PasskeyFault::MalformedBase64url,
        ),
        (
            whole("-_8=", "-_8=", "public-key"),
            PasskeyFault::MalformedBase64url,
        ),
        (
            whole("+/8", "+/8", "public-key"),
            PasskeyFault::MalformedBase64url,
        ),
        (
            whole("", "", "public-key"),
            PasskeyFault::CredentialIdLength,
        ),
        (
            whole(&long_id, &long_id, "public-key"),
            PasskeyFault::CredentialIdLength,
        ),
        (parts("e30", "e3"), PasskeyFault::MalformedBase64url),
        (parts("\"oA\"", "\"o A\""), PasskeyFault::MalformedBase64url),
        (parts("\"oA\"", "7"), PasskeyFault::MalformedJson),
        (
            parts("clientDataJSON", "clientdatajson"),
            PasskeyFault::MalformedJson,
        ),
        (
            parts("attestationObject", "other"),
            PasskeyFault::MalformedJson,
        ),
        (
            parts("\"signature\"", "\"other\""),
            PasskeyFault::MalformedJson,
        ),
        (parts("[\"internal\"", "[1"), PasskeyFault::MalformedJson),
        (parts("AQID", ""), PasskeyFault::UserHandleLength),
        (
            parts("AQID", &"A".repeat(85)),
            PasskeyFault::MalformedBase64url,
        ),
        (
            parts("AQID", &"A".repeat(87)),
            PasskeyFault::UserHandleLength,
        ),
        (
            parts("\"MAA\"", "\"MAA\",\"signature\":\"MAA\""),
            PasskeyFault::MalformedJson,
        ),
    ] {
        assert_eq!(verdict, Err(fault));
    }
}

#[test]
fn every_part_has_its_limit() {
    let text = |bytes: usize| BASE64URL_NOPAD.encode(&vec![0; bytes]);
    let client_data = |bytes| registration(&ATTESTATION.replace("e30", &text(bytes))).map(|_| ());
    let object = |bytes| registration(&ATTESTATION.replace("oA", &text(bytes))).map(|_| ());
    let data = |bytes| authentication(&ASSERTION.replace("AA\",\"s", &(text(bytes) + "\",\"s")));
    let data = |bytes| data(bytes).map(|_| ());
    let signature = |bytes| authentication(&ASSERTION.replace("MAA", &text(bytes))).map(|_| ());
    let listed = |count| {
        let names = vec!["\"usb\""; count].join(",");
        registration(&ATTESTATION.replace("\"internal\",\"hybrid\"", &names)).map(|_| ())
    };
    let padded = |bytes: usize| {
        let json = credential_json("-_8", "-_8", "public-key", ATTESTATION);
        let json = json.clone() + &" ".repeat(bytes - json.len());
        RegistrationResponse::parse(json.as_bytes()).map(|_| ())
    };
    let too_large = Err(PasskeyFault::TooLarge);
    for (at, over) in [
        (client_data(4_096), client_data(4_097)),
        (object(16_384), object(16_385)),
        (data(4_096), data(4_097)),
        (signature(512), signature(513)),
        (listed(14), listed(15)),
        (padded(65_536), padded(65_537)),
    ] {
        assert_eq!((at, over), (Ok(()), too_large));
    }
}

#[test]
fn a_response_is_read_whole_or_not_at_all() {
    for json in [
        credential_json("-_8", "-_8", "public-key", ATTESTATION),
        credential_json("-_8", "-_8", "public-key", ASSERTION),
    ] {
        for cut in 0..json.len() {
            let part = &json.as_bytes()[..cut];
            let malformed = PasskeyFault::MalformedJson;
            assert_eq!(RegistrationResponse::parse(part), Err(malformed));
            assert_eq!(AuthenticationResponse::parse(part), Err(malformed));
        }
    }
    let both = registration(&[ATTESTATION, ASSERTION].join(","));
    assert_eq!(both, Err(PasskeyFault::MalformedJson));
    let deep = "[".repeat(60_000);
    let verdict = AuthenticationResponse::parse(deep.as_bytes());
    assert_eq!(verdict, Err(PasskeyFault::MalformedJson));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(RegistrationResponse::parse(&bytes).is_err());
        prop_assert!(AuthenticationResponse::parse(&bytes).is_err());
    }
}
