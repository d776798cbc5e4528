//! Key files: 32 random bytes each, readable by their owner alone.

use std::path::{Path, PathBuf};

use thiserror::Error;
use tidegate_account::tagged;
use tidegate_runtime::Key;
use tidegate_runtime::ports::Entropy;
use zeroize::Zeroizing;

use super::KeyRef;
use crate::folder::{Folder, write_private};
use crate::hex::hex;

/// A key file that cannot be used.
#[derive(Debug, Error)]
#[error("{path}: {message}")]
pub struct KeyFault {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub message: String,
    /// What kind of thing the system said, if it was the system.
    pub kind: Option<std::io::ErrorKind>,
}

impl KeyFault {
    fn of(path: &Path, error: &std::io::Error) -> KeyFault {
        KeyFault {
            path: path.to_owned(),
            message: error.to_string(),
            kind: Some(error.kind()),
        }
    }
}

/// Reads a key file.
pub(crate) fn key_file(path: &Path) -> Result<Key, KeyFault> {
    let bytes = std::fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| KeyFault::of(path, &error))?;
    let key = <[u8; 32]>::try_from(bytes.as_slice());
    let key = key.map_err(|_| KeyFault {
        path: path.to_owned(),
        message: "a key file holds exactly 32 bytes".into(),
        kind: None,
    })?;
    Ok(Key::new(key))
}

/// Reads the key file that a store needs.
pub(super) fn belonging(folder: &Folder, kind: &str, key: &KeyRef) -> Result<Key, KeyFault> {
    let path = folder.secret(&format!("{kind}-{}", key.number));
    let read = key_file(&path)?;
    match key_check(&read) == key.check {
        true => Ok(read),
        false => Err(KeyFault {
            path,
            message: "this is not the key of this store".into(),
            kind: None,
        }),
    }
}

/// Draws a key and writes its file, durably. A file of that name that is there
/// already is taken up: an earlier attempt made it and did not get further.
pub(crate) fn make_key(
    folder: &Folder,
    kind: &str,
    number: u32,
    entropy: &dyn Entropy,
) -> Result<(Key, KeyRef), KeyFault> {
    let path = folder.secret(&format!("{kind}-{number}"));
    let bytes = Zeroizing::new(entropy.seed());
    let key = match write_private(&path, &*bytes) {
        Ok(()) => Key::new(*bytes),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => key_file(&path)?,
        Err(error) => return Err(KeyFault::of(&path, &error)),
    };
    let parent = path.parent().map(std::fs::File::open);
    if let Some(Ok(parent)) = parent {
        let synced = parent.sync_all();
        synced.map_err(|error| KeyFault::of(&path, &error))?;
    }
    let check = key_check(&key);
    Ok((key, KeyRef { number, check }))
}

/// 64 bits of a hash of a key, hexadecimal: enough to tell keys apart, nothing
/// to find one by.
pub(crate) fn key_check(key: &Key) -> String {
    let hash = tagged("tg-key-check-1", &[key.expose()]);
    hex(&hash[..8])
}
