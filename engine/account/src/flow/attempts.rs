//! What must be durable of flows: which codes were sent and how often, which
//! steps were taken, and how often codes were wrong.
//!
//! A step is taken once. An attempt of which nothing is remembered may go on,
//! unless it could be one that made room for others: all of those end no later
//! than the horizon.

use alloc::vec::Vec;

use crate::continuation::AttemptId;
use crate::credential::code::{LiveCode, SendLog};
use crate::guess::Guesses;
use crate::policy::GuessPolicy;

/// The most attempts of one account that are remembered; one without a code,
/// and of those the one that ends first, makes room.
pub const ATTEMPTS_MAX: usize = 6;
/// To so many identifiers of one account something is sent in an hour.
pub const SENT_TO_MAX: usize = 4;

/// Where a flow is: what an answer must find, to be taken once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowPlace {
    /// The attempt.
    pub attempt: AttemptId,
    /// How many steps were taken.
    pub step: u16,
    /// When the flow ends, in Unix milliseconds.
    pub expires_ms: u64,
}

/// A step that was taken already, or whose flow is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over;

/// An attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Which.
    pub id: AttemptId,
    /// How many steps were taken.
    pub step: u16,
    /// When its flow ends, in Unix milliseconds.
    pub expires_ms: u64,
    /// The code that is waited for, or was used.
    pub code: Option<LiveCode>,
}

/// When something was sent to one of the account's identifiers.
#[derive(Clone, Debug, PartialEq)]
pub struct SendLogRow {
    /// The identifier's number.
    pub number: u16,
    /// When.
    pub log: SendLog,
}

/// What is remembered of an account's flows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempts {
    /// At most [`ATTEMPTS_MAX`].
    pub rows: Vec<Attempt>,
    /// No attempt that ends at or before this, in Unix milliseconds, goes on
    /// unless it is among the rows.
    pub horizon_ms: u64,
    /// At most [`SENT_TO_MAX`].
    pub sends: Vec<SendLogRow>,
    /// Codes that were wrong, over all attempts.
    pub failures: Guesses,
}

