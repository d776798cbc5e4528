//! One mix at one rate: what was measured, what was predicted, and how far
//! apart they are.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::report::Report;
use crate::summary::Summary;

/// Of throughput and CPU: of the median that was measured.
const NEAR: f64 = 0.15;
/// Of latencies.
const NEAR_MS: f64 = 0.30;
/// A class whose median latency is above this is held up.
const HELD_UP_MS: f64 = 400.0;
/// Of a core: above, it is full.
const FULL: f64 = 0.93;
/// Below this many answers there is no 99th percentile.
const ANSWERS_MIN: u64 = 500;

/// One run, measured or predicted.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(super) served_per_s: f64,
    pub(super) cores: f64,
    /// Cores in use by thread.
    pub(super) threads: BTreeMap<String, f64>,
    pub(super) classes: BTreeMap<String, ClassOutcome>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ClassOutcome {
    pub(super) offered: u64,
    pub(super) served: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

impl Outcome {
    pub(crate) fn measured(report: &Report) -> Outcome {
        let ends = report.seconds_counted as usize;
        let counted = &report.seconds[..ends.min(report.seconds.len())];
        let served = counted.iter().map(|second| second.served as f64);
        let cores = counted.iter().map(|second| second.node_cpu);
        let (per_s, cores) = (Summary::of(served.collect()), Summary::of(cores.collect()));
        let all_s: f64 = report.node_threads_s.values().sum();
        let threads = report.node_threads_s.iter();
        // Seconds after the last arrival would thin them.
        let share = |s: &f64| s / all_s.max(1e-9) * cores.median;
        let classes = report.classes.iter().map(|(name, figures)| {
            let outcome = ClassOutcome {
                offered: figures.offered,
                served: figures.served,
                p50_ms: figures.latency_ms.p50,
                p99_ms: figures.latency_ms.p99,
            };
            ((*name).to_owned(), outcome)
        });
        Outcome {
            served_per_s: per_s.median,
            cores: cores.median,
            threads: threads.map(|(name, s)| (name.clone(), share(s))).collect(),
            classes: classes.collect(),
        }
    }

    /// The bottleneck, if there is one.
    pub(crate) fn bottleneck(&self) -> Bottleneck {
        let held: Vec<&str> = self.late().map(|(name, _)| name.as_str()).collect();
        match held.as_slice() {
            [] => Bottleneck::None,
            ["password"] => Bottleneck::Hashing,
            _ if self.cores >= FULL => Bottleneck::Core,
            _ => Bottleneck::Elsewhere,
        }
    }

    /// Classes that are held up, and how many of each were served.
    pub(crate) fn held_up(&self) -> Vec<String> {
        let words = |(name, class): (&String, &ClassOutcome)| {
            let (served, offered) = (class.served, class.offered);
            format!("{name}: {served} of {offered} served")
        };
        self.late().map(words).collect()
    }

    fn late(&self) -> impl Iterator<Item = (&String, &ClassOutcome)> {
        self.classes.iter().filter(|(_, class)| {
            class.p50_ms > HELD_UP_MS || (class.served as f64) < 0.97 * class.offered as f64
        })
    }
}

/// The bottleneck of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Bottleneck {
    None,
    /// Passwords wait; what goes before them does not.
    Hashing,
    /// The node's cores are full.
    Core,
    /// Something is late, and the node's cores are not full.
    Elsewhere,
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bottleneck::None => "nothing",
            Bottleneck::Hashing => "hashing",
            Bottleneck::Core => "the node's cores",
            Bottleneck::Elsewhere => "something else than the node's cores",
        })
    }
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Held {
    pub(super) figure: String,
    pub(super) measured: Summary,
    pub(super) predicted: f64,
    /// Near enough, or inside what was measured.
    pub(super) met: bool,
}

/// One mix at one rate.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Point {
    pub(super) mix: String,
    pub(super) per_s: f64,
    pub(super) turns: usize,
    pub(super) bottleneck_measured: Bottleneck,
    pub(super) bottleneck_predicted: Bottleneck,
    pub(super) held: Vec<Held>,
    /// Cores by thread, measured and predicted: where a miss comes from.
    pub(super) threads: BTreeMap<String, [f64; 2]>,
}

