//! Taking an identifier as shown. Who verifies wins: unless a session or the
//! password shows that the same person set the account up, everything that was
//! set up before is dropped. An account that somebody prepared with another's
//! address is thus worth nothing to whoever prepared it (A. Sudhodanan,
//! A. Paverd, "Pre-hijacked accounts", USENIX Security 2022).

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Account, Held, Pending, Person, Step, Work, busy};
use crate::audit::Act;
use crate::command::{
    Administrator, ClaimedIdentifier, Completion, Effect, PasswordCheck, Request, Source, Ticket,
    Verify,
};
use crate::device::Lane;
use crate::event::{EndReason, EventKind};
use crate::identifier::IdentifierKind;
use crate::password::{PASSWORD_RULE_VERSION, Password, PasswordHash};
use crate::record::v1::{Guesses, Hold, PasswordRow};
use crate::reply::{Refusal, Reply, Verification};

/// A verification whose password is being compared or hashed.
#[derive(Debug)]
pub(super) struct Attempt {
    identifier: ClaimedIdentifier,
    password: Password,
    by: Administrator,
}

/// What a comparison leads to.
pub(super) enum Next {
    Reply(Reply),
    /// The password becomes the account's.
    Hash(Attempt),
}

/// What verifying an identifier may do to the rest of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// A claim, and nothing else was ever verified: whoever verifies it takes
    /// the account.
    First,
    /// A claim of an account that somebody has verified before: a stranger
    /// gets nothing of it, and must make an account of their own.
    Further,
    /// Verified before: whoever has it recovers the account.
    Again,
}

impl Account {
    pub(super) fn verify(&mut self, request: Request, verify: Verify, step: &mut Step<'_>) {
        let proven = match &verify.session {
            None => None,
            Some(session) => match self.prove(&request, session, step.now_ms) {
                Ok(_) => Some(Verification::Confirmed),
                Err(refusal) => return step.reply(request.ticket, Reply::No(refusal)),
            },
        };
        let standing = match self.standing(&request, &verify.identifier, step.now_ms) {
            Ok(standing) => standing,
            Err(refusal) => return step.reply(request.ticket, Reply::No(refusal)),
        };
        let held = self.admit(Lane::Strangers, Source::Clear, step);
        let reply = match (proven, verify.password, standing) {
            (Some(_), _, _) | (None, None, Standing::Again) => {
                self.confirm(&request, &verify.identifier, &verify.by, step)
            }
            (None, None, Standing::First) => {
                self.take_over(&request, &verify.identifier, &verify.by, None, step)
            }
            (None, None, Standing::Further) => Reply::No(Refusal::InvalidCredentials),
            (None, Some(_), Standing::Further) if held.is_err() => {
                let retry_after_ms = held.err().unwrap_or_default();
                Reply::No(Refusal::Throttled { retry_after_ms })
            }
            (None, Some(password), _) => {
                let attempt = Attempt {
                    identifier: verify.identifier,
                    password,
                    by: verify.by,
                };
                return self.compare(attempt, request, step);
            }
        };
        self.settle(&request, reply, step);
    }

    fn compare(&mut self, attempt: Attempt, request: Request, step: &mut Step<'_>) {
        let password = attempt.password.clone();
        let stored = self.person.as_ref().and_then(Person::stored_hash);
        let pending = self.start(request, Work::Verify(attempt));
        step.output.effects.push(Effect::VerifyPassword {
            pending,
            password,
            stored,
        });
    }

    pub(super) fn compared(
        &mut self,
        attempt: Attempt,
        completion: &Completion,
        request: &Request,
        step: &mut Step<'_>,
    ) -> Next {
        let Completion::Verified(check) = completion else {
            return Next::Reply(busy(completion));
        };
        let standing = match self.standing(request, &attempt.identifier, step.now_ms) {
            Ok(standing) => standing,
            Err(refusal) => return Next::Reply(Reply::No(refusal)),
        };
        match (check, standing) {
            (PasswordCheck::Match, _) => {
                Next::Reply(self.confirm(request, &attempt.identifier, &attempt.by, step))
            }
            (PasswordCheck::Mismatch, Standing::Further) => {
                if let Some(person) = &mut self.person {
                    let strangers = &mut person.sealed.strangers;
                    strangers.fail(step.now_ms, &step.policy.guess);
                    step.event(EventKind::SignInFailed);
                }
                Next::Reply(Reply::No(Refusal::InvalidCredentials))
            }
            (PasswordCheck::Mismatch, Standing::First | Standing::Again) => {
                match attempt.password.chars() < step.policy.password.min_chars {
                    true => Next::Reply(Reply::No(Refusal::PasswordTooShort)),
                    false => Next::Hash(attempt),
                }
            }
        }
    }

    pub(super) fn hash_replacement(
        &mut self,
        attempt: Attempt,
        request: Request,
        tickets: Vec<Ticket>,
        step: &mut Step<'_>,
    ) {
        let password = attempt.password.clone();
        let pending = self.start(request, Work::TakeOver(attempt));
        if let Some(last) = self.pending.last_mut() {
            last.tickets = tickets;
        }
        step.output.effects.push(Effect::HashPassword {
            pending,
            password,
            salt: step.entropy.bytes(),
            policy: step.policy.password.clone(),
        });
    }

