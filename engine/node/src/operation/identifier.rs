//! Claiming identifiers, and attesting that they were shown.

use bytes::BytesMut;
use tidegate_account::{Identifier, IdentifierReply, UserId, Verification as Shown};
use tidegate_runtime::{Task, Verification};
use tidegate_wire::{ReplyHead, RequestHead, v1};

use super::text::{to_identifier, to_password};
use super::token::proof;
use super::work::{NotTaken, ToWork, Work};
use crate::answers::frame::say;
use crate::rights::Gateway;

impl ToWork for v1::ArchivedClaim {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        Ok(Work::Task(Task::Claim {
            user: UserId::from_bytes(self.by.user),
            by: proof(&self.by),
            identifier: to_identifier(&self.identifier, Identifier::parse)?,
        }))
    }
}

impl ToWork for v1::ArchivedVerify {
    fn to_work(&self, _: &RequestHead, gateway: &Gateway) -> Result<Work<'_>, NotTaken> {
        let password = self.password.as_ref();
        let password = password.map(|text| to_password(text.as_str()));
        Ok(Work::Task(Task::Attest {
            user: UserId::from_bytes(self.user),
            verification: Verification {
                identifier: to_identifier(&self.identifier, Identifier::parse)?,
                session: self.session.as_ref().map(proof),
                password: password.transpose()?,
                by: gateway.administrator(),
            },
        }))
    }
}

/// Appends the frame of a yes.
pub(crate) fn write(out: &mut BytesMut, head: &ReplyHead, reply: IdentifierReply) {
    match reply {
        IdentifierReply::Claimed(until) => say(out, head, &claimed(until)),
        IdentifierReply::Verified(shown) => say(out, head, &verified(shown)),
    }
}

/// Until when an identifier is claimed, in Unix milliseconds; 0 when it is the
/// account's already.
fn claimed(until: u64) -> v1::Claimed {
    v1::Claimed { until }
}

fn verified(shown: Shown) -> v1::Verified {
    let verification = match shown {
        Shown::Confirmed => v1::Verification::Confirmed,
        Shown::TakenOver => v1::Verification::TakenOver,
    };
    v1::Verified {
        verification: verification.number(),
    }
}
