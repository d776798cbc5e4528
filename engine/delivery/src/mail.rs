//! Mail: put into words, made into a message, given to a relay or written into a
//! folder.

mod letter;
mod relay;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lettre::Address;
use tidegate_account::{Message, TenantId};
use tidegate_runtime::ports::{Clock, Sent};

use crate::config::{Config, Destination, MailConfig, TenantConfig};
use crate::folder::Folder;
use crate::template::Templates;
use letter::Envelope;
use relay::Relay;

pub(crate) use relay::RelayFault;

enum Way {
    Relay(Box<Relay>),
    Folder(Folder),
}

/// What sends mail.
pub(crate) struct Mail {
    config: MailConfig,
    tenants: BTreeMap<TenantId, TenantConfig>,
    templates: Arc<Templates>,
    clock: Arc<dyn Clock>,
    way: Way,
}

impl Mail {
    /// # Errors
    /// [`RelayFault`] when the password or the certificate authority cannot be read.
    pub(crate) fn new(
        mail: &MailConfig,
        config: &Config,
        dir: &Path,
        templates: Arc<Templates>,
        clock: Arc<dyn Clock>,
    ) -> Result<Mail, RelayFault> {
        let way = match &mail.to {
            Destination::Smtp(url) => Way::Relay(Box::new(Relay::new(url, mail, dir)?)),
            Destination::Folder => Way::Folder(Folder::new(dir.join(&mail.folder))),
        };
        let tenants = config.tenants.iter();
        let tenants = tenants.map(|(name, tenant)| (TenantId::of_name(name), tenant.clone()));
        Ok(Mail {
            config: mail.clone(),
            tenants: tenants.collect(),
            templates,
            clock,
            way,
        })
    }

    /// Sends a message under its id.
    pub(crate) async fn send(&self, id: [u8; 16], tenant: TenantId, message: &Message) -> Sent {
        let Ok(to) = message.address().parse::<Address>() else {
            return Sent::Refused;
        };
        let own = self.tenants.get(&tenant);
        let language = own.and_then(|own| own.language.as_deref());
        let Ok(written) = self.templates.mail(tenant, language, message) else {
            return Sent::Failed;
        };
        let envelope = Envelope {
            id,
            from: own
                .and_then(|own| own.from.as_ref())
                .unwrap_or(&self.config.from)
                .get(),
            reply_to: self
                .config
                .reply_to
                .as_ref()
                .map(crate::config::Mailbox::get),
            to,
            prefix: own.and_then(|own| own.subject_prefix.as_deref()),
            unix_ms: self.clock.unix_ms(),
        };
        let Ok(made) = letter::make(envelope, written) else {
            return Sent::Refused;
        };
        match &self.way {
            Way::Relay(relay) => relay.send(&*self.clock, &made).await,
            Way::Folder(folder) => folder.write(id, made.formatted()).await,
        }
    }
}
