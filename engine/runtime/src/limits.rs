//! Every limit of the runtime, by name, and how long things are kept.

/// What may be held, wait or run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Commands that wait for one person; beyond, `busy`.
    pub commands_per_person: u32,
    /// Commands that wait in all; beyond, `busy`. Each class may fill its
    /// share of it ([`crate::Class::share_percent`]).
    pub commands: u64,
    /// People being read from storage at once; beyond, `busy`.
    pub activations: u64,
    /// Commits that wait to be durable; beyond, `busy`, by share as above.
    pub commits: u64,
    /// Sources of requests that are counted, 48 bytes each; beyond, those
    /// without a success within a day and with the least debt are forgotten.
    pub sources: usize,
    /// Attempts that wait for others of one source, tenant or gateway; beyond,
    /// `busy`.
    pub attempts: usize,
    /// Rows that the sweeper looks at per second.
    pub sweep_rows_per_s: u32,
    /// People whose keys are renewed at once, while keys rotate.
    pub rekeys_at_once: usize,
    /// Warm people; beyond, those longest unused become cold.
    pub warm_people: usize,
    /// After this long without a request a person becomes cold.
    pub warm_idle_ms: u64,
    /// People whose session times wait to be made durable.
    pub write_behind_queue: usize,
    /// Such commits started per second.
    pub write_behind_per_s: u32,
    /// Identifiers whose last look-up is remembered for sign-ins while the store
    /// is out of reach, about 64 bytes each.
    pub lookups: usize,
    /// People who could not be answered for a while and whose time to ask again
    /// was put off, about 100 bytes each; beyond, those longest known are
    /// forgotten.
    pub late_people: usize,
    /// People of whom decisions are kept that were made while the store was out
    /// of reach; beyond, they are refused.
    pub degraded_people: usize,
    /// Accounts per second that take such decisions over when it is back.
    pub settle_per_s: u32,
    /// What a refused client is told to wait, at least.
    pub retry_after_ms: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            commands_per_person: 32,
            commands: 100_000,
            activations: 10_000,
            commits: 16_384,
            sources: 1_000_000,
            attempts: 1_024,
            sweep_rows_per_s: 20_000,
            rekeys_at_once: 256,
            warm_people: 4_000_000,
            warm_idle_ms: 6 * 60 * 60 * 1000,
            write_behind_queue: 100_000,
            write_behind_per_s: 2_000,
            lookups: 1_000_000,
            late_people: 1_000_000,
            degraded_people: 200_000,
            settle_per_s: 500,
            retry_after_ms: 250,
        }
    }
}

/// How long things are kept after they happened, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events.
    pub events_ms: u64,
    /// Administrative acts.
    pub audits_ms: u64,
}

pub(crate) const DAY_MS: u64 = 86_400_000;

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            events_ms: 30 * DAY_MS,
            audits_ms: 400 * DAY_MS,
        }
    }
}
