//! Scenarios: a night as a TOML file. Unknown keys and impossible values are
//! refused with file, line and what was expected.

mod attack;
mod check;
mod csv;
mod curve;
mod draw;
mod fleet;
mod hours;
mod objective;
mod value;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;
use tidegate_account::tagged;
use tidegate_storage_simulated::{Costs as StoreCosts, Latency, UnknownFates};
use tokio::sync::Semaphore;

use crate::again::Again;
use crate::calibration::{Calibration, FOUNDATIONDB};
use crate::plant::Plant;
use crate::random::to_u64;
pub(crate) use attack::{AtOnce, Spray, Sprayers};
pub(crate) use curve::Curve;
pub(crate) use draw::Draw;
pub(crate) use hours::Habits;
pub use objective::Objective;
pub(crate) use objective::{Relation, Target, name_of};
use value::{
    CallMillis, LeaseMillis, LossPercent, Part, PauseMillis, People, Percent, Places, Price, Rate,
    RestSeconds, Seconds, StepMicros, Threads, WindowSeconds, YEAR_S,
};
pub(crate) use value::{NODES_MAX, Share, Span, Whole};

const SHIPPED: &[(&str, &str)] = &[
    ("smoke", include_str!("../scenarios/smoke.toml")),
    (
        "morning-rush",
        include_str!("../scenarios/morning-rush.toml"),
    ),
    ("flash-sale", include_str!("../scenarios/flash-sale.toml")),
    (
        "live-broadcast",
        include_str!("../scenarios/live-broadcast.toml"),
    ),
    ("node-loss", include_str!("../scenarios/node-loss.toml")),
    ("partition", include_str!("../scenarios/partition.toml")),
    ("slow-store", include_str!("../scenarios/slow-store.toml")),
    (
        "store-outage",
        include_str!("../scenarios/store-outage.toml"),
    ),
    (
        "rolling-upgrade",
        include_str!("../scenarios/rolling-upgrade.toml"),
    ),
    ("clock-jump", include_str!("../scenarios/clock-jump.toml")),
    (
        "cold-restart",
        include_str!("../scenarios/cold-restart.toml"),
    ),
    (
        "credential-stuffing",
        include_str!("../scenarios/credential-stuffing.toml"),
    ),
    (
        "lossy-network",
        include_str!("../scenarios/lossy-network.toml"),
    ),
    ("office-rush", include_str!("../scenarios/office-rush.toml")),
    (
        "stolen-sessions",
        include_str!("../scenarios/stolen-sessions.toml"),
    ),
    (
        "spray-one-source",
        include_str!("../scenarios/spray-one-source.toml"),
    ),
    (
        "spray-many-sources",
        include_str!("../scenarios/spray-many-sources.toml"),
    ),
    (
        "spray-no-source",
        include_str!("../scenarios/spray-no-source.toml"),
    ),
    (
        "spray-invented-sources",
        include_str!("../scenarios/spray-invented-sources.toml"),
    ),
    (
        "spray-many-gateways",
        include_str!("../scenarios/spray-many-gateways.toml"),
    ),
];

/// Why a scenario cannot be used.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// There is none of this name.
    #[error("{name} is neither a file nor one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What is shipped.
        known: String,
    },
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not one; the message names line, key and what was expected.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
}

/// A night.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A sentence for the report.
    pub about: String,
    /// Registered people.
    pub(crate) people: People,
    /// How many of them come; all, unless it says.
    pub(crate) active: Option<People>,
    /// How many of those are warm when it begins.
    #[serde(default)]
    pub(crate) warm_percent: Percent,
    /// How those who come are drawn.
    #[serde(default)]
    pub(crate) draw: Draw,
    /// At which hours they come; at any, unless it says.
    pub(crate) habits: Option<Habits>,
    /// Of those who sign in: those who have their device remembered, and come
    /// from it afterwards.
    #[serde(default)]
    pub(crate) remember_percent: Percent,
    /// What they do.
    pub(crate) ask: Parts,
    /// Visits a second over time.
    pub(crate) curve: Curve,
    /// Counted from then on.
    #[serde(default)]
    pub(crate) warm_up_s: Seconds,
    /// How long a window is in which every objective must hold.
    #[serde(default = "usual_window")]
    pub(crate) window_s: WindowSeconds,
    /// From then on, until the end, nothing breaks any more, and every call must
    /// be answered.
    #[serde(default)]
    pub(crate) calm_from_s: Option<Seconds>,
    #[serde(default)]
    pub(crate) patience: Patience,
    #[serde(default)]
    pub(crate) nodes: Nodes,
    #[serde(default)]
    pub(crate) store: Store,
    #[serde(default)]
    pub(crate) gateways: Gateways,
    #[serde(default)]
    pub(crate) network: Network,
    /// How many come at once in a rush.
    #[serde(default)]
    pub(crate) at_once: AtOnce,
    #[serde(default)]
    pub(crate) fault: Vec<Fault>,
    /// Attackers who try passwords on every account.
    #[serde(default)]
    pub(crate) spray: Vec<Spray>,
    /// Nodes that come during the night.
    #[serde(default)]
    pub(crate) add: Vec<Add>,
    #[serde(default)]
    pub(crate) prices: Prices,
    /// What must hold, as words: `p99(check) < 50ms`.
    #[serde(default)]
    pub(crate) objectives: Vec<Objective>,
}

