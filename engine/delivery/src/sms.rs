//! Text messages: to countries that the operator pays for alone, so many an hour, and
//! by a call to the service that sends them.

mod hour;

use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use serde_json::json;
use tidegate_account::{Message, TenantId};
use tidegate_runtime::ports::{Clock, Sent};

use crate::call::Call;
use crate::config::{Config, Country};
use crate::template::Templates;
use hour::Hour;

/// What sends text messages.
pub(crate) struct Sms {
    call: Call,
    countries: Vec<Country>,
    /// By tenant, the language where a message names none.
    languages: Vec<(TenantId, String)>,
    hour: Mutex<Hour>,
    templates: Arc<Templates>,
    clock: Arc<dyn Clock>,
}

impl Sms {
    pub(crate) fn new(
        call: Call,
        countries: Vec<Country>,
        per_hour: u32,
        config: &Config,
        templates: Arc<Templates>,
        clock: Arc<dyn Clock>,
    ) -> Sms {
        let languages = config.tenants.iter().filter_map(|(name, tenant)| {
            let language = tenant.language.clone()?;
            Some((TenantId::of_name(name), language))
        });
        Sms {
            call,
            countries,
            languages: languages.collect(),
            hour: Mutex::new(Hour::new(per_hour)),
            templates,
            clock,
        }
    }

    /// Sends a message under its id.
    pub(crate) async fn send(&self, id: [u8; 16], tenant: TenantId, message: &Message) -> Sent {
        let of = Country::of_number(message.address());
        if !of.iter().any(|country| self.countries.contains(country)) {
            return Sent::Refused;
        }
        let own = self.languages.iter().find(|(id, _)| *id == tenant);
        let language = own.map(|(_, language)| &**language);
        let Ok((language, text)) = self.templates.sms(tenant, language, message) else {
            return Sent::Failed;
        };
        if !self.has_room() {
            tracing::warn!(event = "delivery.sms_held");
            return Sent::Failed;
        }
        let body = json!({
            "id": HEXLOWER.encode(&id),
            "type": "sms",
            "to": message.address(),
            "text": text,
            "language": language,
            "template": message.template().name(),
        });
        self.call.send(id, body.to_string().into_bytes()).await
    }

    fn has_room(&self) -> bool {
        let now_ms = self.clock.monotonic_ms();
        let mut hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        hour.take(now_ms)
    }
}
