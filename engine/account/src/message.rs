//! A message to a person: which text, in which language, where to, and the values
//! that stand in it. The core says what is told and knows no wording; whoever
//! delivers it has the templates.
//!
//! Format 1, the body of an `Outgoing` of kind mail or SMS: version u8 | template u8 |
//! length u8 | language | length u16 LE | address | values u8, and for each value, tags
//! rising: tag u8 | length u16 LE | bytes (text in UTF-8, minutes u32 LE, times u64 LE).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::corrupt::Corrupt;

const VERSION: u8 = 1;
/// The longest language tag, in bytes (RFC 5646, section 4.4.1).
pub const LANGUAGE_MAX_BYTES: usize = 35;
/// The longest address, in bytes.
pub const ADDRESS_MAX_BYTES: usize = 320;
/// The longest text of a value, in bytes.
pub const VALUE_MAX_BYTES: usize = 2_048;

/// Numbers, names and needs are for ever: a text that needs another value is another
/// template.
macro_rules! templates {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, [$($need:ident),*];)*) => {
        /// Which text is sent.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Template {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Template {
            /// All of them.
            pub const ALL: &'static [Template] = &[$(Template::$variant,)*];

            /// Its name, as files of texts have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Template::$variant => $name,)*
                }
            }

            /// The values without which it says nothing; others may be there.
            #[must_use]
            pub const fn needs(self) -> &'static [ValueKind] {
                match self {
                    $(Template::$variant => &[$(ValueKind::$need),*],)*
                }
            }

            /// Whether a value may stand in its text. One that may not is there so
            /// that the message is as long as another.
            #[must_use]
            pub const fn shows(self, kind: ValueKind) -> bool {
                match (self, kind) {
                    (
                        Template::NoAccount,
                        ValueKind::Code | ValueKind::Link | ValueKind::Minutes,
                    ) => false,
                    _ => true,
                }
            }

            fn of(number: u8) -> Option<Template> {
                match number {
                    $($number => Some(Template::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

templates! {
    /// A code to sign in with.
    SignInCode = 1, "sign_in_code", [Code, Minutes, App];
    /// A code to sign up with.
    SignUpCode = 2, "sign_up_code", [Code, Minutes, App];
    /// A code to come back into an account with.
    RecoveryCodeMail = 3, "recovery_code_mail", [Code, Minutes, App];
    /// Asks to confirm an address, by code or link.
    VerifyAddress = 4, "verify_address", [Minutes, App];
    /// A link to sign in with.
    SignInLink = 5, "sign_in_link", [Link, Minutes, App];
    /// Tells the old address that there is a new one.
    AddressChangedNotice = 6, "address_changed_notice", [App, When];
    /// Tells of a sign-in from where there was none before.
    NewSignIn = 7, "new_sign_in", [App, When];
    /// Tells that the password was changed.
    PasswordChanged = 8, "password_changed", [App, When];
    /// Tells that the account was protected after suspicious attempts.
    AccountProtected = 9, "account_protected", [App, When];
    /// Tells that support has begun a recovery, and when it may be finished.
    SupportRecovery = 10, "support_recovery", [App, When];
    /// Tells that no account has this address, where a code was asked for.
    NoAccount = 11, "no_account", [App];
}

/// What a value is. The numbers are for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ValueKind {
    /// A code to type in.
    Code = 1,
    /// A link to follow.
    Link = 2,
    /// For how long it counts.
    Minutes = 3,
    /// What the person knows the application by.
    App = 4,
    /// When it was, or will be.
    When = 5,
    /// With which device.
    Device = 6,
    /// From where.
    Place = 7,
}

/// A value that stands in a text.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub enum Value {
    /// A code to type in.
    Code(String),
    /// A link to follow: `https://` or `http://`.
    Link(String),
    /// For how long it counts.
    Minutes(u32),
    /// What the person knows the application by.
    App(String),
    /// When it was, or will be, in Unix milliseconds.
    WhenMs(u64),
    /// With which device.
    Device(String),
    /// From where.
    Place(String),
}

/// Why a message cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageFault {
    /// The language is no tag of letters, digits and hyphens.
    Language,
    /// The address is empty, too long, or has control characters.
    Address,
    /// A value is empty or too long, a link is none, or a value is there twice.
    Value(ValueKind),
    /// The template needs this value.
    Missing(ValueKind),
}

/// A message to a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    template: Template,
    language: String,
    address: Zeroizing<String>,
    /// By kind, rising.
    values: Vec<Value>,
}

impl Value {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> ValueKind {
        match self {
            Value::Code(_) => ValueKind::Code,
            Value::Link(_) => ValueKind::Link,
            Value::Minutes(_) => ValueKind::Minutes,
            Value::App(_) => ValueKind::App,
            Value::WhenMs(_) => ValueKind::When,
            Value::Device(_) => ValueKind::Device,
            Value::Place(_) => ValueKind::Place,
        }
    }

    fn is_sound(&self) -> bool {
        let fits = |text: &str| (1..=VALUE_MAX_BYTES).contains(&text.len());
        match self {
            Value::Code(text) | Value::App(text) | Value::Device(text) | Value::Place(text) => {
                fits(text)
            }
            Value::Link(link) => {
                let scheme = link.starts_with("https://") || link.starts_with("http://");
                let plain = |c: char| !c.is_control() && !c.is_whitespace();
                fits(link) && scheme && link.chars().all(plain)
            }
            Value::Minutes(_) | Value::WhenMs(_) => true,
        }
    }

    fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Value::Code(text)
            | Value::Link(text)
            | Value::App(text)
            | Value::Device(text)
            | Value::Place(text) => text.as_bytes().to_vec(),
            Value::Minutes(minutes) => minutes.to_le_bytes().to_vec(),
            Value::WhenMs(ms) => ms.to_le_bytes().to_vec(),
        })
    }

    fn read(tag: u8, bytes: &[u8]) -> Result<Value, Corrupt> {
        let text = || core::str::from_utf8(bytes).map(str::to_owned);
        let value = match tag {
            1 => text().map(Value::Code),
            2 => text().map(Value::Link),
            3 => {
                let minutes = bytes.try_into().map_err(|_| Corrupt)?;
                Ok(Value::Minutes(u32::from_le_bytes(minutes)))
            }
            4 => text().map(Value::App),
            5 => {
                let ms = bytes.try_into().map_err(|_| Corrupt)?;
                Ok(Value::WhenMs(u64::from_le_bytes(ms)))
            }
            6 => text().map(Value::Device),
            7 => text().map(Value::Place),
            _ => return Err(Corrupt),
        };
        value.map_err(|_| Corrupt)
    }
}

impl Message {
    /// A message in a language (a tag as RFC 5646 has them; empty when it is not
    /// known) to an address, with its values in any order.
    ///
    /// # Errors
    /// [`MessageFault`] when it is over a limit or lacks what its template needs.
    pub fn new(
        template: Template,
        language: &str,
        address: &str,
        mut values: Vec<Value>,
    ) -> Result<Message, MessageFault> {
        let tag = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if language.len() > LANGUAGE_MAX_BYTES || !language.bytes().all(tag) {
            return Err(MessageFault::Language);
        }
        let fits = (1..=ADDRESS_MAX_BYTES).contains(&address.len());
        if !fits || address.chars().any(char::is_control) {
            return Err(MessageFault::Address);
        }
        values.sort_by_key(Value::kind);
        if let Some(unsound) = values.iter().find(|value| !value.is_sound()) {
            return Err(MessageFault::Value(unsound.kind()));
        }
        let mut pairs = values.windows(2);
        if let Some([twice, _]) = pairs.find(|pair| pair[0].kind() == pair[1].kind()) {
            return Err(MessageFault::Value(twice.kind()));
        }
        let has = |kind: &&ValueKind| values.iter().any(|value| value.kind() == **kind);
        if let Some(missing) = template.needs().iter().find(|kind| !has(kind)) {
            return Err(MessageFault::Missing(*missing));
        }
        Ok(Message {
            template,
            language: language.to_owned(),
            address: Zeroizing::new(address.to_owned()),
            values,
        })
    }

    /// Which text.
    #[must_use]
    pub fn template(&self) -> Template {
        self.template
    }

    /// The language that is wished for; empty when it is not known.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Where to: an address of a mailbox, or a phone number as E.164 has it.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What stands in it, by kind.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Its bytes: the body of what leaves.
    ///
    /// # Errors
    /// [`Corrupt`] when a length does not fit, which no message that was made has.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
        let (language, address) = (self.language.as_bytes(), self.address.as_bytes());
        let values = self
            .values
            .iter()
            .map(|value| (value.kind(), value.bytes()));
        let values: Vec<_> = values.collect();
        let of_values: usize = values.iter().map(|(_, bytes)| 3 + bytes.len()).sum();
        // At once as large as it becomes: what grows leaves copies behind.
        let bytes = 6 + language.len() + address.len() + of_values;
        let mut plain = Zeroizing::new(Vec::with_capacity(bytes));
        plain.extend_from_slice(&[VERSION, self.template as u8]);
        plain.push(u8::try_from(language.len()).map_err(|_| Corrupt)?);
        plain.extend_from_slice(language);
        plain.extend_from_slice(&length(address)?);
        plain.extend_from_slice(address);
        plain.push(u8::try_from(values.len()).map_err(|_| Corrupt)?);
        for (kind, bytes) in &values {
            plain.push(*kind as u8);
            plain.extend_from_slice(&length(bytes)?);
            plain.extend_from_slice(bytes);
        }
        Ok(plain)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn decode(plain: &[u8]) -> Result<Message, Corrupt> {
        let [VERSION, template, count, rest @ ..] = plain else {
            return Err(Corrupt);
        };
        let template = Template::of(*template).ok_or(Corrupt)?;
        let (language, rest) = rest.split_at_checked((*count).into()).ok_or(Corrupt)?;
        let (address, rest) = split(rest)?;
        let (count, mut rest) = rest.split_first().ok_or(Corrupt)?;
        let (mut values, mut last) = (Vec::new(), 0);
        for _ in 0..*count {
            let (tag, after) = rest.split_first().ok_or(Corrupt)?;
            let (bytes, after) = split(after)?;
            if *tag <= last {
                return Err(Corrupt);
            }
            values.push(Value::read(*tag, bytes)?);
            (last, rest) = (*tag, after);
        }
        if !rest.is_empty() {
            return Err(Corrupt);
        }
        let [language, address] = [language, address].map(core::str::from_utf8);
        let (language, address) = (
            language.map_err(|_| Corrupt)?,
            address.map_err(|_| Corrupt)?,
        );
        Message::new(template, language, address, values).map_err(|_| Corrupt)
    }
}

fn length(bytes: &[u8]) -> Result<[u8; 2], Corrupt> {
    let length = u16::try_from(bytes.len()).map_err(|_| Corrupt)?;
    Ok(length.to_le_bytes())
}

/// What a length stands before, and the rest.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Corrupt> {
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(Corrupt)?;
    let length = u16::from_le_bytes(*length);
    rest.split_at_checked(length.into()).ok_or(Corrupt)
}

impl fmt::Debug for Message {
    /// To whom, and what stands in it, is the person's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (template, values) = (self.template.name(), self.values.len());
        write!(f, "Message({template}, {}, {values} values)", self.language)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({:?})", self.kind())
    }
}

#[cfg(test)]
mod tests;
