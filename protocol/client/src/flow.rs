//! Signing up, in and recovering step by step: the node says what may be shown,
//! and takes one answer after another until there is a session.
//!
//! A gateway keeps nothing: what a flow is between two steps lies in two cookies,
//! the continuation and the browser's secret ([`Flow::continuation`],
//! [`Flow::browser`]), from which any gateway goes on ([`Flow::resume`]).

use std::fmt;
use std::net::IpAddr;

use tidegate_wire::v1::{self, Method, NO_NUMBER, NextState, Purpose, Remember};
use tidegate_wire::{BrowserToken, DeviceToken, Fault, Reply, SecretBytes, SessionToken, Text};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::credential::{granted, source_of};
use crate::decision::{CallError, Decision, Granted};
use crate::identifier::Identifier;

/// How a flow begins.
#[derive(Clone, Debug)]
pub struct Begin {
    purpose: Purpose,
    identifier: Option<Identifier>,
    by: Option<SessionToken>,
    browser: Option<BrowserToken>,
    language: String,
    source: Option<v1::Source>,
}

/// A flow that goes on.
#[derive(Clone)]
pub struct Flow {
    /// Its sealed state.
    pub continuation: Zeroizing<String>,
    /// What binds it to the browser.
    pub browser: BrowserToken,
    /// What may be shown next, in the order in which to offer it.
    pub next: Vec<FlowNext>,
}

/// The continuation is a token.
impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flow({:?})", self.next)
    }
}

/// One thing that may be shown next.
#[derive(Clone, PartialEq, Eq)]
pub struct FlowNext {
    /// Of which method.
    pub method: Method,
    /// How far it is.
    pub state: NextState,
    /// How long it takes until a code is sent, or sent again, in milliseconds.
    pub wait_ms: u32,
    /// What the browser shows beside a link.
    pub number: Option<u8>,
    /// What is needed for it, as JSON: options of a passkey's ceremony
    /// (`PublicKeyCredentialRequestOptionsJSON`, `...CreationOptionsJSON`), `{"secret",
    /// "url"}` of a new authenticator app, `{"codes"}` of new recovery codes.
    pub options: Option<Zeroizing<String>>,
}

/// Secrets may be in the options.
impl fmt::Debug for FlowNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowNext({:?}, {:?})", self.method, self.state)
    }
}

/// What a step came to.
#[derive(Clone, Debug)]
pub enum FlowSaid {
    /// The flow goes on.
    Next(Flow),
    /// The person is in.
    Granted(Box<Granted>),
}

impl Begin {
    /// A flow for a purpose.
    #[must_use]
    pub fn new(purpose: Purpose, identifier: Identifier) -> Begin {
        Begin {
            identifier: Some(identifier),
            ..Begin::without(purpose)
        }
    }

    /// A flow that names nobody: where it signs in, a passkey says who is there.
    #[must_use]
    pub fn without(purpose: Purpose) -> Begin {
        Begin {
            purpose,
            identifier: None,
            by: None,
            browser: None,
            language: String::new(),
            source: None,
        }
    }

    /// A flow of a session: more assurance for it, or one more credential for its
    /// account.
    #[must_use]
    pub fn of_session(purpose: Purpose, session: SessionToken) -> Begin {
        Begin {
            by: Some(session),
            ..Begin::without(purpose)
        }
    }

    /// With an identifier. Of a session it is one that its account has: what an
    /// authenticator shows the account as.
    #[must_use]
    pub fn named(mut self, identifier: Identifier) -> Begin {
        self.identifier = Some(identifier);
        self
    }

    /// In a browser that has a secret already.
    #[must_use]
    pub fn in_browser(mut self, browser: BrowserToken) -> Begin {
        self.browser = Some(browser);
        self
    }

    /// In a language: a tag (RFC 5646).
    #[must_use]
    pub fn in_language(mut self, tag: &str) -> Begin {
        tag.clone_into(&mut self.language);
        self
    }

    /// Says where the person is, as the gateway sees it.
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> Begin {
        self.source = Some(source_of(address));
        self
    }
}

/// What is shown in a step.
#[derive(Clone, Debug)]
pub struct Shown {
    method: Method,
    text: Text,
    label: Text,
    device: Option<DeviceToken>,
    remember: Remember,
    language: String,
    source: Option<v1::Source>,
}

impl Shown {
    /// The secret of a method: a code as it was typed, a password.
    #[must_use]
    pub fn new(method: Method, text: &str) -> Shown {
        Shown {
            method,
            text: Text(text.to_owned()),
            label: Text(String::new()),
            device: None,
            remember: Remember::Nothing,
            language: String::new(),
            source: None,
        }
    }

