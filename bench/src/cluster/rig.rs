//! Three nodes on one FoundationDB, whose people come from an embedded store.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tidegate_client::{Client, Options};
use tidegate_wire::{RefreshToken, SessionToken};

use super::Ground;
use super::database::Database;
use crate::node::{self, Node};
use crate::population;

pub(crate) const NODES: usize = 3;
/// A call that was not answered for this long, with all its retries, failed.
const DEADLINE_MS: u32 = 10_000;
/// Every node serves its share after this long at the latest.
const SETTLE_S: u64 = 20;

/// One of the nodes, whether it runs or not.
pub(crate) struct Member {
    dir: PathBuf,
    pub(crate) at: SocketAddr,
    node: Option<Node>,
    program: Program,
}

/// Which program a node runs.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    This,
    Older(PathBuf),
}

impl Member {
    pub(crate) fn pid(&self) -> anyhow::Result<Pid> {
        let node = self.node.as_ref().context("the node does not run")?;
        let id = i32::try_from(node.id())?;
        Pid::from_raw(id).context("no process")
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(self.pid()?, signal)?)
    }

    /// Whether it has not ended by itself.
    pub(crate) fn runs(&mut self) -> anyhow::Result<bool> {
        let node = self.node.as_mut().context("the node does not run")?;
        Ok(node.ended()?.is_none())
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        drop(self.node.take());
    }

    /// SIGTERM, and waits until it has ended.
    pub(crate) async fn terminate(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let mut node = self.node.take().context("the node does not run")?;
        loop {
            if let Some(ended) = node.ended()? {
                ensure!(ended.success(), "the node ended with {ended}");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs another program from its next start on.
    pub(crate) fn becomes(&mut self, program: Program) {
        self.program = program;
    }

    /// Starts it at the address that it had before.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let (dir, at) = (self.dir.clone(), self.at);
        let program = match &self.program {
            Program::This => node::tidegate()?,
            Program::Older(path) => std::process::Command::new(path),
        };
        // Until it is ready others are to be served.
        let serve = move || node::serve_by(program, &dir, at);
        let node = tokio::task::spawn_blocking(serve).await??;
        self.at = node.at.quic;
        self.node = Some(node);
        Ok(())
    }
}

pub(crate) struct Rig {
    // Dropped in this order: nodes, server, folders.
    pub(crate) members: Vec<Member>,
    pub(crate) database: Database,
    first: PathBuf,
    pub(crate) people: Vec<(SessionToken, RefreshToken)>,
    scratch: Option<tempfile::TempDir>,
}

impl Rig {
    /// Nodes of this program.
    pub(crate) async fn make(ground: &Ground) -> anyhow::Result<Rig> {
        let folder = population::copied(ground.people)?;
        Rig::of(ground, folder, &Program::This).await
    }

    /// Nodes of an older program.
    pub(crate) async fn older(ground: &Ground) -> anyhow::Result<Rig> {
        let older = ground.older.clone().context("--older names no program")?;
        let folder = population::older(ground.people)?;
        Rig::of(ground, folder, &Program::Older(older)).await
    }

    async fn of(
        ground: &Ground,
        (scratch, dir): (tempfile::TempDir, PathBuf),
        program: &Program,
    ) -> anyhow::Result<Rig> {
        let database = Database::start(ground, scratch.path())?;
        let file = database.cluster_file();
        let library = ground.client_library.as_ref();
        let library: Vec<&Path> = library
            .iter()
            .flat_map(|path| [Path::new("--client-library"), path])
            .collect();
        done(
            node::tidegate()?
                .arg("move")
                .arg("--dir")
                .arg(&dir)
                .arg("--cluster-file")
                .arg(&file)
                .args(&library),
        )?;
        let bundle = scratch.path().join("bundle");
        done(
            node::tidegate()?
                .arg("bundle")
                .arg("--dir")
                .arg(&dir)
                .arg("--to")
                .arg(&bundle),
        )?;
        let mut dirs = vec![dir.clone()];
        for number in 2..=NODES {
            let dir = scratch.path().join(format!("node-{number}"));
            let name = format!("node-{number}");
            done(
                node::tidegate()?
                    .args(["init", "--node", &name, "--dir"])
                    .arg(&dir)
                    .arg("--join")
                    .arg(&bundle),
            )?;
            dirs.push(dir);
        }
        let mut members = Vec::new();
        for dir in dirs {
            node::configure(&dir, "threads", "1")?;
            let mut member = Member {
                dir,
                at: ([127, 0, 0, 1], 0).into(),
                node: None,
                program: program.clone(),
            };
            member.start().await?;
            members.push(member);
        }
        let scratch = match ground.keep {
            false => Some(scratch),
            true => {
                say!("folders and logs: {}", scratch.keep().display());
                None
            }
        };
        let rig = Rig {
            members,
            database,
            people: crate::figures::tokens(&dir),
            first: dir,
            scratch,
        };
        rig.settled().await?;
        Ok(rig)
    }

    /// How a gateway connects that knows every node, this one first.
    pub(crate) fn options(&self, first: usize) -> anyhow::Result<Options> {
        self.knowing_all(first, node::options)
    }

    /// The client of the gateway that acts on accounts.
    pub(crate) fn office(&self, first: usize) -> anyhow::Result<Client> {
        Ok(Client::new(&self.knowing_all(first, node::office)?)?)
    }

    fn knowing_all(
        &self,
        first: usize,
        of: impl FnOnce(&Path, SocketAddr) -> anyhow::Result<Options>,
    ) -> anyhow::Result<Options> {
        let addresses = self.members.iter().map(|member| member.at);
        let mut addresses: Vec<_> = addresses.collect();
        addresses.rotate_left(first % NODES);
        let mut options = of(&self.first, addresses[0])?;
        options.others = addresses[1..].to_vec();
        options.deadline_ms = DEADLINE_MS;
        Ok(options)
    }

    pub(crate) fn client(&self, first: usize) -> anyhow::Result<Client> {
        Ok(Client::new(&self.options(first)?)?)
    }

    /// The outcome of an operator's order to a node.
    pub(crate) fn order(&self, asked: usize, args: &[&str]) -> anyhow::Result<Value> {
        let at = self.members[asked].at.to_string();
        node::order(&self.first, &[args, &["--connect", &at]].concat())
    }

    /// What `tidegate restored` says.
    pub(crate) fn restored(&self) -> anyhow::Result<Value> {
        node::order(&self.first, &["restored", "--gateways", "all"])
    }

    /// A folder that goes with the rig.
    pub(crate) fn folder(&self) -> &Path {
        self.first.parent().unwrap_or(&self.first)
    }

    /// What `tidegate status` says.
    pub(crate) fn status(&self, asked: usize) -> anyhow::Result<Value> {
        self.order(asked, &["status"])
    }

    /// Waits until every slot is where it should be.
    pub(crate) async fn settled(&self) -> anyhow::Result<Value> {
        let running = self.members.iter().position(|member| member.node.is_some());
        let running = running.context("no node runs")?;
        for _ in 0..SETTLE_S * 5 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let status = self.status(running)?;
            // What a node knows without the store may not be so any more.
            if status["moving"] == 0 && status["old"].is_null() {
                return Ok(status);
            }
        }
        anyhow::bail!("slots still move after {SETTLE_S} s")
    }

    /// How many commits took at most so many seconds, over all nodes.
    pub(crate) fn commits_within(&self) -> anyhow::Result<BTreeMap<u64, f64>> {
        let mut within = BTreeMap::new();
        for member in &self.members {
            let node = member.node.as_ref().context("the node does not run")?;
            for line in node.at.page()?.lines() {
                let Some(rest) = line.strip_prefix("tidegate_commit_seconds_bucket{le=\"") else {
                    continue;
                };
                let (bound, count) = rest.split_once("\"} ").context("no bucket")?;
                let bound_us = match bound {
                    "+Inf" => u64::MAX,
                    bound => (bound.parse::<f64>()? * 1e6) as u64,
                };
                *within.entry(bound_us).or_default() += count.parse::<f64>()?;
            }
        }
        Ok(within)
    }

    /// A meter of a node.
    pub(crate) fn metric(&self, member: usize, series: &str) -> anyhow::Result<f64> {
        let node = self.members[member].node.as_ref();
        node.context("the node does not run")?.at.metric(series)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.members.clear();
        // The server still writes there until it is dropped.
        if let Some(scratch) = self.scratch.take() {
            let _ = self.database.kill();
            drop(scratch);
        }
    }
}

/// Runs a command to its end, which must be a good one.
pub(super) fn done(command: &mut std::process::Command) -> anyhow::Result<()> {
    let output = command.output();
    let output = output.with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(output.status.success(), "{command:?}: {output:?}");
    Ok(())
}
