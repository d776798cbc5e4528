//! Erasing a person: everything goes, the key first of all. The erasure
//! tombstone in its place says only that a person was erased, and when.

use super::family::{LifecycleReply, Reply};
use super::{Account, Fate, Pending, Person, Step, Work};
use crate::command::{Administrator, Request};
use crate::erasure::Erasure;
use crate::event::EventKind;
use crate::id::TenantId;
use crate::reply::Refusal;

impl Account {
    /// Erases the person. One who was erased already is reported as erased
    /// since then, so that a repeat gets the same answer for as long as the row
    /// is kept.
    pub(super) fn erase(
        &mut self,
        request: &Request,
        by: &Administrator,
        step: &mut Step<'_>,
    ) -> Reply {
        let of_tenant = |erasure: &&Erasure| erasure.tenant == request.tenant;
        if let Some(erasure) = self.erased.as_ref().filter(of_tenant) {
            return Reply::Lifecycle(LifecycleReply::Erased(erasure.at));
        }
        let theirs = |person: &mut Person| person.is_of(request.tenant);
        let Some(mut person) = self.person.take_if(theirs) else {
            return Reply::No(Refusal::UnknownAccount);
        };
        // Work that began before the erasure must find no account.
        for Pending { tickets, work, .. } in self.pending.drain(..) {
            let refusal = match work {
                Work::SignUp(_) | Work::SignIn(_) | Work::Queued(_) | Work::Upgrade => {
                    Refusal::InvalidCredentials
                }
                Work::Attest(_) | Work::TakeOver(_) => Refusal::UnknownAccount,
                Work::Recover(_) | Work::Passkey(_) | Work::Register(_) => Refusal::FlowOver,
            };
            for ticket in tickets {
                step.reply(ticket, Reply::No(refusal));
            }
        }
        let erasure = Erasure {
            tenant: TenantId(person.check.tenant),
            at: step.now_ms,
            by: by.clone(),
        };
        step.event(EventKind::Erased);
        let change = step.change();
        change.released = core::mem::take(&mut person.sealed.identifiers);
        change.fate = Fate::Erased(erasure.clone());
        self.last_revision = person.check.revision;
        let at = erasure.at;
        self.erased = Some(erasure);
        Reply::Lifecycle(LifecycleReply::Erased(at))
    }
}
