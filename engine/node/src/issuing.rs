//! Certificates on disk: issued by the CA of a folder, put in their places.

use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::certificates::{CertificateError, Identity, Issued, Role, fingerprint, issue};
use crate::folder::{Folder, replace_private, write_private, write_public};

/// Whether there may be a certificate already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// There must be none.
    New,
    /// It is replaced.
    Renewed,
}

/// Why a certificate was not put in its place.
#[derive(Debug, Error)]
pub enum IssuingError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Under which name an identity's certificate lies in the folder.
#[must_use]
pub fn file_name(identity: &Identity) -> String {
    match identity.role {
        Role::Node => "node".into(),
        Role::Gateway => format!("gateway-{}", identity.name),
        Role::Operator => format!("operator-{}", identity.name),
    }
}

/// The CA of a folder, with its private key.
///
/// # Errors
/// [`IssuingError::File`].
pub fn read_ca(folder: &Folder) -> Result<Issued, IssuingError> {
    let read = |path: PathBuf| {
        std::fs::read_to_string(&path).map_err(|source| IssuingError::File { path, source })
    };
    Ok(Issued {
        certificate: read(folder.certificate("ca"))?,
        key: Zeroizing::new(read(folder.private_key("ca"))?),
    })
}

/// Makes a certificate and puts it into the folder; its SHA-256.
///
/// # Errors
/// [`IssuingError`].
pub fn issue_to(
    folder: &Folder,
    ca: &Issued,
    identity: &Identity,
    now_s: i64,
    put: Put,
) -> Result<String, IssuingError> {
    let issued = issue(ca, identity, now_s)?;
    put_certificate(folder, &file_name(identity), &issued, put)?;
    let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes());
    let der = der.map_err(|_| CertificateError::Nameless)?;
    Ok(fingerprint(&der))
}

/// Writes a certificate and its key. A renewed key goes first: a node that
/// reads in between refuses the pair and keeps the old one.
///
/// # Errors
/// [`IssuingError::File`].
pub fn put_certificate(
    folder: &Folder,
    name: &str,
    issued: &Issued,
    put: Put,
) -> Result<(), IssuingError> {
    let (certificate, key) = (folder.certificate(name), folder.private_key(name));
    let (text, secret) = (issued.certificate.as_bytes(), issued.key.as_bytes());
    let (path, written) = match put {
        Put::New => match write_public(&certificate, text) {
            Ok(()) => (&key, write_private(&key, secret)),
            Err(error) => (&certificate, Err(error)),
        },
        Put::Renewed => match replace_private(&key, secret) {
            Ok(()) => (&certificate, replace_private(&certificate, text)),
            Err(error) => (&key, Err(error)),
        },
    };
    written.map_err(|source| IssuingError::File {
        path: path.clone(),
        source,
    })
}
