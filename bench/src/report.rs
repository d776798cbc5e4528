//! The result of a run: for people, as JSON, and as a page with charts.

mod limit;
mod page;
mod validity;

use std::collections::BTreeMap;

use anyhow::ensure;
use serde::Serialize;
use tidegate_wire::Class;

use crate::book::{Book, Tally};
use crate::ceiling::Turn;
use crate::load::{Pace, Shape};
use crate::machine::Machine;
use crate::mix::Mix;
use crate::run::{Sample, Seen};
use crate::summary::Summary;

pub(crate) use page::html;
use validity::Keeping;
pub(crate) use validity::Validity;

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Setting {
    pub(crate) mix: String,
    pub(crate) about: String,
    /// The greatest rate of the curve.
    pub(crate) rate_per_s: f64,
    /// Of the curve.
    pub(crate) length_s: f64,
}

impl Setting {
    pub(crate) fn new(name: &str, mix: &Mix) -> Setting {
        Setting {
            mix: name.to_owned(),
            about: mix.about.clone(),
            rate_per_s: mix.greatest(),
            length_s: mix.length_s(),
        }
    }
}

/// A whole result. Names and units of its fields are stable.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) setting: Setting,
    /// `open`, or `saturated`: then latency says how long a place in flight
    /// was taken, and nothing about arrivals.
    pub(crate) pace: &'static str,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
    pub(crate) seconds_counted: f64,
    /// `valid`, or why the figures say nothing of the node.
    pub(crate) validity: Validity,
    /// What gave out first.
    pub(crate) gives_out: String,
    pub(crate) all: Figures,
    pub(crate) classes: BTreeMap<&'static str, Figures>,
    pub(crate) node_cpu_us_per_request: f64,
    pub(crate) node_rss_mib: u64,
    /// Seconds on a core by thread of the node.
    pub(crate) node_threads_s: BTreeMap<String, f64>,
    /// For each request, how often those threads had waited and were woken.
    pub(crate) node_wakes_per_request: BTreeMap<String, f64>,
    pub(crate) generator: Generator,
    pub(crate) wrong: Vec<String>,
    pub(crate) failures: BTreeMap<&'static str, u64>,
    pub(crate) machine: Machine,
    pub(crate) seconds: Vec<Second>,
}

/// Of one class, or of all.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) offered_per_s: f64,
    pub(crate) served_per_s: f64,
    pub(crate) offered: u64,
    pub(crate) served: u64,
    pub(crate) shed: u64,
    /// Of those served: had been shed before and came again.
    pub(crate) returned: u64,
    pub(crate) failed: u64,
    pub(crate) wrong: u64,
    pub(crate) latency_ms: Latency,
}

/// Milliseconds from when a request was due to its right answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
}

/// How the generator did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Generator {
    /// Of its core.
    pub(crate) cpu_share: f64,
    /// Of what was sent: more than 4 ms after it could have been.
    pub(crate) late_share: f64,
    pub(crate) cpu_us_per_request: f64,
    pub(crate) wakes_per_request: f64,
    /// Sent, those that only acknowledge among them.
    pub(crate) datagrams_per_request: f64,
}

/// One second of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Second {
    pub(crate) offered: u64,
    pub(crate) served: u64,
    pub(crate) failed: u64,
    pub(crate) shed: BTreeMap<&'static str, u64>,
    /// Of the check class where there is one, else of the first there is.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// Cores in use.
    pub(crate) node_cpu: f64,
    pub(crate) generator_cpu: f64,
    pub(crate) node_rss_mib: u64,
}

pub(crate) fn class_name(class: Class) -> &'static str {
    match class {
        Class::Protection => "protection",
        Class::Check => "check",
        Class::Refresh => "refresh",
        Class::Password => "password",
        Class::Registration => "registration",
    }
}

