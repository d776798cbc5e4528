//! The deployment's certificates: a CA, nodes, gateways.
//!
//! A certificate names *who* somebody is and in which role, by a URI
//! (`tidegate://gateway/NAME`). What they may do is stored, not written here.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// The name that every node's certificate carries.
const NODE_NAME: &str = "node.tidegate";
const CA_DAYS: i64 = 3_650;
const LEAF_DAYS: i64 = 365;
const URI_SCHEME: &str = "tidegate://";

/// What somebody is. Roles are not interchangeable.
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
    validity(&mut params, now_s, CA_DAYS)?;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(Issued {
        certificate: certificate.pem(),
        key: Zeroizing::new(key.serialize_pem()),
    })
}

/// Makes a certificate for somebody, signed by the CA.
///
/// # Errors
/// [`CertificateError::Make`].
pub fn issue(ca: &Issued, identity: &Identity, now_s: i64) -> Result<Issued, CertificateError> {
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
    validity(&mut params, now_s, LEAF_DAYS)?;
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

fn validity(params: &mut CertificateParams, now_s: i64, days: i64) -> Result<(), CertificateError> {
    let now = OffsetDateTime::from_unix_timestamp(now_s);
    let now = now.map_err(|_| rcgen::Error::Time)?;
    // Clocks of a deployment differ a little.
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(days);
    Ok(())
}

/// SHA-256 of a certificate (DER), hexadecimal: what rights are given to.
/// `openssl x509 -fingerprint -sha256` shows the same, with colons.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    crate::deployment::hex(hash.as_ref())
}

/// When a certificate (DER) ends, in Unix seconds.
#[must_use]
pub fn expires_at_s(der: &[u8]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(certificate.validity().not_after.timestamp())
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
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

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
}
