//! How often something is sent to one address: at most so many times an hour,
//! whoever asks and for whatever attempt.
//!
//! Stored, version 1: version u8 | the last sends, u32 LE Unix seconds each,
//! rounded up, oldest first, 0 where there was none.

use crate::corrupt::Corrupt;

const VERSION: u8 = 1;
const HOUR_MS: u64 = 3_600_000;
const SECOND_MS: u64 = 1_000;

/// How many sends of an address are remembered: the most that an hour may have.
pub const SENDS_KEPT: usize = 8;
/// The stored form's length.
pub const SEND_LOG_BYTES: usize = 1 + 4 * SENDS_KEPT;

/// When something was last sent to an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendLog {
    at_s: [u32; SENDS_KEPT],
}

impl SendLog {
    /// How long to wait until one more may be sent, in milliseconds; 0: it may
    /// be now. An hour has at most `per_hour` sends, and [`SENDS_KEPT`] at most.
    #[must_use]
    pub fn wait_ms(&self, per_hour: u8, now_ms: u64) -> u64 {
        let first = SENDS_KEPT - usize::from(per_hour).min(SENDS_KEPT);
        // The oldest of the last `per_hour` sends; where none is allowed, there
        // is none to wait for.
        let Some(at_s) = self.at_s.get(first) else {
            return HOUR_MS;
        };
        let at_ms = in_ms(*at_s);
        let misdated = at_ms > now_ms.saturating_add(HOUR_MS + SECOND_MS);
        match at_ms == 0 || misdated {
            true => 0,
            false => HOUR_MS.saturating_sub(now_ms.saturating_sub(at_ms)),
        }
    }

    /// Notes one more.
    pub fn note(&mut self, now_ms: u64) {
        self.at_s.rotate_left(1);
        let at_s = u32::try_from(now_ms.div_ceil(SECOND_MS)).unwrap_or(u32::MAX);
        self.at_s[SENDS_KEPT - 1] = at_s;
    }

    /// When nothing of it counts any more, in Unix milliseconds.
    #[must_use]
    pub fn over_at(&self) -> u64 {
        match self.at_s[SENDS_KEPT - 1] {
            0 => 0,
            last_s => in_ms(last_s).saturating_add(HOUR_MS),
        }
    }

    /// Whether nothing of it counts any more.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        let last_s = self.at_s[SENDS_KEPT - 1];
        last_s == 0 || now_ms.saturating_sub(in_ms(last_s)) >= HOUR_MS
    }

    /// What is stored.
    #[must_use]
    pub fn encode(&self) -> [u8; SEND_LOG_BYTES] {
        let mut bytes = [VERSION; SEND_LOG_BYTES];
        for (place, at_s) in bytes[1..].chunks_exact_mut(4).zip(self.at_s) {
            place.copy_from_slice(&at_s.to_le_bytes());
        }
        bytes
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn decode(bytes: &[u8]) -> Result<SendLog, Corrupt> {
        let [VERSION, rest @ ..] = bytes else {
            return Err(Corrupt);
        };
        let (times, []) = rest.as_chunks::<4>() else {
            return Err(Corrupt);
        };
        let times: &[[u8; 4]; SENDS_KEPT] = times.try_into().map_err(|_| Corrupt)?;
        let at_s = times.map(u32::from_le_bytes);
        Ok(SendLog { at_s })
    }
}

fn in_ms(seconds: u32) -> u64 {
    u64::from(seconds) * SECOND_MS
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn log(times: &[u64]) -> SendLog {
        let mut log = SendLog::default();
        for at_ms in times {
            log.note(*at_ms);
        }
        log
    }

    #[test]
    fn an_hour_has_at_most_so_many() {
        let full = log(&[1_000, 2_000, 3_000]);
        let waits = [1, 2, 3, 4, 8, 200].map(|per_hour| full.wait_ms(per_hour, 5_000));
        assert_eq!(waits, [3_598_000, 3_597_000, 3_596_000, 0, 0, 0]);
        assert_eq!(full.wait_ms(3, 1_000 + HOUR_MS - 1), 1);
        assert_eq!(full.wait_ms(3, 1_000 + HOUR_MS), 0);
        assert_eq!(full.wait_ms(0, 1 << 60), HOUR_MS);
        assert_eq!(SendLog::default().wait_ms(1, 5_000), 0);
        let many = log(&(1..=20).map(|n| n * 1_000).collect::<Vec<_>>());
        assert_eq!(many.wait_ms(200, 20_000), HOUR_MS - 7_000);
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_time_pass_and_a_wrong_date_holds_nobody() {
        let one = log(&[10 * HOUR_MS]);
        assert_eq!(one.wait_ms(1, 9 * HOUR_MS), HOUR_MS);
        assert_eq!(one.wait_ms(1, 9 * HOUR_MS - SECOND_MS - 1), 0);
    }

    #[test]
    fn what_is_an_hour_old_is_over() {
        let one = log(&[5]);
        let over = [5, HOUR_MS + 999, HOUR_MS + 1_000].map(|now_ms| one.is_over(now_ms));
        assert_eq!(over, [false, false, true]);
        assert!(SendLog::default().is_over(0));
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_nothing_else_does() {
        let log = log(&[0x0102 * SECOND_MS, 0x0304 * SECOND_MS - 999]);
        let bytes = log.encode();
        let mut golden = [0; SEND_LOG_BYTES];
        golden[0] = 1;
        golden[25..27].copy_from_slice(&[0x02, 0x01]);
        golden[29..31].copy_from_slice(&[0x04, 0x03]);
        assert_eq!(bytes, golden);
        assert_eq!(SendLog::decode(&bytes), Ok(log));
        let mut newer = bytes;
        newer[0] = 2;
        let longer = [&bytes[..], &[0]].concat();
        for other in [&newer[..], &bytes[..32], &longer, &[1], &[]] {
            assert_eq!(SendLog::decode(other), Err(Corrupt));
        }
    }
}
