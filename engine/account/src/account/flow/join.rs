//! Making an account for an address that a flow proved. It has no password: its
//! way in is the address, until another is added.

use alloc::vec::Vec;

use crate::account::entering::Entering;
use crate::account::family::{FlowJoin, FlowReply, Reply};
use crate::account::sign_up::identify;
use crate::account::{Account, Person, Step};
use crate::assurance::Entry;
use crate::command::Request;
use crate::device::Lane;
use crate::event::EventKind;
use crate::record::{CheckPart, Hold, SealedPart};
use crate::reply::{Refusal, Verification};
use crate::status::Status;

impl Account {
    pub(in crate::account) fn join(
        &mut self,
        request: &Request,
        join: FlowJoin,
        step: &mut Step<'_>,
    ) -> Reply {
        // A repeat whose outcome is kept no more, or that was on its way for
        // longer than its account lived.
        if self.person.is_some() || self.erased.is_some() {
            return Reply::No(Refusal::FlowOver);
        }
        if self.is_being_made() {
            return Reply::No(Refusal::Busy { retry_after_ms: 0 });
        }
        let kind = join.identifier.identifier.kind();
        let hold = Hold::Held { since: step.now_ms };
        let row = identify(&[], join.identifier, hold, step);
        let mut person = Person {
            check: CheckPart {
                tenant: request.tenant.0,
                user: *self.user.as_bytes(),
                revision: 0,
                created_at: step.now_ms,
                status: Status::Active,
                abandoned_at: 0,
                sessions: Vec::new(),
            },
            sealed: SealedPart {
                identifiers: [row].into(),
                ..SealedPart::default()
            },
        };
        step.event(EventKind::SignedUp);
        step.event(EventKind::IdentifierVerified(kind, Verification::Confirmed));
        let lane = (Lane::UnknownDevice, join.remember);
        let entering = Entering::by_flow(&join.proofs, Entry::Authentication, lane);
        let grant = person.establish_session(&entering, step);
        self.person = Some(person);
        Reply::Flow(FlowReply::Granted(grant))
    }
}
