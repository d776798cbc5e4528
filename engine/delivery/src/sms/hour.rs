//! How many may leave within an hour: all of it at once at first, and afterwards as
//! time gives back, evenly.

const HOUR_MS: u64 = 3_600_000;

/// A bound on an hour's messages.
pub(super) struct Hour {
    per_hour: u64,
    /// What is there, in parts of which one message takes [`HOUR_MS`].
    left: u64,
    seen_ms: u64,
}

impl Hour {
    pub(super) fn new(per_hour: u32) -> Hour {
        let per_hour = u64::from(per_hour);
        Hour {
            per_hour,
            left: per_hour * HOUR_MS,
            seen_ms: 0,
        }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now_ms: u64) -> bool {
        let since_ms = now_ms.saturating_sub(self.seen_ms);
        let given = since_ms.saturating_mul(self.per_hour);
        self.left = self.left.saturating_add(given).min(self.per_hour * HOUR_MS);
        self.seen_ms = now_ms;
        match self.left.checked_sub(HOUR_MS) {
            None => false,
            Some(left) => {
                self.left = left;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_gives_so_many_and_no_more() {
        let mut hour = Hour::new(3);
        let taken = [0, 0, 0, 0, 1_199_999, 1_200_000, 1_200_000].map(|ms| hour.take(ms));
        assert_eq!(taken, [true, true, true, false, false, true, false]);
        let taken = [u64::MAX; 4].map(|ms| hour.take(ms));
        assert_eq!(taken, [true, true, true, false]);
    }
}
