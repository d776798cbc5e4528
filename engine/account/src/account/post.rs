//! Letting something leave that is about a person.

use super::{Account, Step};
use crate::id::TenantId;
use crate::outbox::Outgoing;
use crate::status::Status;

impl Account {
    /// It leaves in the name of the person's tenant, once what it is decided
    /// with is durable. Nothing is sent for a decoy.
    pub(super) fn post(&mut self, outgoing: Outgoing, step: &mut Step<'_>) {
        let person = self.person.as_ref();
        let somebody = person.filter(|person| person.check.status != Status::Decoy);
        if let Some(person) = somebody {
            let outgoing = outgoing.of_tenant(TenantId(person.check.tenant));
            step.change().outbox.push(outgoing);
        }
    }
}
