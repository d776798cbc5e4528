//! The result of a world: numbers for machines, a page for people.

mod bottleneck;
mod chart;
mod judged;
mod page;
mod sprayed;
mod text;
mod uncovered;
mod windows;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_wire::Class;

pub use bottleneck::GivesOut;
pub use judged::{DuringFault, ObjectiveReport, Window};
pub use page::page;
pub(crate) use page::{HEAD, faults, stands_on};
pub use sprayed::SprayReport;
pub(crate) use text::escape;

use crate::book::{Moment, State, quantile_ms};
use crate::calibration::Calibration;
use crate::inputs::{Input, extrapolated, inputs};
use crate::machine::POOL_NAMES;
use crate::scenario::Given;
use crate::world::{Played, Sample};

/// The report. Names and units of its fields are stable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The scenario's name.
    pub scenario: String,
    /// What it is about.
    pub about: String,
    /// What everything followed from.
    pub seed: u64,
    /// The line that plays it again.
    #[serde(default)]
    pub again: String,
    /// Everything that the outside of the engine saw, as one number.
    pub trace_hash: String,
    /// How long it played, in its own time.
    pub virtual_seconds: f64,
    /// How long that took.
    pub wall_seconds: f64,
    /// Frames that reached nodes or were on their way.
    pub requests: u64,
    /// Where the costs of operations come from.
    pub calibration: String,
    /// By class.
    pub classes: BTreeMap<String, ClassReport>,
    /// The people's view.
    pub people: PeopleReport,
    /// What attackers achieved who tried passwords on every account.
    #[serde(default)]
    pub sprays: Vec<SprayReport>,
    /// What was to hold.
    pub objectives: Vec<ObjectiveReport>,
    /// How long a window is in which each had to.
    #[serde(default)]
    pub window_s: u64,
    /// What failed though no objective speaks of it.
    #[serde(default)]
    pub uncovered: Vec<String>,
    /// What gave out first, or came nearest to it.
    #[serde(default)]
    pub gives_out: Option<GivesOut>,
    /// Answers that cannot be: how many, and the first few.
    pub wrong: u64,
    /// The first few of them.
    pub wrong_first: Vec<String>,
    /// What the store did.
    pub store: StoreReport,
    /// Second by second.
    pub seconds: Vec<SecondReport>,
    /// What broke, and when.
    pub faults: Vec<FaultReport>,
    /// What all of it stands on.
    pub inputs: Vec<Input>,
    /// Why it lies outside of what was compared with a real node.
    pub extrapolated: Vec<String>,
}

/// One class of requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassReport {
    /// Frames sent, retries included.
    pub attempts: u64,
    /// Of those: told to come again later.
    pub shed: u64,
    /// Of those: sent on to another node, or told that no node serves for now.
    pub redirected: u64,
    /// Of those: answered that the outcome is not known.
    pub unknown: u64,
    /// Of those: answered from what was known before the store went
    /// (`degraded`, `provisional`, `accepted_not_durable`).
    pub degraded: u64,
    /// Calls of the client library.
    pub calls: u64,
    /// Of those: answered yes or no.
    pub served: u64,
    /// Of those: ended without an answer.
    pub failed: u64,
    /// Of calls that were answered, retries included.
    pub latency_ms: Quantiles,
    /// The same as pairs of a percentile and milliseconds.
    pub distribution_ms: Vec<(f64, f64)>,
}

/// Quantiles, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p99_9: f64,
    /// The greatest.
    pub max: f64,
}

/// People who wanted in: signing in or up, mistyping and coming again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeopleReport {
    /// How many wanted in.
    pub wanted_in: u64,
    /// In at the first attempt, in percent.
    pub at_first_attempt_percent: f64,
    /// In within so many seconds, in percent.
    pub in_within_1s_percent: f64,
    /// In within so many seconds, in percent.
    pub in_within_10s_percent: f64,
    /// In within so many seconds, in percent.
    pub in_within_60s_percent: f64,
    /// Gave up, or were turned away.
    pub never: u64,
    /// From the first attempt to being in.
    pub time_to_be_in_ms: Quantiles,
}

/// What the store did, in all.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StoreReport {
    /// Rows and ranges read.
    pub reads: u64,
    /// Read versions given.
    pub read_versions: u64,
    /// Commits.
    pub commits: u64,
    /// Commits refused for a conflict.
    pub conflicts: u64,
    /// Commits whose outcome stayed unknown.
    pub unknown: u64,
    /// Recoveries.
    pub recoveries: u64,
}

