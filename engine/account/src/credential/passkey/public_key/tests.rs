use super::*;
use alloc::vec;
use proptest::prelude::*;

/// A map of integers and byte strings, in the order given.
fn cose(entries: &[(i16, Member<'_>)]) -> Vec<u8> {
    let mut bytes = vec![0xA0 + u8::try_from(entries.len()).unwrap()];
    for (key, member) in entries {
        integer(&mut bytes, *key);
        match member {
            Member::Number(number) => integer(&mut bytes, *number),
            Member::Bytes(member) => {
                head(&mut bytes, 0x40, u16::try_from(member.len()).unwrap());
                bytes.extend_from_slice(member);
            }
        }
    }
    bytes
}

enum Member<'a> {
    Number(i16),
    Bytes(&'a [u8]),
}

fn integer(bytes: &mut Vec<u8>, number: i16) {
    match u16::try_from(number) {
        Ok(number) => head(bytes, 0x00, number),
        Err(_) => head(bytes, 0x20, u16::try_from(-1 - number).unwrap()),
    }
}

fn head(bytes: &mut Vec<u8>, major: u8, argument: u16) {
    let [high, low] = argument.to_be_bytes();
    match argument {
        0..=23 => bytes.push(major | low),
        24..=255 => bytes.extend([major | 24, low]),
        _ => bytes.extend([major | 25, high, low]),
    }
}

fn parse(entries: &[(i16, Member<'_>)]) -> Result<PublicKey, PasskeyFault> {
    PublicKey::parse(&cose(entries))
}

use Member::{Bytes, Number};

fn ec2(kty: i16, alg: i16, crv: i16, x: &[u8], y: &[u8]) -> Result<PublicKey, PasskeyFault> {
    parse(&[
        (1, Number(kty)),
        (3, Number(alg)),
        (-1, Number(crv)),
        (-2, Bytes(x)),
        (-3, Bytes(y)),
    ])
}

fn okp(kty: i16, alg: i16, crv: i16, x: &[u8]) -> Result<PublicKey, PasskeyFault> {
    parse(&[
        (1, Number(kty)),
        (3, Number(alg)),
        (-1, Number(crv)),
        (-2, Bytes(x)),
    ])
}

fn rsa(kty: i16, alg: i16, n: &[u8], e: &[u8]) -> Result<PublicKey, PasskeyFault> {
    parse(&[
        (1, Number(kty)),
        (3, Number(alg)),
        (-1, Bytes(n)),
        (-2, Bytes(e)),
    ])
}

/// A modulus of so many bytes that begins with this one.
fn modulus(first: u8, bytes: usize) -> Vec<u8> {
    let mut n = vec![0x11; bytes];
    n[0] = first;
    n
}

const MALFORMED: PasskeyFault = PasskeyFault::MalformedPublicKey;
const UNSUPPORTED: PasskeyFault = PasskeyFault::UnsupportedAlgorithm;
const E: &[u8] = &[1, 0, 1];

#[test]
fn a_point_is_written_uncompressed() {
    let key = ec2(2, -7, 1, &[3; 32], &[5; 32]).unwrap();
    let point = [[4].as_slice(), &[3; 32], &[5; 32]].concat();
    assert_eq!(
        (key.algorithm(), key.raw_key()),
        (Algorithm::Es256, &*point)
    );
    assert_eq!(PublicKey::parse(key.as_cose()), Ok(key.clone()));
    assert_eq!(std::format!("{key:?}"), "PublicKey(Es256, ..)");
}

#[test]
fn an_edwards_key_is_its_bytes() {
    let key = okp(1, -8, 6, &[7; 32]).unwrap();
    assert_eq!(
        (key.algorithm(), key.raw_key()),
        (Algorithm::EdDsa, &[7; 32][..])
    );
}

#[test]
fn an_rsa_key_is_written_as_der() {
    let high = rsa(3, -257, &modulus(0x80, 256), E).unwrap();
    // SEQUENCE of 266 bytes: INTEGER of 257, the first of them 0, and of 3.
    let begin = [0x30, 0x82, 0x01, 0x0A, 0x02, 0x82, 0x01, 0x01, 0x00, 0x80];
    assert_eq!(high.raw_key()[..10], begin);
    assert_eq!(high.raw_key()[265..], [0x02, 0x03, 0x01, 0x00, 0x01]);
    let low = rsa(3, -257, &modulus(0x01, 257), &[3]).unwrap();
    let begin = [0x30, 0x82, 0x01, 0x08, 0x02, 0x82, 0x01, 0x01, 0x01, 0x11];
    assert_eq!(low.raw_key()[..10], begin);
    assert_eq!(low.raw_key()[265..], [0x02, 0x01, 0x03]);
}

#[test]
fn a_key_has_the_shape_of_its_algorithm() {
    let (x, y) = (&[3; 32], &[5; 32]);
    for (key, fault) in [
        (ec2(2, -7, 1, &[3; 31], y), MALFORMED),
        (ec2(2, -7, 1, x, &[5; 33]), MALFORMED),
        (ec2(3, -7, 1, x, y), MALFORMED),
        (ec2(2, -7, 2, x, y), MALFORMED),
        (ec2(2, -8, 1, x, y), MALFORMED),
        (ec2(2, -35, 2, &[3; 48], &[5; 48]), UNSUPPORTED),
        (ec2(2, -36, 3, &[3; 66], &[5; 66]), UNSUPPORTED),
        (ec2(2, -47, 8, x, y), UNSUPPORTED),
        (okp(1, -8, 6, &[7; 31]), MALFORMED),
        (okp(1, -8, 7, &[7; 57]), MALFORMED),
        (okp(2, -8, 6, &[7; 32]), MALFORMED),
        (okp(1, -7, 6, &[7; 32]), MALFORMED),
        (okp(1, -53, 7, &[7; 57]), UNSUPPORTED),
        (rsa(3, -257, &modulus(0x7F, 256), E), MALFORMED),
        (rsa(3, -257, &modulus(0xFF, 255), E), MALFORMED),
        (rsa(3, -257, &modulus(0x00, 257), E), MALFORMED),
        (rsa(3, -257, &modulus(0x01, 513), E), MALFORMED),
        (rsa(3, -257, &[], E), MALFORMED),
        (rsa(3, -257, &modulus(0x80, 256), &[]), MALFORMED),
        (rsa(3, -257, &modulus(0x80, 256), &[1]), MALFORMED),
        (rsa(3, -257, &modulus(0x80, 256), &[2]), MALFORMED),
        (rsa(3, -257, &modulus(0x80, 256), &[0, 1, 0, 1]), MALFORMED),
        (
            rsa(3, -257, &modulus(0x80, 256), &[1, 0, 0, 0, 1]),
            MALFORMED,
        ),
        (rsa(2, -257, &modulus(0x80, 256), E), MALFORMED),
        (rsa(3, -37, &modulus(0x80, 256), E), UNSUPPORTED),
    ] {
        assert_eq!(key, Err(fault));
    }
    assert!(rsa(3, -257, &modulus(0xFF, 512), E).is_ok());
}

#[test]
fn a_member_more_or_less_is_refused() {
    let (x, y) = (&[3; 32], &[5; 32]);
    let key_id = parse(&[
        (1, Number(2)),
        (2, Bytes(&[1])),
        (3, Number(-7)),
        (-1, Number(1)),
        (-2, Bytes(x)),
        (-3, Bytes(y)),
    ]);
    let private = parse(&[
        (1, Number(2)),
        (3, Number(-7)),
        (-1, Number(1)),
        (-2, Bytes(x)),
        (-3, Bytes(y)),
        (-4, Bytes(x)),
    ]);
    let no_algorithm = parse(&[(1, Number(2)), (-1, Number(1)), (-2, Bytes(x))]);
    for key in [key_id, private, no_algorithm, PublicKey::parse(&[0x01])] {
        assert_eq!(key, Err(MALFORMED));
    }
}

#[test]
fn what_is_not_one_canonical_item_is_refused() {
    let cose = ec2(2, -7, 1, &[3; 32], &[5; 32])
        .unwrap()
        .as_cose()
        .to_vec();
    for cut in 0..cose.len() {
        assert_eq!(
            PublicKey::parse(&cose[..cut]),
            Err(PasskeyFault::MalformedCbor)
        );
    }
    let trailing = [cose.as_slice(), &[0]].concat();
    assert_eq!(
        PublicKey::parse(&trailing),
        Err(PasskeyFault::MalformedCbor)
    );
    let (key, rest) = PublicKey::parse_first(&trailing).unwrap();
    assert_eq!((key.as_cose(), rest), (&*cose, &[0][..]));
    let twice = parse(&[(1, Number(2)), (1, Number(2)), (3, Number(-7))]);
    assert_eq!(twice, Err(PasskeyFault::MalformedCbor));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        let _ = PublicKey::parse(&bytes);
    }

    #[test]
    fn one_changed_byte_gives_another_key_or_none(at in 0_usize..77, change in 1_u8..) {
        let key = ec2(2, -7, 1, &[3; 32], &[5; 32]).unwrap();
        let mut cose = key.as_cose().to_vec();
        cose[at] ^= change;
        prop_assert_ne!(PublicKey::parse(&cose), Ok(key));
    }
}
