//! A mail as it leaves (RFC 5322): text and HTML side by side, an id by which a
//! receiver tells a repeat, and the word that no person wrote it (RFC 3834). Nothing
//! in it is fetched from elsewhere, and nothing tells that it was read. There is no
//! `List-Unsubscribe` (RFC 8058): each of these is owed to the account, and none can
//! be unsubscribed from.

use std::time::{Duration, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use crate::template::{Written, one_line};

const SUBJECT_MAX_CHARS: usize = 250;

/// What stands on a mail.
pub(crate) struct Envelope<'a> {
    pub(crate) id: [u8; 16],
    pub(crate) from: &'a Mailbox,
    pub(crate) reply_to: Option<&'a Mailbox>,
    pub(crate) to: Address,
    /// What stands before the subject.
    pub(crate) prefix: Option<&'a str>,
    pub(crate) unix_ms: u64,
}

/// # Errors
/// When the library finds no way to write it.
pub(crate) fn make(
    envelope: Envelope<'_>,
    written: Written,
) -> Result<Message, lettre::error::Error> {
    let id = HEXLOWER.encode(&envelope.id);
    let subject = match envelope.prefix {
        Some(prefix) => format!("{prefix} {}", written.subject),
        None => written.subject,
    };
    let domain = envelope.from.email.domain();
    let mut message = Message::builder()
        .from(envelope.from.clone())
        .to(Mailbox::new(None, envelope.to))
        .subject(one_line(&subject, SUBJECT_MAX_CHARS))
        .message_id(Some(format!("<{id}@{domain}>")))
        .date(UNIX_EPOCH + Duration::from_millis(envelope.unix_ms))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("Content-Language", written.language));
    if let Some(reply_to) = envelope.reply_to {
        message = message.reply_to(reply_to.clone());
    }
    // The boundary follows from the id: a repeat is the same, byte for byte, but for
    // its date.
    let parts = MultiPart::alternative().boundary(format!("=_{id}"));
    let part = |kind, text| SinglePart::builder().header(kind).body::<String>(text);
    message.multipart(
        parts
            .singlepart(part(ContentType::TEXT_PLAIN, written.text))
            .singlepart(part(ContentType::TEXT_HTML, written.html)),
    )
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
