//! Attesting an identifier. Who verifies it wins it: an account that an
//! attacker prepared with another person's address is worth nothing to the
//! attacker (A. Sudhodanan, A. Paverd, "Pre-hijacked accounts", USENIX Security
//! 2022), and an account that is in use is never given away for an address that
//! it merely claims. What follows of what is a table ([`decision`]).

mod decision;

use alloc::string::ToString;
use alloc::vec::Vec;

use self::decision::{Decision, Shown, Standing, decide, outlives_recovery};
use super::family::{IdentifierReply, Reply};
use super::{Account, Held, Pending, Person, Step, Work, busy};
use crate::assurance::{Method, Proofs};
use crate::audit::Act;
use crate::command::{
    Administrator, Attest, ClaimedIdentifier, Completion, Effect, PasswordCheck, PasswordWork,
    Request, Source, Ticket,
};
use crate::device::Lane;
use crate::event::{EndReason, EventKind};
use crate::guess::Admission;
use crate::message::Template;
use crate::password::{PASSWORD_RULE_VERSION, Password, PasswordHash};
use crate::record::{Guesses, Hold, PasswordRow};
use crate::reply::{Refusal, Verification};

/// A verification whose password is being compared or hashed.
#[derive(Debug)]
pub(super) struct Attempt {
    identifier: ClaimedIdentifier,
    password: Password,
    by: Administrator,
    /// How the account stood when it was admitted: a guess at an established
    /// one is charged, whatever happened to the claim meanwhile.
    standing: Standing,
}

/// What a comparison leads to.
pub(super) enum Next {
    Reply(Reply),
    /// The password becomes the account's.
    Hash(Attempt),
}

impl Account {
    pub(super) fn attest(&mut self, request: Request, verify: Attest, step: &mut Step<'_>) {
        let shown = match &verify.session {
            None => Shown::ByAnybody,
            Some(session) => match self.prove(&request, session, step.now_ms) {
                Ok(_) => Shown::ByOwner,
                Err(refusal) => return step.reply(request.ticket, Reply::No(refusal)),
            },
        };
        let standing = match self.standing(&request, &verify.identifier, step.now_ms) {
            Ok(standing) => standing,
            Err(refusal) => return step.reply(request.ticket, Reply::No(refusal)),
        };
        let (identifier, by) = (verify.identifier, verify.by);
        let reply = match (shown, verify.password) {
            (Shown::ByAnybody, Some(password)) => {
                if let Err(refusal) = self.admit_comparison(standing, step) {
                    return step.reply(request.ticket, Reply::No(refusal));
                }
                let attempt = Attempt {
                    identifier,
                    password,
                    by,
                    standing,
                };
                return self.compare(attempt, request, step);
            }
            (Shown::ByAnybody, None) | (Shown::ByOwner, _) => {
                self.concluded(shown, &request, &identifier, &by, step)
            }
        };
        self.settle(&request, reply, step);
    }

    /// A password of an established account is guessed here as at a sign-in.
    fn admit_comparison(&self, standing: Standing, step: &Step<'_>) -> Result<(), Refusal> {
        match (
            standing,
            self.admit(Lane::UnknownDevice, Source::Clear, step),
        ) {
            (Standing::Unused | Standing::Holder, _) | (_, Admission::Admit) => Ok(()),
            (Standing::Established, Admission::Wait) => Err(Refusal::Busy { retry_after_ms: 0 }),
            (Standing::Established, Admission::Hold { retry_after_ms }) => {
                Err(Refusal::Throttled { retry_after_ms })
            }
        }
    }

