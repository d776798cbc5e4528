//! The configuration of what leaves: `[delivery.mail]`, `[delivery.sms]`,
//! `[delivery.calls.NAME]`, `[delivery.tenants.NAME]`. What is no value of its type is
//! refused while it is read, with its line and key.

mod address;
mod country;
mod mailbox;
mod range;

pub use address::{Destination, HttpUrl, SmtpUrl, TransportSecurity};
pub use country::Country;
pub use mailbox::Mailbox;
pub use range::Range;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The runtime gives up a try after ten seconds; ours ends before, with an outcome.
const DEADLINE_MAX_MS: u64 = 9_500;
const DEADLINE_MIN_MS: u64 = 10;
const PER_HOUR_MAX: u32 = 10_000_000;
const SUBJECT_PREFIX_MAX_CHARS: usize = 40;

/// What leaves, and by which way. What has no way is refused, and so listed as
/// undelivered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The folder of tenants' own templates, `TENANT/NAME.{subject,txt,html,sms}`.
    pub templates: PathBuf,
    /// Mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<MailConfig>,
    /// Text messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sms: Option<SmsConfig>,
    /// Calls to other systems, by the name of the route.
    pub calls: BTreeMap<String, CallConfig>,
    /// What is otherwise for one tenant, by its name.
    pub tenants: BTreeMap<String, TenantConfig>,
}

/// How mail leaves.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// `smtps://user@host`, `smtp+starttls://user@host:587`, `smtp://127.0.0.1:25`, or
    /// `folder` to write each mail into a file. May be written as `smtp` too.
    #[serde(alias = "smtp")]
    pub to: Destination,
    /// Whom it is from: `Name <a@example.com>`.
    pub from: Mailbox,
    /// Where answers go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Mailbox>,
    /// Where the files are written.
    #[serde(default = "mail_folder")]
    pub folder: PathBuf,
    /// The file with the password of the relay's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// A file with the certificate authority (PEM) that the relay's certificate is
    /// from; the public ones count otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Takes `smtp://` to other machines too: anybody between can read every code.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// How long one mail may take, in milliseconds.
    #[serde(default = "deadline_ms")]
    pub deadline_ms: u64,
}

/// How text messages leave: as signed calls to a service that sends them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SmsConfig {
    /// The service; `http://` only into allowed ranges.
    pub url: HttpUrl,
    /// The file with the secret, `whsec_...`, that calls are signed with.
    pub secret_file: PathBuf,
    /// Ranges of addresses that may be called although they are not of the public
    /// internet.
    #[serde(default)]
    pub allow: Vec<Range>,
    /// A file with the certificate authority (PEM) that its certificate is from; the
    /// public ones count otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long one call may take, in milliseconds.
    #[serde(default = "deadline_ms")]
    pub deadline_ms: u64,
    /// To which countries (ISO 3166-1, two letters); none other is paid for.
    pub countries: Vec<Country>,
    /// How many an hour this node sends at most.
    #[serde(default = "per_hour")]
    pub per_hour: u32,
}

/// A system that is called.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CallConfig {
    /// Where; `http://` only into allowed ranges.
    pub url: HttpUrl,
    /// The file with the secret, `whsec_...`, that calls are signed with.
    pub secret_file: PathBuf,
    /// Ranges of addresses (`10.1.0.0/16`) that may be called although they are not
    /// of the public internet.
    #[serde(default)]
    pub allow: Vec<Range>,
    /// A file with the certificate authority (PEM) that its certificate is from; the
    /// public ones count otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long one call may take, in milliseconds.
    #[serde(default = "deadline_ms")]
    pub deadline_ms: u64,
}

/// What is otherwise for one tenant.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantConfig {
    /// Whom its mail is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Mailbox>,
    /// What stands before each subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_prefix: Option<String>,
    /// The language where a message names none that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

fn mail_folder() -> PathBuf {
    PathBuf::from("mail")
}

fn deadline_ms() -> u64 {
    8_000
}

fn per_hour() -> u32 {
    1_000
}

impl Default for Config {
    fn default() -> Config {
        Config {
            templates: PathBuf::from("templates"),
            mail: None,
            sms: None,
            calls: BTreeMap::new(),
            tenants: BTreeMap::new(),
        }
    }
}

