//! What operations cost: read from what `tidegate-bench calibrate` wrote, or
//! the shipped default, which was written by it on the machine that it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use tidegate_account::tagged;
use tidegate_storage_simulated::{Costs as StoreCosts, Latency};
use tidegate_wire::Class;

use crate::random::to_u64;

const SHIPPED: &str = include_str!("../calibration.json");
const VERSION: u32 = 1;

/// Why a calibration cannot be used.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is none.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

#[derive(Deserialize)]
struct File {
    version: u32,
    machine: Machine,
    operations: BTreeMap<String, Vec<Operation>>,
    check_datagram_us: f64,
    check_frame_us: f64,
    hash_ms: f64,
    commits: Vec<CommitLatency>,
    warm_bytes_per_person: u64,
}

#[derive(Deserialize)]
struct Machine {
    cpu: String,
    commit: String,
}

#[derive(Deserialize)]
struct Operation {
    threads_us: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct CommitLatency {
    per_s: f64,
    p50_us: u32,
    p99_us: u32,
}

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a file, by its name.
    Calibrated(String),
    /// The shipped default.
    Shipped,
}

/// What a node's work costs, in nanoseconds of a core.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Costs {
    /// A datagram that brings requests, and the one that takes the answers.
    pub(crate) datagram_ns: u64,
    /// A request on the endpoint, by class, without its datagram.
    pub(crate) frame_ns: [u64; Class::ALL.len()],
    /// A commit, by actors and by the store's writer.
    pub(crate) commit_actors_ns: u64,
    pub(crate) commit_writer_ns: u64,
    /// A password handed over for hashing, with everything around it.
    pub(crate) hand_over_ns: u64,
    /// A read, by actors and by readers.
    pub(crate) read_actors_ns: u64,
    pub(crate) read_readers_ns: u64,
    /// A password's hash.
    pub(crate) hash_ns: u64,
}

/// A calibration, read.
#[derive(Clone, Debug)]
pub struct Calibration {
    pub(crate) origin: Origin,
    /// On which processor it was measured, and at which commit.
    pub(crate) measured_on: String,
    pub(crate) costs: Costs,
    /// The embedded store's.
    pub(crate) embedded: StoreCosts,
    pub(crate) warm_bytes_per_person: u64,
    /// Goes into the trace.
    pub(crate) hash: u64,
}

/// What a cold person's read costs beyond what is calibrated: half of the 51 µs
/// of a cold check (docs/performance.md) is its two reads.
const READ_ACTORS_NS: u64 = 8_000;
const READ_READERS_NS: u64 = 5_000;

impl Calibration {
    /// The shipped one.
    ///
    /// # Errors
    /// [`CalibrationError`], which a test rules out.
    pub fn shipped() -> Result<Calibration, CalibrationError> {
        Calibration::parse(SHIPPED, Path::new("calibration.json"), Origin::Shipped)
    }

    /// One from a file.
    ///
    /// # Errors
    /// [`CalibrationError`].
    pub fn read(path: &Path) -> Result<Calibration, CalibrationError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| CalibrationError::Read {
            path: path.to_owned(),
            source,
        })?;
        let origin = Origin::Calibrated(path.display().to_string());
        Calibration::parse(&text, path, origin)
    }

    /// Where it comes from, in words.
    #[must_use]
    pub fn words(&self) -> String {
        let from = match &self.origin {
            Origin::Calibrated(file) => format!("calibrated: {file}"),
            Origin::Shipped => "shipped default".to_owned(),
        };
        format!("{from} (measured on {})", self.measured_on)
    }

    fn parse(text: &str, path: &Path, origin: Origin) -> Result<Calibration, CalibrationError> {
        let wrong = |message: String| CalibrationError::Parse {
            path: path.to_owned(),
            message,
        };
        let file: File = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if file.version != VERSION {
            return Err(wrong(format!(
                "version {}, expected {VERSION}",
                file.version
            )));
        }
        let costs = file.costs().map_err(wrong)?;
        let embedded = file.embedded().map_err(wrong)?;
        let hash = tagged("tg-sim-calibration-1", &[text.as_bytes()]);
        let first = hash
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Ok(Calibration {
            origin,
            measured_on: format!("{}, at {}", file.machine.cpu, file.machine.commit),
            costs,
            embedded,
            warm_bytes_per_person: file.warm_bytes_per_person,
            hash: first,
        })
    }
}

