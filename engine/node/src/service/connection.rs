//! One connection of one gateway.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use super::{Counted, Service, stream};
use crate::certificates::{Role, identity_of};
use crate::rights::Gateway;

/// Why a connection was closed by the node, as QUIC application codes.
mod reason {
    pub(super) const NOT_A_GATEWAY: u32 = 0x10;
    pub(super) const UNKNOWN_GATEWAY: u32 = 0x11;
    pub(super) const TOO_MANY_CONNECTIONS: u32 = 0x12;
}

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
    let gateway = match admit(&connection, service) {
        Ok(gateway) => gateway,
        Err(code) => {
            service.meters.connections_refused.increment(1);
            tracing::warn!(event = "connection.not_admitted", code);
            return connection.close(code.into(), b"");
        }
    };
    let _of_gateway = OfGateway(Arc::clone(&gateway));
    while let Ok((send, recv)) = connection.accept_bi().await {
        let (service, gateway) = (Arc::clone(service), Arc::clone(&gateway));
        tokio::spawn(async move {
            // A stream that ends early ends alone; the connection goes on.
            if let Err(end) = stream::serve(send, recv, &service, &gateway).await {
                tracing::debug!(event = "stream.ended", %end);
            }
        });
    }
}

/// The gateway that the certificate names, when it may connect.
fn admit(connection: &quinn::Connection, service: &Service) -> Result<Arc<Gateway>, u32> {
    let chain = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    let leaf = chain.as_ref().and_then(|chain| chain.first());
    let identity = leaf.and_then(|leaf| identity_of(leaf).ok());
    let identity = identity.filter(|identity| identity.role == Role::Gateway);
    let identity = identity.ok_or(reason::NOT_A_GATEWAY)?;
    let gateway = service.gateways.get(&identity.name);
    let gateway = gateway.ok_or(reason::UNKNOWN_GATEWAY)?;
    if !gateway.connect(service.limits.connections_per_gateway) {
        return Err(reason::TOO_MANY_CONNECTIONS);
    }
    Ok(Arc::clone(gateway))
}
