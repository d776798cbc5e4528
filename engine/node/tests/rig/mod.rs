//! Real nodes in processes of their own, real certificates, real sockets.
#![allow(dead_code, reason = "each test program uses some")]

pub(crate) mod disk;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tidegate_client::{Client, Decision, Granted, Options, SignIn};
use tidegate_wire::{
    ALPN, Body, Code, MAX_REPLY_BYTES, Opcode, RequestHead, Splitter, decode_reply, encode_request,
    tenant_id,
};

/// A user name: the account can be signed in to at once.
pub(crate) const NAME: &str = "ada.lovelace";
pub(crate) const PASSWORD: &str = "correct horse";

/// The program under test.
pub(crate) fn tidegate(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args);
    command
}

/// Runs a command to its end with one line of standard input.
pub(crate) fn run(args: &[&str], input: &str) -> Output {
    let mut child = tidegate(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that needs no input may have ended already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// Flags of `init` for what asks as often as it can.
pub(crate) const UNLIMITED: [&str; 2] = ["--rate-per-s", "0"];

/// A node's folder on the disk that holds the build.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Dir {
        Dir::made(&[])
    }

    /// Made by `init` with these flags.
    pub(crate) fn made(flags: &[&str]) -> Dir {
        let dir = Dir::empty();
        let made = run(&[&["init", "--dir", dir.text()], flags].concat(), "");
        assert!(made.status.success(), "{made:?}");
        dir
    }

    /// With nothing in it.
    pub(crate) fn empty() -> Dir {
        Dir(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("node")
    }

    pub(crate) fn text(&self) -> &str {
        // Made once, so that commands can borrow it.
        Box::leak(self.path().to_str().unwrap().to_owned().into_boxed_str())
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap()
    }

    /// Appends a section to the configuration's keys.
    pub(crate) fn configure(&self, key: &str, value: &str) {
        let path = self.path().join("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let (section, key) = key.split_once('.').unwrap();
        let mut here = false;
        let lines = text.lines().map(|line| {
            if line.starts_with('[') {
                here = line == format!("[{section}]");
            }
            match here && line.starts_with(&format!("{key} = ")) {
                true => format!("{key} = {value}"),
                false => line.to_owned(),
            }
        });
        let changed: Vec<String> = lines.collect();
        std::fs::write(path, changed.join("\n")).unwrap();
    }
}

/// A node in a process of its own.
pub(crate) struct Node {
    child: Child,
    pub(crate) quic: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

impl Node {
    pub(crate) fn start(dir: &Dir) -> Node {
        Node::start_at(dir, "127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn start_at(dir: &Dir, listen: SocketAddr) -> Node {
        Node::run(tidegate(&[]), dir, listen)
    }

    /// In an environment of its own.
    pub(crate) fn start_with(dir: &Dir, variables: &[(&str, PathBuf)]) -> Node {
        let mut command = tidegate(&[]);
        command.envs(variables.iter().cloned());
        Node::run(command, dir, "127.0.0.1:0".parse().unwrap())
    }

    /// With at most so many open files.
    pub(crate) fn start_with_open_files(dir: &Dir, limit: u32) -> Node {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_tidegate"));
        Node::run(command, dir, "127.0.0.1:0".parse().unwrap())
    }

    fn run(mut command: Command, dir: &Dir, listen: SocketAddr) -> Node {
        let mut child = command
            .args(["serve", "--dir", dir.text()])
            .args(["--listen", &listen.to_string(), "--metrics", "127.0.0.1:0"])
            .env("TIDEGATE_LOG", "trace")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log_of(&dir.path())).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        Node::of(child, &line)
    }

    /// A node that was told to serve: ready, or what it said when it refused.
    pub(crate) fn ready_or_refused(mut child: Child) -> (Option<Node>, String) {
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        if !line.is_empty() {
            return (Some(Node::of(child, &line)), String::new());
        }
        let refused = child.wait_with_output().unwrap();
        assert!(!refused.status.success(), "{refused:?}");
        (None, String::from_utf8(refused.stderr).unwrap())
    }

    fn of(child: Child, line: &str) -> Node {
        let word = |name: &str| {
            let mut words = line.split_whitespace();
            let word = words.find_map(|word| word.strip_prefix(name));
            word.unwrap_or_else(|| panic!("not ready: {line:?}"))
                .parse()
                .unwrap()
        };
        Node {
            quic: word("quic="),
            metrics: word("metrics="),
            child,
        }
    }

    /// The memory that it has resident, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/statm", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
        pages * rustix::param::page_size() as u64
    }

    /// What the metrics page says of one series.
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let page = self.get("/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        let line = line.unwrap_or_else(|| panic!("no {series} in {page}"));
        line.trim().parse::<f64>().unwrap() as u64
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> SocketAddr {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.quic
    }

    /// SIGTERM; the exit status.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        let id = i32::try_from(self.child.id()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Waits until it ends by itself; the exit status.
    pub(crate) fn ended(mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.ask("GET", path)
    }

    /// Asks the admin pages; head and body.
    pub(crate) fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(self.metrics).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Ended already in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn log_of(dir: &Path) -> PathBuf {
    dir.with_extension("log")
}

pub(crate) fn options(dir: &Dir, node: SocketAddr) -> Options {
    options_as(dir, node, "default")
}

fn options_as(dir: &Dir, node: SocketAddr, gateway: &str) -> Options {
    let mut options = Options::new(
        node,
        dir.file("tls/ca.crt"),
        dir.file(&format!("tls/gateway-{gateway}.crt")),
        dir.file(&format!("tls/gateway-{gateway}.key")),
        "default",
    );
    // Passwords are hashed at the lowest priority, and a build may run beside.
    options.deadline_ms = 30_000;
    options
}

pub(crate) fn client(dir: &Dir, node: &Node) -> Client {
    Client::new(&options(dir, node.quic)).unwrap()
}

/// Of the gateway that acts on accounts.
pub(crate) fn office(dir: &Dir, node: &Node) -> Client {
    Client::new(&options_as(dir, node.quic, "office")).unwrap()
}

pub(crate) fn ada() -> SignIn {
    SignIn::username(NAME, PASSWORD)
}

pub(crate) fn yes<T>(answer: Result<Decision<T>, tidegate_client::CallError>) -> T {
    match answer {
        Ok(Decision::Yes(value)) => value,
        Ok(Decision::No(refusal)) => panic!("no: {refusal:?}"),
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn no<T>(answer: Result<Decision<T>, tidegate_client::CallError>) -> Code {
    match answer {
        Ok(Decision::Yes(_)) => panic!("yes"),
        Ok(Decision::No(refusal)) => refusal.code,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) async fn signed_in(client: &Client) -> Granted {
    yes(client.sign_up(&ada()).await);
    yes(client.sign_in(&ada()).await)
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Who a raw connection says it is.
pub(crate) struct Credentials {
    pub(crate) ca: Vec<u8>,
    pub(crate) certificate: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) alpn: Vec<u8>,
}

impl Credentials {
    pub(crate) fn of(dir: &Dir, name: &str) -> Credentials {
        Credentials {
            ca: dir.file("tls/ca.crt"),
            certificate: Some((
                dir.file(&format!("tls/{name}.crt")),
                dir.file(&format!("tls/{name}.key")),
            )),
            alpn: ALPN.to_vec(),
        }
    }
}

/// Connects without the client library.
pub(crate) async fn connect(
    node: SocketAddr,
    who: &Credentials,
) -> Result<quinn::Connection, quinn::ConnectionError> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&who.ca).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = match &who.certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate).unwrap()],
                PrivateKeyDer::from_pem_slice(key).unwrap(),
            )
            .unwrap(),
    };
    tls.alpn_protocols = vec![who.alpn.clone()];
    let quic = QuicClientConfig::try_from(tls).unwrap();
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(quic)));
    endpoint.connect(node, "node.tidegate").unwrap().await
}

