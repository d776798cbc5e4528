//! What a success is good for: some attempts from its source, within a day, are
//! not counted with those of strangers. When they have failed, the source is a
//! stranger's again until the next success, however long that takes: time earns
//! nothing, or one account of one's own would lift the bound on a crowd.

use super::place::{Place, TRUSTED_FAILURES, TRUSTED_MS};
use super::{Charge, Concluded, Sources};
use crate::ports::Clock;
use crate::queue::Turn;

/// Whether a success answers for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// One does.
    Given,
    /// One may, when it is known what those are for which it does already.
    Open,
    /// None does.
    Missing,
}

impl Sources {
    /// Whether a success answers for one more attempt of this source. What is
    /// given counts as a failure until [`Sources::conclude_trusted`].
    pub(crate) fn trust(&self, hash: &[u8; 32], now_ms: u64) -> Trust {
        let mut table = self.shard(hash).table();
        let place = table.find(hash);
        place.map_or(Trust::Missing, |place| place.trust(now_ms))
    }

    /// The same for one that is held off for so long where no success answers for
    /// it: waits until that is known.
    pub(crate) async fn charge_trust(
        &self,
        hash: &[u8; 32],
        clock: &dyn Clock,
        deadline_ms: u64,
        retry_after_ms: u64,
    ) -> Charge {
        let queues = &self.shard(hash).trusting;
        let mut own = None;
        loop {
            match self.trust(hash, clock.unix_ms()) {
                Trust::Given => return Charge::Charged,
                Trust::Missing => return Charge::Held { retry_after_ms },
                Trust::Open => {}
            }
            match queues.wait(&mut own, *hash, clock, deadline_ms).await {
                Turn::Come => {}
                Turn::Late => return Charge::Late,
                Turn::Full => return Charge::Full,
            }
        }
    }

    /// Notes the outcome of an attempt that a success has answered for.
    pub(crate) fn conclude_trusted(&self, hash: &[u8; 32], outcome: Concluded) {
        let shard = self.shard(hash);
        if let Some(place) = shard.table().find(hash) {
            place.trusted = place.trusted.saturating_sub(1);
            match outcome {
                Concluded::Kept => {}
                Concluded::Returned => place.failures = place.failures.saturating_sub(1),
                Concluded::Right => place.failures = 0,
            }
        }
        shard.trusting.wake(*hash);
    }
}

