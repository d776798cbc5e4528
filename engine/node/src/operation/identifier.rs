//! Claiming identifiers, and attesting that they were shown.

use tidegate_account::{Identifier, UserId, Verification as Shown};
use tidegate_runtime::{Task, Verification};
use tidegate_wire::v1;

use super::NotTaken;
use super::session::proof;
use super::text::{to_identifier, to_password};
use crate::rights::Gateway;

pub(super) fn to_claim(body: &v1::ArchivedClaim) -> Result<Task, NotTaken> {
    Ok(Task::Claim {
        user: UserId::from_bytes(body.by.user),
        by: proof(&body.by),
        identifier: to_identifier(&body.identifier, Identifier::parse)?,
    })
}

pub(super) fn to_verify(body: &v1::ArchivedVerify, gateway: &Gateway) -> Result<Task, NotTaken> {
    let password = body.password.as_ref();
    let password = password.map(|text| to_password(text.as_str()));
    Ok(Task::Attest {
        user: UserId::from_bytes(body.user),
        verification: Verification {
            identifier: to_identifier(&body.identifier, Identifier::parse)?,
            session: body.session.as_ref().map(proof),
            password: password.transpose()?,
            by: gateway.administrator(),
        },
    })
}

/// Until when an identifier is claimed, in Unix milliseconds; 0 when it is the
/// account's already.
pub(crate) fn claimed(until: u64) -> v1::Claimed {
    v1::Claimed { until }
}

pub(crate) fn verified(shown: Shown) -> v1::Verified {
    let verification = match shown {
        Shown::Confirmed => v1::Verification::Confirmed,
        Shown::TakenOver => v1::Verification::TakenOver,
    };
    v1::Verified {
        verification: verification.number(),
    }
}