fn usual_window() -> WindowSeconds {
    Whole(10)
}

/// Parts of each kind of visit; their sum is the whole.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Parts {
    /// A page is opened: the session is checked.
    pub(crate) check: Part,
    /// The session is checked with a secret that was never given out.
    pub(crate) forged_check: Part,
    /// A refresh token is replaced.
    pub(crate) refresh: Part,
    /// The same from two tabs at once.
    pub(crate) two_tabs: Part,
    /// A person signs in.
    pub(crate) sign_in: Part,
    /// A person signs in and mistypes once.
    pub(crate) mistype: Part,
    /// An attacker guesses at a person's password.
    pub(crate) guess: Part,
    /// Two people want the same name at once.
    pub(crate) same_name: Part,
    /// A crowd of unknown devices guesses at one password at once.
    pub(crate) guess_crowd: Part,
    /// A person makes an account.
    pub(crate) sign_up: Part,
    /// A person signs out.
    pub(crate) sign_out: Part,
    /// A refresh token that was replaced and is used up is presented again.
    pub(crate) reuse: Part,
    /// A person who was last here months ago comes back: one of those who are
    /// registered beyond the `active`.
    pub(crate) come_back: Part,
    /// One of those signs in and comes back right before the session ends
    /// unused.
    pub(crate) last_moment: Part,
    /// A person signs up and in, and is erased.
    pub(crate) be_erased: Part,
    /// People of one source sign up and in at once, all with right passwords.
    pub(crate) same_source: Part,
    /// One account is signed in to from several devices at once.
    pub(crate) same_account: Part,
    /// A session is stolen, its thief plants addresses, its owner recovers.
    pub(crate) stolen_session: Part,
    /// A person signs up and in, adds an address, and signs in by it.
    pub(crate) add_address: Part,
    /// Something is posted that must leave, about a person.
    pub(crate) message: Part,
    /// A person signs up and in by codes that are mailed; attackers try theirs.
    pub(crate) mailed_code: Part,
    /// A person signs up, adds a passkey and signs in by it; attackers try it.
    pub(crate) passkey: Part,
}

/// One kind of visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visit {
    Check,
    ForgedCheck,
    Refresh,
    TwoTabs,
    SignIn,
    Mistype,
    Guess,
    SameName,
    GuessCrowd,
    SignUp,
    SignOut,
    Reuse,
    ComeBack,
    LastMoment,
    BeErased,
    SameSource,
    SameAccount,
    StolenSession,
    AddAddress,
    Message,
    MailedCode,
    Passkey,
}

impl Parts {
    pub(crate) fn all(&self) -> [(Visit, u64); 22] {
        [
            (Visit::Check, self.check.0),
            (Visit::ForgedCheck, self.forged_check.0),
            (Visit::Refresh, self.refresh.0),
            (Visit::TwoTabs, self.two_tabs.0),
            (Visit::SignIn, self.sign_in.0),
            (Visit::Mistype, self.mistype.0),
            (Visit::Guess, self.guess.0),
            (Visit::SameName, self.same_name.0),
            (Visit::GuessCrowd, self.guess_crowd.0),
            (Visit::SignUp, self.sign_up.0),
            (Visit::SignOut, self.sign_out.0),
            (Visit::Reuse, self.reuse.0),
            (Visit::ComeBack, self.come_back.0),
            (Visit::LastMoment, self.last_moment.0),
            (Visit::BeErased, self.be_erased.0),
            (Visit::SameSource, self.same_source.0),
            (Visit::SameAccount, self.same_account.0),
            (Visit::StolenSession, self.stolen_session.0),
            (Visit::AddAddress, self.add_address.0),
            (Visit::Message, self.message.0),
            (Visit::MailedCode, self.mailed_code.0),
            (Visit::Passkey, self.passkey.0),
        ]
    }

