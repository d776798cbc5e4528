//! Public keys of credentials: COSE keys (RFC 9052 §7) of three algorithms.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::fmt;

use super::cbor::{self, Value};
use super::fault::PasskeyFault;

/// COSE key types (RFC 9053 §7, RFC 8230 §4).
const KTY_OKP: i128 = 1;
const KTY_EC2: i128 = 2;
const KTY_RSA: i128 = 3;
/// COSE curves (RFC 9053 §7.1).
const CRV_P256: i128 = 1;
const CRV_ED25519: i128 = 6;
/// 2,048 to 4,096 bits, in whole bytes.
const RSA_MODULUS_BYTES: core::ops::RangeInclusive<usize> = 256..=512;
/// Exponents in use are 3 and 65,537.
const RSA_EXPONENT_MAX_BYTES: usize = 4;

/// An algorithm of signatures, by its number in COSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i16)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256 = -7,
    /// EdDSA: with WebAuthn, Ed25519 alone (L3 §5.8.5).
    EdDsa = -8,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256 = -257,
}

impl Algorithm {
    /// All of them, the preferred first.
    pub const ALL: [Algorithm; 3] = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

    /// Its number (IANA, COSE Algorithms).
    #[must_use]
    pub fn number(self) -> i16 {
        match self {
            Algorithm::Es256 => -7,
            Algorithm::EdDsa => -8,
            Algorithm::Rs256 => -257,
        }
    }

    fn of_number(number: i128) -> Option<Algorithm> {
        let mut all = Algorithm::ALL.into_iter();
        all.find(|algorithm| i128::from(algorithm.number()) == number)
    }
}

/// A public key: the COSE key as it was registered, in the one form that it has
/// (canonical CBOR, no member more than its algorithm needs).
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    cose: Vec<u8>,
    raw: Vec<u8>,
}

impl PublicKey {
    /// Reads a COSE key. Whether a point lies on its curve is seen when a
    /// signature is verified.
    ///
    /// # Errors
    /// [`PasskeyFault::MalformedCbor`], [`PasskeyFault::UnsupportedAlgorithm`], or
    /// [`PasskeyFault::MalformedPublicKey`] when type, curve or lengths are not
    /// those of the algorithm, or a member is there that is not required (WebAuthn
    /// L3 §6.5.1).
    pub fn parse(cose: &[u8]) -> Result<PublicKey, PasskeyFault> {
        let value = cbor::read_all(cose).map_err(|_| PasskeyFault::MalformedCbor)?;
        PublicKey::of_value(&value, cose)
    }

    /// The key that begins here, and what follows it.
    pub(super) fn parse_first(bytes: &[u8]) -> Result<(PublicKey, &[u8]), PasskeyFault> {
        let first = cbor::read_first(bytes);
        let (value, rest) = first.map_err(|_| PasskeyFault::MalformedCbor)?;
        let cose = bytes.strip_suffix(rest).unwrap_or(bytes);
        Ok((PublicKey::of_value(&value, cose)?, rest))
    }

    fn of_value(value: &Value<'_>, cose: &[u8]) -> Result<PublicKey, PasskeyFault> {
        const FAULT: PasskeyFault = PasskeyFault::MalformedPublicKey;
        let Value::Map(map) = value else {
            return Err(FAULT);
        };
        let [
            (Value::Integer(1), Value::Integer(kty)),
            (Value::Integer(3), Value::Integer(number)),
            members @ ..,
        ] = map.as_slice()
        else {
            return Err(FAULT);
        };
        let algorithm = Algorithm::of_number(*number).ok_or(PasskeyFault::UnsupportedAlgorithm)?;
        let raw = match algorithm {
            Algorithm::Es256 => es256(*kty, members),
            Algorithm::EdDsa => ed25519(*kty, members),
            Algorithm::Rs256 => rs256(*kty, members),
        };
        Ok(PublicKey {
            algorithm,
            cose: cose.to_owned(),
            raw: raw.ok_or(FAULT)?,
        })
    }

    /// Its algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The COSE key, to be stored.
    #[must_use]
    pub fn as_cose(&self) -> &[u8] {
        &self.cose
    }

    /// The key in the form that aws-lc-rs takes. For ES256 the uncompressed point
    /// (65 bytes, SEC 1 §2.3.3), for EdDSA the 32 bytes of RFC 8032, for RS256 the
    /// DER of an `RSAPublicKey` (RFC 8017, A.1.1).
    #[must_use]
    pub fn raw_key(&self) -> &[u8] {
        &self.raw
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?}, ..)", self.algorithm)
    }
}

type Members<'v, 'a> = &'v [(Value<'a>, Value<'a>)];

/// RFC 9053 §7.1.1; WebAuthn L3 §5.8.5 wants curve P-256 and no compressed point.
fn es256(kty: i128, members: Members<'_, '_>) -> Option<Vec<u8>> {
    let [
        (Value::Integer(-1), Value::Integer(CRV_P256)),
        (Value::Integer(-2), Value::Bytes(x)),
        (Value::Integer(-3), Value::Bytes(y)),
    ] = members
    else {
        return None;
    };
    let is_shaped = kty == KTY_EC2 && x.len() == 32 && y.len() == 32;
    is_shaped.then(|| [&[0x04][..], x, y].concat())
}

/// RFC 9053 §7.2.
fn ed25519(kty: i128, members: Members<'_, '_>) -> Option<Vec<u8>> {
    let [
        (Value::Integer(-1), Value::Integer(CRV_ED25519)),
        (Value::Integer(-2), Value::Bytes(x)),
    ] = members
    else {
        return None;
    };
    (kty == KTY_OKP && x.len() == 32).then(|| x.to_vec())
}

/// RFC 8230 §4: both numbers are unsigned, in as few bytes as can be.
fn rs256(kty: i128, members: Members<'_, '_>) -> Option<Vec<u8>> {
    let [
        (Value::Integer(-1), Value::Bytes(n)),
        (Value::Integer(-2), Value::Bytes(e)),
    ] = members
    else {
        return None;
    };
    // 2,048 bits in 256 bytes: the first bit of the first byte is set.
    let has_length = match n {
        [first, ..] if n.len() == *RSA_MODULUS_BYTES.start() => *first >= 0x80,
        [first, ..] => *first != 0 && RSA_MODULUS_BYTES.contains(&n.len()),
        [] => false,
    };
    let is_exponent = match e {
        [] | [0, ..] | [1] => false,
        [.., last] => e.len() <= RSA_EXPONENT_MAX_BYTES && last % 2 == 1,
    };
    let is_shaped = kty == KTY_RSA && has_length && is_exponent;
    is_shaped.then(|| der(0x30, &[der_unsigned(n), der_unsigned(e)].concat()))
}

/// An ASN.1 INTEGER that is not negative (X.690 §8.3).
fn der_unsigned(number: &[u8]) -> Vec<u8> {
    let is_high = number.first().is_some_and(|first| *first >= 0x80);
    let sign: &[u8] = if is_high { &[0] } else { &[] };
    der(0x02, &[sign, number].concat())
}

/// Tag, length and contents (X.690 §8.1) of fewer than 65,536 bytes.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [.., high, low] = contents.len().to_be_bytes();
    let head: &[u8] = match (high, low) {
        (0, 0..=0x7F) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        (_, _) => &[tag, 0x82, high, low],
    };
    [head, contents].concat()
}

#[cfg(test)]
mod tests;