impl Report {
    pub(crate) fn new(book: &Book, seen: &Seen, setting: Setting, shape: &Shape) -> Report {
        let seconds_counted = match shape.pace {
            Pace::Open => setting.length_s.max(1e-9),
            Pace::Saturated { for_s } => for_s,
            Pace::Counted { .. } => book.seconds.len().max(1) as f64,
        };
        let figures = |tally: &Tally| Figures {
            offered_per_s: tally.offered as f64 / seconds_counted,
            served_per_s: tally.served as f64 / seconds_counted,
            offered: tally.offered,
            served: tally.served,
            shed: tally.shed,
            returned: tally.returned,
            failed: tally.failed,
            wrong: tally.wrong,
            latency_ms: Latency {
                p50: tally.quantile_ms(0.5),
                p99: tally.quantile_ms(0.99),
                p99_9: tally.quantile_ms(0.999),
                max: tally.quantile_ms(1.0),
            },
        };
        let classes = Class::ALL
            .into_iter()
            .filter(|class| book.class(*class).offered > 0);
        let classes: BTreeMap<_, _> = classes
            .map(|class| (class_name(class), figures(book.class(class))))
            .collect();
        let Seen {
            samples,
            node,
            generator,
        } = seen;
        let span_s = match samples.as_slice() {
            [first, .., last] => last.at.duration_since(first.at).as_secs_f64(),
            _ => 0.0,
        };
        let all = figures(&book.all());
        let answered = all.served + all.shed + all.failed + all.wrong;
        // Of an open load all is over when the watch ends; of a saturated one
        // only what was asked in time is counted.
        let over_span = match shape.pace {
            Pace::Open => answered as f64,
            _ => answered as f64 / seconds_counted * span_s,
        };
        let late_share = book.late as f64 / book.sent.max(1) as f64;
        let seconds = seconds(book, samples);
        let shares = seconds.iter().map(|second| second.generator_cpu);
        let cpu_share = match shape.pace {
            // The drain at the end would thin it.
            Pace::Open => Summary::of(shares.collect()).median,
            _ => generator.cpu_ns() as f64 / 1e9 / span_s.max(1e-9),
        };
        let keeping = match shape.pace {
            Pace::Saturated { .. } | Pace::Counted { .. } => None,
            Pace::Open => Some(Keeping {
                cpu_share,
                late_share,
            }),
        };
        let per_request = |count: u64| count as f64 / over_span.max(1.0);
        let threads = node.threads.iter();
        let wakes = threads.clone();
        let mut report = Report {
            gives_out: String::new(),
            pace: match shape.pace {
                Pace::Open => "open",
                Pace::Saturated { .. } | Pace::Counted { .. } => "saturated",
            },
            connections: shape.connections,
            in_flight: shape.in_flight,
            seconds_counted,
            validity: Validity::of(all.offered, all.served, book.never_sent, keeping),
            node_cpu_us_per_request: node.cpu_ns() as f64 / 1000.0 / over_span.max(1.0),
            node_rss_mib: samples.last().map_or(0, |last| last.node.rss_kib / 1024),
            node_threads_s: threads
                .map(|(name, thread)| (name.clone(), thread.ns as f64 / 1e9))
                .collect(),
            node_wakes_per_request: wakes
                .map(|(name, thread)| (name.clone(), per_request(thread.wakes)))
                .collect(),
            generator: Generator {
                cpu_share,
                late_share,
                cpu_us_per_request: per_request(generator.cpu_ns()) / 1_000.0,
                wakes_per_request: per_request(generator.wakes()),
                datagrams_per_request: book.datagrams as f64 / book.frames.max(1) as f64,
            },
            wrong: book.wrong.clone(),
            failures: book.failures.clone(),
            machine: Machine::here(),
            seconds,
            setting,
            all,
            classes,
        };
        report.gives_out = limit::of(&report);
        report
    }

    /// Rate and CPU of one turn of a comparison.
    ///
    /// # Errors
    /// When an answer was wrong or missing: the rate would mean nothing.
    pub(crate) fn turn(&self) -> anyhow::Result<Turn> {
        let lost = self.all.wrong + self.all.failed + self.all.shed;
        ensure!(
            lost == 0,
            "{lost} not answered: {:?} {:?}",
            self.wrong,
            self.failures
        );
        Ok(Turn::new(
            self.all.served_per_s,
            self.node_cpu_us_per_request,
        ))
    }

    pub(crate) fn wrong(&self) -> u64 {
        self.all.wrong
    }

