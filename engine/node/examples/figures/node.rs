//! Real nodes in processes of their own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tidegate_client::{Client, Options};

/// Where a node is reached.
#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) quic: SocketAddr,
    metrics: SocketAddr,
}

impl Addresses {
    /// What the metrics page says of one series; 0 when it is not there.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let mut stream = std::net::TcpStream::connect(self.metrics).unwrap();
        let ask = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes()).unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }
}

/// A client of the node in this folder, with so many connections.
pub(crate) fn client(dir: &Path, at: SocketAddr, connections: usize) -> Client {
    let file = |name: &str| std::fs::read(dir.join(name)).unwrap();
    let mut options = Options::new(
        at,
        file("tls/ca.crt"),
        file("tls/gateway-default.crt"),
        file("tls/gateway-default.key"),
        "default",
    );
    options.deadline_ms = 30_000;
    options.connections = connections;
    Client::new(&options).unwrap()
}

/// Runs a command on a folder to its end; what it printed.
pub(crate) fn order(dir: &Path, args: &[&str]) -> serde_json::Value {
    let output = tidegate()
        .args(args)
        .args(["--json", "--dir"])
        .arg(dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Sets a value of the configuration.
pub(crate) fn configure(dir: &Path, key: &str, value: &str) {
    let path = dir.join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{key} = ")));
    let changed = text.replace(line.unwrap(), &format!("{key} = {value}"));
    std::fs::write(path, changed).unwrap();
}

/// Ends with it.
pub(crate) struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn tidegate() -> Command {
    let program = std::env::current_exe().unwrap();
    let beside = program.parent().unwrap().parent().unwrap();
    Command::new(beside.join("tidegate"))
}

pub(crate) fn init(folder: &Path) -> PathBuf {
    let dir = folder.join("node");
    let made = tidegate()
        .arg("init")
        .arg("--dir")
        .arg(&dir)
        .output()
        .unwrap();
    assert!(made.status.success());
    dir
}

pub(crate) fn serve(dir: &Path) -> (Node, Addresses, Duration) {
    let started = Instant::now();
    let mut child = tidegate()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--metrics",
            "127.0.0.1:0",
            "--dir",
        ])
        .arg(dir)
        .env("TIDEGATE_LOG", "error")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let took = started.elapsed();
    let word = |name: &str| {
        let mut words = line.split_whitespace();
        let word = words.find_map(|word| word.strip_prefix(name)).unwrap();
        word.parse().unwrap()
    };
    let addresses = Addresses {
        quic: word("quic="),
        metrics: word("metrics="),
    };
    (Node(child), addresses, took)
}
