//! The lock that a process holds on the rows.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use crate::rows::MetaError;

const TRIES: usize = 3;
const WAIT: Duration = Duration::from_millis(100);

/// Holds the lock of the rows for as long as the file lives, so that no other
/// process changes what is read here. One that only asks holds it for a moment.
/// Without a file there is nothing to hold, which is told by name later.
#[allow(
    clippy::disallowed_methods,
    reason = "waits for another process, before anything of the engine runs"
)]
pub(crate) fn hold(rows: &Path) -> Result<Option<File>, MetaError> {
    for _ in 0..TRIES {
        match try_hold(rows)? {
            Held::ByUs(lock) => return Ok(Some(lock)),
            Held::Absent => return Ok(None),
            Held::ByAnother => std::thread::sleep(WAIT),
        }
    }
    Err(MetaError::Fjall(fjall::Error::Locked))
}

/// Who holds the lock of the rows.
enum Held {
    ByUs(File),
    ByAnother,
    /// There is none.
    Absent,
}

fn try_hold(rows: &Path) -> std::io::Result<Held> {
    let lock = match File::open(rows.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Held::Absent),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Held::ByUs(lock)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(Held::ByAnother),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Whether a process has the rows open. Changes nothing.
pub(crate) fn is_held(rows: &Path) -> std::io::Result<bool> {
    match try_hold(rows)? {
        Held::ByAnother => Ok(true),
        Held::ByUs(_) | Held::Absent => Ok(false),
    }
}
