//! Making an account.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Account, Person, Step, Work};
use crate::command::{ClaimedIdentifier, Completion, Effect, Request, SignUp};
use crate::event::EventKind;
use crate::identifier::NORMALISER_VERSION;
use crate::password::PASSWORD_RULE_VERSION;
use crate::record::v1::{Guesses, IdentifierRow, PasswordRow};
use crate::record::{CheckPart, SealedPart};
use crate::reply::{Refusal, Reply};
use crate::status::Status;

impl Account {
    pub(super) fn sign_up(&mut self, request: Request, sign_up: SignUp, step: &mut Step<'_>) {
        let policy = &step.policy.password;
        if self.person.is_some() || !self.pending.is_empty() {
            return step.reply(request.ticket, Reply::No(Refusal::IdentifierTaken));
        }
        if sign_up.password.chars() < policy.min_chars {
            return step.reply(request.ticket, Reply::No(Refusal::PasswordTooShort));
        }
        let policy = policy.clone();
        let salt = step.entropy.bytes();
        let pending = self.start(request, Work::SignUp(sign_up.identifiers));
        step.output.effects.push(Effect::HashPassword {
            pending,
            password: sign_up.password,
            salt,
            policy,
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
            return Reply::No(Refusal::Busy);
        };
        let rows = identifiers.iter().map(|claimed| IdentifierRow {
            kind: claimed.identifier.kind(),
            hash: claimed.hash.0,
            key_version: claimed.key_version,
            normaliser: NORMALISER_VERSION,
        });
        let sealed = SealedPart {
            identifiers: rows.collect(),
            password: Some(PasswordRow {
                phc: hash.to_string(),
                rule: PASSWORD_RULE_VERSION,
                set_at: step.now_ms,
            }),
            strangers: Guesses::default(),
            devices: Vec::new(),
            outcomes: Vec::new(),
        };
        let check = CheckPart {
            tenant: request.tenant.0,
            user: *self.user.as_bytes(),
            revision: 0,
            created_at: step.now_ms,
            status: Status::Active,
            sessions: Vec::new(),
        };
        self.person = Some(Person { check, sealed });
        step.change().claims = identifiers;
        step.event(EventKind::SignedUp);
        Reply::SignedUp(self.user)
    }
}
