//! From formats 1 and 2 to the form in which a record is changed, and back.

use alloc::vec::Vec;

use rkyv::rancor::Error as RkyvError;
use zeroize::Zeroizing;

use super::parts::{
    CheckPart, Device, Guesses, Hold, IdentifierRow, OutcomeRow, PasswordRow, Rotated, SealedPart,
    Session,
};
use super::{Corrupt, Format, v1, v2};
use crate::credential::held::HeldFactors;
use crate::flow::Attempts;
use crate::identifier::IdentifierKind;
use crate::status::Status;

/// In the place of a successor that was given up: it opens for no token.
const GIVEN_UP: [u8; 52] = [0; 52];

/// The check part, which both have in common.
pub(super) fn check(check: &CheckPart) -> Result<Vec<u8>, Corrupt> {
    let bytes = rkyv::to_bytes::<RkyvError>(&v1::CheckPart::from(check));
    Ok(bytes.map_err(|_| Corrupt)?.to_vec())
}

/// The plaintext of the sealed part; that of format 2 for any that is newer.
///
/// # Errors
/// [`Corrupt`] when the format cannot say what the account holds.
pub(super) fn sealed(format: Format, sealed: &SealedPart) -> Result<Zeroizing<Vec<u8>>, Corrupt> {
    // Flows are not begun before format 3 may hold what comes of them.
    if !sealed.attempts.is_empty() || !sealed.factors.is_empty() {
        return Err(Corrupt);
    }
    let sealed = v2::SealedPart::from(sealed);
    let bytes = match format {
        Format::V1 => rkyv::to_bytes::<RkyvError>(&sealed.to_v1()?),
        Format::V2 | Format::V3 => rkyv::to_bytes::<RkyvError>(&sealed),
    };
    Ok(Zeroizing::new(bytes.map_err(|_| Corrupt)?.to_vec()))
}

impl From<v1::Status> for Status {
    fn from(stored: v1::Status) -> Status {
        match stored {
            v1::Status::Active => Status::Active,
            v1::Status::Locked => Status::Locked,
            v1::Status::Suspended => Status::Suspended,
            v1::Status::Decoy => Status::Decoy,
        }
    }
}

impl From<Status> for v1::Status {
    fn from(live: Status) -> v1::Status {
        match live {
            Status::Active => v1::Status::Active,
            Status::Locked => v1::Status::Locked,
            Status::Suspended => v1::Status::Suspended,
            Status::Decoy => v1::Status::Decoy,
        }
    }
}

impl From<v1::IdentifierKind> for IdentifierKind {
    fn from(stored: v1::IdentifierKind) -> IdentifierKind {
        match stored {
            v1::IdentifierKind::Email => IdentifierKind::Email,
            v1::IdentifierKind::Phone => IdentifierKind::Phone,
            v1::IdentifierKind::Username => IdentifierKind::Username,
        }
    }
}

impl From<IdentifierKind> for v1::IdentifierKind {
    fn from(live: IdentifierKind) -> v1::IdentifierKind {
        match live {
            IdentifierKind::Email => v1::IdentifierKind::Email,
            IdentifierKind::Phone => v1::IdentifierKind::Phone,
            IdentifierKind::Username => v1::IdentifierKind::Username,
        }
    }
}

