//! A bare quinn server that answers frames of a check's size without looking
//! at them: what QUIC costs, and nothing else.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use anyhow::Context;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use clap::Args;
use quinn::crypto::rustls::QuicServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidegate_wire::{ALPN, MESSAGE_VERSION, REPLY_HEAD_BYTES};

use crate::machine::{Side, pin};
use crate::run::Server;

/// A check's request and reply, with their length fields.
const REQUEST_BYTES: usize = 104;
const REPLY_BYTES: usize = 66;
const CORRELATION: std::ops::Range<usize> = 8..16;
const USER: std::ops::Range<usize> = 56..72;

#[derive(Args)]
pub(crate) struct EchoArgs {
    /// The folder of a node, for its certificate.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
}

/// An echo in a process of its own, on the server's core.
pub(crate) struct Echo {
    child: Child,
    at: SocketAddr,
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Echo {
    pub(crate) fn start(dir: &Path) -> anyhow::Result<Echo> {
        pin(Side::Server);
        let child = Command::new(std::env::current_exe()?)
            .args(["echo", "--dir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn();
        pin(Side::Generator);
        let mut child = child?;
        let mut line = String::new();
        let output = child.stdout.take().context("no output")?;
        BufReader::new(output).read_line(&mut line)?;
        let at = line.trim().parse().context("the echo did not start")?;
        Ok(Echo { child, at })
    }

    pub(crate) fn server(&self) -> Server {
        Server {
            at: self.at,
            process: Some(self.child.id()),
        }
    }
}

/// Serves until it is killed.
pub(crate) fn serve(args: &EchoArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let config = config(&args.dir)?;
        let endpoint = quinn::Endpoint::server(config, ([127, 0, 0, 1], 0).into())?;
        println!("{}", endpoint.local_addr()?);
        while let Some(incoming) = endpoint.accept().await {
            let connecting = incoming.accept()?;
            tokio::spawn(async move {
                // The measurement shows what is missing.
                let connection = connecting.await?;
                while let Ok((send, recv)) = connection.accept_bi().await {
                    tokio::spawn(answer(send, recv));
                }
                anyhow::Ok(())
            });
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn config(dir: &Path) -> anyhow::Result<quinn::ServerConfig> {
    let chain = CertificateDer::pem_file_iter(dir.join("tls/node.crt"))?;
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(dir.join("tls/node.key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    Ok(quinn::ServerConfig::with_crypto(Arc::new(
        QuicServerConfig::try_from(tls)?,
    )))
}

async fn answer(mut send: quinn::SendStream, mut recv: quinn::RecvStream) -> anyhow::Result<()> {
    let (mut partial, mut out) = (BytesMut::new(), BytesMut::new());
    // As the node reads: everything that has come, answered in one write.
    let mut chunks: [Bytes; 32] = Default::default();
    while let Some(count) = recv.read_chunks(&mut chunks).await? {
        for chunk in &mut chunks[..count] {
            take(std::mem::take(chunk), &mut partial, &mut out);
        }
        if !out.is_empty() {
            send.write_chunk(out.split().freeze()).await?;
        }
    }
    Ok(())
}

fn take(mut bytes: Bytes, partial: &mut BytesMut, out: &mut BytesMut) {
    if !partial.is_empty() {
        let missing = (REQUEST_BYTES - partial.len()).min(bytes.len());
        partial.extend_from_slice(&bytes.split_to(missing));
        if partial.len() == REQUEST_BYTES {
            reply(out, partial);
            partial.clear();
        }
    }
    while bytes.len() >= REQUEST_BYTES {
        reply(out, &bytes);
        bytes.advance(REQUEST_BYTES);
    }
    partial.extend_from_slice(&bytes);
}

/// A reply of the right size, with what tells requests and people apart.
fn reply(out: &mut BytesMut, request: &[u8]) {
    const LENGTH: u32 = REPLY_BYTES as u32 - 4;
    out.put_u32_le(LENGTH);
    out.put_u8(MESSAGE_VERSION);
    out.put_bytes(0, 3);
    out.extend_from_slice(&request[CORRELATION]);
    out.put_bytes(0, REPLY_HEAD_BYTES - 16);
    out.extend_from_slice(&request[USER]);
    out.put_bytes(0, REPLY_BYTES - REPLY_HEAD_BYTES - 16);
}
