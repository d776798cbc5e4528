//! What carries messages out of a node: mail by SMTP or into a folder, text messages
//! and calls to other systems as signed HTTP requests.
//!
//! [`Courier`] is the production form of the runtime's port `Delivery`. It knows no
//! account: a letter comes in, an outcome goes out, at least once, always within a
//! deadline of its own. What a person is written lies in `texts/` (one file for each
//! language) and `templates/` (how a mail is laid out); a tenant's own stand over them.
//!
//! Start at [`Courier::new`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod call;
mod config;
mod courier;
mod deadline;
mod file;
mod folder;
mod mail;
mod sms;
mod template;

pub use config::{
    CallConfig, Config, ConfigFault, Country, Destination, HttpUrl, MailConfig, Mailbox, Range,
    SmsConfig, SmtpUrl, TenantConfig, TransportSecurity,
};
pub use courier::{Courier, CourierFault};