impl Attempts {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Attempts::default()
    }

    /// Whether a flow may go on from this place.
    pub(crate) fn admit(&self, place: FlowPlace) -> Result<(), Over> {
        match self.row(place.attempt) {
            #[cfg(tidegate_planted)]
            Some(_) if crate::planted::is(crate::planted::Bug::CodeTwice) => Ok(()),
            Some(row) if row.step == place.step => Ok(()),
            None if place.expires_ms > self.horizon_ms => Ok(()),
            Some(_) | None => Err(Over),
        }
    }

    /// Takes the step, which no other answer takes then.
    pub(crate) fn advance(&mut self, place: FlowPlace, now_ms: u64) -> Result<(), Over> {
        self.admit(place)?;
        self.enter(place, now_ms).step = place.step.saturating_add(1);
        Ok(())
    }

    /// The attempt's row, made where there is none.
    pub(crate) fn enter(&mut self, place: FlowPlace, now_ms: u64) -> &mut Attempt {
        let known = self.rows.iter().position(|row| row.id == place.attempt);
        let at = known.unwrap_or_else(|| {
            self.make_room(now_ms);
            self.rows.push(Attempt {
                id: place.attempt,
                step: place.step,
                expires_ms: place.expires_ms,
                code: None,
            });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }

    fn row(&self, id: AttemptId) -> Option<&Attempt> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// The code of an attempt.
    pub(crate) fn code(&self, id: AttemptId) -> Option<&LiveCode> {
        self.row(id).and_then(|row| row.code.as_ref())
    }

    /// The code of an attempt, to be charged.
    pub(crate) fn code_mut(&mut self, id: AttemptId) -> Option<&mut LiveCode> {
        let row = self.rows.iter_mut().find(|row| row.id == id);
        row.and_then(|row| row.code.as_mut())
    }

    /// When something was sent to an identifier; how long to wait, in milliseconds,
    /// where too many others were written to.
    pub(crate) fn sends_mut(&mut self, number: u16, now_ms: u64) -> Result<&mut SendLog, u64> {
        let known = self.sends.iter().position(|row| row.number == number);
        if known.is_none() {
            self.sends.retain(|row| !row.log.is_over(now_ms));
            if self.sends.len() >= SENT_TO_MAX {
                let over_ms = self.sends.iter().map(|row| row.log.over_at()).min();
                return Err(over_ms.unwrap_or(0).saturating_sub(now_ms).max(1));
            }
        }
        let at = known.unwrap_or_else(|| {
            let log = SendLog::default();
            self.sends.push(SendLogRow { number, log });
            self.sends.len() - 1
        });
        Ok(&mut self.sends[at].log)
    }

    fn make_room(&mut self, now_ms: u64) {
        self.rows.retain(|row| row.expires_ms > now_ms);
        while self.rows.len() >= ATTEMPTS_MAX {
            let rows = self.rows.iter().enumerate();
            // Who waits for a mail goes last.
            let first = rows.min_by_key(|(_, row)| (row.code.is_some(), row.expires_ms));
            let Some((first, _)) = first else {
                return;
            };
            let row = self.rows.swap_remove(first);
            self.horizon_ms = self.horizon_ms.max(row.expires_ms);
        }
    }

    /// Ends every attempt of which something is known but this one: none in which a
    /// code was sent or a step taken goes on.
    pub(crate) fn end(&mut self, but: Option<AttemptId>) {
        let others = |row: &mut Attempt| Some(row.id) != but;
        for row in self.rows.extract_if(.., others) {
            self.horizon_ms = self.horizon_ms.max(row.expires_ms);
        }
    }

    /// Drops what is over; whether anything was. What identifiers the account
    /// has no more were sent goes with them.
    pub(crate) fn prune(
        &mut self,
        numbers: impl Fn(u16) -> bool,
        now_ms: u64,
        policy: &GuessPolicy,
    ) -> bool {
        let before = (self.rows.len(), self.sends.len());
        self.rows.retain(|row| row.expires_ms > now_ms);
        self.sends
            .retain(|row| numbers(row.number) && !row.log.is_over(now_ms));
        let mut changed = before != (self.rows.len(), self.sends.len());
        if self.horizon_ms != 0 && self.horizon_ms <= now_ms {
            self.horizon_ms = 0;
            changed = true;
        }
        if self.failures.failures > 0 && self.failures.are_forgotten(now_ms, policy) {
            self.failures = Guesses::default();
            changed = true;
        }
        changed
    }

    /// When nothing of it counts any more, in Unix milliseconds; `None` when
    /// there is nothing.
    pub(crate) fn over_at(&self, policy: &GuessPolicy) -> Option<u64> {
        let rows = self.rows.iter().map(|row| row.expires_ms);
        let sends = self.sends.iter().map(|row| row.log.over_at());
        let failures = (self.failures.failures > 0)
            .then(|| self.failures.failed_at.saturating_add(policy.forget_ms));
        let horizon = (self.horizon_ms > 0).then_some(self.horizon_ms);
        rows.chain(sends).chain(failures).chain(horizon).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn place(attempt: u8, step: u16, expires_ms: u64) -> FlowPlace {
        FlowPlace {
            attempt: AttemptId::from_bytes([attempt; 16]),
            step,
            expires_ms,
        }
    }

    #[test]
    fn a_step_is_taken_once() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.advance(place(1, 0, 900), 0), Ok(()));
        assert_eq!(attempts.advance(place(1, 0, 900), 0), Err(Over));
        assert_eq!(attempts.admit(place(1, 2, 900)), Err(Over));
        assert_eq!(attempts.advance(place(1, 1, 900), 0), Ok(()));
        assert_eq!(attempts.rows.len(), 1);
    }

    #[test]
    fn what_made_room_goes_on_no_more_and_others_do() {
        let mut attempts = Attempts::default();
        for n in 0..=ATTEMPTS_MAX as u8 {
            let ends = place(n, 0, 100 + u64::from(n));
            assert_eq!(attempts.advance(ends, 0), Ok(()));
        }
        assert_eq!(attempts.rows.len(), ATTEMPTS_MAX);
        assert_eq!(attempts.horizon_ms, 100);
        for step in [0, 1] {
            assert_eq!(attempts.admit(place(0, step, 100)), Err(Over));
        }
        assert_eq!(attempts.admit(place(1, 1, 101)), Ok(()));
        assert_eq!(attempts.admit(place(99, 0, 101)), Ok(()));
    }

    #[test]
    fn what_is_over_is_dropped() {
        let policy = Policy::default().flow.code_guesses;
        let mut attempts = Attempts::default();
        attempts.enter(place(1, 0, 50), 0);
        attempts.horizon_ms = 40;
        attempts.sends_mut(0, 0).unwrap().note(10);
        attempts.sends_mut(3, 0).unwrap().note(10);
        attempts.failures.fail(20, &policy);
        let ends = attempts.over_at(&policy);
        assert_eq!(ends, Some(20 + policy.forget_ms));
        assert!(!attempts.clone().prune(|_| true, 20, &policy));
        assert!(attempts.prune(|number| number != 3, 45, &policy));
        assert_eq!((attempts.rows.len(), attempts.sends.len()), (1, 1));
        assert_eq!((attempts.horizon_ms, attempts.is_empty()), (0, false));
        assert!(attempts.prune(|_| true, ends.unwrap(), &policy));
        assert!(attempts.is_empty());
        assert_eq!(attempts.over_at(&policy), None);
    }
}