    pub(crate) fn sum(&self) -> u64 {
        self.all().iter().map(|(_, part)| part).sum()
    }
}

/// How long people try.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Patience {
    /// After this long a person who is not in gives up.
    pub(crate) give_up_s: Seconds,
    /// Between two tries of a person who was told nothing better.
    pub(crate) try_again_ms: PauseMillis,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            give_up_s: Span(90.0),
            try_again_ms: Whole(3_000),
        }
    }
}

/// The fleet.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Nodes {
    pub(crate) count: value::Nodes,
    /// Cores of each.
    pub(crate) cores: Threads,
    pub(crate) actor_threads: Threads,
    /// Of each; one per core, unless it says.
    pub(crate) hashing_threads: Option<Threads>,
    /// Passwords that may wait at each.
    pub(crate) hashing_waiting: Places,
    /// After this long without a request a person becomes cold.
    pub(crate) warm_idle_s: RestSeconds,
    /// Unused for this long, a session ends.
    pub(crate) session_idle_s: RestSeconds,
    /// How long a node is silent before others take its slots.
    pub(crate) lease_ms: LeaseMillis,
}

impl Nodes {
    pub(crate) fn hashing_threads(&self) -> Threads {
        self.hashing_threads.unwrap_or(self.cores)
    }
}

impl Default for Nodes {
    fn default() -> Nodes {
        Nodes {
            count: Whole(1),
            cores: Whole(2),
            actor_threads: Whole(2),
            hashing_threads: None,
            hashing_waiting: Whole(256),
            warm_idle_s: Span(6.0 * 3_600.0),
            session_idle_s: Span(30.0 * 86_400.0),
            lease_ms: Whole(3_000),
        }
    }
}

/// Which store, and where it differs from that kind's usual.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Store {
    pub(crate) kind: StoreKind,
    pub(crate) commit_us: Option<Quantiles>,
    pub(crate) read_us: Option<Quantiles>,
    pub(crate) read_version_us: Option<Quantiles>,
    pub(crate) commits_per_s: Option<Rate>,
    pub(crate) reads_per_s: Option<Rate>,
    /// Commits whose outcome stays unknown, of a million: those that happened,
    /// that never will, and that land later.
    pub(crate) unknown_happened: Part,
    pub(crate) unknown_lost: Part,
    pub(crate) unknown_later: Part,
}

/// The kinds of store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StoreKind {
    /// On the node's own disk.
    #[default]
    Embedded,
    /// On machines of its own.
    Foundationdb,
}

/// Median and 99th percentile.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "QuantilesRow")]
pub(crate) struct Quantiles {
    p50: StepMicros,
    p99: StepMicros,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuantilesRow {
    p50: StepMicros,
    p99: StepMicros,
}

impl TryFrom<QuantilesRow> for Quantiles {
    type Error = String;

    fn try_from(row: QuantilesRow) -> Result<Quantiles, String> {
        let QuantilesRow { p50, p99 } = row;
        match p50.0 <= p99.0 {
            true => Ok(Quantiles { p50, p99 }),
            false => Err(format!(
                "p99 = {}: expected at least p50, which is {}",
                p99.0, p50.0
            )),
        }
    }
}

impl Quantiles {
    pub(crate) fn latency(self) -> Latency {
        Latency {
            p50_us: self.p50.u32(),
            p99_us: self.p99.u32(),
        }
    }
}

impl Store {
    pub(crate) fn unknown(&self) -> UnknownFates {
        UnknownFates {
            happened: self.unknown_happened.u32(),
            lost: self.unknown_lost.u32(),
            later: self.unknown_later.u32(),
        }
    }

