//! Checks, answered from memory on the thread that received them.

use tidegate_account::SecretHash;

use super::Engine;
use crate::check::{Ask, Outcome};
use crate::directory::Place;
use crate::memory::{DecidedBy, Found};
use crate::meters::Degraded;
use crate::placement::Standing;
use crate::shared::Shared;
use crate::warm::WriteBehind;

impl Engine {
    /// Answers a check from memory; one of [`Engine::checks`].
    #[must_use]
    pub fn check(&self, ask: &Ask) -> Option<(Outcome, u64)> {
        let mut checks = self.checks();
        let prepared = checks.prepare(ask.clone());
        checks.check(&prepared)
    }

    /// Checks that have arrived together: the clock is read once for all.
    #[must_use]
    pub fn checks(&self) -> Checks<'_> {
        Checks {
            shared: self.shared(),
            now_ms: self.shared().ports.clock.unix_ms(),
            warm: 0,
        }
    }
}

/// Checks that have arrived together. Not to be kept: their time stands still.
pub struct Checks<'a> {
    shared: &'a Shared,
    now_ms: u64,
    warm: u64,
}

impl Checks<'_> {
    /// Hashes the secret, and finds out where the answer would lie.
    #[must_use]
    pub fn prepare(&self, ask: Ask) -> Prepared {
        Prepared {
            place: self.shared.memory.directory.place(ask.user),
            secret: SecretHash::of_session(&ask.secret),
            ask,
        }
    }

    /// Asks the processor for the memory that these checks will read, one step
    /// of the way for all of them before the next step: then their ways to
    /// memory overlap instead of adding up. It changes no answer.
    pub fn approach<'b>(&self, prepared: impl Iterator<Item = &'b Prepared> + Clone) {
        let directory = &self.shared.memory.directory;
        prepared
            .clone()
            .for_each(|one| directory.approach(&one.place));
        prepared.for_each(|one| directory.approach_record(&one.place));
    }

    /// Answers a check from memory, on the calling thread: no lock is held
    /// across a wait, nothing is read from storage. `None` when the person is
    /// not warm here: submit it then.
    #[must_use]
    pub fn check(&mut self, prepared: &Prepared) -> Option<(Outcome, u64)> {
        let (shared, ask) = (self.shared, &prepared.ask);
        let found = shared.memory.look_up(ask, &prepared.secret, self.now_ms)?;
        let (write_behind, epoch) = (found.write_behind, found.epoch);
        // After the look-up and before the answer leaves: is the slot still ours?
        match shared.placement.standing(ask.user, epoch) {
            Standing::Owner => {}
            Standing::CutOff { age_ms } => {
                if write_behind == WriteBehind::Due {
                    shared.memory.not_written(ask.user);
                }
                return Some((self.degraded(ask, &found, age_ms)?, epoch));
            }
            Standing::NotOwner => {
                shared.memory.directory.forget(ask.user);
                return None;
            }
        }
        if write_behind == WriteBehind::Due {
            shared.memory.write_behind(ask.user);
        }
        self.warm += 1;
        Some((found.outcome, epoch))
    }

    /// What is said of a session while another node may own its person: that it
    /// is alive, if it was; a no only where this node itself has ended it.
    fn degraded(&self, ask: &Ask, found: &Found, age_ms: u64) -> Option<Outcome> {
        let grace_ms = self.shared.settings.grace_ms(ask.tenant);
        if age_ms >= grace_ms.min(u64::from(ask.max_age_ms)) {
            return None;
        }
        match (found.outcome, found.origin) {
            (Outcome::Yes(checked), _) => {
                self.shared.meters.degraded(Degraded::Check);
                Some(Outcome::Degraded(checked, age_ms))
            }
            (no, DecidedBy::Degraded) => Some(no),
            (_, DecidedBy::Record) => None,
        }
    }
}

/// A check on its way to its answer.
pub struct Prepared {
    ask: Ask,
    secret: SecretHash,
    place: Place,
}

impl Prepared {
    /// The question.
    #[must_use]
    pub fn ask(&self) -> &Ask {
        &self.ask
    }
}

impl Drop for Checks<'_> {
    fn drop(&mut self) {
        self.shared.meters.checks_warm.increment(self.warm);
    }
}
