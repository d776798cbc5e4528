//! The file that `tidegate-bench calibrate` writes, format 2.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use tidegate_storage_simulated::{Costs as StoreCosts, Latency};

use super::{Costs, Stalls, TurnCosts};
use crate::random::to_u64;

const VERSION: u32 = 2;

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Deserialize)]
pub(super) struct File {
    pub(super) machine: Machine,
    operations: BTreeMap<String, Vec<Operation>>,
    endpoint: Turn,
    generator: Turn,
    stalls: BTreeMap<String, Taken>,
    hash_holds_us: Vec<f64>,
    commits: Vec<CommitLatency>,
    pub(super) warm_bytes_per_person: u64,
    #[serde(default)]
    pub(super) noise: Noise,
}

/// What others did on the machine meanwhile; older files say nothing of it.
#[derive(Default, Deserialize)]
pub(super) struct Noise {
    /// Why it was too much.
    pub(super) why: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) commit: String,
}

#[derive(Deserialize)]
struct Operation {
    pace: Pace,
    threads_us: BTreeMap<String, f64>,
    wakes: BTreeMap<String, f64>,
    p50_us: f64,
    p99_us: f64,
    /// Sent by the gateway, for one operation.
    datagrams: f64,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Pace {
    /// Every place in flight is taken.
    Saturated,
    /// At a rate, far below what is possible.
    Open,
}

#[derive(Deserialize)]
struct Turn {
    wake_us: f64,
    datagram_us: f64,
    frame_us: f64,
}

#[derive(Deserialize)]
struct Taken {
    per_s: f64,
    lengths_us: Vec<f64>,
}

#[derive(Deserialize)]
struct CommitLatency {
    per_s: f64,
    p50_us: u32,
    p99_us: u32,
}

/// What a cold person's read costs beyond what is calibrated: half of the 51 µs
/// of a cold check (docs/performance.md) is its two reads.
const READ_ACTORS_NS: u64 = 8_000;
const READ_READERS_NS: u64 = 5_000;

/// What a sign-in makes a node do: one commit for the guess and one for the
/// session, and the endpoint wakes for the request and for the answer.
const SIGN_IN_COMMITS: f64 = 2.0;
const SIGN_IN_WAKES: f64 = 2.0;

/// No step takes a quarter of an hour.
const US_MAX: f64 = 1e9;
const STALLS_PER_S_MAX: f64 = 1e6;
const COMMITS_PER_S_MAX: f64 = 1e8;
const WARM_BYTES_MAX: u64 = 1_000_000;
/// Of wake-ups, or datagrams, for one operation.
const COUNT_MAX: f64 = 1e6;

fn to_u32(us: f64) -> u32 {
    u32::try_from(to_u64(us.max(0.0))).unwrap_or(u32::MAX)
}

fn ns(us: f64) -> u64 {
    to_u64(us.max(0.0) * 1_000.0)
}

impl Turn {
    fn costs(&self) -> TurnCosts {
        TurnCosts {
            wake_ns: ns(self.wake_us),
            datagram_ns: ns(self.datagram_us),
            frame_ns: ns(self.frame_us),
        }
    }
}

impl File {
    pub(super) fn read(text: &str) -> Result<File, String> {
        let read = |error: serde_json::Error| error.to_string();
        let Version { version } = serde_json::from_str(text).map_err(read)?;
        if version != VERSION {
            return Err(format!(
                "version {version}, expected {VERSION} (tidegate-bench calibrate)"
            ));
        }
        serde_json::from_str(text).map_err(read)
    }

