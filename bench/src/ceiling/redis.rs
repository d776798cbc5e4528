//! Redis over TLS as a session store: GET of a 64-byte value, by its own
//! benchmark, at the same number of connections and depth of pipelining.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::{ShapeName, Turn};
use crate::machine::{Side, Usage, pin};

/// A server of our own on a free port, gone with its handle.
pub(super) struct Redis {
    child: Child,
    port: u16,
    dir: PathBuf,
    keys: usize,
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_there(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").output();
    asked.is_ok_and(|output| output.status.success())
}

impl Redis {
    /// `None` when it is not installed. Fills as many keys as there are people.
    pub(super) fn start(dir: &Path, keys: usize) -> anyhow::Result<Option<Redis>> {
        if !is_there("redis-server") || !is_there("redis-benchmark") {
            return Ok(None);
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let tls = dir.join("tls");
        pin(Side::Server);
        let child = Command::new("redis-server")
            .args(["--port", "0", "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--tls-auth-clients", "no"])
            .args(["--tls-port", &port.to_string(), "--tls-cert-file"])
            .arg(tls.join("node.crt"))
            .arg("--tls-key-file")
            .arg(tls.join("node.key"))
            .arg("--tls-ca-cert-file")
            .arg(tls.join("ca.crt"))
            .stdout(Stdio::null())
            .spawn();
        pin(Side::Generator);
        let redis = Redis {
            child: child?,
            port,
            dir: dir.to_owned(),
            keys,
        };
        redis.wait()?;
        let shape = ShapeName {
            connections: 16,
            in_flight: 64,
        };
        // Keys are drawn: with four draws each, 98 of 100 are there.
        redis.benchmark("set", shape, keys * 4)?;
        Ok(Some(redis))
    }

    fn wait(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            ensure!(
                started.elapsed() < Duration::from_secs(10),
                "redis-server did not start"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn benchmark(&self, what: &str, shape: ShapeName, requests: usize) -> anyhow::Result<f64> {
        let output = Command::new("redis-benchmark")
            .args(["-p", &self.port.to_string(), "--tls", "--cacert"])
            .arg(self.dir.join("tls/ca.crt"))
            .args(["--sni", "node.tidegate", "-t", what, "-d", "64", "--csv"])
            .args(["-c", &shape.connections.to_string()])
            .args(["-P", &shape.in_flight.to_string()])
            .args(["-n", &requests.to_string()])
            .args(["-r", &self.keys.to_string()])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text
            .lines()
            .last()
            .context("redis-benchmark said nothing")?;
        let rate = line.split(',').nth(1).map(|rate| rate.trim_matches('"'));
        let rate = rate.and_then(|rate| rate.parse().ok());
        rate.with_context(|| format!("redis-benchmark said {text} {output:?}"))
    }

    /// GETs for about so long.
    pub(super) fn get(&self, shape: ShapeName, seconds: f64) -> anyhow::Result<Turn> {
        let first = self.benchmark("get", shape, 20_000)?;
        let requests = (first * seconds).max(1.0) as usize;
        let before = Usage::of(self.child.id());
        let per_s = self.benchmark("get", shape, requests)?;
        let used = Usage::of(self.child.id()).since(&before);
        Ok(Turn::new(
            per_s,
            used.cpu_ns() as f64 / 1000.0 / requests as f64,
        ))
    }
}
