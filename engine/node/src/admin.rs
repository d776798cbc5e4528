//! Metrics and health, over HTTP on a loopback address.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use metrics_exporter_prometheus::PrometheusHandle;
use tidegate_cluster::Standing;
use tidegate_storage_fjall::Health;
use tokio::net::TcpListener;

use crate::process;
use crate::service::Service;

const ACCEPT_AGAIN_MS: u64 = 100;
/// Newer Prometheus refuses a page that does not say what it is.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// What the pages show.
pub(crate) struct Admin {
    pub(crate) service: Arc<Service>,
    pub(crate) metrics: PrometheusHandle,
}

/// Binds the address and serves until the runtime ends.
pub(crate) async fn serve(admin: Arc<Admin>, listen: SocketAddr) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // No descriptors, most likely: not to be asked again at once.
                admin.service.clock.sleep(ACCEPT_AGAIN_MS).await;
                continue;
            };
            let admin = Arc::clone(&admin);
            tokio::spawn(async move {
                let answer = service_fn(move |request| {
                    let page = page(&admin, &request);
                    async move { Ok::<_, Infallible>(page) }
                });
                let served = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
                if let Err(error) = served {
                    tracing::debug!(event = "admin.connection_failed", %error);
                }
            });
        }
    });
    Ok(address)
}

impl Admin {
    fn render(&self) -> String {
        self.service.observe();
        let histograms = tidegate_runtime::render_histograms();
        self.metrics.render() + &histograms + &process::render()
    }
}

fn page(admin: &Admin, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    match request.uri().path() {
        "/metrics" => typed(StatusCode::OK, PROMETHEUS, admin.render()),
        "/health/live" => text(StatusCode::OK, "live\n".into()),
        "/health/ready" if admin.service.is_draining() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".into())
        }
        "/health/ready" if admin.service.store_health() == Health::Failed => {
            let why = "the store takes no changes: free or replace the disk, then start again\n";
            text(StatusCode::SERVICE_UNAVAILABLE, why.into())
        }
        "/health/ready" => match admin.service.standing() {
            Standing::Member => text(StatusCode::OK, "ready\n".into()),
            Standing::Outside => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "not in the cluster yet\n".into(),
            ),
            Standing::Leaving => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".into()),
        },
        _ => text(StatusCode::NOT_FOUND, "no such page\n".into()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    typed(status, PLAIN, body)
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
