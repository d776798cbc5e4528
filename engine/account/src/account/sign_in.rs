//! Signing in. An attempt is charged before its verification starts: while
//! under way it counts as a failure, a mismatch makes the charge durable, a
//! match takes it back.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::entering::Entering;
use super::family::{CredentialReply, FlowContext, Reply};
use super::flow::At;
use super::{Account, Person, Step, Work, busy};
use crate::assurance::Shown;
use crate::command::{
    Completion, Effect, LedBy, PasswordCheck, PasswordWork, Remember, Request, SignIn, Source,
};
use crate::device::Lane;
use crate::event::EventKind;
use crate::guess::Admission;
use crate::password::{PASSWORD_RULE_VERSION, Password, PasswordHash};
use crate::record::{Guesses, PasswordRow};
use crate::reply::Refusal;
use crate::status::Status;

/// A sign-in whose password is being verified.
#[derive(Debug)]
pub(super) struct Attempt {
    lane: Lane,
    password: Password,
    remember: Remember,
    /// The flow of which it is a step.
    flow: Option<Box<FlowContext>>,
}

/// A sign-in, and the flow of which it is a step.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) sign_in: SignIn,
    pub(super) flow: Option<Box<FlowContext>>,
}

impl From<SignIn> for Asked {
    fn from(sign_in: SignIn) -> Asked {
        Asked {
            sign_in,
            flow: None,
        }
    }
}

impl Attempt {
    fn of(lane: Lane, Asked { sign_in, flow }: Asked) -> (Attempt, Password) {
        let attempt = Attempt {
            lane,
            password: sign_in.password.clone(),
            remember: sign_in.remember,
            flow,
        };
        (attempt, sign_in.password)
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }
}

/// What a verification leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Establish,
    /// The charge stays.
    Fail,
    /// The charge is taken back; the account is closed.
    Closed(Refusal),
    /// The charge is taken back; nothing was verified.
    NotVerified,
}

fn decide(completion: &Completion, status: Status) -> Decision {
    match (completion, status) {
        (Completion::Verified(PasswordCheck::Match), Status::Active) => Decision::Establish,
        (Completion::Verified(PasswordCheck::Match), Status::Locked) => {
            Decision::Closed(Refusal::AccountLocked)
        }
        (Completion::Verified(PasswordCheck::Match), Status::Suspended) => {
            Decision::Closed(Refusal::AccountSuspended)
        }
        (Completion::Verified(PasswordCheck::Match), Status::Decoy)
        | (Completion::Verified(PasswordCheck::Mismatch), _) => Decision::Fail,
        (Completion::Refused { .. } | Completion::Hashed(_) | Completion::Signature(_), _) => {
            Decision::NotVerified
        }
    }
}

impl Account {
    pub(super) fn sign_in(&mut self, request: Request, asked: Asked, step: &mut Step<'_>) {
        let sign_in = &asked.sign_in;
        let person = self.person.as_ref();
        if person.is_some_and(|person| person.check.tenant != request.tenant.0) {
            return step.reply(request.ticket, Reply::No(Refusal::InvalidCredentials));
        }
        // Looked up before the account let go of the identifier or took it over
        // under a newer key, or led astray. A repeated request is looked up
        // anew.
        if person.is_some_and(|person| !person.is_led_to(&sign_in.led_by)) {
            let refusal = Refusal::Busy { retry_after_ms: 0 };
            return step.reply(request.ticket, Reply::No(refusal));
        }
        if !self.goes_on(asked.flow.as_deref()) {
            return step.reply(request.ticket, Reply::No(Refusal::FlowOver));
        }
        let lane = self.lane(sign_in);
        let stored = person.and_then(Person::stored_hash);
        match self.admit(lane, sign_in.source, step) {
            Admission::Hold { retry_after_ms } => {
                let refusal = Refusal::Throttled { retry_after_ms };
                step.reply(request.ticket, Reply::No(refusal));
            }
            Admission::Wait => {
                self.start(request, Work::Queued(asked));
            }
            Admission::Admit => {
                let (attempt, password) = Attempt::of(lane, asked);
                let pending = self.start(request, Work::SignIn(attempt));
                step.output.effects.push(Effect::Hash {
                    pending,
                    work: PasswordWork::Compare { password, stored },
                });
            }
        }
    }