/// One second.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecondReport {
    /// Visits that began.
    pub visits: u64,
    /// By class; those of which there was none are left out.
    pub classes: BTreeMap<String, MomentReport>,
    /// Cores in use, by node.
    pub cores: Vec<f64>,
    /// Of those, by hashing.
    pub hashing_cores: Vec<f64>,
    /// Cores in use of all nodes, by threads.
    pub pools_cores: BTreeMap<String, f64>,
    /// Cores in use of gateways, where they are known.
    pub gateways_cores: f64,
    /// Passwords that wait, in all.
    pub hashing_waiting: u64,
    /// Warm people, in all.
    pub warm: u64,
    /// Hot people, in all.
    pub hot: u64,
    /// Requests that wait for an answer, in all.
    pub waiting: u64,
    /// What warm people take, by the calibration.
    pub warm_mib: f64,
    /// Commits of the store.
    pub commits: u64,
    /// Its reads.
    pub reads: u64,
}

/// One second of one class.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct MomentReport {
    /// Frames sent.
    pub attempts: u64,
    /// Calls answered.
    pub served: u64,
    /// Attempts told to come again later.
    pub shed: u64,
    /// Attempts answered from what was known before the store went.
    pub degraded: u64,
    /// Calls without an answer.
    pub failed: u64,
    /// Of calls answered.
    pub p50_ms: f64,
    /// Of calls answered.
    pub p99_ms: f64,
    /// Of calls answered.
    pub p99_9_ms: f64,
}

/// Something that broke.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaultReport {
    /// From when.
    pub at_s: f64,
    /// For how long.
    pub for_s: f64,
    /// What, in words.
    pub what: String,
}

impl Report {
    /// Sums up a world that was played in so many seconds.
    #[must_use]
    pub fn of(given: &Given, calibration: &Calibration, played: &Played, wall_s: f64) -> Report {
        let state = played.book.state();
        let scenario = &given.scenario;
        let mut classes = BTreeMap::new();
        for class in Class::ALL {
            let book = &state.classes[class as usize];
            if book.attempts + book.calls > 0 {
                let report = ClassReport {
                    attempts: book.attempts,
                    shed: book.shed,
                    redirected: book.redirected,
                    unknown: book.unknown,
                    degraded: book.degraded,
                    calls: book.calls,
                    served: book.served,
                    failed: book.failed,
                    latency_ms: quantiles(&book.latency),
                    distribution_ms: distribution(&book.latency),
                };
                classes.insert(crate::scenario::name_of(class).to_owned(), report);
            }
        }
        let last = played.samples.last().map(|sample| sample.store);
        let store = last.unwrap_or_default();
        let their_view = people(&state);
        Report {
            scenario: given.name.clone(),
            about: scenario.about.clone(),
            seed: played.seed,
            again: given.again.line(played.seed, calibration),
            trace_hash: format!("{:016x}", played.trace_hash),
            virtual_seconds: played.virtual_s,
            wall_seconds: wall_s,
            requests: state.classes.iter().map(|book| book.attempts).sum(),
            calibration: calibration.words(),
            uncovered: uncovered::uncovered(
                &scenario.objectives,
                |name| classes.get(name),
                &their_view,
            ),
            gives_out: bottleneck::gives_out(
                scenario,
                &scenario.store.costs(calibration),
                &played.samples,
            ),
            classes,
            people: their_view,
            sprays: state.sprayed.iter().map(SprayReport::of).collect(),
            objectives: judged::objectives(scenario, &state.slots),
            window_s: scenario.window_s.0,
            wrong: state.wrong_count,
            wrong_first: state.wrong.clone(),
            store: StoreReport {
                reads: store.reads,
                read_versions: store.read_versions,
                commits: store.commits,
                conflicts: store.conflicts,
                unknown: store.unknown,
                recoveries: store.recoveries,
            },
            seconds: seconds(&state, &played.samples, calibration),
            inputs: inputs(given, calibration),
            extrapolated: extrapolated(given, calibration),
            faults: scenario
                .fault
                .iter()
                .map(|fault| FaultReport {
                    at_s: fault.at_s.0,
                    for_s: fault.for_s.0,
                    what: fault.what.words(),
                })
                .chain(scenario.add.iter().map(|add| FaultReport {
                    at_s: add.at_s.0,
                    for_s: add.lead_s.0,
                    what: format!("{} nodes more are on their way", add.nodes.0),
                }))
                .collect(),
        }
    }

    /// Whether every objective holds.
    #[must_use]
    pub fn met(&self) -> bool {
        self.objectives.iter().all(|objective| objective.met)
    }
}

