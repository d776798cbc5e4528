//! Letting something leave that is about a person.

use super::{Account, Step};
use crate::command::ClaimedIdentifier;
use crate::id::TenantId;
use crate::identifier::IdentifierKind;
use crate::message::{Message, Template, Value};
use crate::outbox::{Outgoing, OutgoingKind};
use crate::policy::NoticePolicy;
use crate::status::Status;

/// A notice that arrives later than this helps no more.
const NOTICE_WORTH_MS: u64 = 3 * 86_400_000;
/// The route of mail.
const MAIL: &str = "mail";

impl Account {
    /// It leaves in the name of the person's tenant, once what it is decided
    /// with is durable. Nothing is sent for a decoy.
    pub(super) fn post(&mut self, outgoing: Outgoing, step: &mut Step<'_>) {
        let person = self.person.as_ref();
        let real = person.filter(|person| person.check.status != Status::Decoy);
        if let Some(person) = real {
            let outgoing = outgoing.of_tenant(TenantId(person.check.tenant));
            step.change().outbox.push(outgoing);
        }
    }

    /// Tells the holder of an address what changed about the account, where the
    /// tenant has mail (SP 800-63B-4, 4.6).
    pub(super) fn notify(
        &mut self,
        template: Template,
        address: &ClaimedIdentifier,
        step: &mut Step<'_>,
    ) {
        if let Some(outgoing) = notice(template, address, step) {
            self.post(outgoing, step);
        }
    }
}

/// None where the tenant sends none, or to what is no mail address. Which
/// language it is in is the sender's to say: nothing is known of the person's.
fn notice(template: Template, address: &ClaimedIdentifier, step: &Step<'_>) -> Option<Outgoing> {
    let NoticePolicy::Mail { app } = &step.policy.notices else {
        return None;
    };
    if address.identifier.kind() != IdentifierKind::Email {
        return None;
    }
    let values = [Value::App(app.clone()), Value::WhenMs(step.now_ms)].into();
    let to = address.identifier.expose();
    let message = Message::new(template, "", to, values).ok()?;
    let until_ms = step.now_ms.saturating_add(NOTICE_WORTH_MS);
    let body = message.encode().ok()?;
    Outgoing::new(OutgoingKind::Mail, MAIL, until_ms, body).ok()
}
