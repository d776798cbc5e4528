use super::*;
use alloc::borrow::ToOwned;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

use crate::credential::passkey::relying_party::Framing;

fn rp() -> RelyingParty {
    RelyingParty {
        id: "example.org".to_owned(),
        origins: vec!["https://example.org".to_owned()],
        framing: Framing::Forbidden,
    }
}

fn data(flags: u8, rest: &[u8]) -> Vec<u8> {
    [&rp().id_hash()[..], &[flags], &[0, 0, 1, 2], rest].concat()
}

/// Attested data with an id of so many bytes and an Ed25519 key.
fn attested(id_bytes: u16) -> Vec<u8> {
    let id = vec![0x1D; id_bytes.into()];
    let key = [
        b"\xA4\x01\x01\x03\x27\x20\x06\x21\x58\x20".as_slice(),
        &[7; 32],
    ]
    .concat();
    [&[0xAA; 16][..], &id_bytes.to_be_bytes(), &id, &key].concat()
}

fn checked(
    flags: u8,
    presence: UserPresence,
    verification: UserVerification,
) -> Result<(), PasskeyFault> {
    let bytes = data(flags, &[]);
    let data = AuthenticatorData::parse(&bytes).unwrap();
    data.check(&rp(), presence, verification)
}

#[test]
fn data_of_37_bytes_are_read() {
    let bytes = data(UP | UV | BE | BS | 0x22, &[]);
    let read = AuthenticatorData::parse(&bytes).unwrap();
    assert_eq!((read.sign_count, read.attested.as_ref()), (0x0102, None));
    let flags = read.flags;
    let said = [
        flags.user_verified(),
        flags.backup_eligible(),
        flags.backed_up(),
    ];
    assert_eq!(said, [true; 3]);
}

#[test]
fn attested_data_and_extensions_follow_their_flags() {
    let extensions = b"\xA1\x6BcredProtect\x02".as_slice();
    let both = [attested(16), extensions.to_vec()].concat();
    let malformed = Err(PasskeyFault::MalformedAuthenticatorData);
    let key = PublicKey::parse(&attested(16)[34..]).unwrap();
    let expected = Attested {
        aaguid: [0xAA; 16],
        id: CredentialId::new(&[0x1D; 16]).unwrap(),
        public_key: key,
    };
    for (flags, rest, verdict) in [
        (AT, attested(16), Ok(Some(expected.clone()))),
        (AT | ED, both.clone(), Ok(Some(expected))),
        (ED, extensions.to_vec(), Ok(None)),
        (AT, both.clone(), malformed.clone()),
        (ED, both, Err(PasskeyFault::MalformedCbor)),
        (0, extensions.to_vec(), malformed.clone()),
        (0, attested(16), malformed.clone()),
        (0, vec![0], malformed.clone()),
        (AT, vec![], malformed.clone()),
        (ED, vec![0x80], malformed),
        (ED, vec![], Err(PasskeyFault::MalformedCbor)),
        (AT | ED, attested(16), Err(PasskeyFault::MalformedCbor)),
        (ED, vec![0xA0, 0xA0], Err(PasskeyFault::MalformedCbor)),
        (
            ED,
            b"\xA2\x61a\x01\x61a\x02".to_vec(),
            Err(PasskeyFault::MalformedCbor),
        ),
    ] {
        let bytes = data(flags, &rest);
        let read = AuthenticatorData::parse(&bytes).map(|data| data.attested);
        assert_eq!(read, verdict, "{flags:#x} {}", rest.len());
    }
}

#[test]
fn an_id_has_1_to_1023_bytes() {
    let length = |id_bytes| {
        let bytes = data(AT, &attested(id_bytes));
        let read = AuthenticatorData::parse(&bytes)?;
        Ok(read.attested.map(|attested| attested.id.as_bytes().len()))
    };
    let refused = Err(PasskeyFault::CredentialIdLength);
    assert_eq!(
        [length(0), length(1), length(1_023), length(1_024)],
        [refused, Ok(Some(1)), Ok(Some(1_023)), refused]
    );
}

#[test]
fn data_are_read_whole_or_not_at_all() {
    let whole = data(
        AT | ED,
        &[attested(32), vec![0xA1, 0x61, 0x78, 0xF5]].concat(),
    );
    assert!(AuthenticatorData::parse(&whole).is_ok());
    for cut in 0..whole.len() {
        assert!(AuthenticatorData::parse(&whole[..cut]).is_err(), "{cut}");
    }
    let trailing = [whole.as_slice(), &[0]].concat();
    let verdict = AuthenticatorData::parse(&trailing);
    assert_eq!(verdict, Err(PasskeyFault::MalformedCbor));
}

#[test]
fn flags_are_held_against_what_is_required() {
    use UserPresence::{Conditional, Required as Present};
    use UserVerification::{Discouraged, Preferred, Required};
    for (flags, presence, verification, verdict) in [
        (UP | UV, Present, Required, Ok(())),
        (UP, Present, Required, Err(PasskeyFault::UserNotVerified)),
        (UP, Present, Preferred, Ok(())),
        (UP, Present, Discouraged, Ok(())),
        (UV, Present, Required, Err(PasskeyFault::UserNotPresent)),
        (0, Present, Discouraged, Err(PasskeyFault::UserNotPresent)),
        (0, Conditional, Discouraged, Ok(())),
        (0, Conditional, Required, Err(PasskeyFault::UserNotVerified)),
        (UP | BE, Present, Preferred, Ok(())),
        (UP | BE | BS, Present, Preferred, Ok(())),
        (
            UP | BS,
            Present,
            Preferred,
            Err(PasskeyFault::BackupContradiction),
        ),
        (
            BS,
            Conditional,
            Preferred,
            Err(PasskeyFault::BackupContradiction),
        ),
    ] {
        assert_eq!(
            checked(flags, presence, verification),
            verdict,
            "{flags:#x}"
        );
    }
}

#[test]
fn data_of_another_relying_party_are_refused() {
    let bytes = data(UP, &[]);
    let data = AuthenticatorData::parse(&bytes).unwrap();
    let other = RelyingParty {
        id: "example.com".to_owned(),
        ..rp()
    };
    let verdict = data.check(&other, UserPresence::Required, UserVerification::Preferred);
    assert_eq!(verdict, Err(PasskeyFault::WrongRelyingParty));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        flags in any::<u8>(),
        rest in prop::collection::vec(any::<u8>(), 0..128),
    ) {
        let _ = AuthenticatorData::parse(&rest);
        let bytes = data(flags, &rest);
        if let Ok(read) = AuthenticatorData::parse(&bytes) {
            prop_assert_eq!(read.attested.is_some(), flags & AT != 0);
        }
    }
}
