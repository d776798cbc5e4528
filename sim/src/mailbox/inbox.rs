//! What came for the people who read mail: late, twice, or not at all.

use std::collections::BTreeMap;

use tidegate_account::credential::code::CodePolicy;
use tidegate_account::{Message, Value};

/// Mails by address, each with when it is worth nothing any more, in Unix
/// milliseconds.
#[derive(Default)]
pub(super) struct Inbox(BTreeMap<String, Vec<(u64, Message)>>);

impl Inbox {
    pub(super) fn arrived(&mut self, until_ms: u64, message: Message) {
        let mails = self.0.entry(message.address().to_owned()).or_default();
        mails.push((until_ms, message));
    }

    /// The newest mail but one that was read, of those that were written from then
    /// on, in Unix milliseconds.
    pub(super) fn code(&self, address: &str, from_ms: u64, but: Option<&Read>) -> Option<Read> {
        let from_ms = from_ms.saturating_add(CodePolicy::default().lifetime_ms);
        let mails = self.0.get(address)?.iter();
        let read = mails.filter_map(|(until_ms, message)| {
            let code = code_of(message)?;
            let until_ms = *until_ms;
            Some(Read { until_ms, code })
        });
        let newest = read.filter(|read| read.until_ms >= from_ms && but != Some(read));
        newest.max_by_key(|read| read.until_ms)
    }
}

/// A mail that was read: it may come twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    until_ms: u64,
    /// The code that stands in it.
    pub(crate) code: String,
}

fn code_of(message: &Message) -> Option<String> {
    message.values().iter().find_map(|value| match value {
        Value::Code(code) => Some(code.clone()),
        Value::Link(_)
        | Value::Minutes(_)
        | Value::App(_)
        | Value::WhenMs(_)
        | Value::Device(_)
        | Value::Place(_) => None,
    })
}