    /// Judges those that wait, in the order in which they came, after something
    /// under way is known.
    pub(super) fn admit_queued(&mut self, step: &mut Step<'_>) {
        loop {
            let queued = |pending: &super::Pending| matches!(pending.work, Work::Queued(_));
            // Work that ends is swapped out, so places say nothing of order.
            let waiting = self.pending.iter().enumerate();
            let first = waiting
                .filter(|(_, pending)| queued(pending))
                .min_by_key(|(_, pending)| pending.id);
            let Some((place, _)) = first else {
                return;
            };
            let Work::Queued(Asked { sign_in, .. }) = &self.pending[place].work else {
                return;
            };
            let lane = self.lane(sign_in);
            match self.admit(lane, sign_in.source, step) {
                Admission::Wait => return,
                Admission::Hold { retry_after_ms } => {
                    let refusal = Refusal::Throttled { retry_after_ms };
                    for ticket in self.pending.swap_remove(place).tickets {
                        step.reply(ticket, Reply::No(refusal));
                    }
                }
                Admission::Admit => self.begin_queued(place, lane, step),
            }
        }
    }

    fn begin_queued(&mut self, place: usize, lane: Lane, step: &mut Step<'_>) {
        let stored = self.person.as_ref().and_then(Person::stored_hash);
        let pending = &mut self.pending[place];
        // No caller waits for an upgrade.
        let Work::Queued(asked) = core::mem::replace(&mut pending.work, Work::Upgrade) else {
            return;
        };
        let (attempt, password) = Attempt::of(lane, asked);
        pending.work = Work::SignIn(attempt);
        step.output.effects.push(Effect::Hash {
            pending: pending.id,
            work: PasswordWork::Compare { password, stored },
        });
    }

    /// Whether the flow of which something is a step is not over.
    fn goes_on(&self, flow: Option<&FlowContext>) -> bool {
        let attempts = self.person.as_ref().map(|person| &person.sealed.attempts);
        match (flow, attempts) {
            (Some(flow), Some(attempts)) => attempts.admit(flow.continuation.place()).is_ok(),
            (None, _) | (_, None) => true,
        }
    }

    pub(super) fn lane(&self, sign_in: &SignIn) -> Lane {
        self.person.as_ref().map_or(Lane::UnknownDevice, |person| {
            person.sealed.lane(sign_in.device.as_ref())
        })
    }

    /// Whether one more attempt of this lane may be verified.
    pub(super) fn admit(&self, lane: Lane, source: Source, step: &Step<'_>) -> Admission {
        if let (Lane::UnknownDevice, Source::Held { retry_after_ms }) = (lane, source) {
            return Admission::Hold { retry_after_ms };
        }
        let nothing = Guesses::default();
        let person = self.person.as_ref();
        let guesses = person.map_or(&nothing, |person| person.sealed.guesses(lane));
        guesses.admit(self.under_way(lane), step.now_ms, &step.policy.guess)
    }

    fn under_way(&self, lane: Lane) -> u16 {
        let of_lane = |pending: &&super::Pending| match &pending.work {
            Work::SignIn(other) => other.lane == lane,
            Work::Attest(_) => lane == Lane::UnknownDevice,
            Work::SignUp(_)
            | Work::Queued(_)
            | Work::Upgrade
            | Work::TakeOver(_)
            | Work::Recover(_)
            | Work::Passkey(_)
            | Work::Register(_) => false,
        };
        let under_way = self.pending.iter().filter(of_lane).count();
        u16::try_from(under_way).unwrap_or(u16::MAX)
    }