fn ns(us: f64) -> u64 {
    to_u64(us * 1_000.0)
}

impl File {
    /// Microseconds of one thread for one operation, in its first shape.
    fn thread_us(&self, operation: &str, thread: &str) -> Result<f64, String> {
        let shapes = self.operations.get(operation);
        let first = shapes.and_then(|shapes| shapes.first());
        let first = first.ok_or_else(|| format!("no operation {operation}"))?;
        Ok(first.threads_us.get(thread).copied().unwrap_or(0.0))
    }

    fn costs(&self) -> Result<Costs, String> {
        let endpoint = |operation| {
            let us = self.thread_us(operation, "endpoint")? - self.check_datagram_us;
            // A request of its own cannot cost less than a check.
            Ok::<u64, String>(ns(us.max(self.check_frame_us)))
        };
        let check = ns(self.check_frame_us);
        let refresh_actors = self.thread_us("refresh", "actors")?;
        let sign_in_actors = self.thread_us("sign_in", "actors")?;
        Ok(Costs {
            datagram_ns: ns(self.check_datagram_us),
            frame_ns: [
                endpoint("refresh")?,
                check,
                endpoint("refresh")?,
                endpoint("sign_in")?,
                endpoint("sign_up")?,
            ],
            commit_actors_ns: ns(refresh_actors),
            commit_writer_ns: ns(self.thread_us("refresh", "store-write")?),
            hand_over_ns: ns((sign_in_actors - refresh_actors).max(0.0)),
            read_actors_ns: READ_ACTORS_NS,
            read_readers_ns: READ_READERS_NS,
            hash_ns: ns(self.hash_ms * 1_000.0),
        })
    }

    fn embedded(&self) -> Result<StoreCosts, String> {
        let alone = self.commits.first().ok_or("no commits")?;
        let most = self.commits.iter().map(|commits| commits.per_s);
        Ok(StoreCosts {
            read_version: Latency::constant(0),
            read: Latency {
                p50_us: 10,
                p99_us: 200,
            },
            commit: Latency {
                p50_us: alone.p50_us,
                p99_us: alone.p99_us,
            },
            reads_per_s: 200_000,
            commits_per_s: to_u64(most.fold(1.0, f64::max)),
        })
    }
}

/// FoundationDB on its own machines: one server's commit, p50 1.25 ms and
/// 16,900 a second, was measured; more of them is assumed to be four times that.
pub(crate) const FOUNDATIONDB: StoreCosts = StoreCosts {
    read_version: Latency {
        p50_us: 600,
        p99_us: 3_000,
    },
    read: Latency {
        p50_us: 400,
        p99_us: 2_000,
    },
    commit: Latency {
        p50_us: 1_250,
        p99_us: 6_000,
    },
    reads_per_s: 130_000,
    commits_per_s: 67_000,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_calibration_can_be_read_and_is_plausible() {
        let shipped = Calibration::shipped().unwrap();
        let costs = &shipped.costs;
        assert!(costs.frame_ns[Class::Check as usize] < costs.datagram_ns);
        assert!(costs.datagram_ns < costs.commit_actors_ns + costs.commit_writer_ns);
        assert!(costs.commit_actors_ns < costs.hash_ns);
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let text = SHIPPED.replacen("\"version\": 1", "\"version\": 9", 1);
        let refused = Calibration::parse(&text, Path::new("x.json"), Origin::Shipped);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "x.json: version 9, expected 1"
        );
    }
}
