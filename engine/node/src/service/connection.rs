//! One connection of one gateway.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use rustls::pki_types::CertificateDer;
use tidegate_wire::Close;

use super::{Counted, Service, stream};
use crate::certificates::{Role, expires_at_s, fingerprint, identity_of};
use crate::rights::{Gateway, Standing};

/// A connection counted against its gateway's limit.
struct OfGateway(Arc<Gateway>);

impl Drop for OfGateway {
    fn drop(&mut self) {
        self.0.disconnect();
    }
}

pub(super) async fn serve(connecting: quinn::Connecting, counted: Counted) {
    let service = counted.service();
    let connection = match connecting.await {
        Ok(connection) => connection,
        Err(error) => {
            service.meters.connections_refused.increment(1);
            return tracing::debug!(event = "connection.failed", %error);
        }
    };
    let (gateway, expires_at_s) = match admit(&connection, service) {
        Ok(admitted) => admitted,
        Err(why) => {
            service.meters.connections_refused.increment(1);
            let (code, reason) = (why as u32, why.name());
            tracing::warn!(event = "connection.not_admitted", code, reason);
            return connection.close(code.into(), b"");
        }
    };
    let _of_gateway = OfGateway(Arc::clone(&gateway));
    let in_flight = Arc::new(AtomicUsize::new(0));
    let mut standing = gateway.standing();
    loop {
        let (send, recv) = tokio::select! {
            biased;
            _ = standing.wait_for(|standing| *standing == Standing::Withdrawn) => {
                tracing::warn!(event = "connection.rights_withdrawn", gateway = gateway.name());
                return connection.close((Close::RightsWithdrawn as u32).into(), b"");
            }
            () = expiry(service, expires_at_s) => {
                tracing::warn!(event = "connection.certificate_expired", gateway = gateway.name());
                return connection.close((Close::CertificateExpired as u32).into(), b"");
            }
            accepted = connection.accept_bi() => match accepted {
                Ok(stream) => stream,
                Err(_) => return,
            },
        };
        let (service, gateway) = (Arc::clone(service), Arc::clone(&gateway));
        let in_flight = Arc::clone(&in_flight);
        tokio::spawn(async move {
            // A stream that ends early ends alone; the connection goes on.
            if let Err(end) = stream::serve(send, recv, &service, &gateway, in_flight).await {
                tracing::debug!(event = "stream.ended", %end);
            }
        });
    }
}

/// Waits until a certificate ends. Asks the clock again and again, because the
/// date can be set while it waits.
async fn expiry(service: &Service, expires_at_s: i64) {
    const LOOK_EVERY_MS: u64 = 60_000;
    let expires_at_ms = u64::try_from(expires_at_s)
        .unwrap_or(0)
        .saturating_mul(1000);
    loop {
        let left_ms = expires_at_ms.saturating_sub(service.clock.unix_ms());
        if left_ms == 0 {
            return;
        }
        service.clock.sleep(left_ms.min(LOOK_EVERY_MS)).await;
    }
}

/// The gateway that the certificate names, when it may connect.
fn admit(connection: &quinn::Connection, service: &Service) -> Result<(Arc<Gateway>, i64), Close> {
    let chain = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    let leaf = chain.as_ref().and_then(|chain| chain.first());
    let leaf = leaf.ok_or(Close::NotAGateway)?;
    let identity = identity_of(leaf).map_err(|_| Close::NotAGateway)?;
    if !matches!(identity.role, Role::Gateway | Role::Operator) {
        return Err(Close::NotAGateway);
    }
    let gateway = service.gateways.get(&identity.name);
    let known = gateway.filter(|gateway| gateway.has(identity.role, &fingerprint(leaf)));
    let gateway = known.ok_or(Close::UnknownGateway)?;
    let expires_at_s = expires_at_s(leaf).ok_or(Close::NotAGateway)?;
    if !gateway.connect(service.limits.connections_per_gateway) {
        return Err(Close::TooManyConnections);
    }
    Ok((gateway, expires_at_s))
}