impl Point {
    pub(super) fn new(mix: &str, per_s: f64, measured: &[Outcome], predicted: &[Outcome]) -> Point {
        let bottleneck_measured = most(measured);
        let summary = |outcomes: &[Outcome], of: &dyn Fn(&Outcome) -> f64| {
            Summary::of(outcomes.iter().map(of).collect())
        };
        let mut held = Vec::new();
        let mut hold = |figure: String, near: f64, of: &dyn Fn(&Outcome) -> f64| {
            let (measured, predicted) = (summary(measured, of), summary(predicted, of).median);
            let apart = (predicted - measured.median).abs();
            let inside = (measured.least..=measured.most).contains(&predicted);
            held.push(Held {
                figure,
                measured,
                predicted,
                met: apart <= near * measured.median || (near == NEAR_MS && inside),
            });
        };
        hold("served/s".into(), NEAR, &|outcome| outcome.served_per_s);
        hold("cores".into(), NEAR, &|outcome| outcome.cores);
        // Beyond what a node can do, latency is how long the run was.
        if bottleneck_measured == Bottleneck::None {
            let classes = measured.iter().flat_map(|outcome| &outcome.classes);
            let known: BTreeMap<&String, u64> =
                classes.map(|(name, class)| (name, class.served)).collect();
            for (name, served) in known {
                let class = |outcome: &Outcome| outcome.classes.get(name).copied();
                let p50 = |outcome: &Outcome| class(outcome).map_or(0.0, |class| class.p50_ms);
                let p99 = |outcome: &Outcome| class(outcome).map_or(0.0, |class| class.p99_ms);
                hold(format!("{name} p50 ms"), NEAR_MS, &p50);
                if served >= ANSWERS_MIN {
                    hold(format!("{name} p99 ms"), NEAR_MS, &p99);
                }
            }
        }
        let names = measured.iter().chain(predicted);
        let names = names.flat_map(|outcome| outcome.threads.keys());
        let threads = names.map(|name| {
            let cores = |outcome: &Outcome| outcome.threads.get(name).copied().unwrap_or(0.0);
            let both = [summary(measured, &cores), summary(predicted, &cores)];
            (name.clone(), both.map(|summary| summary.median))
        });
        Point {
            threads: threads.collect(),
            mix: mix.to_owned(),
            per_s,
            turns: measured.len(),
            bottleneck_measured,
            bottleneck_predicted: most(predicted),
            held,
        }
    }
}

/// What most runs say.
fn most(outcomes: &[Outcome]) -> Bottleneck {
    let all = [
        Bottleneck::None,
        Bottleneck::Hashing,
        Bottleneck::Core,
        Bottleneck::Elsewhere,
    ];
    let said = |one: &Bottleneck| {
        let same = outcomes
            .iter()
            .filter(|outcome| outcome.bottleneck() == *one);
        same.count()
    };
    all.into_iter().max_by_key(said).unwrap_or(Bottleneck::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(cores: f64, classes: &[(&str, u64, u64, f64)]) -> Outcome {
        let classes = classes.iter().map(|(name, offered, served, p50_ms)| {
            let class = ClassOutcome {
                offered: *offered,
                served: *served,
                p50_ms: *p50_ms,
                p99_ms: p50_ms * 4.0,
            };
            ((*name).to_owned(), class)
        });
        Outcome {
            served_per_s: 100.0,
            cores,
            threads: BTreeMap::new(),
            classes: classes.collect(),
        }
    }

    #[test]
    fn what_is_held_up_says_what_gives_out() {
        let fine = ("check", 1_000, 1_000, 0.3);
        let cases = [
            (outcome(0.5, &[fine]), Bottleneck::None),
            (
                outcome(1.0, &[fine, ("password", 20, 9, 900.0)]),
                Bottleneck::Hashing,
            ),
            (
                outcome(0.99, &[("refresh", 1_000, 700, 900.0)]),
                Bottleneck::Core,
            ),
            (
                outcome(0.4, &[("refresh", 1_000, 700, 900.0)]),
                Bottleneck::Elsewhere,
            ),
        ];
        for (outcome, expected) in cases {
            assert_eq!(outcome.bottleneck(), expected, "{outcome:?}");
        }
        let late = outcome(1.0, &[fine, ("password", 20, 9, 900.0)]);
        assert_eq!(late.held_up(), ["password: 9 of 20 served"]);
        assert_eq!(late.bottleneck().to_string(), "hashing");
    }

    #[test]
    fn a_figure_is_met_when_it_is_near_or_latency_lies_in_the_spread() {
        let runs = |p50s: &[f64], cores: f64| -> Vec<Outcome> {
            p50s.iter()
                .map(|p50| outcome(cores, &[("check", 1_000, 1_000, *p50)]))
                .collect()
        };
        let measured = runs(&[1.0, 1.2, 3.0], 0.5);
        let met = |predicted: &[Outcome]| {
            let point = Point::new("checks", 10.0, &measured, predicted);
            let met = point.held.iter().filter(|held| held.met);
            met.map(|held| held.figure.clone()).collect::<Vec<_>>()
        };
        let all = ["served/s", "cores", "check p50 ms", "check p99 ms"];
        assert_eq!(met(&runs(&[2.5], 0.45)), all);
        assert_eq!(met(&runs(&[0.2], 0.4)), ["served/s"]);
    }
}
