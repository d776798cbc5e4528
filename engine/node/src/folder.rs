//! Where things lie in a node's folder.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A node's folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at a path, whether it exists or not.
    #[must_use]
    pub fn at(root: &Path) -> Folder {
        Folder {
            root: root.to_owned(),
        }
    }

    /// Its path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The embedded store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The node's own journal, for when its store is out of reach.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Whether the node has had a journal. Folders of older programs do not say.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.journal_mark().exists()
    }

    /// Says that the node has a journal from now on.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_has_journal(&self) -> io::Result<()> {
        match write_private(&self.journal_mark(), b"") {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            written => written,
        }
    }

    fn journal_mark(&self) -> PathBuf {
        self.root.join("journal.made")
    }

    /// A certificate: `ca`, `node`, or `gateway-NAME`.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.root.join("tls").join(format!("{name}.crt"))
    }

    /// The private key of a certificate.
    #[must_use]
    pub fn private_key(&self, name: &str) -> PathBuf {
        self.root.join("tls").join(format!("{name}.key"))
    }

    /// All certificates and private keys that are there, by name.
    pub(crate) fn tls_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join("tls"));
        let entries = entries.into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    /// A symmetric key: `master-N`, `index-N`, `pepper-N`, `reset`.
    #[must_use]
    pub fn secret(&self, name: &str) -> PathBuf {
        self.root.join("secrets").join(format!("{name}.key"))
    }

    /// Where a running node writes its address.
    #[must_use]
    pub fn address(&self) -> PathBuf {
        self.root.join("address")
    }
}

/// Writes a new file that only its owner may read. Never overwrites.
///
/// # Errors
/// What the system says; `AlreadyExists` when there is a file.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_new(path, bytes, 0o600)
}

/// Writes a new file that all users may read. Never overwrites.
///
/// # Errors
/// As [`write_private`].
pub fn write_public(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_new(path, bytes, 0o644)
}

/// Puts a file in the place of another, whole: a reader meanwhile sees the one
/// or the other. Readable by its owner alone.
///
/// # Errors
/// What the system says.
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let half = path.with_extension("new");
    // What an earlier attempt left behind.
    let _ = std::fs::remove_file(&half);
    write_private(&half, bytes)?;
    std::fs::rename(&half, path)?;
    match path.parent() {
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes a folder, and those above it, which its owner alone may enter.
///
/// # Errors
/// What the system says.
pub(crate) fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
