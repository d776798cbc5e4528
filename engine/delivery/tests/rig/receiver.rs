//! A small HTTP server that answers calls in one way and keeps what it was sent.

use std::sync::{Arc, Mutex};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

pub(crate) type Requests = Arc<Mutex<Vec<Request>>>;

/// Begins to listen, and answers each with these bytes; with none it says nothing.
pub(crate) async fn listen(answer: &'static str, tls: Option<TlsAcceptor>) -> (u16, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Requests::default();
    let told = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (requests, tls) = (Arc::clone(&requests), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, answer, &requests).await,
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => serve(stream, answer, &requests).await,
                        Err(_) => None,
                    },
                }
            });
        }
    });
    (port, told)
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    answer: &str,
    requests: &Requests,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut request = Request {
        line: String::new(),
        headers: HeaderMap::new(),
        body: Vec::new(),
    };
    stream.read_line(&mut request.line).await.ok()?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request
            .headers
            .append(name, HeaderValue::from_str(value).unwrap());
    }
    let length = request.headers["content-length"].to_str().unwrap();
    request.body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut request.body).await.ok()?;
    requests.lock().unwrap().push(request);
    if answer.is_empty() {
        std::future::pending::<()>().await;
    }
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}