    pub(super) fn verified(
        &mut self,
        attempt: Attempt,
        completion: &Completion,
        request: &Request,
        step: &mut Step<'_>,
    ) -> Reply {
        let (user, revision) = (self.user, self.last_revision);
        let mismatch = matches!(completion, Completion::Verified(_));
        let person = match &mut self.person {
            Some(person) => person,
            // The identifier was read before its person was erased.
            None if self.erased.is_some() && mismatch => {
                return Reply::No(Refusal::InvalidCredentials);
            }
            // No account holds this identifier: from its first failure on, a
            // decoy counts the guesses at it like any account.
            absent if mismatch => {
                absent.insert(Person::decoy(user, request.tenant.0, revision, step))
            }
            _ => return busy(completion),
        };
        match decide(completion, person.check.status) {
            Decision::NotVerified => busy(completion),
            Decision::Closed(refusal) => Reply::No(refusal),
            Decision::Fail => {
                let guesses = person.sealed.guesses_mut(attempt.lane);
                guesses.fail(step.now_ms, &step.policy.guess);
                step.event(match person.check.status {
                    Status::Decoy => EventKind::UnknownIdentifier,
                    _ => EventKind::SignInFailed,
                });
                Reply::No(Refusal::InvalidCredentials)
            }
            Decision::Establish => {
                let reply = self.admitted(&attempt, step);
                if !matches!(reply, Reply::No(_)) {
                    self.upgrade(attempt.password, step);
                }
                reply
            }
        }
    }

    /// The password was right.
    fn admitted(&mut self, attempt: &Attempt, step: &mut Step<'_>) -> Reply {
        if let Some(context) = &attempt.flow {
            let at = At {
                lane: attempt.lane,
                remember: attempt.remember,
            };
            return self.proven(context, Shown::Password, at, step);
        }
        let Some(person) = &mut self.person else {
            return Reply::No(Refusal::InvalidCredentials);
        };
        if person.wants_second_factor(step) {
            return Reply::No(Refusal::SecondFactorNeeded);
        }
        let entering = Entering::by_password(attempt.lane, attempt.remember);
        let grant = person.establish_session(&entering, step);
        Reply::Credential(CredentialReply::SignedIn(grant))
    }

    /// Hashes the password anew when the policy asks for more than was stored.
    fn upgrade(&mut self, password: Password, step: &mut Step<'_>) {
        let stored = self.person.as_ref().and_then(Person::stored_hash);
        let weaker = stored.is_some_and(|hash| hash.is_weaker_than(&step.policy.password));
        let upgrading = |pending: &super::Pending| matches!(pending.work, Work::Upgrade);
        if !weaker || self.pending.iter().any(upgrading) {
            return;
        }
        let request = Request {
            ticket: crate::command::Ticket(0),
            tenant: crate::id::TenantId(0),
            idempotency: None,
        };
        let pending = self.start(request, Work::Upgrade);
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

    pub(super) fn upgraded(&mut self, completion: Completion, step: &mut Step<'_>) {
        let (Some(person), Completion::Hashed(hash)) = (&mut self.person, completion) else {
            return;
        };
        // It may have been removed meanwhile.
        if person.sealed.password.is_none() {
            return;
        }
        person.sealed.password = Some(PasswordRow {
            phc: hash.to_string(),
            rule: PASSWORD_RULE_VERSION,
            set_at: step.now_ms,
        });
        step.event(EventKind::PasswordUpgraded);
    }
}

impl Person {
    /// The hash to compare with; none for a decoy, whose password is no hash's
    /// output.
    pub(super) fn stored_hash(&self) -> Option<PasswordHash> {
        let somebody = self.check.status != Status::Decoy;
        let row = self.sealed.password.as_ref().filter(|_| somebody)?;
        PasswordHash::parse(&row.phc).ok()
    }

    /// Whether the account may be signed in to by what led to it. A decoy holds
    /// nothing, and grants no access.
    pub(super) fn is_led_to(&self, led_by: &LedBy) -> bool {
        match (led_by, self.check.status) {
            (LedBy::Id, _) | (LedBy::Identifier(_), Status::Decoy) => true,
            (LedBy::Identifier(hashes), Status::Active | Status::Locked | Status::Suspended) => {
                let rows = self.sealed.identifiers.iter();
                let mut held = rows.filter(|row| row.is_held());
                held.any(|row| hashes.iter().any(|hash| hash.0 == row.hash))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_table_of_decisions_is_as_written_down() {
        let mut table = std::string::String::new();
        for completion in [
            Completion::Verified(PasswordCheck::Match),
            Completion::Verified(PasswordCheck::Mismatch),
            Completion::Refused { retry_after_ms: 1 },
        ] {
            for status in [
                Status::Active,
                Status::Locked,
                Status::Suspended,
                Status::Decoy,
            ] {
                let decision = decide(&completion, status);
                writeln!(table, "{completion:?} + {status:?} = {decision:?}").unwrap();
            }
        }
        crate::table::assert_table("sign_in", &table);
    }
}