    /// Refuses figures that no machine can have.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, shapes) in &self.operations {
            for shape in shapes {
                shape
                    .check()
                    .map_err(|what| format!("operations.{name}: {what}"))?;
            }
        }
        for (name, turn) in [("endpoint", &self.endpoint), ("generator", &self.generator)] {
            for us in [turn.wake_us, turn.datagram_us, turn.frame_us] {
                within(us, 0.0..=US_MAX).ok_or_else(|| format!("{name}: {us} µs"))?;
            }
        }
        for (side, taken) in &self.stalls {
            within(taken.per_s, 0.0..=STALLS_PER_S_MAX)
                .ok_or_else(|| format!("stalls.{side}: per_s = {}", taken.per_s))?;
            for us in &taken.lengths_us {
                within(*us, 0.0..=US_MAX).ok_or_else(|| format!("stalls.{side}: {us} µs"))?;
            }
        }
        for us in &self.hash_holds_us {
            within(*us, 0.0..=US_MAX).ok_or_else(|| format!("hash_holds_us: {us} µs"))?;
        }
        for one in &self.commits {
            within(one.per_s, 1.0..=COMMITS_PER_S_MAX)
                .ok_or_else(|| format!("commits: per_s = {}", one.per_s))?;
            if one.p50_us > one.p99_us {
                return Err(format!("commits: p99_us = {}, below p50_us", one.p99_us));
            }
        }
        match self.warm_bytes_per_person {
            0..=WARM_BYTES_MAX => Ok(()),
            bytes => Err(format!("warm_bytes_per_person = {bytes}")),
        }
    }

    /// An operation as it is at a pace, in the first shape of it.
    fn operation(&self, name: &str, pace: Pace) -> Result<&Operation, String> {
        let mut shapes = self.operations.get(name).into_iter().flatten();
        let first = shapes.find(|operation| operation.pace == pace);
        first.ok_or_else(|| format!("no operation {name}"))
    }

    /// An operation with as many in flight as were ever tried.
    fn deepest(&self, name: &str) -> Result<&Operation, String> {
        let shapes = self.operations.get(name).into_iter().flatten();
        let mut saturated = shapes.filter(|operation| operation.pace == Pace::Saturated);
        saturated
            .next_back()
            .ok_or_else(|| format!("no operation {name}"))
    }

    pub(super) fn costs(&self) -> Result<Costs, String> {
        let refresh = self.deepest("refresh")?;
        let seldom = self.operation("refresh", Pace::Open)?;
        let sign_in = self.operation("sign_in", Pace::Saturated)?;
        let sign_up = self.operation("sign_up", Pace::Saturated)?;
        // Threads with little to do are woken for every operation; those that
        // are never idle, for none.
        let woken = |thread| (seldom.us(thread) - refresh.us(thread)).max(0.0);
        let at_endpoint = |operation: &Operation, wakes: f64| {
            let datagrams = operation.datagrams.min(1.0) * self.endpoint.datagram_us;
            let us = operation.us("endpoint") - datagrams;
            // Nothing costs less than a check.
            ns((us - wakes * self.endpoint.wake_us).max(self.endpoint.frame_us))
        };
        let refreshed = at_endpoint(refresh, refresh.wakes("endpoint"));
        let committed = refresh.us("actors") + woken("actors");
        let handed_over = sign_in.us("actors") - SIGN_IN_COMMITS * committed - woken("actors");
        let stalls = |side: &str| self.stalls.get(side).map(Taken::stalls);
        Ok(Costs {
            wake_ns: [
                ns(self.endpoint.wake_us),
                ns(woken("actors")),
                ns(woken("store-write")),
                0,
            ],
            datagram_ns: ns(self.endpoint.datagram_us),
            frame_ns: [
                refreshed,
                ns(self.endpoint.frame_us),
                refreshed,
                at_endpoint(sign_in, SIGN_IN_WAKES),
                at_endpoint(sign_up, SIGN_IN_WAKES),
            ],
            commit_actors_ns: ns(refresh.us("actors")),
            commit_writer_ns: ns(refresh.us("store-write")),
            hand_over_ns: ns(handed_over),
            read_actors_ns: READ_ACTORS_NS,
            read_readers_ns: READ_READERS_NS,
            hash_ns: ns(sign_in.us("hash")),
            hash_holds_ns: self.hash_holds_us.iter().map(|us| ns(*us)).collect(),
            generator: self.generator.costs(),
            stalls: [
                stalls("server").unwrap_or_default(),
                stalls("generator").unwrap_or_default(),
            ],
        })
    }

    pub(super) fn embedded(&self) -> Result<StoreCosts, String> {
        let alone = self.commits.first().ok_or("no commits")?;
        // What a refresh takes beyond a check is its commit, and the threads
        // that are woken for it.
        let check = self.operation("check", Pace::Open)?;
        let refresh = self.operation("refresh", Pace::Open)?;
        let woken = refresh.us("actors") + refresh.us("store-write") + self.endpoint.wake_us;
        let beyond = |refresh_us: f64| to_u32(refresh_us - check.p50_us - woken);
        let most = self.commits.iter().map(|commits| commits.per_s);
        Ok(StoreCosts {
            read_version: Latency::constant(0),
            read: Latency {
                p50_us: 10,
                p99_us: 200,
            },
            commit: Latency {
                p50_us: alone.p50_us.max(beyond(refresh.p50_us)),
                p99_us: alone.p99_us.max(beyond(refresh.p99_us)),
            },
            reads_per_s: 200_000,
            commits_per_s: to_u64(most.fold(1.0, f64::max)),
        })
    }
}

/// The value, if it is a number in the range.
fn within(value: f64, range: RangeInclusive<f64>) -> Option<f64> {
    range.contains(&value).then_some(value)
}

impl Operation {
    fn check(&self) -> Result<(), String> {
        let times = [("p50_us", self.p50_us), ("p99_us", self.p99_us)];
        let threads = self
            .threads_us
            .iter()
            .map(|(name, us)| (name.as_str(), *us));
        for (name, us) in times.into_iter().chain(threads) {
            within(us, 0.0..=US_MAX).ok_or_else(|| format!("{name} = {us}"))?;
        }
        if self.p50_us > self.p99_us {
            return Err(format!("p99_us = {}, below p50_us", self.p99_us));
        }
        let wakes = self
            .wakes
            .iter()
            .map(|(name, count)| (name.as_str(), *count));
        for (name, count) in wakes.chain([("datagrams", self.datagrams)]) {
            within(count, 0.0..=COUNT_MAX).ok_or_else(|| format!("{name}: {count} times"))?;
        }
        Ok(())
    }

    /// Microseconds of a thread.
    fn us(&self, thread: &str) -> f64 {
        self.threads_us.get(thread).copied().unwrap_or(0.0)
    }

    fn wakes(&self, thread: &str) -> f64 {
        self.wakes.get(thread).copied().unwrap_or(0.0)
    }
}

impl Taken {
    fn stalls(&self) -> Stalls {
        Stalls {
            per_s: self.per_s,
            lengths_ns: self.lengths_us.iter().map(|us| ns(*us)).collect(),
        }
    }
}
