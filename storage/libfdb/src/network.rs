//! The library's network thread: started once in a process, stopped at its end.

use std::ffi::{CStr, c_int};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use thiserror::Error;

use crate::symbols::{self, LoadError};

/// Of `fdb_c.h`, as this crate's signatures.
const API_VERSION: c_int = 730;

/// Why the network did not start.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// There is no library.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The library refused.
    #[error("FoundationDB's client library refused: {0}")]
    Refused(String),
    /// The system gave no thread.
    #[error("no thread for FoundationDB's network: {0}")]
    Thread(#[from] std::io::Error),
}

/// What the library's network is told before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkOption {
    /// A folder for the library's own trace files.
    Trace(String),
    /// How they are written: `xml` or `json`.
    TraceFormat(String),
    /// A file with the client's certificate chain, PEM.
    TlsCertificate(String),
    /// A file with its private key, PEM.
    TlsKey(String),
    /// A file with the authorities that are trusted, PEM.
    TlsAuthorities(String),
    /// Which peers to accept, in FoundationDB's own words.
    TlsVerifyPeers(String),
}

impl NetworkOption {
    /// Its number in `fdb.options`.
    fn parts(&self) -> (c_int, &str) {
        match self {
            NetworkOption::Trace(folder) => (30, folder),
            NetworkOption::TraceFormat(format) => (34, format),
            NetworkOption::TlsCertificate(path) => (43, path),
            NetworkOption::TlsKey(path) => (46, path),
            NetworkOption::TlsVerifyPeers(rule) => (47, rule),
            NetworkOption::TlsAuthorities(path) => (53, path),
        }
    }
}

enum State {
    New,
    Running(JoinHandle<()>),
    /// Stopped, or refused half-way: the library starts only once.
    Over,
}

static STATE: Mutex<State> = Mutex::new(State::New);

/// Loads the library and starts its network, which runs until [`stop`]. When it
/// runs already, it goes on as it was started.
///
/// # Errors
/// [`NetworkError`]. What the library refused is not tried again.
pub fn start(library: Option<&Path>, options: &[NetworkOption]) -> Result<(), NetworkError> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    match *state {
        State::Running(_) => return Ok(()),
        State::Over => {
            let again = "its network was started before";
            return Err(NetworkError::Refused(again.to_owned()));
        }
        State::New => symbols::load(library)?,
    }
    *state = State::Over;
    set_up(options)?;
    let thread = std::thread::Builder::new().name("fdb-network".to_owned());
    // SAFETY: the network is set up, and run once.
    let run = || drop(checked(unsafe { symbols::fdb_run_network() }));
    *state = State::Running(thread.spawn(run)?);
    Ok(())
}

fn set_up(options: &[NetworkOption]) -> Result<(), NetworkError> {
    // SAFETY: the first call of all, with the version of the signatures.
    checked(unsafe { symbols::fdb_select_api_version_impl(API_VERSION, API_VERSION) })?;
    for option in options {
        let (number, value) = option.parts();
        let length = c_int::try_from(value.len());
        let length = length.map_err(|_| NetworkError::Refused("too long".to_owned()))?;
        // SAFETY: the library copies the value before it returns.
        checked(unsafe { symbols::fdb_network_set_option(number, value.as_ptr(), length) })?;
    }
    // SAFETY: a version was selected, and this is called once.
    checked(unsafe { symbols::fdb_setup_network() })
}

fn checked(code: c_int) -> Result<(), NetworkError> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: the library gives a string of its own that is never freed.
    let text = unsafe { CStr::from_ptr(symbols::fdb_get_error(code)) };
    let said = format!("{} ({code})", text.to_string_lossy());
    Err(NetworkError::Refused(said))
}

/// Stops the network and waits for its thread: the last thing that a program
/// does with FoundationDB. Without it the library's destructors find its thread
/// still running when the program ends, and may crash. What is asked of
/// FoundationDB afterwards is never answered.
pub fn stop() {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if let State::Running(thread) = std::mem::replace(&mut *state, State::Over) {
        // SAFETY: the network runs.
        if checked(unsafe { symbols::fdb_stop_network() }).is_ok() {
            let _ = thread.join();
        }
    }
}
