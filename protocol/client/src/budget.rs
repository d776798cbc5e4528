//! Retries are paid from a budget, so that a client never doubles the load of
//! a node that is already struggling.

use std::sync::atomic::{AtomicI64, Ordering};

use tidegate_wire::Class;

/// What one call earns and what one retry costs, in tenths of a retry.
const EARNED: i64 = 1;
const COST: i64 = 10;
/// As many as may wait for one person: a commit whose outcome is not known
/// tells all of them at once.
const FULL: i64 = 32 * COST;

/// At most one retry for ten calls, with 32 in reserve.
pub(crate) struct Budget {
    tenths: AtomicI64,
}

impl Budget {
    pub(crate) fn full() -> Budget {
        Budget {
            tenths: AtomicI64::new(FULL),
        }
    }

    pub(crate) fn earn(&self) {
        let more = |tenths: i64| Some((tenths + EARNED).min(FULL));
        // The closure always gives a value, so this always succeeds.
        let _ = self
            .tenths
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Whether one more retry may be made; takes its cost if so.
    pub(crate) fn spend(&self) -> bool {
        let less = |tenths: i64| (tenths >= COST).then_some(tenths - COST);
        self.tenths
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

/// A budget for each class, so that none is spent by another's retries.
pub(crate) struct Budgets {
    protection: Budget,
    check: Budget,
    refresh: Budget,
    password: Budget,
    registration: Budget,
}

impl Budgets {
    pub(crate) fn full() -> Budgets {
        Budgets {
            protection: Budget::full(),
            check: Budget::full(),
            refresh: Budget::full(),
            password: Budget::full(),
            registration: Budget::full(),
        }
    }

    pub(crate) fn of(&self, class: Class) -> &Budget {
        match class {
            Class::Protection => &self.protection,
            Class::Check => &self.check,
            Class::Refresh => &self.refresh,
            Class::Password => &self.password,
            Class::Registration => &self.registration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_two_retries_at_once_and_then_one_for_ten_calls() {
        let budget = Budget::full();
        assert_eq!((0..50).filter(|_| budget.spend()).count(), 32);
        (0..9).for_each(|_| budget.earn());
        assert!(!budget.spend());
        budget.earn();
        assert_eq!([budget.spend(), budget.spend()], [true, false]);
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!((0..50).filter(|_| budget.spend()).count(), 32);
    }

    #[test]
    fn what_one_class_spends_is_no_others() {
        let budgets = Budgets::full();
        while budgets.of(Class::Refresh).spend() {}
        for class in Class::ALL {
            let spent = class == Class::Refresh;
            assert_eq!(budgets.of(class).spend(), !spent, "{class:?}");
        }
    }
}
