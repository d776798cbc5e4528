//! One request and the status that it is answered with (HTTP/1.1, RFC 9112). The body
//! of the answer is not read, so there is nothing of it to bound or to repeat.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::future::{Either, select};
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::pin::pin;

use super::signature::Secret;
use super::way::{Connection, WayFault};
use crate::config::HttpUrl;

/// What an answer's head may take; hyper wants this much at least.
const HEAD_MAX_BYTES: usize = 8 * 1024;
const HEADERS_MAX: usize = 64;

/// A signed request; none when a value cannot stand in a header, which none does.
pub(super) fn make(
    url: &HttpUrl,
    secret: &Secret,
    id: [u8; 16],
    unix_ms: u64,
    body: Vec<u8>,
) -> Option<Request<Full<Bytes>>> {
    let (id, unix_s) = (format!("msg_{}", HEXLOWER.encode(&id)), unix_ms / 1_000);
    let signature = secret.sign(&id, unix_s, &body)?;
    let request = Request::post(&*url.path)
        .header("host", url.host_header())
        .header("user-agent", "tidegate")
        .header("content-type", "application/json")
        .header("connection", "close")
        .header("webhook-id", id)
        .header("webhook-timestamp", unix_s)
        .header("webhook-signature", signature);
    request.body(Full::new(body.into())).ok()
}

/// Sends a request and waits for the head of its answer.
///
/// # Errors
/// [`WayFault::Answer`] when there is none, or none that is HTTP.
pub(super) async fn status(
    connection: Connection,
    request: Request<Full<Bytes>>,
) -> Result<u16, WayFault> {
    let mut builder = http1::Builder::new();
    builder
        .max_buf_size(HEAD_MAX_BYTES)
        .max_headers(HEADERS_MAX);
    let opened = builder.handshake(TokioIo::new(connection)).await;
    let (mut sender, driver) = opened.map_err(|_| WayFault::Answer)?;
    // Driven here and not on a task of its own: it ends with this call.
    let answered = match select(pin!(sender.send_request(request)), pin!(driver)).await {
        Either::Left((answered, _)) => answered,
        Either::Right((_, answered)) => answered.await,
    };
    answered
        .map(|answer| answer.status().as_u16())
        .map_err(|_| WayFault::Answer)
}