impl Place {
    fn trust(&mut self, now_ms: u64) -> Trust {
        if self.right_ms == 0 || now_ms.saturating_sub(self.right_ms) >= TRUSTED_MS {
            return Trust::Missing;
        }
        if self.failures < TRUSTED_FAILURES {
            self.failures += 1;
            self.trusted = self.trusted.saturating_add(1);
            return Trust::Given;
        }
        match self.trusted {
            0 => Trust::Missing,
            _ => Trust::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Account;
    use futures_util::FutureExt;
    use tidegate_account::SourcePolicy;

    const POLICY: SourcePolicy = SourcePolicy {
        free: 20,
        refill_ms: 1_000,
    };
    const UNBOUNDED: SourcePolicy = SourcePolicy {
        free: 0,
        refill_ms: 1_000,
    };
    const START: u64 = 1_000_000;

    struct At(u64);

    impl Clock for At {
        fn unix_ms(&self) -> u64 {
            self.0
        }

        fn monotonic_ms(&self) -> u64 {
            self.0
        }

        fn sleep(&self, _: u64) -> crate::ports::PortFuture<()> {
            Box::pin(std::future::pending())
        }
    }

    fn hash(source: u32) -> [u8; 32] {
        tidegate_account::tagged("tg-test-source", &[&source.to_le_bytes()])
    }

    fn succeed(sources: &Sources, policy: &SourcePolicy, now_ms: u64) {
        let account = Account {
            hash: &hash(1),
            policy,
        };
        assert!(
            sources
                .conclude(account, now_ms, Concluded::Right)
                .is_none()
        );
    }

    /// How many of so many wrong attempts a success answers for.
    fn trusted(sources: &Sources, now_ms: u64, attempts: u32) -> u32 {
        let mut trusted = 0;
        for _ in 0..attempts {
            if sources.trust(&hash(1), now_ms) == Trust::Given {
                trusted += 1;
                sources.conclude_trusted(&hash(1), Concluded::Kept);
            }
        }
        trusted
    }

    #[test]
    fn a_success_is_good_for_eight_failures_of_its_source_within_a_day() {
        for policy in [&POLICY, &UNBOUNDED] {
            let sources = Sources::new(100, 1_000);
            assert_eq!(trusted(&sources, START, 10), 0);
            succeed(&sources, policy, START);
            assert_eq!(trusted(&sources, START, 100), 8);
            // Hours earn nothing.
            assert_eq!(trusted(&sources, START + TRUSTED_MS / 2, 100), 0);
            succeed(&sources, policy, START + TRUSTED_MS / 2);
            assert_eq!(trusted(&sources, START + TRUSTED_MS, 3), 3);
            let over = START + TRUSTED_MS / 2 + TRUSTED_MS;
            assert_eq!(trusted(&sources, over - 1, 2), 2);
            assert_eq!(trusted(&sources, over, 100), 0);
            assert_eq!(sources.trust(&hash(2), START), Trust::Missing);
        }
    }

    #[test]
    fn what_was_right_or_not_judged_costs_no_trust() {
        let sources = Sources::new(100, 1_000);
        succeed(&sources, &POLICY, START);
        for outcome in [Concluded::Right, Concluded::Returned] {
            for _ in 0..100 {
                assert_eq!(sources.trust(&hash(1), START), Trust::Given);
                sources.conclude_trusted(&hash(1), outcome);
            }
        }
        assert_eq!(trusted(&sources, START, 100), 8);
    }

    #[test]
    fn one_that_would_be_one_too_many_because_of_others_waits_for_them() {
        let sources = Sources::new(100, 1_000);
        succeed(&sources, &POLICY, START);
        for _ in 0..8 {
            assert_eq!(sources.trust(&hash(1), START), Trust::Given);
        }
        let (hash, clock) = (hash(1), At(START));
        let waits = || Box::pin(sources.charge_trust(&hash, &clock, u64::MAX, 7_000));
        let (mut first, mut second) = (waits(), waits());
        assert_eq!(first.as_mut().now_or_never(), None);
        assert_eq!(second.as_mut().now_or_never(), None);
        sources.conclude_trusted(&hash, Concluded::Right);
        assert_eq!(first.as_mut().now_or_never(), Some(Charge::Charged));
        assert_eq!(second.as_mut().now_or_never(), Some(Charge::Charged));
        // The rest fail, and so does what came after the success.
        for _ in 0..9 {
            sources.conclude_trusted(&hash, Concluded::Kept);
        }
        assert_eq!(trusted(&sources, START, 100), 6);
        let held = Charge::Held {
            retry_after_ms: 7_000,
        };
        assert_eq!(waits().now_or_never(), Some(held));
    }

    /// What is known is worth more than any debt of sources that were invented.
    #[test]
    fn a_source_with_a_success_is_displaced_by_none_without() {
        let (sources, clock) = (Sources::new(512, 1_000), At(START));
        succeed(&sources, &POLICY, START);
        for source in 2..20_000 {
            let hash = hash(source);
            let account = Account {
                hash: &hash,
                policy: &POLICY,
            };
            let charge = sources.charge(
                account,
                &clock,
                u64::MAX,
                tidegate_storage_api::Region::FIRST,
                None,
            );
            assert_eq!(charge.now_or_never(), Some(Ok(Charge::Charged)));
            assert!(sources.conclude(account, START, Concluded::Kept).is_none());
        }
        assert_eq!(trusted(&sources, START, 100), 8);
    }
}
