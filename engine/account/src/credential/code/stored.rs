//! The stored form of a code that is waited for.
//!
//! Version 1: version u8 | purpose u8 | channel u8 | used u8 | tries left u8 |
//! sends u8 | number u8 | attempt 16 | issued u64 LE | expires u64 LE, Unix
//! milliseconds | code's hash 32 | link's hash 32. Frozen: a change of any field
//! is a new version.

use super::link::MatchNumber;
use super::live::{Channel, LiveCode, Use};
use crate::continuation::{AttemptId, Purpose};
use crate::record::Corrupt;

const VERSION: u8 = 1;
/// The stored form's length.
pub const LIVE_CODE_BYTES: usize = 7 + 16 + 2 * 8 + 2 * 32;

impl LiveCode {
    /// What is stored.
    #[must_use]
    pub fn encode(&self) -> [u8; LIVE_CODE_BYTES] {
        let mut bytes = [0; LIVE_CODE_BYTES];
        bytes[..7].copy_from_slice(&[
            VERSION,
            self.purpose.number(),
            self.channel as u8,
            self.used as u8,
            self.tries_left,
            self.sends,
            self.number.value(),
        ]);
        bytes[7..23].copy_from_slice(self.attempt.as_bytes());
        bytes[23..31].copy_from_slice(&self.issued_ms.to_le_bytes());
        bytes[31..39].copy_from_slice(&self.expires_ms.to_le_bytes());
        bytes[39..71].copy_from_slice(&self.code_hash);
        bytes[71..].copy_from_slice(&self.link_hash);
        bytes
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn decode(bytes: &[u8]) -> Result<LiveCode, Corrupt> {
        let (head, rest) = bytes.split_first_chunk::<7>().ok_or(Corrupt)?;
        let (attempt, rest) = rest.split_first_chunk::<16>().ok_or(Corrupt)?;
        let (issued, rest) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
        let (expires, rest) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
        let (code_hash, link_hash) = rest.split_first_chunk::<32>().ok_or(Corrupt)?;
        let [VERSION, purpose, channel, used, tries_left, sends, number] = *head else {
            return Err(Corrupt);
        };
        Ok(LiveCode {
            purpose: Purpose::of(purpose).ok_or(Corrupt)?,
            attempt: AttemptId::from_bytes(*attempt),
            channel: Channel::of(channel).ok_or(Corrupt)?,
            used: match used {
                0 => Use::Unused,
                1 => Use::Used,
                _ => return Err(Corrupt),
            },
            tries_left,
            sends,
            number: MatchNumber::new(number).ok_or(Corrupt)?,
            issued_ms: u64::from_le_bytes(*issued),
            expires_ms: u64::from_le_bytes(*expires),
            code_hash: *code_hash,
            link_hash: link_hash.try_into().map_err(|_| Corrupt)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> LiveCode {
        LiveCode {
            purpose: Purpose::Recover,
            attempt: AttemptId::from_bytes([0xA1; 16]),
            channel: Channel::Sms,
            used: Use::Used,
            tries_left: 3,
            sends: 2,
            number: MatchNumber::new(42).unwrap(),
            issued_ms: 0x0102,
            expires_ms: 0x0304,
            code_hash: [0xC0; 32],
            link_hash: [0x11; 32],
        }
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_nothing_else_does() {
        let bytes = live().encode();
        let golden = [
            &[1, 4, 2, 1, 3, 2, 42][..],
            &[0xA1; 16],
            &[2, 1, 0, 0, 0, 0, 0, 0],
            &[4, 3, 0, 0, 0, 0, 0, 0],
            &[0xC0; 32],
            &[0x11; 32],
        ];
        assert_eq!(bytes[..], golden.concat());
        assert_eq!(LiveCode::decode(&bytes).unwrap().encode(), bytes);
        let faults = [
            (0, 0),
            (0, 2),
            (1, 0),
            (1, 7),
            (2, 0),
            (2, 3),
            (3, 2),
            (6, 100),
        ];
        for (at, value) in faults {
            let mut other = bytes;
            other[at] = value;
            let read = LiveCode::decode(&other);
            assert_eq!(read.err(), Some(Corrupt), "{at} {value}");
        }
        for length in 0..LIVE_CODE_BYTES {
            assert_eq!(LiveCode::decode(&bytes[..length]).err(), Some(Corrupt));
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(LiveCode::decode(&longer).err(), Some(Corrupt));
    }
}
