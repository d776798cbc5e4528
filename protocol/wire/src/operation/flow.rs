//! Signing up, in and recovering step by step.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use super::credential::{Device, Granted, Remember, Source, known};
use super::identifier::Identifier;
use super::message::{Addressed, Message};
use super::method::Method;
use super::number::{NO_NUMBER, numbered};
use super::session::Check;
use crate::fault::limited;
use crate::secret::{SecretBytes, Text};
use crate::{
    Fault, MAX_CONTINUATION_BYTES, MAX_LABEL_BYTES, MAX_LANGUAGE_BYTES, MAX_NEXT, MAX_SHOWN_BYTES,
    UserId,
};

numbered! {
    /// What a flow is for.
    Purpose {
        /// A session of an account that is there.
        SignIn = 1,
        /// A new account.
        SignUp = 2,
        /// More assurance for a session.
        StepUp = 3,
        /// A way back into an account.
        Recover = 4,
        /// One more credential or identifier.
        Add = 5,
        /// Another credential or identifier in the place of one.
        Change = 6,
    }
}

numbered! {
    /// How far something that may be shown next is.
    NextState {
        /// It may be shown.
        Open = 1,
        /// It was sent, and is waited for.
        Sent = 2,
        /// It was not sent yet.
        NotSent = 3,
        /// What is shown becomes the account's.
        New = 4,
    }
}

/// Begins a flow. `by` is the session that it is about, where it is about one;
/// `browser` the secret that binds it to a browser; `language` a tag (RFC 5646)
/// or empty.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct BeginFlow {
    pub purpose: u8,
    pub identifier: Option<Identifier>,
    pub by: Option<Check>,
    pub browser: SecretBytes,
    pub language: Text,
    pub source: Option<Source>,
}

/// Answers in a flow. `shown` is what the method shows; empty for a code that is
/// to be sent. `number` is what the browser that asked for a link shows, 255 when
/// it is the same browser. `label` is what a person calls a passkey that is made, or
/// empty.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct AnswerFlow {
    pub continuation: Text,
    pub browser: SecretBytes,
    pub method: u8,
    pub shown: Text,
    pub label: Text,
    pub number: u8,
    pub language: Text,
    pub device: Option<Device>,
    pub remember: u8,
    pub source: Option<Source>,
}

/// One thing that may be shown next. `wait_ms` is how long it takes until a code
/// is sent, or sent again; `number` what the browser shows for a link, 255 for
/// none; `options` what the browser needs, as JSON, or empty.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Next {
    pub method: u8,
    pub state: u8,
    pub wait_ms: u32,
    pub number: u8,
    pub options: Text,
}

/// How a flow goes on: by what may be shown next, or by what it handed out.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct FlowStep {
    pub continuation: Text,
    pub next: Vec<Next>,
    pub granted: Option<Granted>,
}

fn number(number: u8) -> Result<(), Fault> {
    match number {
        0..=99 | NO_NUMBER => Ok(()),
        100..=254 => Err(Fault::Malformed),
    }
}

fn language(text: &str) -> Result<(), Fault> {
    limited(text.len(), MAX_LANGUAGE_BYTES)?;
    let mut bytes = text.bytes();
    match bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        true => Ok(()),
        false => Err(Fault::Malformed),
    }
}

impl Message for BeginFlow {
    fn validate(archived: &ArchivedBeginFlow) -> Result<(), Fault> {
        Purpose::from_number(archived.purpose)?;
        let identifier = archived.identifier.as_ref();
        identifier.map_or(Ok(()), super::identifier::ArchivedIdentifier::validate)?;
        language(archived.language.as_str())?;
        known(archived.source.as_ref())
    }

    fn sample() -> BeginFlow {
        BeginFlow {
            purpose: Purpose::SignIn.number(),
            identifier: Some(Identifier::sample("ada@example.com")),
            by: None,
            browser: SecretBytes([0x54; 24]),
            language: Text("de-CH".into()),
            source: None,
        }
    }
}

impl Message for AnswerFlow {
    fn validate(archived: &ArchivedAnswerFlow) -> Result<(), Fault> {
        limited(archived.continuation.as_str().len(), MAX_CONTINUATION_BYTES)?;
        Method::from_number(archived.method)?;
        limited(archived.shown.as_str().len(), MAX_SHOWN_BYTES)?;
        limited(archived.label.as_str().len(), MAX_LABEL_BYTES)?;
        number(archived.number)?;
        language(archived.language.as_str())?;
        Remember::from_number(archived.remember)?;
        known(archived.source.as_ref())
    }

    fn sample() -> AnswerFlow {
        AnswerFlow {
            continuation: Text("tgf_AAAA".into()),
            browser: SecretBytes([0x54; 24]),
            method: Method::EmailCode.number(),
            shown: Text("123456".into()),
            label: Text(String::new()),
            number: NO_NUMBER,
            language: Text(String::new()),
            device: None,
            remember: 1,
            source: None,
        }
    }
}

impl Message for FlowStep {
    fn validate(archived: &ArchivedFlowStep) -> Result<(), Fault> {
        limited(archived.continuation.as_str().len(), MAX_CONTINUATION_BYTES)?;
        limited(archived.next.len(), MAX_NEXT)?;
        for next in archived.next.iter() {
            Method::from_number(next.method)?;
            NextState::from_number(next.state)?;
            number(next.number)?;
        }
        Ok(())
    }

    fn sample() -> FlowStep {
        FlowStep {
            continuation: Text("tgf_AAAA".into()),
            next: vec![Next {
                method: Method::EmailCode.number(),
                state: NextState::Sent.number(),
                wait_ms: 30_000,
                number: NO_NUMBER,
                options: Text(String::new()),
            }],
            granted: Some(Granted::sample()),
        }
    }
}

impl Addressed for BeginFlow {
    fn subject(&self) -> Option<UserId> {
        self.by.as_ref().and_then(Check::subject)
    }
}

/// Who it is about is sealed in the continuation.
impl Addressed for AnswerFlow {
    fn subject(&self) -> Option<UserId> {
        None
    }
}
