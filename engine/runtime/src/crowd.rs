//! What comes from nowhere in particular: attempts whose source is not named,
//! or from which nobody was seen to sign in. A gateway that names no sources, or
//! one for each request, lifts the bound on sources; this one holds all the
//! same, for each tenant and for each gateway.
//!
//! The generic cell rate algorithm (ITU-T I.371) over wrong attempts: `free` at
//! once, one more every `refill_ms`, and one more for every attempt that was
//! right, up to [`CREDIT`] times `free`. So it bounds the rate of failures and
//! their share. What is under way counts as wrong, and who would be one too many
//! because of it waits. In memory alone: a restart forgives `free`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_account::SourcePolicy;
use tokio::sync::Notify;

use crate::ports::Clock;
use crate::sources::{Charge, Concluded};

/// How much more than `free` right attempts can earn.
const CREDIT: u64 = 10;
/// Tenants and gateways are few; beyond this the quietest is forgotten.
const METERS_MAX: usize = 10_000;

/// Whose attempts are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Crowd {
    Tenant(u64),
    Gateway(u64),
}

#[derive(Clone, Copy, Default)]
struct Meter {
    /// When it is free of debt, on the clock that never goes back; before now
    /// where it has earned something. Nothing was owed at the beginning.
    due_ms: Option<i64>,
    under_way: u64,
}

/// Every crowd that is counted here.
#[derive(Default)]
pub(crate) struct Crowds {
    meters: Mutex<BTreeMap<Crowd, Meter>>,
    known: Notify,
}

enum Standing {
    Charged,
    Wait,
    Held { retry_after_ms: u64 },
}

impl Crowds {
    /// Charges an attempt to all of these, or to none; waits while that depends
    /// on others under way.
    pub(crate) async fn charge(
        &self,
        crowds: &[Crowd],
        policy: &SourcePolicy,
        clock: &dyn Clock,
    ) -> Charge {
        if policy.free == 0 {
            return Charge::Charged;
        }
        loop {
            // Registered before the look, so that nothing is missed between.
            let mut known = std::pin::pin!(self.known.notified());
            known.as_mut().enable();
            match self.try_charge(crowds, policy, clock.monotonic_ms()) {
                Standing::Charged => return Charge::Charged,
                Standing::Held { retry_after_ms } => return Charge::Held { retry_after_ms },
                Standing::Wait => known.await,
            }
        }
    }

    fn try_charge(&self, crowds: &[Crowd], policy: &SourcePolicy, now_ms: u64) -> Standing {
        let mut meters = self.meters();
        for crowd in crowds {
            let meter = meters.get(crowd).copied().unwrap_or_default();
            match meter.admit(policy, now_ms) {
                Standing::Charged => {}
                other @ (Standing::Wait | Standing::Held { .. }) => return other,
            }
        }
        for crowd in crowds {
            let meter = meters.entry(*crowd).or_default();
            meter.due_ms = Some(meter.floor(policy, now_ms) + step(policy));
            meter.under_way += 1;
        }
        while meters.len() > METERS_MAX {
            let quietest = meters.iter().min_by_key(|(_, meter)| meter.due_ms);
            let Some(quietest) = quietest.map(|(crowd, _)| *crowd) else {
                break;
            };
            meters.remove(&quietest);
        }
        Standing::Charged
    }

    /// Says what became of an attempt that was charged.
    pub(crate) fn conclude(&self, crowds: &[Crowd], policy: &SourcePolicy, outcome: Concluded) {
        let mut meters = self.meters();
        for crowd in crowds {
            let Some(meter) = meters.get_mut(crowd) else {
                continue;
            };
            meter.under_way = meter.under_way.saturating_sub(1);
            let back = match outcome {
                Concluded::Kept => 0,
                Concluded::Returned => step(policy),
                Concluded::Right => 2 * step(policy),
            };
            meter.due_ms = meter.due_ms.map(|due_ms| due_ms - back);
        }
        drop(meters);
        self.known.notify_waiters();
    }

