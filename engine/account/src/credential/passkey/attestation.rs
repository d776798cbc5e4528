//! Attestation objects: WebAuthn L3 §6.5.4, of the two kinds that are taken.

use super::cbor::{self, Value};
use super::fault::PasskeyFault;
use super::public_key::Algorithm;

/// An attestation object, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AttestationObject<'a> {
    pub(super) authenticator_data: &'a [u8],
    format: &'a str,
    statement: Value<'a>,
}

/// What a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statement<'a> {
    /// Nothing: `none` (§8.7).
    None,
    /// That who made the credential has its private key: `packed` without a
    /// certificate (§8.2), a signature by the credential's own key.
    OwnKey { signature: &'a [u8] },
}

impl<'a> AttestationObject<'a> {
    /// Reads the whole of `bytes`: step 13 of §7.1.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<AttestationObject<'a>, PasskeyFault> {
        let Value::Map(map) = cbor::read_all(bytes).map_err(|_| PasskeyFault::MalformedCbor)?
        else {
            return Err(PasskeyFault::MalformedAttestation);
        };
        let [
            (Value::Text("fmt"), Value::Text(format)),
            (Value::Text("attStmt"), statement),
            (Value::Text("authData"), Value::Bytes(authenticator_data)),
        ] = map.as_slice()
        else {
            return Err(PasskeyFault::MalformedAttestation);
        };
        Ok(AttestationObject {
            authenticator_data,
            format,
            statement: statement.clone(),
        })
    }

    /// Steps 21 and 22 of §7.1, but for the signature; and step 24, since only
    /// what needs no root is taken.
    pub(super) fn statement(&self, key: Algorithm) -> Result<Statement<'a>, PasskeyFault> {
        match (self.format, &self.statement) {
            ("none", Value::Map(members)) if members.is_empty() => Ok(Statement::None),
            ("none", _) => Err(PasskeyFault::MalformedAttestation),
            ("packed", Value::Map(members)) => packed(members, key),
            ("packed", _) => Err(PasskeyFault::MalformedAttestation),
            (_, _) => Err(PasskeyFault::UnsupportedAttestation),
        }
    }
}

fn packed<'a>(
    members: &[(Value<'a>, Value<'a>)],
    key: Algorithm,
) -> Result<Statement<'a>, PasskeyFault> {
    match members {
        [
            (Value::Text("alg"), Value::Integer(number)),
            (Value::Text("sig"), Value::Bytes(signature)),
        ] if *number == i128::from(key.number()) => Ok(Statement::OwnKey { signature }),
        [
            (Value::Text("alg"), Value::Integer(_)),
            (Value::Text("sig"), Value::Bytes(_)),
        ] => Err(PasskeyFault::AttestationAlgorithm),
        [
            (Value::Text("alg"), Value::Integer(_)),
            (Value::Text("sig"), Value::Bytes(_)),
            (Value::Text("x5c"), Value::Array(_)),
        ] => Err(PasskeyFault::UnsupportedAttestation),
        _ => Err(PasskeyFault::MalformedAttestation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// An object with this format, this encoded statement, and no data.
    fn object(format: &str, statement: &[u8]) -> Vec<u8> {
        let format_head = 0x60 + u8::try_from(format.len()).unwrap();
        let mut bytes = vec![0xA3, 0x63, b'f', b'm', b't', format_head];
        bytes.extend_from_slice(format.as_bytes());
        bytes.extend_from_slice(b"\x67attStmt");
        bytes.extend_from_slice(statement);
        bytes.extend_from_slice(b"\x68authData\x40");
        bytes
    }

    #[test]
    fn a_statement_has_the_shape_of_its_format() {
        let signature = Statement::OwnKey { signature: &[0xAA] };
        let malformed = Err(PasskeyFault::MalformedAttestation);
        let unsupported = Err(PasskeyFault::UnsupportedAttestation);
        for (format, statement, verdict) in [
            ("none", b"\xA0".as_slice(), Ok(Statement::None)),
            ("none", b"\xA1\x63alg\x26", malformed),
            ("none", b"\x80", malformed),
            ("packed", b"\xA2\x63alg\x26\x63sig\x41\xAA", Ok(signature)),
            (
                "packed",
                b"\xA2\x63alg\x27\x63sig\x41\xAA",
                Err(PasskeyFault::AttestationAlgorithm),
            ),
            (
                "packed",
                b"\xA3\x63alg\x26\x63sig\x41\xAA\x63x5c\x80",
                unsupported,
            ),
            (
                "packed",
                b"\xA3\x63alg\x26\x63sig\x41\xAA\x63x5d\x80",
                malformed,
            ),
            ("packed", b"\xA1\x63alg\x26", malformed),
            ("packed", b"\xA0", malformed),
            ("packed", b"\x80", malformed),
            ("Packed", b"\xA2\x63alg\x26\x63sig\x41\xAA", unsupported),
            ("compound", b"\x80", unsupported),
            ("", b"\xA0", unsupported),
        ] {
            let object = object(format, statement);
            let object = AttestationObject::parse(&object).unwrap();
            assert_eq!(object.statement(Algorithm::Es256), verdict, "{format}");
        }
    }

    #[test]
    fn an_object_is_read_whole_or_not_at_all() {
        let whole = object("none", b"\xA0");
        assert!(AttestationObject::parse(&whole).is_ok());
        let malformed = Err(PasskeyFault::MalformedCbor);
        for cut in 0..whole.len() {
            assert_eq!(AttestationObject::parse(&whole[..cut]), malformed);
        }
        let trailing = [whole.as_slice(), &[0]].concat();
        assert_eq!(AttestationObject::parse(&trailing), malformed);
        let unordered = b"\xA3\x67attStmt\xA0\x63fmt\x64none\x68authData\x40";
        assert_eq!(AttestationObject::parse(unordered), malformed);
        let twice = b"\xA3\x63fmt\x64none\x63fmt\x64none\x67attStmt\xA0";
        assert_eq!(AttestationObject::parse(twice), malformed);
        for other in [
            b"\x80".as_slice(),
            b"\xA0",
            b"\xA2\x63fmt\x64none\x67attStmt\xA0",
            b"\xA3\x63fmt\x44none\x67attStmt\xA0\x68authData\x40",
            b"\xA3\x63fmt\x64none\x67attStmt\xA0\x68authData\x60",
        ] {
            let verdict = AttestationObject::parse(other);
            assert_eq!(verdict, Err(PasskeyFault::MalformedAttestation));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            let _ = AttestationObject::parse(&bytes);
        }
    }
}
