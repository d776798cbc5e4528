//! A FoundationDB server of our own, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::Pid;

use super::Ground;

/// How long a new server may take until it is configured.
const CONFIGURE: Duration = Duration::from_secs(60);

pub(crate) struct Database {
    folder: PathBuf,
    fdbserver: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Database {
    /// Starts a server on a free port and configures it.
    pub(crate) fn start(ground: &Ground, parent: &Path) -> anyhow::Result<Database> {
        let folder = parent.join("fdb");
        std::fs::create_dir(&folder)?;
        // Free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let mut database = Database {
            fdbserver: ground.fdbserver.clone(),
            port,
            child: None,
            folder,
        };
        let line = format!("bench:bench@127.0.0.1:{port}\n");
        std::fs::write(database.cluster_file(), line)?;
        database.up()?;
        let started = Instant::now();
        loop {
            let made = Command::new(&ground.fdbcli)
                .arg("-C")
                .arg(database.cluster_file())
                .args(["--timeout", "20", "--exec", "configure new single ssd"])
                .output();
            let made = made.with_context(|| format!("{:?} cannot be run", ground.fdbcli))?;
            if made.status.success() {
                return Ok(database);
            }
            if started.elapsed() > CONFIGURE {
                bail!("FoundationDB cannot be configured: {made:?}");
            }
        }
    }

    pub(crate) fn cluster_file(&self) -> PathBuf {
        self.folder.join("fdb.cluster")
    }

    /// Starts the server, with what it stored before.
    pub(crate) fn up(&mut self) -> anyhow::Result<()> {
        let at = format!("127.0.0.1:{}", self.port);
        let child = Command::new(&self.fdbserver)
            .args(["-p", &at, "-C"])
            .arg(self.cluster_file())
            .arg("-d")
            .arg(self.folder.join("data"))
            .arg("-L")
            .arg(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.with_context(|| format!("{:?} cannot be run", self.fdbserver))?;
        self.child = Some(child);
        Ok(())
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> anyhow::Result<Pid> {
        let child = self.child.as_ref().context("the server does not run")?;
        let id = i32::try_from(child.id())?;
        Pid::from_raw(id).context("no process")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the server does not run")?;
        child.kill()?;
        ensure!(!child.wait()?.success(), "the server had ended already");
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