    pub(crate) fn costs(&self, calibration: &Calibration) -> StoreCosts {
        let usual = match self.kind {
            StoreKind::Embedded => calibration.embedded,
            StoreKind::Foundationdb => FOUNDATIONDB,
        };
        let or = |asked: Option<Quantiles>, usual| asked.map_or(usual, Quantiles::latency);
        let rate = |asked: Option<Rate>, usual| asked.map_or(usual, |rate| rate.0);
        StoreCosts {
            read_version: or(self.read_version_us, usual.read_version),
            read: or(self.read_us, usual.read),
            commit: or(self.commit_us, usual.commit),
            reads_per_s: rate(self.reads_per_s, usual.reads_per_s),
            commits_per_s: rate(self.commits_per_s, usual.commits_per_s),
        }
    }
}

/// Who asks for people.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Gateways {
    pub(crate) count: Whole<1, 1_000>,
    /// Streams of each to each node.
    pub(crate) streams: Whole<1, 1_024>,
    /// How long a call may take with all its retries.
    pub(crate) deadline_ms: CallMillis,
    /// After how long without an answer a check is asked once more; never,
    /// unless it says.
    pub(crate) hedge_ms: Option<CallMillis>,
    /// How requests are handed to streams; each at once, unless it says.
    pub(crate) packing: Option<Packing>,
}

impl Gateways {
    /// Where a gateway bounds what it has in flight, for as many at once.
    pub(crate) fn places(&self) -> Option<Semaphore> {
        let packing = self.packing?;
        let streams = self.count.usize().saturating_mul(self.streams.usize());
        let places = streams.saturating_mul(packing.in_flight.usize());
        Some(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))
    }
}

/// One thread with a core of its own hands out what is due, one stream after the
/// other, as `tidegate-bench` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Packing {
    /// Requests in flight on each stream; further ones wait.
    pub(crate) in_flight: Whole<1, 4_096>,
    /// How often what is due is handed out.
    pub(crate) tick_us: Whole<1, 1_000_000>,
}

impl Default for Gateways {
    fn default() -> Gateways {
        Gateways {
            count: Whole(4),
            streams: Whole(4),
            deadline_ms: Whole(5_000),
            hedge_ms: None,
            packing: None,
        }
    }
}

/// Between gateways and nodes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Network {
    /// One way.
    pub(crate) delay_us: Quantiles,
    /// Datagrams that are lost and sent again.
    pub(crate) loss_percent: LossPercent,
    /// Datagrams that arrive twice; only QUIC's own datagrams do.
    pub(crate) double_percent: Percent,
    pub(crate) transport: Transport,
}

/// What carries frames between gateways and nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    /// Streams as QUIC makes them, without its datagrams.
    #[default]
    Streams,
    /// Real QUIC endpoints.
    Quic,
}

impl Default for Network {
    fn default() -> Network {
        Network {
            delay_us: Quantiles {
                p50: Whole(150),
                p99: Whole(600),
            },
            loss_percent: LossPercent::default(),
            double_percent: Percent::default(),
            transport: Transport::Streams,
        }
    }
}

/// Nodes that are asked for during the night, and how long that takes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Add {
    pub(crate) at_s: Seconds,
    /// From asking until they have started.
    pub(crate) lead_s: Seconds,
    pub(crate) nodes: value::Nodes,
}

/// What a fleet costs an hour, in any one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Prices {
    /// A node, beside its cores.
    pub(crate) node_per_hour: Price,
    pub(crate) core_per_hour: Price,
    /// The store, in all.
    pub(crate) store_per_hour: Price,
}

