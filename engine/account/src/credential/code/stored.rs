//! The stored form of a code that is waited for.
//!
//! Version 1: version u8 | purpose u8 | channel u8 | used u8 | tries left u8 |
//! sends u8 | number u8 | issued u64 LE | expires u64 LE, Unix milliseconds |
//! code's hash 16 | link's hash 16. Its attempt stands beside it. Frozen: a change
//! of any field is a new version.

use super::link::MatchNumber;
use super::live::{CODE_HASH_BYTES, Channel, LiveCode, Use};
use crate::continuation::{AttemptId, Purpose};
use crate::corrupt::Corrupt;

const VERSION: u8 = 1;
/// The stored form's length.
pub const LIVE_CODE_BYTES: usize = 7 + 2 * 8 + 2 * CODE_HASH_BYTES;

/// As stored: of two that are kept beside one another, and no answer to a guess.
impl PartialEq for LiveCode {
    fn eq(&self, other: &LiveCode) -> bool {
        self.attempt == other.attempt && self.encode() == other.encode()
    }
}

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
        bytes[7..15].copy_from_slice(&self.issued_ms.to_le_bytes());
        bytes[15..23].copy_from_slice(&self.expires_ms.to_le_bytes());
        bytes[23..39].copy_from_slice(&self.code_hash);
        bytes[39..].copy_from_slice(&self.link_hash);
        bytes
    }

    /// Reads what was stored of an attempt.
    ///
    /// # Errors
    /// [`Corrupt`] when it is none of a version that this code reads.
    pub fn decode(attempt: AttemptId, bytes: &[u8]) -> Result<LiveCode, Corrupt> {
        let (head, rest) = bytes.split_first_chunk::<7>().ok_or(Corrupt)?;
        let (issued, rest) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
        let (expires, rest) = rest.split_first_chunk::<8>().ok_or(Corrupt)?;
        let (code_hash, link_hash) = rest.split_first_chunk::<CODE_HASH_BYTES>().ok_or(Corrupt)?;
        let [VERSION, purpose, channel, used, tries_left, sends, number] = *head else {
            return Err(Corrupt);
        };
        Ok(LiveCode {
            purpose: Purpose::of(purpose).ok_or(Corrupt)?,
            attempt,
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
            code_hash: [0xC0; 16],
            link_hash: [0x11; 16],
        }
    }

    #[test]
    fn it_reads_back_as_it_was_written_and_nothing_else_does() {
        let bytes = live().encode();
        let golden = [
            &[1, 4, 2, 1, 3, 2, 42][..],
            &[2, 1, 0, 0, 0, 0, 0, 0],
            &[4, 3, 0, 0, 0, 0, 0, 0],
            &[0xC0; 16],
            &[0x11; 16],
        ];
        assert_eq!(bytes[..], golden.concat());
        assert_eq!(
            LiveCode::decode(live().attempt, &bytes).unwrap().encode(),
            bytes
        );
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
            let read = LiveCode::decode(live().attempt, &other);
            assert_eq!(read.err(), Some(Corrupt), "{at} {value}");
        }
        for length in 0..LIVE_CODE_BYTES {
            assert_eq!(
                LiveCode::decode(live().attempt, &bytes[..length]).err(),
                Some(Corrupt)
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(
            LiveCode::decode(live().attempt, &longer).err(),
            Some(Corrupt)
        );
    }
}