fn quantiles(histogram: &hdrhistogram::Histogram<u64>) -> Quantiles {
    Quantiles {
        p50: quantile_ms(histogram, 0.5),
        p99: quantile_ms(histogram, 0.99),
        p99_9: quantile_ms(histogram, 0.999),
        max: histogram.max() as f64 / 1_000.0,
    }
}

const PERCENTILES: [f64; 14] = [
    0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.95, 99.99, 99.999,
];

fn distribution(histogram: &hdrhistogram::Histogram<u64>) -> Vec<(f64, f64)> {
    let at = |percentile: f64| (percentile, quantile_ms(histogram, percentile / 100.0));
    match histogram.is_empty() {
        true => Vec::new(),
        false => PERCENTILES.map(at).to_vec(),
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 100.0,
        whole => part as f64 * 100.0 / whole as f64,
    }
}

fn people(state: &State) -> PeopleReport {
    let entries = &state.entries;
    PeopleReport {
        wanted_in: entries.wanted,
        at_first_attempt_percent: percent(entries.at_once, entries.wanted),
        in_within_1s_percent: entries.in_within_percent(1.0),
        in_within_10s_percent: entries.in_within_percent(10.0),
        in_within_60s_percent: entries.in_within_percent(60.0),
        never: entries.gave_up,
        time_to_be_in_ms: quantiles(&entries.took),
    }
}

fn seconds(state: &State, samples: &[Sample], calibration: &Calibration) -> Vec<SecondReport> {
    let mut samples = samples.iter();
    // The first was taken when the night began.
    let mut before: Option<&Sample> = samples.next();
    let mut seconds = Vec::with_capacity(samples.len());
    for (place, sample) in samples.enumerate() {
        let used = |sample: &Sample, node: usize| {
            sample
                .nodes
                .get(node)
                .map(|glance| glance.used)
                .unwrap_or_default()
        };
        let since = |of: &dyn Fn(&Sample, usize) -> u64, node: usize| {
            let earlier = before.map_or(0, |sample| of(sample, node));
            of(sample, node).saturating_sub(earlier) as f64 / 1e9
        };
        let all = |sample: &Sample, node: usize| used(sample, node).all_ns();
        let hashing = |sample: &Sample, node: usize| used(sample, node).hashing_ns;
        let nodes = 0..sample.nodes.len();
        let sum = |of: fn(&crate::node::Glance) -> u64| sample.nodes.iter().map(of).sum::<u64>();
        let warm = sum(|glance| glance.warm);
        let gateways_before = before.map_or(0, |sample| sample.gateways_ns);
        let pools = POOL_NAMES.iter().enumerate().map(|(pool, name)| {
            let of = |sample: &Sample, node: usize| used(sample, node).pools_ns[pool];
            let cores = nodes.clone().map(|node| since(&of, node)).sum();
            ((*name).to_owned(), cores)
        });
        let store_before = before.map(|sample| sample.store).unwrap_or_default();
        let second = state.seconds.get(place).copied().unwrap_or_default();
        let moments = Class::ALL.into_iter().filter_map(|class| {
            let moment = second.classes[class as usize];
            let there = moment.attempts + moment.calls > 0;
            there.then(|| {
                (
                    crate::scenario::name_of(class).to_owned(),
                    moment_report(moment),
                )
            })
        });
        seconds.push(SecondReport {
            visits: second.visits,
            classes: moments.collect(),
            cores: nodes.clone().map(|node| since(&all, node)).collect(),
            hashing_cores: nodes.clone().map(|node| since(&hashing, node)).collect(),
            pools_cores: pools.collect(),
            gateways_cores: (sample.gateways_ns - gateways_before) as f64 / 1e9,
            hashing_waiting: sum(|glance| glance.hashing_waiting),
            warm,
            hot: sum(|glance| glance.hot),
            waiting: sum(|glance| glance.waiting),
            warm_mib: (warm * calibration.warm_bytes_per_person) as f64 / 1_048_576.0,
            commits: sample.store.commits - store_before.commits,
            reads: sample.store.reads - store_before.reads,
        });
        before = Some(sample);
    }
    seconds
}

fn moment_report(moment: Moment) -> MomentReport {
    MomentReport {
        attempts: moment.attempts,
        served: moment.served,
        shed: moment.shed,
        degraded: moment.degraded,
        failed: moment.failed,
        p50_ms: moment.p50_ms,
        p99_ms: moment.p99_ms,
        p99_9_ms: moment.p99_9_ms,
    }
}
