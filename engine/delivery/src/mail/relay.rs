//! A relay, spoken to step by step (RFC 5321), with connections kept for the next.
//!
//! The steps are our own, because the outcome depends on which one was refused: what
//! is said of the recipient or the content is final, what is said of us (the greeting,
//! the sign-in, the sender) is an operator's to mend, and is tried again. And a
//! connection goes back among the idle ones after a whole dialogue alone: one that was
//! given up in the middle would take the answer to the last command for that to the
//! next, and a mail that was refused for one that was taken.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lettre::Message;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use thiserror::Error;
use tidegate_runtime::ports::{Clock, Sent};
use zeroize::Zeroizing;

use crate::config::{MailConfig, SmtpUrl, TransportSecurity};
use crate::deadline::within;
use crate::file::{self, FileFault};

/// Connections that are kept.
const IDLE_MAX: usize = 8;
/// For so long: relays end what says nothing for five minutes, some much sooner.
const IDLE_MS: u64 = 20_000;
/// The one answer to `DATA` after which a mail is sent (RFC 5321, section 4.3.2).
const START_MAIL_INPUT: u16 = 354;

/// Why a relay cannot be used.
#[derive(Debug, Error)]
pub(crate) enum RelayFault {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileFault),
    /// The library does not take the relay's name or its authority for TLS.
    #[error("delivery.mail.to: no TLS is possible with this name or authority")]
    Tls,
}

/// What was said, by its place in the dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Before any mail: greeting, TLS, sign-in.
    Connect,
    /// The sender.
    Sender,
    /// The recipient.
    Recipient,
    /// The content.
    Content,
}

/// Why a mail was not taken.
enum No {
    /// The relay, or the way to it, said so.
    Said(Step, SmtpError),
    /// The address is not ASCII, and the relay has no SMTPUTF8 (RFC 6531, section 3.2).
    NotAscii,
    /// It answered something else than what was asked. Answers that are one behind
    /// (such as were put before the encryption of `STARTTLS`) end here, and not in a
    /// mail that passes for delivered.
    OutOfStep,
}

struct Idle {
    connection: AsyncSmtpConnection,
    since_ms: u64,
}

/// A relay.
pub(crate) struct Relay {
    url: SmtpUrl,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    hello: ClientId,
    deadline_ms: u64,
    idle: Mutex<Vec<Idle>>,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Connect => "connect",
            Step::Sender => "sender",
            Step::Recipient => "recipient",
            Step::Content => "content",
        }
    }

    fn said(self) -> impl FnOnce(SmtpError) -> No {
        move |error| No::Said(self, error)
    }

    fn is_about_the_mail(self) -> bool {
        match self {
            Step::Connect | Step::Sender => false,
            Step::Recipient | Step::Content => true,
        }
    }
}

