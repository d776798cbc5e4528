//! What commands print. Nothing else writes to the terminal.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use tidegate_client::{CallError, Decision, Refusal};

use super::{NO, UNKNOWN, YES, table};

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

/// The first thing that could not be written.
static UNWRITTEN: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Prints a line of an answer.
pub(crate) fn line(text: &str) {
    keep(to_stdout(text));
}

/// Prints a line that a node offers to its caller. One who closed the output
/// does not want it; that is no reason to end a node.
pub(super) fn offered(text: &str) {
    let _ = to_stdout(text);
}

/// Prints a line on standard error.
fn complain(text: &str) {
    keep(writeln!(std::io::stderr(), "tidegate: {text}"));
}

pub(crate) fn error(error: &anyhow::Error) {
    complain(&told(error));
}

/// The whole chain of causes, each said once: many messages end in their
/// cause's.
fn told(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// Prints a help text, the version, or what is wrong with a call.
pub(super) fn usage(told: &clap::Error) -> u8 {
    let printed = told.print();
    keep(printed.and_then(|()| std::io::stdout().flush()));
    match told.exit_code() {
        0 => YES,
        _ => UNKNOWN,
    }
}

/// The exit status of a command that came to this status: an answer that was
/// not heard is not known.
pub(super) fn heard(status: u8) -> u8 {
    let unwritten = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    match unwritten.as_ref() {
        None => status,
        Some(why) => {
            let text = format!("tidegate: the answer could not be written: {why}");
            // It may be standard error that cannot be written.
            let _ = writeln!(std::io::stderr(), "{text}");
            UNKNOWN
        }
    }
}

fn to_stdout(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

fn keep(written: std::io::Result<()>) {
    if let Err(why) = written {
        let mut first = UNWRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = first.get_or_insert(why);
    }
}

/// Prints an answer; its exit status.
pub(super) fn answer(
    format: Format,
    decision: Result<Decision<Map<String, Value>>, CallError>,
) -> u8 {
    match decision {
        Ok(Decision::Yes(fields)) => {
            print(format, &fields);
            YES
        }
        Ok(Decision::No(refusal)) => {
            no(format, refusal);
            NO
        }
        Err(error) => {
            let (code, message, retry_after_ms) = said(&error);
            refusal(format, code, &message, retry_after_ms);
            UNKNOWN
        }
    }
}

/// The code, what it means, and when to try again.
fn said(error: &CallError) -> (&'static str, String, Option<u32>) {
    let words = || error.to_string();
    match error {
        CallError::NotDone {
            code,
            retry_after_ms,
        } => (code.name(), code.message().into(), Some(*retry_after_ms)),
        CallError::Unknown { code } => (code.name(), code.message().into(), None),
        CallError::WrongRegion { .. } => ("wrong_region", words(), None),
        CallError::Unreachable | CallError::NoAnswer { .. } => ("unreachable", words(), None),
        CallError::Refused { reason } => (reason.name(), reason.message().to_owned(), None),
        CallError::BadAnswer => ("bad_answer", words(), None),
        CallError::TooLarge => ("too_large", words(), None),
        CallError::NoRandomness => ("no_randomness", words(), None),
    }
}

/// Prints a "no".
pub(super) fn no(format: Format, no: Refusal) {
    let wait_ms = no.retry_after_ms;
    refusal(format, no.code.name(), no.code.message(), wait_ms);
}

pub(super) fn refusal(format: Format, code: &str, message: &str, retry_after_ms: Option<u32>) {
    let mut fields = Map::new();
    fields.insert("code".into(), code.into());
    fields.insert("message".into(), message.into());
    if let Some(ms) = retry_after_ms.filter(|ms| *ms > 0) {
        fields.insert("retry_after_ms".into(), ms.into());
    }
    match format {
        Format::Json => print(format, &fields),
        Format::Text => {
            let wait = retry_after_ms.filter(|ms| *ms > 0);
            let wait = wait.map_or(String::new(), |ms| format!(" Retry after {ms} ms."));
            complain(&format!("{code}: {message}{wait}"));
        }
    }
}

pub(super) fn print(format: Format, fields: &Map<String, Value>) {
    match format {
        Format::Json => line(&Value::Object(fields.clone()).to_string()),
        Format::Text => table::text(fields).iter().for_each(|text| line(text)),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_client::Code;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{path}: {source}")]
    struct Written {
        path: &'static str,
        source: std::io::Error,
    }

    #[test]
    fn each_cause_is_said_once() {
        let source = std::io::Error::from_raw_os_error(2);
        let error = anyhow::Error::new(Written { path: "a", source });
        let once = "a: No such file or directory (os error 2)";
        assert_eq!(told(&error), once);
        let error = error.context("it cannot be made");
        assert_eq!(told(&error), format!("it cannot be made: {once}"));
    }

    #[test]
    fn no_message_repeats_the_code_that_stands_before_it() {
        let unknown = Code::Unknown;
        let busy = Code::Busy;
        let errors = [
            CallError::Unknown { code: unknown },
            CallError::NotDone {
                code: busy,
                retry_after_ms: 250,
            },
        ];
        let expected = [
            ("unknown", unknown.message().to_owned(), None),
            ("busy", busy.message().to_owned(), Some(250)),
        ];
        assert_eq!(errors.each_ref().map(said), expected);
        for (code, message, _) in expected {
            assert!(!message.contains(&format!("({code})")), "{message}");
        }
    }
}