    pub(super) fn replaced(
        &mut self,
        attempt: &Attempt,
        completion: Completion,
        request: &Request,
        step: &mut Step<'_>,
    ) -> Reply {
        let Completion::Hashed(hash) = completion else {
            return busy(&completion);
        };
        match self.standing(request, &attempt.identifier, step.now_ms) {
            Err(refusal) => Reply::No(refusal),
            Ok(Standing::Further) => Reply::No(Refusal::InvalidCredentials),
            Ok(Standing::First | Standing::Again) => {
                let identifier = &attempt.identifier;
                self.take_over(request, identifier, &attempt.by, Some(hash), step)
            }
        }
    }

    fn standing(
        &mut self,
        request: &Request,
        identifier: &ClaimedIdentifier,
        now_ms: u64,
    ) -> Result<Standing, Refusal> {
        let person = self.person_of(request).ok_or(Refusal::UnknownAccount)?;
        let rows = &person.sealed.identifiers;
        let mut live = rows.iter().filter(|row| !row.is_over(now_ms));
        let row = live.find(|row| row.is(identifier));
        let row = row.ok_or(Refusal::ClaimExpired)?;
        // A user name is taken, not shown: it makes nobody the owner.
        let mut shown = rows
            .iter()
            .filter(|row| row.is_held() && row.kind != IdentifierKind::Username);
        Ok(match (row.hold, shown.next()) {
            (Hold::Held { .. }, _) => Standing::Again,
            (Hold::Claimed { .. }, Some(_)) => Standing::Further,
            (Hold::Claimed { .. }, None) => Standing::First,
        })
    }

    /// The same person set up and verifies: everything stays.
    fn confirm(
        &mut self,
        request: &Request,
        identifier: &ClaimedIdentifier,
        by: &Administrator,
        step: &mut Step<'_>,
    ) -> Reply {
        if let Some(person) = self.person_of(request) {
            person.hold(identifier, by, Verification::Confirmed, step);
        }
        Reply::Verified(Verification::Confirmed)
    }

    /// Somebody else verifies: what was set up before is dropped.
    fn take_over(
        &mut self,
        request: &Request,
        identifier: &ClaimedIdentifier,
        by: &Administrator,
        hash: Option<PasswordHash>,
        step: &mut Step<'_>,
    ) -> Reply {
        let standing = self.standing(request, identifier, step.now_ms);
        // What began under the old password must not end in a session.
        let old = |pending: &mut Pending| {
            matches!(
                pending.work,
                Work::SignIn(_) | Work::Upgrade | Work::Verify(_)
            )
        };
        for pending in self.pending.extract_if(.., old) {
            for ticket in pending.tickets {
                step.reply(ticket, Reply::No(Refusal::InvalidCredentials));
            }
        }
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::UnknownAccount);
        };
        let ours = |row: &crate::record::IdentifierRow| row.is(identifier);
        person.drop_claims(step, |row| match standing {
            Ok(Standing::Again) => !ours(row) && !row.is_held(),
            _ => !ours(row),
        });
        for session in person.check.sessions.drain(..) {
            step.event(EventKind::SessionEnded(session.id, EndReason::TakenOver));
        }
        person.sealed.devices.clear();
        person.sealed.outcomes.clear();
        person.sealed.strangers = Guesses::default();
        person.sealed.password = hash.map(|hash| PasswordRow {
            phc: hash.to_string(),
            rule: PASSWORD_RULE_VERSION,
            set_at: step.now_ms,
        });
        step.event(EventKind::PasswordReplaced);
        person.hold(identifier, by, Verification::TakenOver, step);
        Reply::Verified(Verification::TakenOver)
    }
}

impl Person {
    /// Makes a claimed identifier the person's alone.
    fn hold(
        &mut self,
        identifier: &ClaimedIdentifier,
        by: &Administrator,
        verification: Verification,
        step: &mut Step<'_>,
    ) {
        let rows = &mut self.sealed.identifiers;
        let Some(row) = rows.iter_mut().find(|row| row.is(identifier)) else {
            return;
        };
        if row.is_held() && verification == Verification::Confirmed {
            return;
        }
        if !row.is_held() {
            row.hold = Hold::Held { since: step.now_ms };
            row.hash = identifier.hash.0;
            row.key_version = identifier.key_version;
            row.directory = identifier.directory();
            let change = step.change();
            change.held.push(Held::of(identifier));
            // It may have been claimed in the form of an earlier rule. The text
            // must be what was hashed, or no new key finds the row.
            if identifier.identifier.older_form().is_some() {
                change.texts.push((row.number, identifier.clone()));
            }
        }
        step.event(EventKind::IdentifierVerified(row.kind, verification));
        step.audit(by, Act::IdentifierVerified(row.kind, verification));
    }
}