/// A stream without the client library.
pub(crate) struct Raw {
    pub(crate) connection: quinn::Connection,
    send: quinn::SendStream,
    recv: quinn::RecvStream,
    splitter: Splitter,
}

impl Raw {
    pub(crate) async fn open(dir: &Dir, node: SocketAddr) -> Raw {
        Raw::open_as(node, &Credentials::of(dir, "gateway-default")).await
    }

    pub(crate) async fn open_as(node: SocketAddr, who: &Credentials) -> Raw {
        let connection = connect(node, who).await.unwrap();
        let (send, recv) = connection.open_bi().await.unwrap();
        Raw {
            connection,
            send,
            recv,
            splitter: Splitter::new(MAX_REPLY_BYTES),
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.send.write_all(bytes).await.unwrap();
    }

    /// Closes the sending side and reads to the end.
    pub(crate) async fn finish(&mut self) -> Vec<Bytes> {
        // The node may have ended the stream first.
        let _ = self.send.finish();
        let mut frames = Vec::new();
        while let Some(frame) = self.read().await {
            frames.push(frame);
        }
        frames
    }

    /// The next reply frame; none at the end of the stream.
    pub(crate) async fn read(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.splitter.next_frame().unwrap() {
                return Some(Bytes::copy_from_slice(frame));
            }
            let chunk = self.recv.read_chunk(usize::MAX, true).await.ok()??;
            self.splitter.push(chunk.bytes);
        }
    }

    /// Sends a frame; the code and correlation id of the next reply.
    pub(crate) async fn ask(&mut self, frame: &[u8]) -> (Code, u64) {
        self.write(frame).await;
        let reply = self.read().await.expect("the stream ended");
        let reply = decode_reply(&reply).unwrap();
        (reply.code, reply.head.correlation)
    }
}

pub(crate) fn head(opcode: Opcode) -> RequestHead {
    RequestHead {
        version: 1,
        opcode: opcode as u16,
        correlation: 77,
        tenant: tenant_id("default"),
        epoch: 0,
        remaining_ms: 5_000,
        max_age_ms: 0,
        idempotency_key: [9; 16],
    }
}

pub(crate) fn frame(head: &RequestHead, body: &impl Body) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_request(&mut out, head, body).unwrap();
    out.to_vec()
}
