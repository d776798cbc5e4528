//! The deployment's certificates: a CA, nodes, gateways.
//!
//! A certificate names *who* its holder is and in which role, by a URI in its
//! subject alternative name (`tidegate://gateway/NAME`; RFC 5280, 4.2.1.6).
//! What they may do is stored, not written here.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// The name that every node's certificate carries.
pub(crate) const NODE_NAME: &str = "node.tidegate";
const CA_DAYS: i64 = 3_650;
const LEAF_DAYS: i64 = 365;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;
const URI_SCHEME: &str = "tidegate://";

/// The role of a certificate's holder. Roles are not interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Submits requests.
    Gateway,
    /// Answers them.
    Node,
    /// Runs nodes.
    Operator,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Gateway => "gateway",
            Role::Node => "node",
            Role::Operator => "operator",
        }
    }
}

/// Who a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// In which role.
    pub role: Role,
    /// By which name.
    pub name: String,
}

/// A certificate and its private key, PEM.
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The key (PKCS #8).
    pub key: Zeroizing<String>,
}

/// Why a certificate could not be made or read.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// It could not be made.
    #[error("the certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The CA cannot answer for a certificate of this time.
    #[error("{0}")]
    Authority(String),
    /// It is not one of ours.
    #[error("the certificate does not say who it is for")]
    Nameless,
}

/// Makes a certificate authority. `now_s` is Unix time in seconds.
///
/// # Errors
/// [`CertificateError::Make`].
pub fn make_ca(now_s: i64) -> Result<Issued, CertificateError> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    name(&mut params, "Tidegate CA");
    validity(&mut params, Period::days(now_s, CA_DAYS))?;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Issued {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_pem()),
    })
}

/// Makes a certificate for an identity, signed by the CA, for a year or until
/// the CA itself ends.
///
/// # Errors
/// [`CertificateError::Make`]; [`CertificateError::Authority`] when the CA does
/// not count at this time.
pub fn issue(ca: &Issued, identity: &Identity, now_s: i64) -> Result<Issued, CertificateError> {
    let der = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).ok();
    let authority = der.and_then(|der| Period::of(&der));
    let authority =
        authority.ok_or_else(|| CertificateError::Authority("the CA is no certificate".into()))?;
    match authority.standing(now_s) {
        Standing::Counts => {}
        Standing::NotYet => {
            return Err(CertificateError::Authority(format!(
                "the CA counts from {} on: is this machine's clock right?",
                date(authority.from_s)
            )));
        }
        Standing::Over => {
            return Err(CertificateError::Authority(format!(
                "the CA ended on {}, and what it signs is worth nothing: {NEW_CA}",
                date(authority.until_s)
            )));
        }
    }
    let mut period = Period::days(now_s, LEAF_DAYS);
    period.until_s = period.until_s.min(authority.until_s);
    issue_for(ca, identity, period)
}

/// The same for a period of the caller's choice, whether the CA counts in it
/// or not.
///
/// # Errors
/// [`CertificateError::Make`].
pub fn issue_for(
    ca: &Issued,
    identity: &Identity,
    period: Period,
) -> Result<Issued, CertificateError> {
    let ca_key = KeyPair::from_pem(&ca.key)?;
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate, ca_key)?;
    let mut params = CertificateParams::default();
    let uri = format!("{URI_SCHEME}{}/{}", identity.role.name(), identity.name);
    params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if identity.role == Role::Node {
        let dns = SanType::DnsName(NODE_NAME.try_into()?);
        params.subject_alt_names.push(dns);
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    name(
        &mut params,
        &format!("{} {}", identity.role.name(), identity.name),
    );
    validity(&mut params, period)?;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Issued {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_pem()),
    })
}

fn name(params: &mut CertificateParams, common_name: &str) {
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
}

fn validity(params: &mut CertificateParams, period: Period) -> Result<(), CertificateError> {
    let at = |s| OffsetDateTime::from_unix_timestamp(s).map_err(|_| rcgen::Error::Time);
    params.not_before = at(period.from_s)?;
    params.not_after = at(period.until_s)?;
    Ok(())
}

/// What is to be done when the CA does not count any more.
pub(crate) const NEW_CA: &str = "a new CA, and new certificates for all under it \
                                 (docs/operations.md, \"A new CA\")";

/// From when until when a certificate counts, in Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first second.
    pub from_s: i64,
    /// Its last second.
    pub until_s: i64,
}

/// How a certificate stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    Counts,
    /// It will.
    NotYet,
    /// It did.
    Over,
}

impl Period {
    /// So many days from now on.
    fn days(now_s: i64, days: i64) -> Period {
        Period {
            // Clocks of a deployment differ a little.
            from_s: now_s.saturating_sub(HOUR_S),
            until_s: now_s.saturating_add(days.saturating_mul(DAY_S)),
        }
    }

    /// The period of a certificate (DER).
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Period> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Period {
            from_s: validity.not_before.timestamp(),
            until_s: validity.not_after.timestamp(),
        })
    }

    /// How the certificate stands at a time.
    #[must_use]
    pub fn standing(self, now_s: i64) -> Standing {
        if now_s < self.from_s {
            Standing::NotYet
        } else if now_s > self.until_s {
            Standing::Over
        } else {
            Standing::Counts
        }
    }
}

