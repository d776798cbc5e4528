//! What the runtime counts. Handles are resolved once: a held counter costs
//! 5 ns, a look-up by name 176 ns.

use metrics::{Counter, Gauge, counter, gauge};

use crate::admission::Limit;
use crate::histogram::Histogram;

/// What was answered while the store was out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Degraded {
    Check,
    Refresh,
    SignIn,
    Revocation,
}

impl Degraded {
    const ALL: [Degraded; 4] = [
        Degraded::Check,
        Degraded::Refresh,
        Degraded::SignIn,
        Degraded::Revocation,
    ];

    fn name(self) -> &'static str {
        match self {
            Degraded::Check => "check",
            Degraded::Refresh => "refresh",
            Degraded::SignIn => "sign_in",
            Degraded::Revocation => "revocation",
        }
    }
}

pub(crate) struct Meters {
    pub(crate) checks_warm: Counter,
    pub(crate) checks_cold: Counter,
    pub(crate) commits: Counter,
    pub(crate) commits_failed: Counter,
    /// From handing a person's commit to the store to its acknowledgement.
    pub(crate) commit_durations: Histogram,
    pub(crate) loads: Counter,
    refused: [Counter; Limit::ALL.len()],
    pub(crate) sources_held: Counter,
    pub(crate) sweeps: Counter,
    pub(crate) sweeps_held: Counter,
    pub(crate) swept_people: Counter,
    pub(crate) swept_rows: Counter,
    pub(crate) broken: Counter,
    pub(crate) write_behind: Counter,
    pub(crate) people_warm: Gauge,
    pub(crate) people_hot: Gauge,
    degraded: [Counter; Degraded::ALL.len()],
    pub(crate) settled: Counter,
    pub(crate) cut_off: Gauge,
    pub(crate) degraded_people: Gauge,
    pub(crate) directory_away: Gauge,
    pub(crate) directory_pending: Gauge,
}

impl Meters {
    pub(crate) fn refused(&self, limit: Limit) {
        self.refused[limit as usize].increment(1);
    }

    pub(crate) fn degraded(&self, what: Degraded) {
        self.degraded[what as usize].increment(1);
    }

    pub(crate) fn new() -> Meters {
        Meters {
            checks_warm: counter!("tidegate_checks_warm_total"),
            checks_cold: counter!("tidegate_checks_cold_total"),
            commits: counter!("tidegate_commits_total"),
            commits_failed: counter!("tidegate_commits_failed_total"),
            commit_durations: Histogram::new(
                "tidegate_commit_seconds",
                "from handing a person's commit to the store to its outcome",
                "",
            ),
            loads: counter!("tidegate_loads_total"),
            refused: Limit::ALL
                .map(|limit| counter!("tidegate_refused_total", "limit" => limit.name())),
            sources_held: counter!("tidegate_sources_held_total"),
            sweeps: counter!("tidegate_sweeps_total"),
            sweeps_held: counter!("tidegate_sweeps_held_total"),
            swept_people: counter!("tidegate_swept_people_total"),
            swept_rows: counter!("tidegate_swept_rows_total"),
            broken: counter!("tidegate_people_broken_total"),
            write_behind: counter!("tidegate_write_behind_total"),
            people_warm: gauge!("tidegate_people_warm"),
            people_hot: gauge!("tidegate_people_hot"),
            degraded: Degraded::ALL
                .map(|what| counter!("tidegate_degraded_total", "answer" => what.name())),
            settled: counter!("tidegate_settled_people_total"),
            cut_off: gauge!("tidegate_store_cut_off"),
            degraded_people: gauge!("tidegate_degraded_people"),
            directory_away: gauge!("tidegate_directory_away"),
            directory_pending: gauge!("tidegate_directory_pending"),
        }
    }
}
