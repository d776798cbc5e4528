//! Real nodes in processes of their own, pinned to a core of their own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tidegate_client::{Client, Options};

/// Where a node is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) quic: SocketAddr,
    metrics: SocketAddr,
}

impl Addresses {
    /// The metrics page.
    pub(crate) fn page(&self) -> anyhow::Result<String> {
        let mut stream = std::net::TcpStream::connect(self.metrics)?;
        let ask = "GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes())?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page)
    }

    /// What the metrics page says of one series; 0 when it is not there.
    pub(crate) fn metric(&self, series: &str) -> anyhow::Result<f64> {
        let page = self.page()?;
        let line = page.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(Ok(0.0), |value| Ok(value.trim().parse()?))
    }
}

/// What signs people up and in.
const DEFAULT: &str = "default";
/// What acts on accounts. A folder that an older program made has none, and its
/// `default` may do both.
const OFFICE: &str = "office";
/// No limit on what the gateways of a folder that is measured may send.
const UNLIMITED: [&str; 4] = ["--rate-per-s", "0", "--office-rate-per-s", "0"];

/// How a gateway of the node in this folder connects.
pub(crate) fn options(dir: &Path, at: SocketAddr) -> anyhow::Result<Options> {
    options_as(dir, at, DEFAULT)
}

/// How that one connects which acts on accounts.
pub(crate) fn office(dir: &Path, at: SocketAddr) -> anyhow::Result<Options> {
    let certificate = dir.join(format!("tls/gateway-{OFFICE}.crt"));
    let gateway = match certificate.exists() {
        true => OFFICE,
        false => DEFAULT,
    };
    options_as(dir, at, gateway)
}

fn options_as(dir: &Path, at: SocketAddr, gateway: &str) -> anyhow::Result<Options> {
    let file = |name: &str| {
        let path = dir.join(name);
        std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
    };
    let mut options = Options::new(
        at,
        file("tls/ca.crt")?,
        file(&format!("tls/gateway-{gateway}.crt"))?,
        file(&format!("tls/gateway-{gateway}.key"))?,
        "default",
    );
    options.deadline_ms = 30_000;
    Ok(options)
}

/// A client of the node in this folder, with so many connections.
pub(crate) fn client(dir: &Path, at: SocketAddr, connections: usize) -> anyhow::Result<Client> {
    let mut options = options(dir, at)?;
    options.connections = connections;
    Ok(Client::new(&options)?)
}

/// Runs a command on a folder to its end; what it printed.
pub(crate) fn order(dir: &Path, args: &[&str]) -> anyhow::Result<serde_json::Value> {
    let mut command = tidegate()?;
    let output = command.args(args).args(["--json", "--dir"]).arg(dir);
    let output = output.output()?;
    ensure!(output.status.success(), "tidegate {args:?}: {output:?}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Sets a value of the configuration.
pub(crate) fn configure(dir: &Path, key: &str, value: &str) -> anyhow::Result<()> {
    let path = dir.join("config.toml");
    let text = std::fs::read_to_string(&path)?;
    let name = format!("{key} = ");
    let line = text.lines().find(|line| line.starts_with(&name));
    let line = line.with_context(|| format!("config.toml has no {key}"))?;
    let changed = text.replace(line, &format!("{key} = {value}"));
    Ok(std::fs::write(path, changed)?)
}

/// A node's process; it ends when this is dropped.
pub(crate) struct Node {
    child: Child,
    pub(crate) at: Addresses,
    /// From starting the process to its line that says it is ready.
    pub(crate) ready_in: Duration,
}

impl Node {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, when it has ended.
    pub(crate) fn ended(&mut self) -> std::io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The node's binary.
pub(crate) fn tidegate() -> anyhow::Result<Command> {
    built_beside("tidegate")
}

/// A binary that was built beside this one.
pub(crate) fn built_beside(name: &str) -> anyhow::Result<Command> {
    let mut path = std::env::current_exe()?;
    path.set_file_name(name);
    if !path.exists() {
        bail!(
            "{} is not there: cargo build --release --workspace",
            path.display()
        );
    }
    Ok(Command::new(path))
}

/// Makes a node's folder in this one, whose gateways have no limit.
pub(crate) fn init(folder: &Path, flags: &[&str]) -> anyhow::Result<PathBuf> {
    let dir = folder.join("node");
    let mut init = tidegate()?;
    let made = init
        .arg("init")
        .args(UNLIMITED)
        .args(flags)
        .arg("--dir")
        .arg(&dir)
        .output()?;
    ensure!(made.status.success(), "tidegate init: {made:?}");
    Ok(dir)
}

/// Runs the node of a folder; it runs on the cores that this thread may use.
pub(crate) fn serve(dir: &Path) -> anyhow::Result<Node> {
    serve_at(dir, ([127, 0, 0, 1], 0).into())
}

/// The same at a certain address. What it logs goes into a file beside its
/// folder.
pub(crate) fn serve_at(dir: &Path, listen: SocketAddr) -> anyhow::Result<Node> {
    serve_by(tidegate()?, dir, listen)
}

/// The same by a certain program.
pub(crate) fn serve_by(
    mut program: Command,
    dir: &Path,
    listen: SocketAddr,
) -> anyhow::Result<Node> {
    let started = Instant::now();
    let mut log = std::fs::OpenOptions::new();
    let log = log
        .create(true)
        .append(true)
        .open(dir.with_extension("log"))?;
    let mut child = program
        .args(["serve", "--listen", &listen.to_string()])
        .args(["--metrics", "127.0.0.1:0", "--dir"])
        .arg(dir)
        .env("TIDEGATE_LOG", "info")
        .stderr(log)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let output = child.stdout.take().context("no output")?;
    BufReader::new(output).read_line(&mut line)?;
    let ready_in = started.elapsed();
    let word = |name: &str| {
        let mut words = line.split_whitespace();
        let word = words.find_map(|word| word.strip_prefix(name));
        let word = word.with_context(|| format!("the node said {line:?}"))?;
        anyhow::Ok(word.parse()?)
    };
    let at = Addresses {
        quic: word("quic=")?,
        metrics: word("metrics=")?,
    };
    Ok(Node {
        child,
        at,
        ready_in,
    })
}