/// A time as people write it.
pub(crate) fn date(unix_s: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(unix_s) {
        Ok(at) => format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute()),
        Err(_) => format!("second {unix_s}"),
    }
}

/// Whether a certificate (DER) is a CA's that signed itself. TLS takes whatever
/// it is given for an anchor, so that with a damaged one no client could
/// connect.
pub(crate) fn signs_itself(der: &[u8]) -> bool {
    let Ok((rest, ca)) = X509Certificate::from_der(der) else {
        return false;
    };
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key: &[u8] = &ca.public_key().subject_public_key.data;
    let signed: &[u8] = ca.tbs_certificate.as_ref();
    let signature: &[u8] = &ca.signature_value.data;
    let verified = provider
        .signature_verification_algorithms
        .all
        .iter()
        .any(|algorithm| algorithm.verify_signature(key, signed, signature).is_ok());
    rest.is_empty() && ca.is_ca() && verified
}

/// SHA-256 of a certificate (DER), hexadecimal: what rights are given to.
/// `openssl x509 -fingerprint -sha256` shows the same, with colons.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    crate::hex::hex(hash.as_ref())
}

/// When a certificate (DER) ends, in Unix seconds.
#[must_use]
pub fn expires_at_s(der: &[u8]) -> Option<i64> {
    Period::of(der).map(|period| period.until_s)
}

/// Reads who a certificate (DER) is for.
///
/// # Errors
/// [`CertificateError::Nameless`] unless it has exactly one URI of ours.
pub fn identity_of(der: &[u8]) -> Result<Identity, CertificateError> {
    read_identity(der).ok_or(CertificateError::Nameless)
}

fn read_identity(der: &[u8]) -> Option<Identity> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok()??;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => uri.strip_prefix(URI_SCHEME),
            _ => None,
        });
    let (uri, None) = (uris.next()?, uris.next()) else {
        return None;
    };
    let (role, name) = uri.split_once('/')?;
    let role = [Role::Gateway, Role::Node, Role::Operator]
        .into_iter()
        .find(|known| known.name() == role)?;
    (!name.is_empty()).then(|| Identity {
        role,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_who_it_is_for() {
        let ca = make_ca(1_800_000_000).unwrap();
        for role in [Role::Gateway, Role::Node, Role::Operator] {
            let identity = Identity {
                role,
                name: "shop-1".into(),
            };
            let issued = issue(&ca, &identity, 1_800_000_000).unwrap();
            let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
            assert_eq!(identity_of(&der).unwrap(), identity);
        }
        let der = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).unwrap();
        assert!(identity_of(&der).is_err());
        assert!(identity_of(b"no certificate").is_err());
    }

    #[test]
    fn certificates_live_as_long_as_is_said_and_begin_an_hour_back() {
        let now_s = 1_800_000_000;
        let ca = make_ca(now_s).unwrap();
        let identity = Identity {
            role: Role::Node,
            name: "node".into(),
        };
        let leaf = issue(&ca, &identity, now_s).unwrap();
        for (issued, days) in [(&ca, 3_650), (&leaf, 365)] {
            let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
            assert_eq!(expires_at_s(&der), Some(now_s + days * 86_400));
            let (_, read) = X509Certificate::from_der(&der).unwrap();
            assert_eq!(read.validity().not_before.timestamp(), now_s - 3_600);
            assert_eq!(fingerprint(&der).len(), 64);
        }
    }

    #[test]
    fn no_certificate_outlives_its_ca_and_none_is_made_when_the_ca_does_not_count() {
        let made_s = 1_800_000_000;
        let ca = make_ca(made_s).unwrap();
        let ends_s = made_s + CA_DAYS * DAY_S;
        let identity = Identity {
            role: Role::Node,
            name: "node".into(),
        };
        let until_s = |now_s| {
            let leaf = issue(&ca, &identity, now_s)?;
            let der = CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap();
            Ok::<_, CertificateError>(Period::of(&der).unwrap().until_s)
        };
        assert_eq!(until_s(ends_s - 366 * DAY_S).unwrap(), ends_s - DAY_S);
        assert_eq!(until_s(ends_s - 3 * DAY_S).unwrap(), ends_s);
        let over = until_s(ends_s + 1).unwrap_err().to_string();
        assert!(over.contains("the CA ended on 2037-01-"), "{over}");
        let early = until_s(made_s - 2 * HOUR_S).unwrap_err().to_string();
        assert!(early.contains("is this machine's clock right?"), "{early}");
    }

    #[test]
    fn a_ca_of_which_one_bit_was_flipped_does_not_sign_itself() {
        let ca = make_ca(1_800_000_000).unwrap();
        let der = CertificateDer::from_pem_slice(ca.certificate.as_bytes()).unwrap();
        assert!(signs_itself(&der));
        let (_, read) = X509Certificate::from_der(&der).unwrap();
        let signed = read.tbs_certificate.as_ref().len();
        for bit in (0..signed * 8).step_by(5) {
            let mut damaged = der.to_vec();
            // The part that is signed lies behind four bytes of a head.
            damaged[4 + bit / 8] ^= 1 << (bit % 8);
            assert!(!signs_itself(&damaged), "bit {bit}");
        }
        let node = Identity {
            role: Role::Node,
            name: "node".into(),
        };
        let leaf = issue(&ca, &node, 1_800_000_000).unwrap();
        let der = CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap();
        assert!(!signs_itself(&der));
    }
}
