//! The rule for one crowd: time pays debts, right attempts earn, and what is
//! under way counts as wrong.

use tidegate_account::SourcePolicy;

use crate::sources::Concluded;

/// How much more than `free` right attempts can earn.
const CREDIT: i64 = 10;

/// What one crowd owes, or has earned.
#[derive(Clone, Copy, Default)]
pub(super) struct Meter {
    /// What failed and is owed; below 0 what right attempts have earned.
    debt_ms: i64,
    /// When that was so, on the clock that never goes back.
    seen_ms: u64,
    /// What is under way, as if it had failed.
    under_way_ms: i64,
}

/// What one crowd says.
pub(super) enum Admitted {
    Now,
    /// That depends on what is under way.
    Perhaps,
    Later {
        retry_after_ms: u64,
    },
}

impl Meter {
    /// What is owed by now. Time pays what is owed, and earns nothing.
    pub(super) fn debt(&self, now_ms: u64) -> i64 {
        let passed_ms = signed(now_ms.saturating_sub(self.seen_ms));
        match self.debt_ms > 0 {
            true => self.debt_ms.saturating_sub(passed_ms).max(0),
            false => self.debt_ms,
        }
    }

    pub(super) fn admit(&self, policy: &SourcePolicy, now_ms: u64) -> Admitted {
        // A gateway is one meter for tenants of different rules: each counts on
        // what its own allow it to have earned, and no more.
        let debt_ms = self.debt(now_ms).max(-credit(policy));
        let over_ms = debt_ms
            .saturating_add(step(policy))
            .saturating_sub(most(policy));
        if over_ms.saturating_add(self.under_way_ms) <= 0 {
            Admitted::Now
        } else if over_ms <= 0 {
            Admitted::Perhaps
        } else {
            Admitted::Later {
                retry_after_ms: over_ms.unsigned_abs(),
            }
        }
    }

    /// Counts one more that is under way.
    pub(super) fn begin(&mut self, policy: &SourcePolicy) {
        self.under_way_ms = self.under_way_ms.saturating_add(step(policy));
    }

    pub(super) fn is_idle(&self) -> bool {
        self.under_way_ms == 0
    }

    pub(super) fn conclude(&mut self, policy: &SourcePolicy, now_ms: u64, outcome: Concluded) {
        let debt_ms = self.debt(now_ms);
        self.debt_ms = match outcome {
            Concluded::Kept => debt_ms.saturating_add(step(policy)),
            Concluded::Returned => debt_ms,
            Concluded::Right => debt_ms
                .saturating_sub(step(policy))
                .max(debt_ms.min(-credit(policy))),
        };
        self.seen_ms = self.seen_ms.max(now_ms);
        self.under_way_ms = self.under_way_ms.saturating_sub(step(policy)).max(0);
    }
}

/// The most that may be owed.
fn most(policy: &SourcePolicy) -> i64 {
    signed(u64::from(policy.free).saturating_mul(policy.refill_ms))
}

/// The most that can be earned.
fn credit(policy: &SourcePolicy) -> i64 {
    most(policy).saturating_mul(CREDIT)
}

fn step(policy: &SourcePolicy) -> i64 {
    signed(policy.refill_ms)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
