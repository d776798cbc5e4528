//! Whom mail is from: `Name <a@example.com>` or the address alone (RFC 5322, section
//! 3.4).

use std::fmt;

use serde::{Deserialize, Serialize};

const RULE: &str = "`Name <a@example.com>` or `a@example.com`, in ASCII behind the name";

/// A name and an address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mailbox(lettre::message::Mailbox);

impl Mailbox {
    /// What people know the sender by: its name, or the domain of its address.
    #[must_use]
    pub fn shown_name(&self) -> String {
        let domain = || self.0.email.domain().to_owned();
        self.0.name.clone().unwrap_or_else(domain)
    }

    pub(crate) fn get(&self) -> &lettre::message::Mailbox {
        &self.0
    }
}

impl TryFrom<String> for Mailbox {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Mailbox, &'static str> {
        let (name, address) = match text.trim().strip_suffix('>') {
            None => (None, text.trim()),
            Some(text) => {
                let (name, address) = text.rsplit_once('<').ok_or(RULE)?;
                (Some(name.trim().trim_matches('"')), address)
            }
        };
        let sound = |name: &str| !name.chars().any(char::is_control);
        if !name.is_none_or(sound) || !address.is_ascii() {
            return Err(RULE);
        }
        let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
        let address = address.parse().map_err(|_| RULE)?;
        Ok(Mailbox(lettre::message::Mailbox::new(name, address)))
    }
}

impl From<Mailbox> for String {
    fn from(mailbox: Mailbox) -> String {
        mailbox.to_string()
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_read_and_written() {
        for (text, written) in [
            ("a@example.com", "a@example.com"),
            ("Shop <a@example.com>", "Shop <a@example.com>"),
            (
                "\"Shop, Inc.\" <a@example.com>",
                "\"Shop, Inc.\" <a@example.com>",
            ),
            ("Käse <a@example.com>", "Käse <a@example.com>"),
        ] {
            let read = Mailbox::try_from(text.to_owned()).unwrap();
            assert_eq!(read.to_string(), written);
            assert_eq!(Mailbox::try_from(written.to_owned()), Ok(read));
        }
        for text in [
            "",
            "Shop",
            "Shop <a>",
            "a@b\r\nBcc: c@d",
            "S\r\nX: y <a@b.c>",
            "ü@b.c",
        ] {
            assert_eq!(Mailbox::try_from(text.to_owned()), Err(RULE), "{text:?}");
        }
    }
}
