//! How long a message waits between two tries.

/// How long the first pause is at most; each is twice as long as the one before.
const PAUSE_MS: u64 = 2_000;
pub(super) const PAUSE_MAX_MS: u64 = 60 * 60 * 1000;
/// How long what waits for a destination that fails is left alone at most: of
/// 100,000 messages then some 75 a second are looked at.
const FAILING_MAX_MS: u64 = 30 * 60 * 1000;
/// What is worth nothing any more after so long is a code that its person waits for.
const SHORT_WORTH_MS: u64 = 15 * 60 * 1000;
/// How long that is left alone at most, behind the breaker.
const SOON_MS: u64 = 5_000;

/// How long to wait after so many tries that failed: between half of the pause and
/// all of it, so that what failed together does not come back together.
pub(super) fn back_off_ms(tries: u16, seed: [u8; 32]) -> u64 {
    let doubled = 1u64.checked_shl(u32::from(tries)).unwrap_or(u64::MAX);
    let pause_ms = PAUSE_MS.saturating_mul(doubled).min(PAUSE_MAX_MS);
    spread_ms(pause_ms, seed)
}

/// How long to wait for a destination that has not answered for so long: as long
/// again, at least and at most as above. So what waits for it is looked at ever less
/// often, and however much that is, of none of it is anything remembered.
///
/// What is worth something for a short while only waits for no longer than that the
/// destination may be tried again, and a moment.
pub(super) fn behind_breaker_ms(failing_ms: u64, worth_ms: u64, seed: [u8; 32]) -> u64 {
    let most_ms = match worth_ms <= SHORT_WORTH_MS {
        true => SOON_MS,
        false => FAILING_MAX_MS,
    };
    spread_ms(failing_ms.clamp(PAUSE_MS, most_ms), seed)
}

fn spread_ms(pause_ms: u64, seed: [u8; 32]) -> u64 {
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

    #[test]
    fn what_waits_for_a_destination_waits_as_long_again_as_that_has_failed() {
        let pauses = |fill| {
            let failing = [0, 5_000, 600_000, u64::MAX];
            failing.map(|failing_ms| behind_breaker_ms(failing_ms, u64::MAX, [fill; 32]))
        };
        assert_eq!(pauses(0), [1_000, 2_500, 300_000, 900_000]);
        let most = [2_000, 5_000, 600_000, 1_800_000];
        for fill in 1..=u8::MAX {
            assert!(
                pauses(fill)
                    .iter()
                    .zip(most)
                    .all(|(pause, most)| *pause <= most)
            );
        }
    }

    #[test]
    fn a_code_that_its_person_waits_for_is_looked_at_again_soon() {
        for (worth_ms, most) in [
            (0, 5_000),
            (SHORT_WORTH_MS, 5_000),
            (SHORT_WORTH_MS + 1, 600_000),
        ] {
            let pause_ms = behind_breaker_ms(600_000, worth_ms, [0; 32]);
            assert_eq!(pause_ms, most / 2, "{worth_ms}");
        }
    }
}
