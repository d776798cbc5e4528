//! What comes from nowhere in particular: attempts whose source is not named,
//! or from which no sign-in was seen to succeed. A gateway that names no sources, or
//! one for each request, lifts the bound on sources; this one holds all the
//! same, for each tenant and for each gateway.
//!
//! The generic cell rate algorithm (ITU-T I.371) over wrong attempts: `free` at
//! once, one more every `refill_ms`, and one more for every attempt that was
//! right, up to ten times `free` (`meter.rs`). Time pays debts and earns nothing, or a
//! quiet hour would be worth ten times `free` to an attacker. So it bounds the
//! rate of failures and their share. What is under way counts as wrong, and who
//! would be one too many because of it waits. In memory alone: a restart forgives
//! `free`.

mod meter;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_account::SourcePolicy;

use self::meter::{Admitted, Meter};
use crate::ports::Clock;
use crate::queue::{Queues, Turn};
use crate::sources::{Charge, Concluded};

/// Tenants and gateways are few; beyond this the quietest is forgotten.
const METERS_MAX: usize = 10_000;

/// Whose attempts are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Crowd {
    Tenant(u64),
    Gateway(u64),
}

/// Every crowd that is counted here.
pub(crate) struct Crowds {
    meters: Mutex<BTreeMap<Crowd, Meter>>,
    /// Who waits for others of a crowd.
    queues: Queues<Crowd>,
}

enum Standing {
    Charged,
    /// It depends on what is under way of this one.
    Wait(Crowd),
    Held {
        retry_after_ms: u64,
    },
}

impl Crowds {
    /// Of each crowd so many may wait for others.
    pub(crate) fn new(waiting_max: usize) -> Crowds {
        Crowds {
            meters: Mutex::default(),
            queues: Queues::new(waiting_max),
        }
    }

    /// Charges an attempt to all of these, or to none; waits while that depends
    /// on others under way, and no longer than to the deadline.
    pub(crate) async fn charge(
        &self,
        crowds: &[Crowd],
        policy: &SourcePolicy,
        clock: &dyn Clock,
        deadline_ms: u64,
    ) -> Charge {
        if policy.free == 0 {
            return Charge::Charged;
        }
        let mut own = None;
        loop {
            let crowd = match self.try_charge(crowds, policy, clock.monotonic_ms()) {
                Standing::Charged => return Charge::Charged,
                Standing::Held { retry_after_ms } => return Charge::Held { retry_after_ms },
                Standing::Wait(crowd) => crowd,
            };
            match self.queues.wait(&mut own, crowd, clock, deadline_ms).await {
                Turn::Come => {}
                Turn::Late => return Charge::Late,
                Turn::Full => return Charge::Full,
            }
        }
    }

    fn try_charge(&self, crowds: &[Crowd], policy: &SourcePolicy, now_ms: u64) -> Standing {
        let mut meters = self.meters();
        for crowd in crowds {
            let meter = meters.get(crowd).copied().unwrap_or_default();
            match meter.admit(policy, now_ms) {
                Admitted::Now => {}
                Admitted::Perhaps => return Standing::Wait(*crowd),
                Admitted::Later { retry_after_ms } => return Standing::Held { retry_after_ms },
            }
        }
        for crowd in crowds {
            let meter = meters.entry(*crowd).or_default();
            meter.begin(policy);
        }
        while meters.len() > METERS_MAX {
            // One that others are charged to stays: it must hear of them.
            let idle = meters.iter().filter(|(_, meter)| meter.is_idle());
            let quietest = idle.min_by_key(|(_, meter)| meter.debt(now_ms));
            let Some(quietest) = quietest.map(|(crowd, _)| *crowd) else {
                break;
            };
            meters.remove(&quietest);
        }
        Standing::Charged
    }

