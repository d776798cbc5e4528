//! Claiming identifiers, and attesting that they were shown.

use tidegate_account::{
    Identifier, IdentifierFault, IdentifierKind, UserId, Verification as Shown,
};
use tidegate_runtime::{Task, Verification};
use tidegate_wire::{Code, v1};

use super::NotTaken;
use super::credential::to_password;
use super::session::proof;
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
    Ok(Task::Verify {
        user: UserId::from_bytes(body.user),
        verification: Verification {
            identifier: to_identifier(&body.identifier, Identifier::parse)?,
            session: body.session.as_ref().map(proof),
            password: password.transpose()?,
            by: gateway.administrator(),
        },
    })
}

/// How a text is made an identifier: as one that is to become an account's, or as
/// one by which an account is looked for.
type Normalise = fn(IdentifierKind, &str) -> Result<Identifier, IdentifierFault>;

pub(super) fn to_identifier(
    identifier: &v1::ArchivedIdentifier,
    normalise: Normalise,
) -> Result<Identifier, NotTaken> {
    let kind = match identifier.kind()? {
        v1::IdentifierKind::Email => IdentifierKind::Email,
        v1::IdentifierKind::Phone => IdentifierKind::Phone,
        v1::IdentifierKind::Username => IdentifierKind::Username,
    };
    let normal = normalise(kind, identifier.text.as_str());
    normal.map_err(|_| Code::InvalidIdentifier.into())
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
