//! What the account decided and is not durable yet: what is on its way to the store,
//! and what waits for it.

use std::sync::Arc;

use tidegate_account::SessionId;
use tidegate_account::record::{Unwritable, View};

use super::phase::Ready;
use super::subject::Subject;
use crate::admission::Counted;
use crate::person::Message;
use crate::person::commit::{self, Draft, Prepared};
use crate::person::load::Home;

#[derive(Default)]
pub(super) struct Commits {
    pub(super) draft: Draft,
    under_way: Option<UnderWay>,
}

/// A commit on its way.
pub(super) struct UnderWay {
    pub(super) prepared: Prepared,
    /// When the first of it was decided, in Unix milliseconds.
    pub(super) decided_ms: Option<u64>,
    /// How often it was sent.
    sent: u8,
}

/// A commit that is found not to have happened is sent so often before those who
/// wait are told.
const SENT_MAX: u8 = 4;

impl Commits {
    pub(super) fn under_way(&self) -> Option<&UnderWay> {
        self.under_way.as_ref()
    }

    /// The commit under way is no more.
    pub(super) fn take(&mut self) -> Option<UnderWay> {
        self.under_way.take()
    }

    /// Whether all that was decided is durable.
    pub(super) fn is_settled(&self) -> bool {
        self.under_way.is_none() && self.draft.is_empty()
    }

    /// When the first of what is not durable yet was decided.
    pub(super) fn since_ms(&self) -> Option<u64> {
        let under_way = self.under_way.as_ref().and_then(|one| one.decided_ms);
        under_way.into_iter().chain(self.draft.since_ms()).min()
    }

    /// Whether the commit under way replaces a session's refresh token.
    pub(super) fn is_replacing(&self, subject: &Subject, session: SessionId) -> bool {
        let under_way = self.under_way.as_ref();
        let Some((record, _)) = under_way.and_then(|one| one.prepared.written.as_ref()) else {
            return false;
        };
        let directory = &subject.shared.memory.directory;
        let replaced = directory.with_warm(subject.user, |warm| {
            let (new, durable) = (View::new(record).ok()?, View::new(warm.record()).ok()?);
            Some(new.replaces_token(&durable, session))
        });
        replaced.flatten().unwrap_or(true)
    }

    /// Sends what was decided to the store.
    ///
    /// # Errors
    /// [`Unwritable`]: nothing was written.
    pub(super) fn begin(
        &mut self,
        subject: &Subject,
        home: Home,
        ready: &Ready,
    ) -> Result<(), Unwritable> {
        let decided_ms = self.draft.since_ms();
        let Some(draft) = self.draft.take() else {
            return Ok(());
        };
        let shared = Arc::clone(&subject.shared);
        let (account, key) = (&ready.account, ready.key.clone());
        let prepared = commit::prepare(&shared, home, subject.epoch, account, key, draft)?;
        let under_way = UnderWay {
            prepared,
            decided_ms,
            sent: 1,
        };
        under_way.send(subject);
        self.under_way = Some(under_way);
        Ok(())
    }

    /// Sends the commit under way once more, which is known not to have happened
    /// and not to be able to; whether it was, and not too often before.
    pub(super) fn begin_again(&mut self, subject: &Subject) -> Again {
        match &mut self.under_way {
            Some(under_way) if under_way.sent < SENT_MAX => {
                under_way.sent += 1;
                under_way.send(subject);
                Again::Sent
            }
            Some(_) | None => Again::GivenUp,
        }
    }
}

/// Whether a commit was sent once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    Sent,
    GivenUp,
}

impl UnderWay {
    fn send(&self, subject: &Subject) {
        let shared = Arc::clone(&subject.shared);
        let answer = shared.ports.store.commit(self.prepared.commit.clone());
        let counted = Counted::count(&shared.bounds.admission.commits);
        let begun_us = shared.ports.clock.monotonic_us();
        subject.begin(async move {
            let outcome = answer.await;
            drop(counted);
            let took_us = shared.ports.clock.monotonic_us().saturating_sub(begun_us);
            shared.meters.commit_durations.record_us(took_us);
            let now_ms = shared.ports.clock.monotonic_ms();
            shared.bounds.pace.took(took_us / 1_000, now_ms);
            Message::Committed(outcome)
        });
    }
}