impl Relay {
    /// # Errors
    /// [`RelayFault`] when a file cannot be read or is none.
    pub(crate) fn new(url: &SmtpUrl, config: &MailConfig, dir: &Path) -> Result<Relay, RelayFault> {
        let tls = match url.security {
            TransportSecurity::None => None,
            TransportSecurity::StartTls | TransportSecurity::Tls => Some(parameters(
                url,
                config.ca_file.as_ref().map(|file| dir.join(file)),
            )?),
        };
        let password = config
            .password_file
            .as_ref()
            .map(|file| password(&dir.join(file)));
        let credentials = match (&url.user, password.transpose()?) {
            (Some(user), Some(password)) => {
                Some(Credentials::new(user.clone(), password.as_str().to_owned()))
            }
            (Some(_) | None, None) | (None, Some(_)) => None,
        };
        Ok(Relay {
            url: url.clone(),
            tls,
            credentials,
            hello: ClientId::default(),
            deadline_ms: config.deadline_ms,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Gives it a mail, within the deadline.
    pub(crate) async fn send(&self, clock: &dyn Clock, message: &Message) -> Sent {
        // lettre's own bounds connecting alone (lettre#1027).
        let sent = within(clock, self.deadline_ms, self.dialogue(clock, message)).await;
        match sent {
            Ok(Ok(())) => Sent::Delivered,
            Ok(Err(No::Said(step, error))) => outcome(step, &error),
            Ok(Err(No::NotAscii)) => Sent::Refused,
            Ok(Err(No::OutOfStep)) => {
                tracing::warn!(event = "delivery.mail_out_of_step");
                Sent::Failed
            }
            Err(_) => {
                tracing::debug!(event = "delivery.mail_too_late");
                Sent::Failed
            }
        }
    }

    async fn dialogue(&self, clock: &dyn Clock, message: &Message) -> Result<(), No> {
        let connection = match self.idle(clock).await {
            Some(connection) => Ok(connection),
            None => self.connect().await,
        };
        let mut connection = connection.map_err(Step::Connect.said())?;
        give(&mut connection, message).await?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            let since_ms = clock.monotonic_ms();
            idle.push(Idle {
                connection,
                since_ms,
            });
        }
        Ok(())
    }

    /// A connection that is kept and answers; those that are too old end.
    async fn idle(&self, clock: &dyn Clock) -> Option<AsyncSmtpConnection> {
        loop {
            let kept = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                let now_ms = clock.monotonic_ms();
                idle.retain(|kept| now_ms.saturating_sub(kept.since_ms) < IDLE_MS);
                idle.pop()
            };
            let mut connection = kept?.connection;
            if connection.test_connected().await {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let server = (&*self.url.host, self.url.port);
        let (first, later) = match self.url.security {
            TransportSecurity::None => (None, None),
            TransportSecurity::StartTls => (None, self.tls.clone()),
            TransportSecurity::Tls => (self.tls.clone(), None),
        };
        let connected = AsyncSmtpConnection::connect_tokio1(server, None, &self.hello, first, None);
        let mut connection = connected.await?;
        if let Some(tls) = later {
            // Fails where the relay offers none.
            connection.starttls(tls, &self.hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            connection.auth(&mechanisms, credentials).await?;
        }
        Ok(connection)
    }
}

async fn give(connection: &mut AsyncSmtpConnection, message: &Message) -> Result<(), No> {
    let envelope = message.envelope();
    let content = message.formatted();
    let mut parameters = Vec::new();
    let server = connection.server_info();
    // Ours is in ASCII, by the configuration.
    let ascii = |to: &lettre::Address| to.user().is_ascii() && to.domain().is_ascii();
    if !envelope.to().iter().all(ascii) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(No::NotAscii);
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !content.is_ascii() && server.supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = Mail::new(envelope.from().cloned(), parameters);
    let said = connection.command(sender).await;
    said.map_err(Step::Sender.said())?;
    for recipient in envelope.to() {
        let said = connection
            .command(Rcpt::new(recipient.clone(), Vec::new()))
            .await;
        said.map_err(Step::Recipient.said())?;
    }
    let said = connection.command(Data).await;
    if !said
        .map_err(Step::Content.said())?
        .has_code(START_MAIL_INPUT)
    {
        return Err(No::OutOfStep);
    }
    let said = connection.message(&content).await;
    match u16::from(said.map_err(Step::Content.said())?.code()) {
        200..=299 => Ok(()),
        _ => Err(No::OutOfStep),
    }
}

/// What a "no" means. Its text is not looked at: some repeat the address in it.
fn outcome(step: Step, error: &SmtpError) -> Sent {
    let code = error.status().map_or(0, u16::from);
    let sent = match step.is_about_the_mail() && error.is_permanent() {
        true => Sent::Refused,
        false => Sent::Failed,
    };
    let step = step.name();
    match sent {
        Sent::Failed => tracing::warn!(event = "delivery.mail_not_taken", step, code),
        Sent::Delivered | Sent::Refused => {
            tracing::debug!(event = "delivery.mail_refused", step, code);
        }
    }
    sent
}

fn password(path: &Path) -> Result<Zeroizing<String>, FileFault> {
    let whole = |line: &str| Some(Zeroizing::new(line.to_owned()));
    file::line(path, "one line, the password", whole)
}

fn parameters(url: &SmtpUrl, ca_file: Option<PathBuf>) -> Result<TlsParameters, RelayFault> {
    let mut builder = TlsParameters::builder(url.host.clone());
    if let Some(path) = ca_file {
        builder = builder.certificate_store(CertificateStore::None);
        for certificate in file::certificates(&path)? {
            let certificate = Certificate::from_der(certificate.to_vec());
            let certificate = certificate.map_err(|_| RelayFault::Tls)?;
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|_| RelayFault::Tls)
}