/// Something that breaks, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "FaultRow")]
pub(crate) struct Fault {
    pub(crate) at_s: Seconds,
    pub(crate) for_s: Seconds,
    pub(crate) what: What,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// A node ends at once, and is started again afterwards.
    Kill { node: u32 },
    /// A node stands still.
    Pause { node: u32 },
    /// A node cannot reach the store.
    CutOff { node: u32 },
    /// A node gives its slots away, and is started again afterwards.
    Drain { node: u32 },
    /// The store answers no node.
    StoreDown,
    /// Everything at the store takes so many times as long, for one node or for
    /// all.
    StoreSlow { times: f64, node: Option<u32> },
    /// The store recovers: what was under way is indeterminate.
    StoreRecovery,
    /// No gateway reaches a node; the store does.
    Unreachable { node: u32 },
    /// Everything between gateways and nodes takes so many times as long.
    NetworkSlow { times: f64 },
    /// A node's date is wrong.
    Date { node: u32, by_s: i64 },
    /// What messages leave for takes none.
    DestinationDown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultRow {
    at_s: Seconds,
    #[serde(default)]
    for_s: Seconds,
    what: FaultKind,
    node: Option<value::Nodes>,
    times: Option<f64>,
    by_s: Option<i64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FaultKind {
    Kill,
    Pause,
    CutOff,
    Drain,
    StoreDown,
    StoreSlow,
    StoreRecovery,
    Unreachable,
    NetworkSlow,
    Date,
    DestinationDown,
}

impl TryFrom<FaultRow> for Fault {
    type Error = String;

    fn try_from(row: FaultRow) -> Result<Fault, String> {
        let node = row.node.map(value::Nodes::u32);
        let what = match (row.what, node, row.times, row.by_s) {
            (FaultKind::Kill, Some(node), None, None) => What::Kill { node },
            (FaultKind::Pause, Some(node), None, None) => What::Pause { node },
            (FaultKind::CutOff, Some(node), None, None) => What::CutOff { node },
            (FaultKind::Drain, Some(node), None, None) => What::Drain { node },
            (FaultKind::StoreDown, None, None, None) => What::StoreDown,
            (FaultKind::StoreRecovery, None, None, None) => What::StoreRecovery,
            (FaultKind::StoreSlow, node, Some(times), None) if (1.0..=1e4).contains(&times) => {
                What::StoreSlow { times, node }
            }
            (FaultKind::DestinationDown, None, None, None) => What::DestinationDown,
            (FaultKind::Unreachable, Some(node), None, None) => What::Unreachable { node },
            (FaultKind::NetworkSlow, None, Some(times), None) if (1.0..=1e4).contains(&times) => {
                What::NetworkSlow { times }
            }
            (FaultKind::Date, Some(node), None, Some(by_s)) if by_s.unsigned_abs() <= YEAR_S => {
                What::Date { node, by_s }
            }
            _ => {
                return Err(
                    "expected `node` with kill, pause, cut-off, drain, unreachable and date, `times` \
                     (1 to 10000) with store-slow and network-slow, `by_s` (a year either way) with \
                     date, `node` with store-slow when it is so for one node only, and nothing else"
                        .into(),
                );
            }
        };
        Ok(Fault {
            at_s: row.at_s,
            for_s: row.for_s,
            what,
        })
    }
}

impl What {
    /// In words.
    pub(crate) fn words(&self) -> String {
        match self {
            What::Kill { node } => format!("node {node} is killed"),
            What::Pause { node } => format!("node {node} stands still"),
            What::CutOff { node } => format!("node {node} cannot reach the store"),
            What::Drain { node } => format!("node {node} is drained and replaced"),
            What::StoreDown => "the store is away".to_owned(),
            What::StoreSlow { times, node: None } => {
                format!("the store takes {times} times as long")
            }
            What::StoreSlow {
                times,
                node: Some(node),
            } => format!("the store takes {times} times as long for node {node}"),
            What::StoreRecovery => "the store recovers".to_owned(),
            What::Unreachable { node } => format!("no gateway reaches node {node}"),
            What::NetworkSlow { times } => format!("the network takes {times} times as long"),
            What::Date { node, by_s } => format!("node {node}'s date is off by {by_s} s"),
            What::DestinationDown => "the destination of messages is away".to_owned(),
        }
    }
}

/// A scenario with what it is called and what its text hashes to.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its name or path.
    pub name: String,
    /// What it says.
    pub scenario: Scenario,
    /// What plays it again.
    pub(crate) again: Again,
    /// Goes into the trace.
    pub(crate) hash: u64,
}

impl Given {
    /// The names of those that are shipped.
    pub fn shipped() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// A shipped one by its name, or one from a file.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn named(name: &str) -> Result<Given, ScenarioError> {
        let path = Path::new(name);
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let shipped = |wanted: &str| SHIPPED.iter().find(|(known, _)| *known == wanted);
        let text = match (path.exists(), shipped(name), stem) {
            (true, _, _) => {
                std::fs::read_to_string(path).map_err(|source| ScenarioError::Read {
                    path: path.to_owned(),
                    source,
                })?
            }
            (false, Some((_, text)), _) => (*text).to_owned(),
            (false, None, _) => {
                let known: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
                return Err(ScenarioError::Unknown {
                    name: name.to_owned(),
                    known: known.join(", "),
                });
            }
        };
        let mut given = Given::parse(stem.unwrap_or(name), path, &text)?;
        given.again = Again::Run {
            scenario: name.to_owned(),
        };
        Ok(given)
    }

    /// One that follows from a seed, with what it is as text, and perhaps with a
    /// bug planted.
    pub(crate) fn of_seed(
        name: &str,
        scenario: Scenario,
        text: &str,
        plant: Plant,
    ) -> Result<Given, ScenarioError> {
        let given = Given::checked(name, Path::new(name), scenario, text)?;
        Ok(Given {
            again: Again::Replay { plant },
            ..given
        })
    }