    fn meters(&self) -> MutexGuard<'_, BTreeMap<Crowd, Meter>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter {
    /// What is owed from, no earlier than the greatest credit.
    fn floor(&self, policy: &SourcePolicy, now_ms: u64) -> i64 {
        let credit = CREDIT * u64::from(policy.free) * policy.refill_ms;
        let now = signed(now_ms);
        let most = now.saturating_add(signed(u64::from(policy.free) * policy.refill_ms));
        let begun = self.due_ms.unwrap_or(now);
        begun.clamp(now.saturating_sub(signed(credit)), most)
    }

    fn admit(&self, policy: &SourcePolicy, now_ms: u64) -> Standing {
        let most = signed(u64::from(policy.free) * policy.refill_ms);
        let debt = self.floor(policy, now_ms) + step(policy) - signed(now_ms);
        let under_way = signed(self.under_way).saturating_mul(step(policy));
        match debt - most {
            over if over <= 0 => Standing::Charged,
            over if over <= under_way => Standing::Wait,
            over => Standing::Held {
                retry_after_ms: u64::try_from(over).unwrap_or(0),
            },
        }
    }
}

fn step(policy: &SourcePolicy) -> i64 {
    signed(policy.refill_ms)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: SourcePolicy = SourcePolicy {
        free: 30,
        refill_ms: 1_000,
    };
    const START: u64 = 1_000_000_000;
    const CROWDS: [Crowd; 2] = [Crowd::Tenant(1), Crowd::Gateway(2)];

    /// So many attempts, one after the other; how many were let through.
    fn attempts(crowds: &Crowds, now_ms: u64, count: u32, outcome: Concluded) -> u32 {
        let mut charged = 0;
        for _ in 0..count {
            if let Standing::Charged = crowds.try_charge(&CROWDS, &POLICY, now_ms) {
                charged += 1;
                crowds.conclude(&CROWDS, &POLICY, outcome);
            }
        }
        charged
    }

    #[test]
    fn spraying_without_a_source_is_bounded_in_number_and_rate() {
        let crowds = Crowds::default();
        assert_eq!(attempts(&crowds, START, 1_000, Concluded::Kept), 30);
        assert_eq!(attempts(&crowds, START + 5_000, 1_000, Concluded::Kept), 5);
        let held = crowds.try_charge(&CROWDS, &POLICY, START + 5_000);
        assert!(matches!(
            held,
            Standing::Held {
                retry_after_ms: 1_000
            }
        ));
    }

    #[test]
    fn right_attempts_cost_nothing_and_earn_room_for_mistakes_up_to_a_bound() {
        let crowds = Crowds::default();
        assert_eq!(attempts(&crowds, START, 5_000, Concluded::Right), 5_000);
        assert_eq!(attempts(&crowds, START, 5_000, Concluded::Kept), 330);
    }

    #[test]
    fn one_that_is_one_too_many_because_of_those_under_way_waits_for_them() {
        let crowds = Crowds::default();
        for _ in 0..30 {
            let charged = crowds.try_charge(&CROWDS, &POLICY, START);
            assert!(matches!(charged, Standing::Charged));
        }
        let waits = crowds.try_charge(&CROWDS, &POLICY, START);
        assert!(matches!(waits, Standing::Wait));
        crowds.conclude(&CROWDS, &POLICY, Concluded::Right);
        let charged = crowds.try_charge(&CROWDS, &POLICY, START);
        assert!(matches!(charged, Standing::Charged));
    }

    #[test]
    fn another_tenant_through_another_gateway_is_not_touched() {
        let crowds = Crowds::default();
        attempts(&crowds, START, 1_000, Concluded::Kept);
        let others = [Crowd::Tenant(3), Crowd::Gateway(4)];
        let charged = crowds.try_charge(&others, &POLICY, START);
        assert!(matches!(charged, Standing::Charged));
        // Nothing was charged to the one where the other refused.
        let mixed = [Crowd::Tenant(3), Crowd::Gateway(2)];
        let held = crowds.try_charge(&mixed, &POLICY, START);
        assert!(matches!(held, Standing::Held { .. }));
    }
}