    pub(crate) fn share_served(&self) -> f64 {
        self.all.served as f64 / self.all.offered.max(1) as f64
    }

    pub(crate) fn p99_ms(&self, class: Class) -> f64 {
        let figures = self.classes.get(class_name(class)).unwrap_or(&self.all);
        figures.latency_ms.p99
    }

    /// Whether the rate was sustained.
    pub(crate) fn holds(&self) -> bool {
        let on_time = match self.classes.contains_key("check") {
            true => self.p99_ms(Class::Check) < 10.0,
            // Where nothing but slow work is asked, its answer within a second.
            false => self.all.latency_ms.p99 < 1_000.0,
        };
        let valid = self.validity == Validity::Valid;
        self.share_served() >= 0.999 && on_time && self.wrong() == 0 && valid
    }

    pub(crate) fn print(&self) {
        say!(
            "{} ({}), {} connections, {} in flight each, {:.0} s: {}",
            self.setting.mix,
            self.pace,
            self.connections,
            self.in_flight,
            self.seconds_counted,
            self.validity,
        );
        say!(
            "{:13} {:>10} {:>10} {:>9} {:>7} {:>6} {:>8} {:>8} {:>8} {:>8}",
            "",
            "offered/s",
            "served/s",
            "shed",
            "failed",
            "wrong",
            "p50 ms",
            "p99",
            "p99.9",
            "max"
        );
        let all = std::iter::once(("all", &self.all));
        for (name, figures) in all.chain(self.classes.iter().map(|(name, one)| (*name, one))) {
            let latency = &figures.latency_ms;
            say!(
                "{name:13} {:10.0} {:10.0} {:9} {:7} {:6} {:8.2} {:8.2} {:8.2} {:8.2}",
                figures.offered_per_s,
                figures.served_per_s,
                figures.shed,
                figures.failed,
                figures.wrong,
                latency.p50,
                latency.p99,
                latency.p99_9,
                latency.max,
            );
        }
        say!(
            "node {:.2} us of CPU per request, {} MiB; generator {:.0}% of its core, {:.3}% late",
            self.node_cpu_us_per_request,
            self.node_rss_mib,
            self.generator.cpu_share * 100.0,
            self.generator.late_share * 100.0,
        );
        say!("gives out first: {}", self.gives_out);
        for wrong in &self.wrong {
            say!("wrong: {wrong}");
        }
        for (name, count) in &self.failures {
            say!("failed: {name} {count}");
        }
    }
}

fn seconds(book: &Book, samples: &[Sample]) -> Vec<Second> {
    let second = |(place, moments): (usize, &[crate::book::Moment; Class::ALL.len()])| {
        let sum = |of: &dyn Fn(&crate::book::Moment) -> u64| moments.iter().map(of).sum::<u64>();
        let check = &moments[Class::Check as usize];
        let shown = match check.offered {
            0 => moments.iter().find(|one| one.offered > 0).unwrap_or(check),
            _ => check,
        };
        let (node, generator, rss_kib) = match samples.get(place..place + 2) {
            Some([before, after]) => {
                let span_s = after.at.duration_since(before.at).as_secs_f64();
                let cores = |before: u64, after: u64| {
                    after.saturating_sub(before) as f64 / 100.0 / span_s.max(1e-9)
                };
                (
                    cores(before.node.cpu_cs, after.node.cpu_cs),
                    cores(before.generator.cpu_cs, after.generator.cpu_cs),
                    after.node.rss_kib,
                )
            }
            _ => (0.0, 0.0, 0),
        };
        let shed = Class::ALL.into_iter().zip(moments);
        let shed = shed.filter(|(_, one)| one.shed > 0);
        Second {
            offered: sum(&|one| one.offered),
            served: sum(&|one| one.served),
            failed: sum(&|one| one.failed),
            shed: shed
                .map(|(class, one)| (class_name(class), one.shed))
                .collect(),
            p50_ms: shown.p50_ms,
            p99_ms: shown.p99_ms,
            max_ms: shown.max_ms,
            node_cpu: node,
            generator_cpu: generator,
            node_rss_mib: rss_kib / 1024,
        }
    };
    book.seconds.iter().enumerate().map(second).collect()
}
