//! What is known of every person, and what answers are worth.

use std::collections::BTreeMap;

use tidegate_client::{CallError, Code, Decision, Knowledge};
use tidegate_wire::{RefreshToken, SessionToken};

/// A person's session, as far as the answers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    Alive,
    /// A revocation is on its way, or its outcome is not known.
    Ending,
    /// A revocation was acknowledged with `ok`, at this time in nanoseconds.
    Ended {
        at_ns: u64,
    },
}

pub(crate) struct Person {
    pub(crate) session: SessionToken,
    pub(crate) refresh: RefreshToken,
    pub(crate) state: Session,
    /// A change is on its way: no other task changes the person meanwhile.
    pub(crate) changing: bool,
}

/// Answers of one kind of request.
#[derive(Default)]
pub(crate) struct Kind {
    pub(crate) right: u64,
    /// Milliseconds, from when the request was due.
    pub(crate) took_ms: Vec<f64>,
    /// By code: no answer within the deadline, after all retries.
    pub(crate) failed: BTreeMap<String, u64>,
    /// Right, and marked as resting on what was so earlier.
    pub(crate) degraded: u64,
    pub(crate) oldest_ms: u32,
}

impl Kind {
    /// Of what is sorted.
    fn quantile(&self, share: f64) -> f64 {
        let last = self.took_ms.len().saturating_sub(1);
        let at = (last as f64 * share) as usize;
        self.took_ms.get(at).copied().unwrap_or(0.0)
    }
}

/// Everything that was answered.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) kinds: BTreeMap<&'static str, Kind>,
    pub(crate) wrong: Vec<String>,
    /// Checks that said yes to a session whose end was acknowledged, marked as
    /// resting on what was so before: how long after, at most, in milliseconds.
    pub(crate) stale_ms: u64,
    /// When, of those who had to wait long, the last one was answered.
    pub(crate) waited_until_ns: u64,
    /// How many had to.
    pub(crate) waited: u64,
}

/// What a yes is worth to a session whose end was acknowledged before the check
/// was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    Wrong(String),
    /// It says that it rests on what was so before the end.
    Marked,
}

/// By how much two clocks and a way between them may differ.
const SLACK_MS: u64 = 50;

/// The end was acknowledged at `ended_ns`, and the check was asked later. The
/// owner node by then has published its end, and the owner before answers
/// unmarked only as long as no other node can own it.
pub(crate) fn after_the_end(knowledge: Knowledge, ended_ns: u64, asked_ns: u64) -> Stale {
    let since_ms = asked_ns.saturating_sub(ended_ns) / 1_000_000;
    match knowledge {
        Knowledge::Current => Stale::Wrong(format!(
            "an unmarked yes to a session that had ended {since_ms} ms before"
        )),
        Knowledge::Degraded { age_ms } | Knowledge::Provisional { age_ms } => {
            match u64::from(age_ms) + SLACK_MS < since_ms {
                true => Stale::Wrong(format!(
                    "a yes that rests on what was so {age_ms} ms before, to a session that had \
                     ended {since_ms} ms before"
                )),
                false => Stale::Marked,
            }
        }
    }
}

/// A call that waits longer than this found no owner.
pub(crate) const LONG_MS: f64 = 500.0;

impl Tally {
    pub(crate) fn right(&mut self, kind: &'static str, due_ns: u64, now_ns: u64) {
        let took_ms = now_ns.saturating_sub(due_ns) as f64 / 1e6;
        let of = self.kinds.entry(kind).or_default();
        of.right += 1;
        of.took_ms.push(took_ms);
        if took_ms > LONG_MS {
            self.waited_until_ns = self.waited_until_ns.max(now_ns);
            self.waited += 1;
        }
    }

    pub(crate) fn degraded(&mut self, kind: &'static str, age_ms: u32) {
        let of = self.kinds.entry(kind).or_default();
        of.degraded += 1;
        of.oldest_ms = of.oldest_ms.max(age_ms);
    }

    pub(crate) fn failed(&mut self, kind: &'static str, error: &CallError) {
        let code = match error {
            CallError::NotDone { code, .. } => code.name().to_owned(),
            CallError::Unknown { code } => format!("unknown: {}", code.name()),
            CallError::Unreachable | CallError::NoAnswer { .. } => "no answer".to_owned(),
            CallError::Refused { .. }
            | CallError::WrongRegion { .. }
            | CallError::BadAnswer
            | CallError::TooLarge
            | CallError::NoRandomness => error.to_string(),
        };
        *self
            .kinds
            .entry(kind)
            .or_default()
            .failed
            .entry(code)
            .or_default() += 1;
    }

    pub(crate) fn wrong(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Median and 99th percentile of a kind's right answers, in milliseconds.
    pub(crate) fn quantiles(&mut self, kind: &'static str) -> (f64, f64) {
        let of = self.kinds.entry(kind).or_default();
        of.took_ms.sort_by(f64::total_cmp);
        (of.quantile(0.5), of.quantile(0.99))
    }

    /// A line for each kind of request.
    pub(crate) fn print(&mut self) {
        for (name, kind) in &mut self.kinds {
            kind.took_ms.sort_by(f64::total_cmp);
            let quantile = |share| kind.quantile(share);
            let failed: u64 = kind.failed.values().sum();
            say!(
                "{name:10} right {:7}  failed {failed:5}  p50 {:6.1}  p99 {:7.1}  p99.9 {:7.1}  most {:7.1} ms{}",
                kind.right,
                quantile(0.5),
                quantile(0.99),
                quantile(0.999),
                quantile(1.0),
                match kind.degraded {
                    0 => String::new(),
                    count => format!("  degraded {count}, at most {} ms old", kind.oldest_ms),
                },
            );
            for (code, count) in &kind.failed {
                say!("{:10} {count} x {code}", "");
            }
        }
        say!("wrong answers: {}", self.wrong.len());
        self.wrong.iter().take(10).for_each(|what| say!("  {what}"));
        if self.stale_ms > 0 {
            say!(
                "yes to a session that had ended, marked as what was so before: {} ms after its end at most",
                self.stale_ms
            );
        }
    }
}

/// The code of a "no".
pub(crate) fn code<T>(decision: &Decision<T>) -> Option<Code> {
    match decision {
        Decision::Yes(_) => None,
        Decision::No(refusal) => Some(refusal.code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_yes_to_an_ended_session_is_right_that_does_not_say_it_is_from_before() {
        let end_ns = 5_000_000_000;
        let judged = |knowledge, after_ms: u64| match after_the_end(
            knowledge,
            end_ns,
            end_ns + after_ms * 1_000_000,
        ) {
            Stale::Wrong(_) => "wrong",
            Stale::Marked => "marked",
        };
        let degraded = Knowledge::Degraded { age_ms: 1_000 };
        let provisional = Knowledge::Provisional { age_ms: 1_000 };
        let table = [
            (Knowledge::Current, 0, "wrong"),
            (Knowledge::Current, 3_000, "wrong"),
            (degraded, 0, "marked"),
            (degraded, 1_050, "marked"),
            (degraded, 1_051, "wrong"),
            (provisional, 1_050, "marked"),
            (provisional, 1_051, "wrong"),
        ];
        for (knowledge, after_ms, expected) in table {
            assert_eq!(judged(knowledge, after_ms), expected, "{after_ms} ms");
        }
    }
}
