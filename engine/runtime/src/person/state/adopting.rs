//! Taking over what was decided while the store was out of reach.

use tidegate_account::{Input, SessionId};

use super::PersonState;
use super::subject::Subject;
use crate::degraded_states::Taken;

/// What the account is taking over.
pub(super) struct Adopting {
    revision: u64,
    taken: Taken,
}

impl PersonState {
    /// Lets the account take over what was decided while the store was away,
    /// and the session that a refresh goes on with.
    pub(super) fn adopt(&mut self, established: Option<SessionId>) {
        let Subject { shared, user, .. } = &self.subject;
        let states = &shared.memory.degraded_states;
        if states.people_count() == 0 || self.adopting.is_some() {
            return;
        }
        let (decided, taken) = states.take(*user, established);
        if decided.is_empty() {
            return;
        }
        if self.phase.is_absent() {
            // A person who is about to go may yet stay.
            if self.commits.is_settled() {
                discard(&self.subject, taken);
            }
            return;
        }
        let before = self.phase.revision();
        self.input(Input::Adopt(decided));
        let revision = self.phase.revision();
        if revision > before {
            self.adopting = Some(Adopting { revision, taken });
            return;
        }
        // There was nothing left of it to do.
        discard(&self.subject, taken);
    }

    /// What was taken over is durable.
    pub(super) fn adopted(&mut self) {
        let durable = self.replies.durable();
        if let Some(adopting) = self.adopting.take_if(|one| one.revision <= durable) {
            self.subject.shared.meters.settled.increment(1);
            discard(&self.subject, adopting.taken);
        }
    }
}

fn discard(subject: &Subject, taken: Taken) {
    let states = &subject.shared.memory.degraded_states;
    let Some(written) = states.settled(subject.user, taken) else {
        return;
    };
    // What stays is taken over once more, and changes nothing.
    tokio::spawn(async move {
        let _ = written.await;
    });
}
