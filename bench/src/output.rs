//! Standard output. A figure that could not be written is no success: the first
//! line that failed is said at the end.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

/// The first that could not be written.
static FAILED: OnceLock<Error> = OnceLock::new();

/// Prints a line, as `println!` does, without ending the program when it cannot.
macro_rules! say {
    ($($words:tt)*) => {
        $crate::output::line(format_args!($($words)*))
    };
}

pub(crate) fn line(words: Arguments<'_>) {
    let mut output = std::io::stdout().lock();
    let written = output
        .write_fmt(words)
        .and_then(|()| output.write_all(b"\n"))
        .and_then(|()| output.flush());
    if let Err(error) = written {
        // The first stands for all that follow from it.
        let _ = FAILED.set(error);
    }
}

/// The program's status, if everything could be written.
pub(crate) fn end(status: ExitCode, otherwise: ExitCode) -> ExitCode {
    let Some(error) = FAILED.get() else {
        return status;
    };
    // A reader that closed the pipe is no error.
    if error.kind() != ErrorKind::BrokenPipe {
        eprintln!("standard output: {error}");
    }
    otherwise
}
