//! What operations cost: read from what `tidegate-bench calibrate` wrote, or
//! the shipped default, which was written by it on the machine that it names.

mod file;

use std::path::{Path, PathBuf};

use thiserror::Error;
use tidegate_account::tagged;
use tidegate_storage_simulated::{Costs as StoreCosts, Latency};
use tidegate_wire::Class;

use self::file::File;

/// Pools of threads of a node, each with what it takes to wake it.
pub(crate) const POOLS: usize = 4;

const SHIPPED: &str = include_str!("../calibration.json");

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
    /// To wake a pool that has nothing to do.
    pub(crate) wake_ns: [u64; POOLS],
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
    /// How long one that has just begun keeps its core from others.
    pub(crate) hash_holds_ns: Vec<u64>,
    /// A gateway that asks as `tidegate-bench` does.
    pub(crate) generator: TurnCosts,
    /// When cores are taken away from a node and from a generator.
    pub(crate) stalls: [Stalls; 2],
}

/// What one turn of a thread at its sockets costs, in nanoseconds of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TurnCosts {
    pub(crate) wake_ns: u64,
    pub(crate) datagram_ns: u64,
    pub(crate) frame_ns: u64,
}

/// How often a core is taken away from outside, and for how long.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stalls {
    pub(crate) per_s: f64,
    /// Each as likely as the other.
    pub(crate) lengths_ns: Vec<u64>,
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
    /// Why the machine was too busy, if it was.
    pub(crate) busy: Vec<String>,
    /// Goes into the trace.
    pub(crate) hash: u64,
}

impl Calibration {
    /// The shipped one.
    ///
    /// # Errors
    /// [`CalibrationError`], which a test rules out.
    pub fn shipped() -> Result<Calibration, CalibrationError> {
        let path = Path::new("calibration.json");
        let mut shipped = Calibration::parse(SHIPPED, path, Origin::Shipped)?;
        // What took cores away on the machine that wrote it says nothing of
        // others.
        shipped.costs.stalls = Default::default();
        Ok(shipped)
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
        let busy = match self.busy.is_empty() {
            true => "",
            false => ", on a busy host",
        };
        format!("{from} (measured on {}{busy})", self.measured_on)
    }

    fn parse(text: &str, path: &Path, origin: Origin) -> Result<Calibration, CalibrationError> {
        let wrong = |message: String| CalibrationError::Parse {
            path: path.to_owned(),
            message,
        };
        let file = File::read(text).map_err(wrong)?;
        file.check().map_err(wrong)?;
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
            busy: file.noise.why,
            hash: first,
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
        assert!(costs.wake_ns.iter().take(3).all(|ns| *ns > 1_000));
        assert!(costs.datagram_ns < costs.commit_actors_ns + costs.commit_writer_ns);
        assert!(costs.commit_actors_ns < costs.hash_ns);
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let text = SHIPPED.replacen("\"version\": 2", "\"version\": 9", 1);
        let refused = Calibration::parse(&text, Path::new("x.json"), Origin::Shipped);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "x.json: version 9, expected 2 (tidegate-bench calibrate)"
        );
    }

    #[test]
    fn figures_that_cannot_be_are_refused_by_name() {
        let cases = [
            (
                "\"p50_us\": 622.0",
                "\"p50_us\": -1.0",
                "operations.check: p50_us",
            ),
            (
                "\"p99_us\": 1140.0",
                "\"p99_us\": 1e10",
                "operations.check: p99_us",
            ),
            (
                "\"p99_us\": 1140.0",
                "\"p99_us\": 600.0",
                "operations.check: p99_us",
            ),
            (
                "\"per_s\": 5.4",
                "\"per_s\": 2e6",
                "stalls.generator: per_s",
            ),
            ("\"per_s\": 8030.", "\"per_s\": 0.", "commits: per_s"),
            (
                "\"warm_bytes_per_person\": 1903",
                "\"warm_bytes_per_person\": 1000001",
                "warm_bytes_per_person",
            ),
        ];
        for (good, bad, expected) in cases {
            let text = SHIPPED.replacen(good, bad, 1);
            assert_ne!(text, SHIPPED, "{good}");
            let refused = Calibration::parse(&text, Path::new("x.json"), Origin::Shipped);
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(expected), "{bad}: {refused}");
        }
    }
}
