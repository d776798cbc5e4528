//! Frames of answers: heads, bodies, and when to come again.

use bytes::BytesMut;
use tidegate_wire::{Body, Code, Kind, MESSAGE_VERSION, ReplyHead, encode_refusal, encode_reply};

/// Appends a frame without a body. A crowd that is told to come again is
/// spread: each waits up to twice as long as it must, by its correlation id.
pub(crate) fn refuse(
    out: &mut BytesMut,
    correlation: u64,
    code: Code,
    retry_after_ms: u32,
    epoch: u64,
) {
    let retry_after_ms = match code.kind() {
        Kind::Later | Kind::Unknown => spread(retry_after_ms, correlation),
        // What a person is told is exact.
        Kind::Yes | Kind::No | Kind::Fault => retry_after_ms,
    };
    refuse_until(out, correlation, code, retry_after_ms, epoch);
}

/// The same, with exactly this time to come again.
pub(crate) fn refuse_until(
    out: &mut BytesMut,
    correlation: u64,
    code: Code,
    retry_after_ms: u32,
    epoch: u64,
) {
    let head = ReplyHead {
        retry_after_ms,
        ..head(correlation, code, epoch)
    };
    encode_refusal(out, &head);
}

pub(crate) fn spread(ms: u32, correlation: u64) -> u32 {
    let hash = correlation.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let share = (u64::from(ms) * hash) >> 32;
    ms.saturating_add(u32::try_from(share).unwrap_or(ms))
}

/// Appends the frame of a yes.
pub(crate) fn yes(out: &mut BytesMut, correlation: u64, epoch: u64, body: &impl Body) {
    say(out, &head(correlation, Code::Ok, epoch), body);
}

pub(crate) fn say(out: &mut BytesMut, head: &ReplyHead, body: &impl Body) {
    if encode_reply(out, head, body).is_err() {
        // Every list in a reply has a limit below the frame's, so this is a bug.
        tracing::error!(event = "reply.too_large");
        refuse(out, head.correlation, Code::Unknown, 0, head.epoch);
    }
}

pub(crate) fn aged(head: ReplyHead, age_ms: u64) -> ReplyHead {
    let age_ms = u32::try_from(age_ms).unwrap_or(u32::MAX);
    ReplyHead { age_ms, ..head }
}

pub(crate) fn head(correlation: u64, code: Code, epoch: u64) -> ReplyHead {
    ReplyHead {
        version: MESSAGE_VERSION,
        code: code as u16,
        correlation,
        epoch,
        age_ms: 0,
        retry_after_ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_spread_over_once_to_twice_what_each_must_wait() {
        let waits: Vec<u32> = (0..10_000)
            .map(|correlation| spread(250, correlation))
            .collect();
        assert!(waits.iter().all(|ms| (250..500).contains(ms)));
        for quarter in 0..4 {
            let from = 250 + quarter * 62;
            let here = waits.iter().filter(|ms| (from..from + 62).contains(*ms));
            let share = here.count();
            assert!((2_200..2_800).contains(&share), "{quarter}: {share}");
        }
        assert_eq!(spread(0, 7), 0);
    }
}
