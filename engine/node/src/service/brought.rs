//! A node on an endpoint whose socket, time and randomness the caller brings:
//! the real judging of connections, streams and frames on a network that is not
//! the system's.

use std::sync::Arc;

use quinn::{AsyncUdpSocket, Runtime};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use tidegate_runtime::Key;
use zeroize::Zeroizing;

use super::{EndpointError, Front, admit, tls};
use crate::certificates::fingerprint;
use crate::deployment::GatewayRow;
use crate::rights::Right;

/// What an endpoint is made of.
pub struct Brought {
    /// The deployment's CA, PEM.
    pub ca: String,
    /// The node's certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM.
    pub key: Zeroizing<String>,
    /// Makes stateless resets (RFC 9000 §10.3); the same in every life of a node.
    pub reset: [u8; 32],
    /// What the endpoint's own randomness follows from.
    pub seed: [u8; 32],
    /// At which date certificates are looked at.
    pub date: Arc<dyn TimeProvider>,
    /// Carries datagrams.
    pub socket: Arc<dyn AsyncUdpSocket>,
    /// Time and tasks.
    pub runtime: Arc<dyn Runtime>,
}

impl Front {
    /// Lets a gateway connect with this certificate (PEM), and ask anything in
    /// the tenant's name.
    ///
    /// # Errors
    /// [`EndpointError::Tls`] when it is none.
    pub fn know(&self, name: &str, tenant: &str, certificate: &str) -> Result<(), EndpointError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(unusable)?;
        self.service().gateways.put(&GatewayRow {
            name: name.to_owned(),
            tenants: vec![tenant.to_owned()],
            rights: vec![Right::Auth, Right::Admin],
            rate_per_s: 0,
            certificates: vec![fingerprint(&der)],
        });
        Ok(())
    }

    /// Serves on what was brought until the endpoint is closed. Spawns tasks:
    /// call it where the runtime's tasks run.
    ///
    /// # Errors
    /// [`EndpointError`] when certificates or socket cannot be used.
    pub fn serve(
        &self,
        brought: Brought,
    ) -> Result<impl Future<Output = ()> + Send + use<>, EndpointError> {
        let service = Arc::clone(self.service());
        let ca = CertificateDer::from_pem_slice(brought.ca.as_bytes()).map_err(unusable)?;
        let mut roots = RootCertStore::empty();
        roots.add(ca).map_err(unusable)?;
        let chain =
            vec![CertificateDer::from_pem_slice(brought.certificate.as_bytes()).map_err(unusable)?];
        let key = PrivateKeyDer::from_pem_slice(brought.key.as_bytes()).map_err(unusable)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let own = CertifiedKey::from_der(chain, key, &provider).map_err(unusable)?;
        let shown = Arc::new(rustls::sign::SingleCertAndKey::from(own));
        let server = tls::config(roots, shown, brought.date, &service.limits)?;
        let mut config = tls::endpoint_config(&Key::new(brought.reset));
        config.rng_seed(Some(brought.seed));
        let (socket, runtime) = (brought.socket, brought.runtime);
        let endpoint =
            quinn::Endpoint::new_with_abstract_socket(config, Some(server), socket, runtime);
        let endpoint = endpoint.map_err(unusable)?;
        Ok(async move {
            while let Some(incoming) = endpoint.accept().await {
                admit(incoming, &service);
            }
        })
    }
}

fn unusable(error: impl std::fmt::Display) -> EndpointError {
    EndpointError::Tls(error.to_string())
}
