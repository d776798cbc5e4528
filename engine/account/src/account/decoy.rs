//! The decoy account of an identifier that no account holds: guesses at it meet
//! the same judge, the same work and the same commit as guesses at a real
//! account, so that an attacker cannot tell the two apart.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Person, Step};
use crate::credential::held::HeldFactors;
use crate::flow::Attempts;
use crate::id::UserId;
use crate::identifier::{IdentifierKind, NORMALISER_VERSION};
use crate::password::{PASSWORD_RULE_VERSION, PasswordHash};
use crate::policy::Policy;
use crate::record::{CheckPart, Guesses, Hold, IdentifierRow, PasswordRow, SealedPart};
use crate::status::Status;

impl Person {
    /// Shaped like an account that signed up with one identifier, because the
    /// size of a commit shows. Its password is no hash's output, and is never
    /// compared with.
    pub(super) fn decoy(user: UserId, tenant: u64, revision: u64, step: &Step<'_>) -> Person {
        let policy = &step.policy.password;
        let password = PasswordHash {
            memory_kib: policy.memory_kib,
            passes: policy.passes,
            lanes: policy.lanes,
            pepper_key: policy.pepper_key,
            salt: [0; 16],
            output: [0; 48],
        };
        Person {
            check: CheckPart {
                tenant,
                user: *user.as_bytes(),
                revision,
                created_at: step.now_ms,
                status: Status::Decoy,
                abandoned_at: 0,
                sessions: Vec::new(),
            },
            sealed: SealedPart {
                identifiers: [IdentifierRow {
                    number: 0,
                    kind: IdentifierKind::Email,
                    hash: [0; 32],
                    key_version: 0,
                    normaliser: NORMALISER_VERSION,
                    hold: Hold::Held { since: 0 },
                    directory: None,
                }]
                .into(),
                password: Some(PasswordRow {
                    phc: password.to_string(),
                    rule: PASSWORD_RULE_VERSION,
                    set_at: step.now_ms,
                }),
                unknown_device: Guesses::default(),
                devices: Vec::new(),
                outcomes: Vec::new(),
                attempts: Attempts::default(),
                factors: HeldFactors::default(),
            },
        }
    }

    /// When this record expires; 0: never. A decoy goes when its guesses are
    /// forgotten and its flows are over, an account when nothing of it was verified
    /// while its claims lived.
    pub(super) fn abandoned_at(&self, policy: &Policy) -> u64 {
        if self.check.status == Status::Decoy {
            let guesses = &self.sealed.unknown_device;
            let forgotten = match guesses.failures {
                0 => 0,
                _ => guesses.failed_at.saturating_add(policy.guess.forget_ms),
            };
            let attempts = self.sealed.attempts.over_at(&policy.flow.code_guesses);
            // One of which nothing counts any more goes at the next sweep.
            return attempts.map_or(forgotten, |at| at.max(forgotten)).max(1);
        }
        let until = |row: &IdentifierRow| match row.hold {
            Hold::Held { .. } => 0,
            Hold::Claimed { until } => until,
        };
        let holds = self.sealed.identifiers.iter().map(until);
        match self.sealed.identifiers.iter().any(IdentifierRow::is_held) {
            true => 0,
            // Nothing claimed and nothing held: no person can come back to it.
            false => holds.max().unwrap_or(self.check.created_at),
        }
    }
}