    /// A passkey: what the browser's ceremony came to, as JSON
    /// (`RegistrationResponseJSON`, `AuthenticationResponseJSON`, WebAuthn L3 5.1).
    #[must_use]
    pub fn passkey(json: &str) -> Shown {
        Shown::new(Method::Passkey, json)
    }

    /// What its person calls the passkey that is made.
    #[must_use]
    pub fn labelled(mut self, name: &str) -> Shown {
        name.clone_into(&mut self.label.0);
        self
    }

    /// Nothing yet: a code is asked for, or another one.
    #[must_use]
    pub fn nothing(method: Method) -> Shown {
        Shown::new(method, "")
    }

    /// From a device that was remembered before.
    #[must_use]
    pub fn from_device(mut self, device: DeviceToken) -> Shown {
        self.device = Some(device);
        self
    }

    /// Asks to remember the device.
    #[must_use]
    pub fn remember_device(mut self) -> Shown {
        self.remember = Remember::Device;
        self
    }

    /// In a language: a tag (RFC 5646).
    #[must_use]
    pub fn in_language(mut self, tag: &str) -> Shown {
        tag.clone_into(&mut self.language);
        self
    }

    /// Says where the person is, as the gateway sees it.
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> Shown {
        self.source = Some(source_of(address));
        self
    }
}

impl Flow {
    /// A flow from what a browser holds. What may be shown next is not known until
    /// the next answer.
    #[must_use]
    pub fn resume(continuation: &str, browser: BrowserToken) -> Flow {
        Flow {
            continuation: Zeroizing::new(continuation.to_owned()),
            browser,
            next: Vec::new(),
        }
    }

    /// Shows something. After a "no" the flow may be answered again, unless the
    /// code is `flow_over`.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn answer(
        &self,
        client: &Client,
        shown: &Shown,
    ) -> Result<Decision<FlowSaid>, CallError> {
        let request = v1::AnswerFlow {
            continuation: Text(self.continuation.to_string()),
            browser: self.browser.secret.clone(),
            method: shown.method.number(),
            shown: shown.text.clone(),
            label: shown.label.clone(),
            number: NO_NUMBER,
            language: Text(shown.language.clone()),
            device: shown.device.as_ref().map(|device| v1::Device {
                id: device.device,
                secret: device.secret.clone(),
            }),
            remember: shown.remember.number(),
            source: shown.source.clone(),
        };
        let browser = self.browser.clone();
        let read =
            move |reply: &Reply<'_>, step: &v1::ArchivedFlowStep| said(reply, step, &browser);
        client.ask_and(&request, read).await
    }
}

impl Client {
    /// Begins a flow.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn begin(&self, begin: &Begin) -> Result<Decision<FlowSaid>, CallError> {
        let browser = match &begin.browser {
            Some(browser) => browser.clone(),
            None => BrowserToken {
                secret: SecretBytes(
                    self.regions
                        .first
                        .world
                        .random()
                        .map_err(|_| CallError::NoRandomness)?,
                ),
            },
        };
        let request = v1::BeginFlow {
            purpose: begin.purpose.number(),
            identifier: begin.identifier.as_ref().map(Identifier::to_message),
            by: begin.by.as_ref().map(SessionToken::to_message),
            browser: browser.secret.clone(),
            language: Text(begin.language.clone()),
            source: begin.source.clone(),
        };
        let read =
            move |reply: &Reply<'_>, step: &v1::ArchivedFlowStep| said(reply, step, &browser);
        self.ask_and(&request, read).await
    }
}

fn said(
    reply: &Reply<'_>,
    step: &v1::ArchivedFlowStep,
    browser: &BrowserToken,
) -> Result<FlowSaid, Fault> {
    if let Some(grant) = step.granted.as_ref() {
        return Ok(FlowSaid::Granted(Box::new(granted(reply, grant)?)));
    }
    let next = step.next.iter().map(|next| {
        let options = next.options.as_str();
        Ok(FlowNext {
            method: Method::from_number(next.method)?,
            state: NextState::from_number(next.state)?,
            wait_ms: next.wait_ms.to_native(),
            number: (next.number != NO_NUMBER).then_some(next.number),
            options: (!options.is_empty()).then(|| options.to_owned().into()),
        })
    });
    Ok(FlowSaid::Next(Flow {
        continuation: Zeroizing::new(step.continuation.as_str().to_owned()),
        browser: browser.clone(),
        next: next.collect::<Result<_, Fault>>()?,
    }))
}