/// A key that cannot be what it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key} must be {expected}")]
pub struct ConfigFault {
    /// The key.
    pub key: String,
    /// What it must be.
    pub expected: String,
}

fn must(
    held: bool,
    key: impl Into<String>,
    expected: impl Into<String>,
) -> Result<(), ConfigFault> {
    match held {
        true => Ok(()),
        false => Err(ConfigFault {
            key: key.into(),
            expected: expected.into(),
        }),
    }
}

fn deadline(key: &str, deadline_ms: u64) -> Result<(), ConfigFault> {
    let held = (DEADLINE_MIN_MS..=DEADLINE_MAX_MS).contains(&deadline_ms);
    let range = format!("{DEADLINE_MIN_MS} to {DEADLINE_MAX_MS}");
    must(held, format!("{key}.deadline_ms"), range)
}

impl Config {
    /// Looks at what one value alone does not tell.
    ///
    /// # Errors
    /// [`ConfigFault`], with the first key that cannot be what it is.
    pub fn check(&self) -> Result<(), ConfigFault> {
        if let Some(mail) = &self.mail {
            mail.check()?;
        }
        if let Some(sms) = &self.sms {
            sms.call().check("delivery.sms")?;
            must(
                !sms.countries.is_empty(),
                "delivery.sms.countries",
                "one country at least",
            )?;
            let held = (1..=PER_HOUR_MAX).contains(&sms.per_hour);
            must(
                held,
                "delivery.sms.per_hour",
                format!("1 to {PER_HOUR_MAX}"),
            )?;
        }
        for (name, call) in &self.calls {
            let key = format!("delivery.calls.{name}");
            let held = (1..=tidegate_account::DESTINATION_MAX_BYTES).contains(&name.len());
            must(held, &*key, "named by 1 to 64 bytes")?;
            call.check(&key)?;
        }
        for (name, tenant) in &self.tenants {
            tenant.check(&format!("delivery.tenants.{name}"))?;
        }
        Ok(())
    }
}

impl MailConfig {
    fn check(&self) -> Result<(), ConfigFault> {
        deadline("delivery.mail", self.deadline_ms)?;
        let url = match &self.to {
            Destination::Smtp(url) => url,
            Destination::Folder => return Ok(()),
        };
        let plain = url.security == TransportSecurity::None;
        must(
            !plain || self.allow_plaintext || url.is_loopback(),
            "delivery.mail.to",
            "smtps://, smtp+starttls:// or on this machine (or set allow_plaintext = true)",
        )?;
        must(
            url.user.is_some() == self.password_file.is_some(),
            "delivery.mail.password_file",
            "there where delivery.mail.to names a user, and nowhere else",
        )?;
        must(
            url.user.is_none() || !plain || url.is_loopback(),
            "delivery.mail.to",
            "encrypted where it names a user: a password never leaves in the clear",
        )
    }
}

impl SmsConfig {
    /// The service as any other system that is called.
    pub(crate) fn call(&self) -> CallConfig {
        CallConfig {
            url: self.url.clone(),
            secret_file: self.secret_file.clone(),
            allow: self.allow.clone(),
            ca_file: self.ca_file.clone(),
            deadline_ms: self.deadline_ms,
        }
    }
}

impl CallConfig {
    fn check(&self, key: &str) -> Result<(), ConfigFault> {
        deadline(key, self.deadline_ms)?;
        must(
            self.url.security != TransportSecurity::None || !self.allow.is_empty(),
            format!("{key}.url"),
            "https:// unless ranges are allowed",
        )
    }
}

impl TenantConfig {
    fn check(&self, key: &str) -> Result<(), ConfigFault> {
        let prefix = self.subject_prefix.as_deref().unwrap_or_default();
        let short = prefix.chars().count() <= SUBJECT_PREFIX_MAX_CHARS;
        must(
            short && !prefix.chars().any(char::is_control),
            format!("{key}.subject_prefix"),
            format!("at most {SUBJECT_PREFIX_MAX_CHARS} characters on one line"),
        )?;
        let language = self.language.as_deref();
        must(
            language.is_none_or(|tag| crate::template::LANGUAGES.contains(&tag)),
            format!("{key}.language"),
            format!("one of {}", crate::template::LANGUAGES.join(", ")),
        )
    }
}

#[cfg(test)]
mod tests;
