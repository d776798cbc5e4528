//! How long commits take at the moment: what clients wait for.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long the longest commit counts, at least; twice that at most.
const WINDOW_MS: u64 = 10_000;

#[derive(Default)]
pub(crate) struct Pace(Mutex<Windows>);

#[derive(Clone, Copy, Default)]
struct Windows {
    /// Which window this is, by monotonic time.
    number: u64,
    most_ms: u64,
    /// Of the window before.
    before_ms: u64,
}

impl Windows {
    fn at(self, now_ms: u64) -> Windows {
        let number = now_ms / WINDOW_MS;
        let before_ms = match number.saturating_sub(self.number) {
            0 => return self,
            1 => self.most_ms,
            _ => 0,
        };
        Windows {
            number,
            most_ms: 0,
            before_ms,
        }
    }
}

impl Pace {
    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit came back after so long. `now_ms` is monotonic.
    pub(crate) fn took(&self, took_ms: u64, now_ms: u64) {
        let mut windows = self.windows();
        *windows = windows.at(now_ms);
        windows.most_ms = windows.most_ms.max(took_ms.max(1));
    }

    /// The longest that a commit took lately, at least 1; 0 when there was none.
    pub(crate) fn most_ms(&self, now_ms: u64) -> u32 {
        let windows = self.windows().at(now_ms);
        let most_ms = windows.most_ms.max(windows.before_ms);
        u32::try_from(most_ms).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_commit_counts_for_one_to_two_windows() {
        let pace = Pace::default();
        assert_eq!(pace.most_ms(0), 0);
        pace.took(0, 1_000);
        assert_eq!(pace.most_ms(1_000), 1);
        pace.took(1_800, 9_000);
        pace.took(20, 9_500);
        assert_eq!(
            [9_999, 10_000, 19_999].map(|now_ms| pace.most_ms(now_ms)),
            [1_800; 3]
        );
        pace.took(20, 12_000);
        assert_eq!(pace.most_ms(19_999), 1_800);
        assert_eq!([20_000, 29_999].map(|now_ms| pace.most_ms(now_ms)), [20; 2]);
        assert_eq!(pace.most_ms(30_000), 0);
    }
}
