//! The node process of the demonstration.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{path, this_program};

/// A node in a process of its own, ended when it is dropped.
pub(super) struct Node {
    child: Child,
    pub(super) address: String,
}

impl Node {
    /// Starts a node and waits until it is ready.
    pub(super) fn start(dir: &Path, listen: &str) -> anyhow::Result<Node> {
        let mut child = this_program()?
            .args(["serve", "--dir", path(dir)?, "--listen", listen])
            .args(["--metrics", "127.0.0.1:0"])
            .env("TIDEGATE_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the node cannot be started")?;
        let output = child.stdout.take().context("the node has no output")?;
        let mut line = String::new();
        BufReader::new(output.take(1_000))
            .read_line(&mut line)
            .context("the node's output cannot be read")?;
        let mut words = line.split_whitespace();
        let address = words.find_map(|word| word.strip_prefix("quic="));
        match address.map(str::to_owned) {
            Some(address) => Ok(Node { child, address }),
            None => {
                let ended = child.wait().context("the node cannot be waited for")?;
                bail!("the node did not become ready: {ended}")
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL; the id of the process that was.
    pub(super) fn kill(mut self) -> anyhow::Result<u32> {
        let id = self.child.id();
        self.child.kill().context("the node cannot be killed")?;
        self.child.wait().context("the node cannot be waited for")?;
        Ok(id)
    }

    /// SIGTERM, and waits until it has drained.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let id = id.context("the node has no process id")?;
        kill_process(id, Signal::TERM).context("the node cannot be signalled")?;
        let ended = self.child.wait().context("the node cannot be waited for")?;
        match ended.success() {
            true => Ok(()),
            false => bail!("the node ended with {ended}"),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Ended already, unless the demonstration broke off.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
