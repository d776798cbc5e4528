//! Whether the certificates and keys of a folder fit each other and count
//! today: found here, before every client would find it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{Error, RootCertStore};

use crate::certificates::{
    Identity, NEW_CA, NODE_NAME, Period, Role, Standing, date, identity_of, signs_itself,
};
use crate::folder::Folder;
use crate::issuing::file_name;

/// What is wrong with a certificate or a key, and how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{file} {what}: {mend}")]
pub struct Trouble {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it, as what follows its name in a sentence.
    pub what: String,
    /// What to do.
    pub mend: String,
    pub(crate) of: Whose,
}

/// What a trouble keeps from working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The node: no client could connect to it.
    Node,
    /// Who connects with this certificate.
    Other,
}

const PUT_BACK_CA: &str = "put the ca.crt of this deployment back; every gateway has a copy of it";
const RENEW_NODE: &str = "`tidegate cert renew` on this folder makes a new pair";

/// All that is wrong in a folder.
pub(crate) fn examine(folder: &Folder, now_s: i64) -> Vec<Trouble> {
    let authority = match Authority::read(folder, now_s) {
        Ok(authority) => authority,
        // Nothing can be said of what rests on it.
        Err(trouble) => return vec![trouble],
    };
    let found = [
        authority.key_of_ca(folder),
        authority.of_node(folder, now_s),
    ];
    let mut troubles: Vec<Trouble> = found.into_iter().filter_map(Result::err).collect();
    for path in folder.tls_files() {
        let is_ours = path == folder.certificate("ca") || path == folder.certificate("node");
        if !is_ours && path.extension().is_some_and(|kind| kind == "crt") {
            troubles.extend(authority.of_other(&path, now_s).err());
        }
    }
    troubles
}

/// What would keep every client from the node.
///
/// # Errors
/// The first [`Trouble`].
pub(crate) fn of_node(folder: &Folder, now_s: i64) -> Result<(), Trouble> {
    Authority::read(folder, now_s)?.of_node(folder, now_s)
}

/// The CAs that count: more than one while one replaces another.
struct Authority {
    /// The one that issues: the first of the file.
    issuing: CertificateDer<'static>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl Authority {
    fn read(folder: &Folder, now_s: i64) -> Result<Authority, Trouble> {
        let file = folder.certificate("ca");
        let trouble = |(what, mend): (String, String)| Trouble {
            file: file.clone(),
            what,
            mend,
            of: Whose::Node,
        };
        let put_back = |what: String| trouble((what, PUT_BACK_CA.to_owned()));
        let found = CertificateDer::pem_file_iter(&file)
            .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
            .map_err(|error| put_back(format!("cannot be read ({error})")))?;
        let (mut roots, mut wrong) = (RootCertStore::empty(), None);
        for certificate in &found {
            let mut root = RootCertStore::empty();
            let taken = root.add(certificate.clone());
            match (is_authority(certificate, now_s), taken) {
                (Ok(()), Ok(())) => roots.extend(root.roots),
                // It admits no connection, which is no fault while another one
                // does.
                (Err(told), Ok(())) => wrong = wrong.or(Some(told)),
                // TLS takes nothing of a file of which it cannot read all.
                (Err(told), Err(_)) => return Err(trouble(told)),
                (Ok(()), Err(error)) => {
                    return Err(put_back(format!("cannot be used ({error})")));
                }
            }
        }
        let issuing = found.into_iter().next();
        match (issuing, wrong) {
            (Some(issuing), _) if !roots.is_empty() => Ok(Authority {
                issuing,
                roots: Arc::new(roots),
                provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            }),
            (_, Some(told)) => Err(trouble(told)),
            (_, None) => Err(put_back("holds no certificate".to_owned())),
        }
    }

    /// The CA's private key is not needed to serve, and best not there.
    fn key_of_ca(&self, folder: &Folder) -> Result<(), Trouble> {
        let file = folder.private_key("ca");
        if !file.exists() {
            return Ok(());
        }
        self.fits(&self.issuing, &file).map_err(|what| Trouble {
            file,
            what,
            mend: "put the right one back before the next `gateway add` or `cert renew`".into(),
            of: Whose::Other,
        })
    }

    fn of_node(&self, folder: &Folder, now_s: i64) -> Result<(), Trouble> {
        let (file, key) = (folder.certificate("node"), folder.private_key("node"));
        let trouble = |file: &Path, (what, mend): (String, String)| Trouble {
            file: file.to_owned(),
            what,
            mend,
            of: Whose::Node,
        };
        let renew = |what: String| (what, RENEW_NODE.to_owned());
        let leaf = leaf(&file).map_err(|what| trouble(&file, renew(what)))?;
        counts(&leaf, now_s, RENEW_NODE).map_err(|told| trouble(&file, told))?;
        if !identity_of(&leaf).is_ok_and(|identity| identity.role == Role::Node) {
            let what = "is no node's certificate".to_owned();
            return Err(trouble(&file, renew(what)));
        }
        self.fits(&leaf, &key)
            .map_err(|what| trouble(&key, renew(what)))?;
        self.signed_node(&leaf, now_s)
            .map_err(|error| trouble(&file, renew(not_signed(&error))))
    }

