//! One try: the port, and how long it may take.

use std::sync::Arc;

use futures_util::future::{Either, select};
use tidegate_account::{Outgoing, UserId, outgoing_id};

use crate::people::People;
use crate::ports::{Letter, Sent};

/// How long one try may take, whatever the port does.
pub(super) const TRY_MS: u64 = 10_000;
/// How long the first pause is at most; each is twice as long as the one before.
const PAUSE_MS: u64 = 2_000;
const PAUSE_MAX_MS: u64 = 60 * 60 * 1000;

/// What one try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Delivered,
    /// It will never be.
    Refused,
    /// It was not, or it is not known whether it was.
    Failed,
}

impl People {
    pub(super) async fn send(&self, user: UserId, number: u64, outgoing: &Outgoing) -> Tried {
        let shared = self.shared();
        let letter = Letter {
            id: outgoing_id(user, number),
            user,
            outgoing: outgoing.clone(),
        };
        let delivery = Arc::clone(&shared.ports.delivery);
        // On a task of its own: a port that panics fails this try and nothing else.
        let sent = tokio::spawn(async move { delivery.send(letter).await });
        match select(sent, shared.ports.clock.sleep(TRY_MS)).await {
            Either::Left((Ok(Sent::Delivered), _)) => Tried::Delivered,
            Either::Left((Ok(Sent::Refused), _)) => Tried::Refused,
            Either::Left((Ok(Sent::Failed) | Err(_), _)) => Tried::Failed,
            Either::Right(((), sent)) => {
                sent.abort();
                Tried::Failed
            }
        }
    }
}

/// How long to wait after so many tries that failed: between half of the pause and
/// all of it, so that what failed together does not come back together.
pub(super) fn back_off_ms(tries: u16, seed: [u8; 32]) -> u64 {
    let doubled = 1u64.checked_shl(u32::from(tries)).unwrap_or(u64::MAX);
    let pause_ms = PAUSE_MS.saturating_mul(doubled).min(PAUSE_MAX_MS);
    let [a, b, c, d, ..] = seed;
    let drawn = u64::from(u32::from_le_bytes([a, b, c, d]));
    pause_ms / 2 + drawn % (pause_ms / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_are_spread_over_their_half() {
        let pauses = |fill| [0, 1, 5, 10, 11, 63, 64, u16::MAX].map(|n| back_off_ms(n, [fill; 32]));
        let most = [
            2_000, 4_000, 64_000, 2_048_000, 3_600_000, 3_600_000, 3_600_000, 3_600_000,
        ];
        assert_eq!(pauses(0), most.map(|most| most / 2));
        for fill in 1..=u8::MAX {
            for (pause, most) in pauses(fill).into_iter().zip(most) {
                assert!((most / 2..=most).contains(&pause), "{fill} {pause} {most}");
            }
        }
        assert_ne!(pauses(1), pauses(2));
    }
}
