//! How far the actor is with its person: the account, or why there is none.

use tidegate_account::{Account, AgendaRow};

use super::subject::Subject;
use crate::answer::Failure;
use crate::person::load::PersonKey;

pub(super) enum Phase {
    Loading,
    Ready(Ready),
    /// An indeterminate commit could not be looked up: nothing is built on what may
    /// yet change.
    Unresolved,
    /// The person could not be read: each request that waits is told why, and
    /// the next after the actor has left finds a new one.
    Refused(Failure),
}

/// A person who was opened.
pub(super) struct Ready {
    pub(super) account: Box<Account>,
    /// The person's key; none while there is no record.
    pub(super) key: Option<PersonKey>,
}

impl Phase {
    pub(super) fn ready(account: Account, key: Option<PersonKey>) -> Phase {
        let account = Box::new(account);
        Phase::Ready(Ready { account, key })
    }

    pub(super) fn opened(&self) -> Option<&Ready> {
        match self {
            Phase::Ready(ready) => Some(ready),
            Phase::Loading | Phase::Unresolved | Phase::Refused(_) => None,
        }
    }

    pub(super) fn opened_mut(&mut self) -> Option<&mut Ready> {
        match self {
            Phase::Ready(ready) => Some(ready),
            Phase::Loading | Phase::Unresolved | Phase::Refused(_) => None,
        }
    }

    pub(super) fn refusal(&self) -> Option<Failure> {
        match self {
            Phase::Refused(failure) => Some(*failure),
            Phase::Loading | Phase::Unresolved | Phase::Ready(_) => None,
        }
    }

    /// Whether nothing is under way with the account itself.
    pub(super) fn is_idle(&self) -> bool {
        match self {
            Phase::Ready(ready) => !ready.account.is_waiting(),
            Phase::Refused(_) => true,
            Phase::Loading | Phase::Unresolved => false,
        }
    }

    /// Whether it is known that there is no account.
    pub(super) fn is_absent(&self) -> bool {
        let opened = self.opened();
        opened.is_some_and(|ready| ready.account.parts().is_none())
    }

    pub(super) fn revision(&self) -> u64 {
        self.opened().map_or(0, |ready| ready.account.revision())
    }

    /// Whether the account's state gives this row of the agenda.
    pub(super) fn is_on_agenda(&self, subject: &Subject, row: AgendaRow) -> bool {
        self.opened().is_some_and(|Ready { account, .. }| {
            let policy = subject.policy(account.tenant());
            account.agenda(&policy).contains(&row)
        })
    }
}
