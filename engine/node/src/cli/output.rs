//! What commands print. Nothing else writes to the terminal.
#![allow(clippy::print_stderr, reason = "this is the command line")]

use std::io::Write;

use serde_json::{Map, Value};
use tidegate_client::{CallError, Decision, Refusal};

use super::{NO, UNKNOWN, YES};

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

/// Prints a line. Whoever closed our output does not want it; that is no
/// reason to end a node.
pub(super) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

pub(super) fn error(error: &anyhow::Error) {
    eprintln!("tidegate: {error:#}");
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
            eprintln!("tidegate: {code}: {message}{wait}");
        }
    }
}

pub(super) fn print(format: Format, fields: &Map<String, Value>) {
    match format {
        Format::Json => line(&Value::Object(fields.clone()).to_string()),
        Format::Text => fields.iter().for_each(|(name, value)| match value {
            Value::String(text) => line(&format!("{name}: {text}")),
            Value::Array(rows) => {
                line(&format!("{name}:"));
                rows.iter().for_each(|row| line(&format!("  {row}")));
            }
            other => line(&format!("{name}: {other}")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_client::Code;

    use super::*;

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