    fn compare(&mut self, attempt: Attempt, request: Request, step: &mut Step<'_>) {
        let password = attempt.password.clone();
        let stored = self.person.as_ref().and_then(Person::stored_hash);
        let pending = self.start(request, Work::Attest(attempt));
        step.output.effects.push(Effect::Hash {
            pending,
            work: PasswordWork::Compare { password, stored },
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
        let shown = match check {
            PasswordCheck::Match => Shown::ByOwner,
            PasswordCheck::Mismatch => Shown::ByAnybody,
        };
        if (shown, attempt.standing) == (Shown::ByAnybody, Standing::Established)
            && let Some(person) = self.person_of(request)
        {
            let unknown_device = &mut person.sealed.unknown_device;
            unknown_device.fail(step.now_ms, &step.policy.guess);
            step.event(EventKind::SignInFailed);
        }
        let identifier = &attempt.identifier;
        let standing = match self.standing(request, identifier, step.now_ms) {
            Ok(standing) => standing,
            Err(refusal) => return Next::Reply(Reply::No(refusal)),
        };
        match self.decision(request, standing, shown) {
            Decision::TakeOver => match attempt.password.chars() < step.policy.password.min_chars {
                true => Next::Reply(Reply::No(Refusal::PasswordTooShort)),
                false => Next::Hash(attempt),
            },
            Decision::Confirm | Decision::DropClaim | Decision::Refuse(_) => {
                Next::Reply(self.concluded(shown, request, identifier, &attempt.by, step))
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
        let salt = step.entropy.bytes();
        step.output.effects.push(Effect::Hash {
            pending,
            work: PasswordWork::New {
                password,
                salt,
                policy: step.policy.password.clone(),
            },
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
        let standing = match self.standing(request, &attempt.identifier, step.now_ms) {
            Ok(standing) => standing,
            Err(refusal) => return Reply::No(refusal),
        };
        let (identifier, by) = (&attempt.identifier, &attempt.by);
        match self.decision(request, standing, Shown::ByAnybody) {
            Decision::TakeOver => self.take_over(request, identifier, by, Some(hash), step),
            Decision::Confirm | Decision::DropClaim | Decision::Refuse(_) => {
                self.concluded(Shown::ByAnybody, request, identifier, by, step)
            }
        }
    }

    /// How the account stands to an identifier now.
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
        let used = !person.check.sessions.is_empty() || !person.sealed.devices.is_empty();
        let owned = used || rows.iter().any(super::IdentifierRow::is_held);
        Ok(match (row.hold, owned) {
            (Hold::Held { .. }, _) => Standing::Holder,
            (Hold::Claimed { .. }, true) => Standing::Established,
            (Hold::Claimed { .. }, false) => Standing::Unused,
        })
    }

    fn decision(&mut self, request: &Request, standing: Standing, shown: Shown) -> Decision {
        match self.person_of(request) {
            None => Decision::Refuse(Refusal::UnknownAccount),
            Some(person) => decide(standing, person.check.status, shown),
        }
    }

    /// Carries out what follows where no new password is to be hashed.
    fn concluded(
        &mut self,
        shown: Shown,
        request: &Request,
        identifier: &ClaimedIdentifier,
        by: &Administrator,
        step: &mut Step<'_>,
    ) -> Reply {
        let standing = match self.standing(request, identifier, step.now_ms) {
            Ok(standing) => standing,
            Err(refusal) => return Reply::No(refusal),
        };
        match self.decision(request, standing, shown) {
            Decision::Refuse(refusal) => Reply::No(refusal),
            Decision::TakeOver => self.take_over(request, identifier, by, None, step),
            Decision::Confirm => {
                if let Some(person) = self.person_of(request) {
                    person.hold(identifier, by, Verification::Confirmed, step);
                }
                Reply::Identifier(IdentifierReply::Verified(Verification::Confirmed))
            }
            Decision::DropClaim => {
                if let Some(person) = self.person_of(request) {
                    person.drop_claims(step, |row| row.is(identifier) && !row.is_held());
                }
                Reply::No(Refusal::ClaimExpired)
            }
        }
    }

    /// What began under the old password must not end in a session.
    pub(super) fn discard_work(&mut self, step: &mut Step<'_>) {
        let old = |pending: &mut Pending| match pending.work {
            Work::SignIn(_)
            | Work::Queued(_)
            | Work::Upgrade
            | Work::Attest(_)
            | Work::Passkey(_)
            | Work::Register(_) => true,
            Work::SignUp(_) | Work::TakeOver(_) | Work::Recover(_) => false,
        };
        for pending in self.pending.extract_if(.., old) {
            for ticket in pending.tickets {
                step.reply(ticket, Reply::No(Refusal::InvalidCredentials));
            }
        }
    }

    /// The account changes hands: what was set up before is dropped.
    fn take_over(
        &mut self,
        request: &Request,
        identifier: &ClaimedIdentifier,
        by: &Administrator,
        hash: Option<PasswordHash>,
        step: &mut Step<'_>,
    ) -> Reply {
        self.discard_work(step);
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::UnknownAccount);
        };
        person.shut_others_out(identifier, &Proofs::default(), EndReason::TakenOver, step);
        person.sealed.attempts.end(None);
        person.sealed.password = hash.map(|hash| PasswordRow {
            phc: hash.to_string(),
            rule: PASSWORD_RULE_VERSION,
            set_at: step.now_ms,
        });
        step.event(EventKind::PasswordReplaced);
        person.hold(identifier, by, Verification::TakenOver, step);
        self.notify(Template::PasswordChanged, identifier, step);
        Reply::Identifier(IdentifierReply::Verified(Verification::TakenOver))
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
        let since = self.held_from(step.now_ms);
        let rows = &mut self.sealed.identifiers;
        let Some(row) = rows.iter_mut().find(|row| row.is(identifier)) else {
            return;
        };
        if row.is_held() && verification == Verification::Confirmed {
            return;
        }
        if !row.is_held() {
            row.hold = Hold::Held { since };
            row.hash = identifier.hash.0;
            row.key_version = identifier.key_version;
            // What is held again before its fall was written has its place in the
            // directory still, and no other is reserved for it.
            row.directory = identifier.directory().or(row.directory);
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

    /// Since when that counts as held which is shown now: later than all that is
    /// held, though the date was ahead when that was shown. Who recovers the
    /// account goes by what was there first.
    fn held_from(&self, now_ms: u64) -> u64 {
        let rows = self.sealed.identifiers.iter();
        let since = rows.filter_map(|row| match row.hold {
            Hold::Held { since } => Some(since.saturating_add(1)),
            Hold::Claimed { .. } => None,
        });
        since.fold(now_ms, u64::max)
    }

    /// Ends what others may have of the account that its owner recovers by this
    /// identifier. Flows are ended by the caller, who may be in one.
    pub(super) fn shut_others_out(
        &mut self,
        identifier: &ClaimedIdentifier,
        proofs: &Proofs,
        reason: EndReason,
        step: &mut Step<'_>,
    ) {
        self.drop_claims(step, |row| !row.is(identifier) && !row.is_held());
        self.drop_factors(proofs, step);
        self.fall_back(identifier, step);
        let sessions = &mut self.check.sessions;
        let over = 0..sessions.len();
        #[cfg(tidegate_planted)]
        let over = crate::planted::over(over);
        for session in sessions.drain(over) {
            step.event(EventKind::SessionEnded(session.id, reason));
        }
        self.sealed.devices.clear();
        self.sealed.outcomes.clear();
        self.sealed.unknown_device = Guesses::default();
    }

    /// Removes every factor but those that were shown: whose the others are is not
    /// known. Which passkey was shown is not known either.
    fn drop_factors(&mut self, proofs: &Proofs, step: &mut Step<'_>) {
        #[cfg(tidegate_planted)]
        if crate::planted::is(crate::planted::Bug::PlantedOutlives) {
            return;
        }
        let shown = |method| proofs.iter().any(|proof| proof.shown.method() == method);
        let factors = &mut self.sealed.factors;
        for passkey in factors.passkeys.drain(..) {
            step.change().passkeys.push((passkey.number, None));
            step.event(EventKind::CredentialRemoved(Method::Passkey.number()));
        }
        if !shown(Method::Totp) && factors.totp.take().is_some() {
            step.event(EventKind::CredentialRemoved(Method::Totp.number()));
        }
        if !shown(Method::RecoveryCode) && factors.recovery_codes.take().is_some() {
            step.event(EventKind::CredentialRemoved(Method::RecoveryCode.number()));
        }
    }

    /// Turns what was added after the identifier that recovers the account back
    /// into claims, which open nothing until they are shown again.
    fn fall_back(&mut self, identifier: &ClaimedIdentifier, step: &mut Step<'_>) {
        #[cfg(tidegate_planted)]
        if crate::planted::is(crate::planted::Bug::PlantedOutlives) {
            return;
        }
        let until = step.now_ms.saturating_add(step.policy.claim_ms);
        let rows = &mut self.sealed.identifiers;
        let recovering = rows.iter().find(|row| row.is(identifier));
        let Some(Hold::Held { since }) = recovering.map(|row| row.hold) else {
            return;
        };
        for row in rows {
            if row.is(identifier) || outlives_recovery(row, since) {
                continue;
            }
            step.change().fallen.push(row.clone());
            row.hold = Hold::Claimed { until };
            step.event(EventKind::IdentifierDropped(row.kind));
        }
    }
}
