//! What its destination has taken or refused, until that is written down: while the
//! node lives it is not sent again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So much may be answered and not written down; then nothing more is sent.
const ANSWERED_MAX: usize = 4_096;

/// What a destination said for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    Refused,
}

/// By person and number.
type Message = ([u8; 16], u64);

/// Verdicts that are not written down yet, and under which epoch each was given.
#[derive(Default)]
pub(super) struct Answered(Mutex<BTreeMap<Message, (u64, Verdict)>>);

impl Answered {
    pub(super) fn note(&self, message: Message, epoch: u64, verdict: Verdict) {
        self.all().insert(message, (epoch, verdict));
    }

    pub(super) fn of(&self, message: Message) -> Option<Verdict> {
        self.all().get(&message).map(|(_, verdict)| *verdict)
    }

    pub(super) fn forget(&self, message: Message) {
        self.all().remove(&message);
    }

    /// Whether nothing more may be sent. What belongs to another node by now, which
    /// sends it again, is forgotten first.
    pub(super) fn is_full(&self, is_ours: impl Fn(Message, u64) -> bool) -> bool {
        let mut all = self.all();
        if all.len() >= ANSWERED_MAX {
            all.retain(|message, (epoch, _)| is_ours(*message, *epoch));
        }
        all.len() >= ANSWERED_MAX
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Message, (u64, Verdict)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_down_is_known_and_bounded() {
        let answered = Answered::default();
        answered.note(([1; 16], 1), 7, Verdict::Refused);
        assert_eq!(answered.of(([1; 16], 1)), Some(Verdict::Refused));
        answered.forget(([1; 16], 1));
        assert_eq!(answered.of(([1; 16], 1)), None);
        for number in 0..ANSWERED_MAX as u64 {
            assert!(!answered.is_full(|_, _| false));
            answered.note(([1; 16], number), number % 2, Verdict::Delivered);
        }
        assert!(answered.is_full(|_, _| true));
        assert!(!answered.is_full(|_, epoch| epoch == 1));
        assert_eq!(answered.all().len(), ANSWERED_MAX / 2);
    }
}
