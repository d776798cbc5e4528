//! Files that the configuration names: secrets, and certificate authorities.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use zeroize::Zeroizing;

/// A file that cannot be used. Nothing of what is in it is told.
#[derive(Debug, Error)]
pub(crate) enum FileFault {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what it must be.
    #[error("{path} must be {expected}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What it must be.
        expected: &'static str,
    },
}

/// One line of text, which is made into something.
///
/// # Errors
/// [`FileFault`] when it cannot be read, or nothing comes of it.
pub(crate) fn line<T>(
    path: &Path,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, FileFault> {
    let text = Zeroizing::new(read(path)?);
    let line = text.trim_end_matches(['\r', '\n']);
    let one = !line.is_empty() && !line.chars().any(char::is_control);
    let made = if one { parse(line) } else { None };
    made.ok_or_else(|| content(path, expected))
}

/// The certificates of an authority, one at least.
///
/// # Errors
/// [`FileFault`] when it cannot be read, or has none in PEM.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileFault> {
    let text = read(path)?;
    let read = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let some = read.ok().filter(|certificates| !certificates.is_empty());
    some.ok_or_else(|| content(path, "certificates in PEM"))
}

fn read(path: &Path) -> Result<String, FileFault> {
    fs::read_to_string(path).map_err(|source| FileFault::Read {
        path: path.to_owned(),
        source,
    })
}

fn content(path: &Path, expected: &'static str) -> FileFault {
    FileFault::Content {
        path: path.to_owned(),
        expected,
    }
}
