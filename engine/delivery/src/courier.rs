//! The courier: what carries letters out of a node.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use tidegate_account::{Message, Outgoing, OutgoingKind};
use tidegate_runtime::ports::{Clock, Delivery, Letter, PortFuture, Sent};

use crate::call::{Call, CallFault};
use crate::config::{Config, ConfigFault};
use crate::mail::{Mail, RelayFault};
use crate::sms::Sms;
use crate::template::{ShelfFault, Templates};

/// Why there is no courier: the configuration, or a file that it names.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct CourierFault(Why);

#[derive(Debug, Error)]
enum Why {
    #[error(transparent)]
    Config(#[from] ConfigFault),
    #[error(transparent)]
    Templates(#[from] ShelfFault),
    #[error(transparent)]
    Relay(#[from] RelayFault),
    #[error(transparent)]
    Call(#[from] CallFault),
}

struct Routes {
    mail: Option<Mail>,
    sms: Option<Sms>,
    calls: BTreeMap<String, Call>,
}

/// Carries letters where the configuration says. Needs tokio's runtime around it when
/// it sends.
pub struct Courier(Arc<Routes>);

impl Courier {
    /// A courier; relative paths are below `dir`, the node's folder. Files are read
    /// now, once: passwords, secrets, certificate authorities, templates.
    ///
    /// # Errors
    /// [`CourierFault`], naming the key or the file, and why.
    pub fn new(
        config: &Config,
        dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Courier, CourierFault> {
        let routes = Routes::new(config, dir, clock).map_err(CourierFault)?;
        Ok(Courier(Arc::new(routes)))
    }
}

impl Delivery for Courier {
    fn send(&self, letter: Letter) -> PortFuture<Sent> {
        let routes = Arc::clone(&self.0);
        Box::pin(async move { routes.send(letter.id, &letter.outgoing).await })
    }
}

impl Routes {
    fn new(config: &Config, dir: &Path, clock: Arc<dyn Clock>) -> Result<Routes, Why> {
        config.check()?;
        let templates = Arc::new(Templates::read(&dir.join(&config.templates))?);
        let mail = config.mail.as_ref().map(|mail| {
            let (templates, clock) = (Arc::clone(&templates), Arc::clone(&clock));
            Mail::new(mail, config, dir, templates, clock)
        });
        let sms = match &config.sms {
            None => None,
            Some(sms) => {
                let (templates, clock) = (Arc::clone(&templates), Arc::clone(&clock));
                let call = Call::new("sms", sms.call(), dir, Arc::clone(&clock))?;
                let countries = sms.countries.clone();
                Some(Sms::new(
                    call,
                    countries,
                    sms.per_hour,
                    config,
                    templates,
                    clock,
                ))
            }
        };
        let mut calls = BTreeMap::new();
        for (name, call) in &config.calls {
            let call = Call::new(name, call.clone(), dir, Arc::clone(&clock))?;
            calls.insert(name.clone(), call);
        }
        let mail = mail.transpose()?;
        Ok(Routes { mail, sms, calls })
    }

    async fn send(&self, id: [u8; 16], outgoing: &Outgoing) -> Sent {
        let tenant = outgoing.tenant();
        let message = || {
            let read = Message::decode(outgoing.body());
            if read.is_err() {
                tracing::warn!(event = "delivery.unreadable");
            }
            read.ok()
        };
        match outgoing.kind() {
            OutgoingKind::Mail => match (&self.mail, message()) {
                (Some(mail), Some(message)) => mail.send(id, tenant, &message).await,
                (None, _) | (_, None) => Sent::Refused,
            },
            OutgoingKind::Sms => match (&self.sms, message()) {
                (Some(sms), Some(message)) => sms.send(id, tenant, &message).await,
                (None, _) | (_, None) => Sent::Refused,
            },
            // Its body is JSON as whoever decided it wrote it.
            OutgoingKind::Call => match self.calls.get(outgoing.destination()) {
                Some(call) => call.send(id, outgoing.body().to_vec()).await,
                None => Sent::Refused,
            },
        }
    }
}