    /// As a client would look at it.
    fn signed_node(&self, leaf: &CertificateDer<'static>, now_s: i64) -> Result<(), Error> {
        let (roots, provider) = (Arc::clone(&self.roots), Arc::clone(&self.provider));
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(general)?;
        let name = ServerName::try_from(NODE_NAME).map_err(general)?;
        let verified = verifier.verify_server_cert(leaf, &[], &name, &[], at(now_s));
        verified.map(drop)
    }

    /// A gateway's or an operator's; their keys may be where they are used.
    fn of_other(&self, file: &Path, now_s: i64) -> Result<(), Trouble> {
        let stem = file.file_stem().and_then(|stem| stem.to_str());
        let stem = stem.unwrap_or_default();
        let flag = match (
            stem.strip_prefix("gateway-"),
            stem.strip_prefix("operator-"),
        ) {
            (Some(name), _) => format!("--gateway {name}"),
            (None, Some(name)) => format!("--of-operator {name}"),
            (None, None) => "--gateway NAME".to_owned(),
        };
        let mend = format!("`tidegate cert renew {flag}`");
        let trouble = |file: &Path, (what, mend): (String, String)| Trouble {
            file: file.to_owned(),
            what,
            mend,
            of: Whose::Other,
        };
        let renew = |what: String| (what, mend.clone());
        let leaf = leaf(file).map_err(|what| trouble(file, renew(what)))?;
        counts(&leaf, now_s, &mend).map_err(|told| trouble(file, told))?;
        let is_named = |identity: &Identity| file_name(identity) == stem;
        if !identity_of(&leaf).is_ok_and(|identity| is_named(&identity)) {
            let what = "is the certificate of another holder than its name says".to_owned();
            return Err(trouble(file, renew(what)));
        }
        let key = file.with_extension("key");
        if key.exists() {
            self.fits(&leaf, &key)
                .map_err(|what| trouble(&key, renew(what)))?;
        }
        self.signed_other(&leaf, now_s)
            .map_err(|error| trouble(file, renew(not_signed(&error))))
    }

    /// As the node would look at it.
    fn signed_other(&self, leaf: &CertificateDer<'static>, now_s: i64) -> Result<(), Error> {
        let (roots, provider) = (Arc::clone(&self.roots), Arc::clone(&self.provider));
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
            .build()
            .map_err(general)?;
        let verified = verifier.verify_client_cert(leaf, &[], at(now_s));
        verified.map(drop)
    }

    fn fits(&self, leaf: &CertificateDer<'static>, key: &Path) -> Result<(), String> {
        let read = PrivateKeyDer::from_pem_file(key);
        let read = read.map_err(|error| format!("cannot be read ({error})"))?;
        let pair = CertifiedKey::from_der(vec![leaf.clone()], read, &self.provider);
        pair.map(drop)
            .map_err(|error| format!("is not the key of its certificate ({error})"))
    }
}

fn leaf(file: &Path) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_file(file).map_err(|error| format!("cannot be read ({error})"))
}

/// Whether a certificate is a CA's that counts; what is said when not, and what
/// to do.
fn is_authority(ca: &CertificateDer<'_>, now_s: i64) -> Result<(), (String, String)> {
    if !signs_itself(ca) {
        let what = "is damaged, or is no CA's certificate".to_owned();
        return Err((what, PUT_BACK_CA.to_owned()));
    }
    counts(ca, now_s, NEW_CA)
}

/// Whether a certificate counts now; what is said when not, and what to do.
fn counts(der: &CertificateDer<'_>, now_s: i64, renew: &str) -> Result<(), (String, String)> {
    let Some(period) = Period::of(der) else {
        return Err(("is no certificate".to_owned(), renew.to_owned()));
    };
    match period.standing(now_s) {
        Standing::Counts => Ok(()),
        Standing::Over => {
            let what = format!("has expired ({})", date(period.until_s));
            Err((what, renew.to_owned()))
        }
        Standing::NotYet => {
            let what = format!(
                "counts from {} on, and it is {} here",
                date(period.from_s),
                date(now_s)
            );
            let mend = format!("set this machine's clock; if it is right: {renew}");
            Err((what, mend))
        }
    }
}

fn general(error: impl std::fmt::Display) -> Error {
    Error::General(error.to_string())
}

fn not_signed(error: &Error) -> String {
    format!("was not signed by a CA in ca.crt that counts, or is damaged ({error})")
}

fn at(now_s: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now_s).unwrap_or(0)))
}
