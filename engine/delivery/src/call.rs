//! Calls to other systems: signed HTTP requests by Standard Webhooks, through the one
//! way out. A system is told apart from the rest of the world by its address after
//! resolving, is never followed elsewhere, and nothing of what it answers is read but
//! the status.

mod fault;
mod guard;
mod request;
mod signature;
mod way;

use std::path::Path;
use std::sync::Arc;

use tidegate_runtime::ports::{Clock, Sent};

use crate::config::CallConfig;
use crate::deadline::within;
use crate::file;
use request::status;
use signature::Secret;
use way::Way;

pub(crate) use fault::CallFault;

/// A system that is called.
pub(crate) struct Call {
    /// The name of the route, for logs.
    route: String,
    config: CallConfig,
    secret: Secret,
    way: Way,
    clock: Arc<dyn Clock>,
}

impl Call {
    /// The system of a route; files lie below `dir`.
    ///
    /// # Errors
    /// [`CallFault`] when secret or certificate authority cannot be read.
    pub(crate) fn new(
        route: &str,
        config: CallConfig,
        dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Call, CallFault> {
        let expected = "one line, whsec_ and 24 to 64 bytes in base64";
        let secret = file::line(&dir.join(&config.secret_file), expected, Secret::parse)?;
        let way = Way::new(route, &config, dir)?;
        Ok(Call {
            route: route.to_owned(),
            config,
            secret,
            way,
            clock,
        })
    }

    /// Calls with a body of JSON, under an id, within the deadline.
    pub(crate) async fn send(&self, id: [u8; 16], body: Vec<u8>) -> Sent {
        let (route, clock) = (&*self.route, &*self.clock);
        let request = request::make(&self.config.url, &self.secret, id, clock.unix_ms(), body);
        let Some(request) = request else {
            return Sent::Refused;
        };
        let called = async {
            let connection = self.way.open().await?;
            status(connection, request).await
        };
        let failed = match within(clock, self.config.deadline_ms, called).await {
            Ok(Ok(status)) => return outcome(status),
            Ok(Err(fault)) => fault.name(),
            Err(_) => "too_late",
        };
        tracing::warn!(event = "delivery.call_failed", route, reason = failed);
        Sent::Failed
    }
}

/// What a status means (RFC 9110, section 15; RFC 6585, section 4): a request that is
/// refused as it is will not be taken later. A redirect is no answer.
fn outcome(status: u16) -> Sent {
    match status {
        200..=299 => Sent::Delivered,
        408 | 425 | 429 => Sent::Failed,
        400..=499 => Sent::Refused,
        _ => Sent::Failed,
    }
}