    /// One from its text.
    ///
    /// # Errors
    /// [`ScenarioError::Parse`].
    pub fn parse(name: &str, path: &Path, text: &str) -> Result<Given, ScenarioError> {
        let scenario = toml::from_str(text).map_err(|error| ScenarioError::Parse {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        Given::checked(name, path, scenario, text)
    }

    /// What no single value tells is judged, and what lies in files is read.
    fn checked(
        name: &str,
        path: &Path,
        mut scenario: Scenario,
        text: &str,
    ) -> Result<Given, ScenarioError> {
        let wrong = |message: String| ScenarioError::Parse {
            path: path.to_owned(),
            message,
        };
        let placed = |one: check::Wrong| wrong(one.words(text));
        scenario.check().map_err(placed)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let active = scenario.active().0;
        let rates = scenario.curve.read(folder).map_err(wrong)?;
        let people = scenario.draw.read(folder, active).map_err(wrong)?;
        scenario.check_length().map_err(placed)?;
        let parts = [text, &rates, &people].map(str::as_bytes);
        let hash = tagged("tg-sim-scenario-1", &parts);
        let first = hash
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Ok(Given {
            name: name.to_owned(),
            again: Again::Run {
                scenario: path.display().to_string(),
            },
            scenario,
            hash: first,
        })
    }
}

impl Scenario {
    /// So many people who come so often, and as usual all that can be left out.
    pub(crate) fn plain(about: String, people: People, curve: Curve) -> Scenario {
        Scenario {
            about,
            people,
            active: None,
            warm_percent: Percent::default(),
            draw: Draw::default(),
            habits: None,
            remember_percent: Percent::default(),
            ask: Parts::default(),
            curve,
            warm_up_s: Seconds::default(),
            window_s: usual_window(),
            calm_from_s: None,
            patience: Patience::default(),
            nodes: Nodes::default(),
            store: Store::default(),
            gateways: Gateways::default(),
            network: Network::default(),
            at_once: AtOnce::default(),
            fault: Vec::new(),
            spray: Vec::new(),
            add: Vec::new(),
            prices: Prices::default(),
            objectives: Vec::new(),
        }
    }

    /// Whether its store can have more than one node.
    pub(crate) fn has_many_nodes(&self) -> bool {
        self.store.kind == StoreKind::Foundationdb
    }

    /// Whether nothing is ever broken in it.
    pub(crate) fn is_well(&self) -> bool {
        let unknown = self.store.unknown();
        self.fault.is_empty() && unknown.happened + unknown.lost + unknown.later == 0
    }

    /// Plays it on nodes like this.
    pub(crate) fn set_shape(&mut self, cores: u64, hashing_threads: u64) {
        self.nodes.cores = Whole(cores);
        self.nodes.hashing_threads = Some(Whole(hashing_threads));
    }

    /// How far any two dates are ever apart, in milliseconds.
    pub(crate) fn dates_apart_ms(&self) -> u64 {
        let off = self.fault.iter().map(|fault| match fault.what {
            What::Date { by_s, .. } => by_s.unsigned_abs() * 1_000,
            What::Kill { .. }
            | What::Pause { .. }
            | What::CutOff { .. }
            | What::Drain { .. }
            | What::StoreDown
            | What::StoreSlow { .. }
            | What::StoreRecovery
            | What::Unreachable { .. }
            | What::NetworkSlow { .. }
            | What::DestinationDown => 0,
        });
        off.sum()
    }

    /// For how long nothing that is asked may reach a node that goes on
    /// afterwards, in milliseconds.
    pub(crate) fn silence_ms(&self) -> u64 {
        let silent = self.fault.iter().map(|fault| match fault.what {
            What::Pause { .. } | What::Unreachable { .. } => to_u64(fault.for_s.0 * 1e3),
            What::Kill { .. }
            | What::CutOff { .. }
            | What::Drain { .. }
            | What::StoreDown
            | What::StoreSlow { .. }
            | What::StoreRecovery
            | What::NetworkSlow { .. }
            | What::Date { .. }
            | What::DestinationDown => 0,
        });
        silent.sum()
    }

    /// Nodes that come during the night.
    pub(crate) fn added(&self) -> u64 {
        self.add.iter().map(|add| add.nodes.0).sum()
    }

    pub(crate) fn active(&self) -> People {
        self.active.unwrap_or(self.people)
    }

    /// How long it plays, in seconds.
    #[must_use]
    pub fn length_s(&self) -> f64 {
        self.curve.length_s()
    }
}

#[cfg(test)]
mod ranges;
#[cfg(test)]
mod tests;