    /// Notes the outcome of an attempt that was charged.
    pub(crate) fn conclude(
        &self,
        crowds: &[Crowd],
        policy: &SourcePolicy,
        now_ms: u64,
        outcome: Concluded,
    ) {
        // Nothing was charged where nothing bounds.
        if policy.free == 0 {
            return;
        }
        let mut meters = self.meters();
        for crowd in crowds {
            if let Some(meter) = meters.get_mut(crowd) {
                meter.conclude(policy, now_ms, outcome);
            }
        }
        drop(meters);
        for crowd in crowds {
            self.queues.wake(*crowd);
        }
    }

    fn meters(&self) -> MutexGuard<'_, BTreeMap<Crowd, Meter>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
                crowds.conclude(&CROWDS, &POLICY, now_ms, outcome);
            }
        }
        charged
    }

    #[test]
    fn spraying_without_a_source_is_bounded_in_number_and_rate() {
        let crowds = Crowds::new(100);
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

    /// An attacker who waits has no more than one who does not.
    #[test]
    fn a_quiet_hour_pays_what_is_owed_and_earns_nothing() {
        for before in [0, 1, 1_000] {
            let crowds = Crowds::new(100);
            attempts(&crowds, START, before, Concluded::Kept);
            let later = START + 3_600_000;
            assert_eq!(attempts(&crowds, later, 1_000, Concluded::Kept), 30);
        }
        // What was earned is there after an hour, once.
        let crowds = Crowds::new(100);
        attempts(&crowds, START, 20, Concluded::Right);
        let later = START + 3_600_000;
        assert_eq!(attempts(&crowds, later, 1_000, Concluded::Kept), 50);
        let much_later = later + 3_600_000;
        assert_eq!(attempts(&crowds, much_later, 1_000, Concluded::Kept), 30);
    }

    #[test]
    fn an_attempt_that_was_not_judged_changes_nothing_in_debt_or_in_credit() {
        let crowds = Crowds::new(100);
        attempts(&crowds, START, 20, Concluded::Right);
        assert_eq!(attempts(&crowds, START, 500, Concluded::Returned), 500);
        assert_eq!(attempts(&crowds, START, 40, Concluded::Kept), 40);
        assert_eq!(attempts(&crowds, START, 500, Concluded::Returned), 500);
        assert_eq!(attempts(&crowds, START, 1_000, Concluded::Kept), 10);
    }

    #[test]
    fn a_tenant_without_a_bound_gives_its_gateway_nothing_back() {
        let unbounded = SourcePolicy {
            free: 0,
            refill_ms: 1_000,
        };
        let crowds = Crowds::new(100);
        assert_eq!(attempts(&crowds, START, 1_000, Concluded::Kept), 30);
        for outcome in [Concluded::Right, Concluded::Returned, Concluded::Kept] {
            crowds.conclude(&CROWDS, &unbounded, START, outcome);
        }
        assert_eq!(attempts(&crowds, START, 1_000, Concluded::Kept), 0);
        assert_eq!(attempts(&crowds, START + 1_000, 1_000, Concluded::Kept), 1);
    }

    #[test]
    fn right_attempts_cost_nothing_and_earn_room_for_mistakes_up_to_a_bound() {
        let crowds = Crowds::new(100);
        assert_eq!(attempts(&crowds, START, 5_000, Concluded::Right), 5_000);
        assert_eq!(attempts(&crowds, START, 5_000, Concluded::Kept), 330);
    }

    #[test]
    fn one_that_is_one_too_many_because_of_those_under_way_waits_for_them() {
        let crowds = Crowds::new(100);
        for _ in 0..30 {
            let charged = crowds.try_charge(&CROWDS, &POLICY, START);
            assert!(matches!(charged, Standing::Charged));
        }
        let waits = crowds.try_charge(&CROWDS, &POLICY, START);
        assert!(matches!(waits, Standing::Wait(Crowd::Tenant(1))));
        crowds.conclude(&CROWDS, &POLICY, START, Concluded::Right);
        let charged = crowds.try_charge(&CROWDS, &POLICY, START);
        assert!(matches!(charged, Standing::Charged));
    }

    #[test]
    fn another_tenant_through_another_gateway_is_not_touched() {
        let crowds = Crowds::new(100);
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
