//! `tidegate demo`: the whole story, with a real node, a real gateway and
//! SIGKILL in the middle.

mod gateway;
mod node;
mod patience;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use tidegate_runtime::SystemClock;
use tidegate_runtime::ports::Clock;

use crate::cli::output;
pub(crate) use gateway::{GatewayArgs, run as gateway};
use node::Node;

/// People that the gateway signs up.
const PEOPLE: usize = 60;
/// The node is killed after this many acknowledged changes.
const KILL_AFTER: usize = 120;
/// The gateway's status when a call was not answered, however long it waited.
const NOT_ANSWERED: u8 = 3;

/// Runs the demonstration; the exit status.
pub(crate) fn run() -> anyhow::Result<u8> {
    let clock = SystemClock::new();
    let started = clock.monotonic_ms();
    let place = Place::find()?;
    let dir = place.folder.path().join("node");
    say(
        &clock,
        started,
        &format!("a node's folder in {}", dir.display()),
    );
    if place.disk == Disk::Memory {
        output::line("          it lies in memory (tmpfs): durability is NOT tested by this run");
    }
    // It verifies more people at once than an office does.
    call(&["init", "--dir", path(&dir)?, "--office-rate-per-s", "0"])?;

    let node = Node::start(&dir, "127.0.0.1:0")?;
    let address = node.address.clone();
    say(
        &clock,
        started,
        &format!("node {} serves on {address} (QUIC)", node.id()),
    );
    let mut gateway = start_gateway(&dir, &address)?;
    let id = gateway.id();
    say(
        &clock,
        started,
        &format!("gateway {id} signs {PEOPLE} people up and in"),
    );
    let output = gateway.stdout.take().context("the gateway has no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut acknowledged = 0;
    let mut running = Some(node);
    for line in lines.by_ref() {
        let line = line.context("the gateway's output cannot be read")?;
        match line.split_once(' ') {
            Some(("acknowledged", _)) => acknowledged += 1,
            Some(("claim", text)) => say(&clock, started, text),
            Some(("waits", what)) => {
                let text = format!("this host is busy: still waiting for a {what}");
                say(&clock, started, &text);
            }
            _ => bail!("the gateway said: {line}"),
        }
        if acknowledged == KILL_AFTER
            && let Some(node) = running.take()
        {
            let id = node.kill()?;
            say(
                &clock,
                started,
                &format!("SIGKILL to node {id} after {acknowledged} acknowledged changes"),
            );
            let node = Node::start(&dir, &address)?;
            say(&clock, started, &format!("node {} serves again", node.id()));
            running = Some(node);
            acknowledged += 1;
        }
    }
    let held = gateway.wait().context("the gateway cannot be waited for")?;
    let node = running.context("the node was not started again")?;
    node.stop()?;
    if held.code() == Some(i32::from(NOT_ANSWERED)) {
        say(
            &clock,
            started,
            "not decided: this host is too busy to answer; nothing that was acknowledged was found \
             missing",
        );
        return Ok(NOT_ANSWERED);
    }
    if !held.success() || acknowledged <= KILL_AFTER {
        say(&clock, started, "NOT every claim held");
        return Ok(1);
    }
    say(
        &clock,
        started,
        "every claim held; the node drained on SIGTERM",
    );
    by_hand();
    Ok(0)
}

fn say(clock: &SystemClock, started: u64, text: &str) {
    let ms = clock.monotonic_ms() - started;
    output::line(&format!("{ms:6} ms {text}"));
}

fn by_hand() {
    output::line(
        "\nBy hand:\n\
         \x20 tidegate init\n\
         \x20 tidegate serve &   (wait for its line)\n\
         \x20 echo 'correct horse' | tidegate sign-up --username ada\n\
         \x20 echo 'correct horse' | tidegate sign-in --username ada --json\n\
         \x20 echo 'tgs_...' | tidegate check\n\
         A gateway of your own: protocol/client/examples/gateway.rs",
    );
}

/// Where the demonstration takes place.
struct Place {
    folder: tempfile::TempDir,
    disk: Disk,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Real,
    Memory,
}

impl Place {
    /// A temporary folder on a real disk, if there is one.
    fn find() -> anyhow::Result<Place> {
        let candidates = [std::env::temp_dir(), PathBuf::from("/var/tmp")];
        let real = candidates
            .iter()
            .find(|path| disk_of(path) == Some(Disk::Real));
        let (parent, disk) = match real {
            Some(path) => (path, Disk::Real),
            None => (&candidates[0], Disk::Memory),
        };
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("tidegate-demo-").tempdir_in(parent);
        let folder = folder.context("no temporary folder can be made")?;
        Ok(Place { folder, disk })
    }
}

fn disk_of(path: &Path) -> Option<Disk> {
    const TMPFS_MAGIC: i128 = 0x0102_1994;
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    Some(match i128::from(kind) == TMPFS_MAGIC {
        true => Disk::Memory,
        false => Disk::Real,
    })
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .context("the temporary folder's path is not UTF-8")
}

fn this_program() -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("this program cannot find itself")?;
    Ok(Command::new(program))
}

fn call(args: &[&str]) -> anyhow::Result<()> {
    let done = this_program()?.args(args).stdout(Stdio::null()).status();
    match done.with_context(|| format!("{} cannot be run", args[0]))? {
        status if status.success() => Ok(()),
        status => bail!("{} ended with {status}", args[0]),
    }
}

fn start_gateway(dir: &Path, address: &str) -> anyhow::Result<Child> {
    let people = PEOPLE.to_string();
    this_program()?
        .args(["demo-gateway", "--dir", path(dir)?])
        .args(["--connect", address, "--people", &people])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("the gateway cannot be started")
}
