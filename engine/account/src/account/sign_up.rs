//! Making an account.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::family::{CredentialReply, Reply};
use super::{Account, Held, Person, Step, Work, busy};
use crate::command::{ClaimedIdentifier, Completion, Effect, PasswordWork, Request, SignUp};
use crate::credential::held::HeldFactors;
use crate::event::EventKind;
use crate::flow::Attempts;
use crate::identifier::{IdentifierKind, NORMALISER_VERSION};
use crate::password::PASSWORD_RULE_VERSION;
use crate::record::{CheckPart, Guesses, Hold, IdentifierRow, PasswordRow, SealedPart};
use crate::reply::Refusal;
use crate::status::Status;

impl Account {
    pub(super) fn sign_up(&mut self, request: Request, sign_up: SignUp, step: &mut Step<'_>) {
        let policy = &step.policy.password;
        // A repeat that was on its way for longer than its account lived.
        if self.erased.is_some() {
            return step.reply(request.ticket, Reply::No(Refusal::UnknownAccount));
        }
        if self.person.is_some() || !self.pending.is_empty() {
            return step.reply(request.ticket, Reply::No(Refusal::IdempotencyReused));
        }
        if sign_up.password.chars() < policy.min_chars {
            return step.reply(request.ticket, Reply::No(Refusal::PasswordTooShort));
        }
        let policy = policy.clone();
        let salt = step.entropy.bytes();
        let pending = self.start(request, Work::SignUp(sign_up.identifiers));
        step.output.effects.push(Effect::Hash {
            pending,
            work: PasswordWork::New {
                password: sign_up.password,
                salt,
                policy,
            },
        });
    }

    pub(super) fn hashed(
        &mut self,
        request: &Request,
        identifiers: Vec<ClaimedIdentifier>,
        completion: Completion,
        step: &mut Step<'_>,
    ) -> Reply {
        let Completion::Hashed(hash) = completion else {
            return busy(&completion);
        };
        let mut rows = Vec::new();
        for claimed in identifiers {
            let until = step.now_ms.saturating_add(step.policy.claim_ms);
            let hold = match claimed.identifier.kind() {
                IdentifierKind::Username => Hold::Held { since: step.now_ms },
                IdentifierKind::Email | IdentifierKind::Phone => Hold::Claimed { until },
            };
            rows.push(identify(&rows, claimed, hold, step));
        }
        let sealed = SealedPart {
            identifiers: rows,
            password: Some(PasswordRow {
                phc: hash.to_string(),
                rule: PASSWORD_RULE_VERSION,
                set_at: step.now_ms,
            }),
            unknown_device: Guesses::default(),
            devices: Vec::new(),
            outcomes: Vec::new(),
            attempts: Attempts::default(),
            factors: HeldFactors::default(),
        };
        let check = CheckPart {
            tenant: request.tenant.0,
            user: *self.user.as_bytes(),
            revision: 0,
            created_at: step.now_ms,
            status: Status::Active,
            abandoned_at: 0,
            sessions: Vec::new(),
        };
        self.person = Some(Person { check, sealed });
        step.event(EventKind::SignedUp);
        Reply::Credential(CredentialReply::SignedUp(self.user))
    }
}

/// The row of one more identifier, and what must be written with it.
pub(super) fn identify(
    rows: &[IdentifierRow],
    claimed: ClaimedIdentifier,
    hold: Hold,
    step: &mut Step<'_>,
) -> IdentifierRow {
    let number = rows.iter().map(|row| row.number).max();
    let row = IdentifierRow {
        number: number.map_or(0, |number| number.wrapping_add(1)),
        kind: claimed.identifier.kind(),
        hash: claimed.hash.0,
        key_version: claimed.key_version,
        normaliser: NORMALISER_VERSION,
        hold,
        directory: match hold {
            Hold::Held { .. } => claimed.directory(),
            Hold::Claimed { .. } => None,
        },
    };
    if let Hold::Held { .. } = hold {
        step.change().held.push(Held::of(&claimed));
    }
    step.change().texts.push((row.number, claimed));
    row
}

impl Held {
    pub(super) fn of(claimed: &ClaimedIdentifier) -> Held {
        Held {
            hash: claimed.hash,
            key_version: claimed.key_version,
            older: claimed.older.clone(),
            reservation: claimed.reservation.clone(),
        }
    }
}