impl From<v1::CheckPart> for CheckPart {
    fn from(stored: v1::CheckPart) -> CheckPart {
        CheckPart {
            tenant: stored.tenant,
            user: stored.user,
            revision: stored.revision,
            created_at: stored.created_at,
            status: stored.status.into(),
            abandoned_at: stored.abandoned_at,
            sessions: stored.sessions.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<&CheckPart> for v1::CheckPart {
    fn from(live: &CheckPart) -> v1::CheckPart {
        v1::CheckPart {
            tenant: live.tenant,
            user: live.user,
            revision: live.revision,
            created_at: live.created_at,
            status: live.status.into(),
            abandoned_at: live.abandoned_at,
            sessions: live.sessions.iter().map(Into::into).collect(),
        }
    }
}

impl From<v1::Session> for Session {
    fn from(stored: v1::Session) -> Session {
        Session {
            id: stored.id,
            secret_hash: stored.secret_hash,
            created_at: stored.created_at,
            used_at: stored.used_at,
            idle_ms: stored.idle_ms,
            expires_at: stored.expires_at,
            assurance: stored.assurance,
            methods: stored.methods,
            device: stored.device,
            refresh_hash: stored.refresh_hash,
            rotated: stored.rotated.map(|rotated| Rotated {
                hash: rotated.hash,
                at: rotated.at,
                successor: (rotated.successor != GIVEN_UP).then_some(rotated.successor),
            }),
        }
    }
}

impl From<&Session> for v1::Session {
    fn from(live: &Session) -> v1::Session {
        v1::Session {
            id: live.id,
            secret_hash: live.secret_hash,
            created_at: live.created_at,
            used_at: live.used_at,
            idle_ms: live.idle_ms,
            expires_at: live.expires_at,
            assurance: live.assurance,
            methods: live.methods,
            device: live.device,
            refresh_hash: live.refresh_hash,
            rotated: live.rotated.as_ref().map(|rotated| v1::Rotated {
                hash: rotated.hash,
                at: rotated.at,
                successor: rotated.successor.unwrap_or(GIVEN_UP),
            }),
        }
    }
}

impl From<v2::SealedPart> for SealedPart {
    fn from(stored: v2::SealedPart) -> SealedPart {
        SealedPart {
            identifiers: stored.identifiers.into_iter().map(Into::into).collect(),
            password: stored.password.map(|row| PasswordRow {
                phc: row.phc,
                rule: row.rule,
                set_at: row.set_at,
            }),
            unknown_device: stored.unknown_device.into(),
            devices: stored.devices.into_iter().map(Into::into).collect(),
            outcomes: stored.outcomes.into_iter().map(Into::into).collect(),
            attempts: Attempts::default(),
            factors: HeldFactors::default(),
        }
    }
}

impl From<&SealedPart> for v2::SealedPart {
    fn from(live: &SealedPart) -> v2::SealedPart {
        v2::SealedPart {
            identifiers: live.identifiers.iter().map(Into::into).collect(),
            password: live.password.as_ref().map(|row| v1::PasswordRow {
                phc: row.phc.clone(),
                rule: row.rule,
                set_at: row.set_at,
            }),
            unknown_device: (&live.unknown_device).into(),
            devices: live.devices.iter().map(Into::into).collect(),
            outcomes: live.outcomes.iter().map(Into::into).collect(),
        }
    }
}

impl From<v2::IdentifierRow> for IdentifierRow {
    fn from(stored: v2::IdentifierRow) -> IdentifierRow {
        IdentifierRow {
            number: stored.number,
            kind: stored.kind.into(),
            hash: stored.hash,
            key_version: stored.key_version,
            normaliser: stored.normaliser,
            hold: match stored.hold {
                v1::Hold::Claimed { until } => Hold::Claimed { until },
                v1::Hold::Held { since } => Hold::Held { since },
            },
            directory: stored.directory,
        }
    }
}

impl From<&IdentifierRow> for v2::IdentifierRow {
    fn from(live: &IdentifierRow) -> v2::IdentifierRow {
        v2::IdentifierRow {
            number: live.number,
            kind: live.kind.into(),
            hash: live.hash,
            key_version: live.key_version,
            normaliser: live.normaliser,
            hold: match live.hold {
                Hold::Claimed { until } => v1::Hold::Claimed { until },
                Hold::Held { since } => v1::Hold::Held { since },
            },
            directory: live.directory,
        }
    }
}

impl From<v1::Guesses> for Guesses {
    fn from(stored: v1::Guesses) -> Guesses {
        Guesses {
            failures: stored.failures,
            failed_at: stored.failed_at,
        }
    }
}

impl From<&Guesses> for v1::Guesses {
    fn from(live: &Guesses) -> v1::Guesses {
        v1::Guesses {
            failures: live.failures,
            failed_at: live.failed_at,
        }
    }
}

impl From<v1::Device> for Device {
    fn from(stored: v1::Device) -> Device {
        Device {
            id: stored.id,
            secret_hash: stored.secret_hash,
            added_at: stored.added_at,
            used_at: stored.used_at,
            guesses: stored.guesses.into(),
        }
    }
}

impl From<&Device> for v1::Device {
    fn from(live: &Device) -> v1::Device {
        v1::Device {
            id: live.id,
            secret_hash: live.secret_hash,
            added_at: live.added_at,
            used_at: live.used_at,
            guesses: (&live.guesses).into(),
        }
    }
}

impl From<v1::OutcomeRow> for OutcomeRow {
    fn from(stored: v1::OutcomeRow) -> OutcomeRow {
        OutcomeRow {
            key_hash: stored.key_hash,
            kept_until: stored.kept_until,
            grants: stored.grants,
            sealed: stored.sealed,
        }
    }
}

impl From<&OutcomeRow> for v1::OutcomeRow {
    fn from(live: &OutcomeRow) -> v1::OutcomeRow {
        v1::OutcomeRow {
            key_hash: live.key_hash,
            kept_until: live.kept_until,
            grants: live.grants,
            sealed: live.sealed.clone(),
        }
    }
}
