//! A new password for a person who has shown an address of the account. What an
//! attacker may have set up does not outlive it, and the session that follows
//! says that it is one of recovery (SP 800-63B-4, 4.2).

use alloc::string::ToString;

use super::adding::New;
use crate::account::entering::Entering;
use crate::account::family::{FlowAnswer, FlowReply, Reply};
use crate::account::{Account, Step, Work, busy};
use crate::assurance::Entry;
use crate::command::{Completion, Effect, PasswordWork, Request};
use crate::continuation::Purpose;
use crate::event::{EndReason, EventKind};
use crate::message::Template;
use crate::password::{PASSWORD_RULE_VERSION, Password, PasswordHash};
use crate::record::PasswordRow;
use crate::reply::Refusal;

/// A recovery whose password is being hashed.
#[derive(Debug)]
pub(in crate::account) struct Recovering(FlowAnswer);

impl Account {
    pub(super) fn replace_password(
        &mut self,
        request: Request,
        answer: FlowAnswer,
        password: Password,
        step: &mut Step<'_>,
    ) {
        let policy = step.policy.password.clone();
        if password.chars() < policy.min_chars {
            return step.reply(request.ticket, Reply::No(Refusal::PasswordTooShort));
        }
        let salt = step.entropy.bytes();
        let pending = self.start(request, Work::Recover(Recovering(answer).into()));
        step.output.effects.push(Effect::Hash {
            pending,
            work: PasswordWork::New {
                password,
                salt,
                policy,
            },
        });
    }

    pub(in crate::account) fn recovered(
        &mut self,
        recovering: &Recovering,
        completion: Completion,
        request: &Request,
        step: &mut Step<'_>,
    ) -> Reply {
        let Completion::Hashed(hash) = completion else {
            return busy(&completion);
        };
        let context = &recovering.0.context;
        if let Err(refusal) = self.is_of_flow(request, context, step.now_ms) {
            return Reply::No(refusal);
        }
        if context.continuation.purpose != Purpose::Recover {
            return self.add_password(recovering, &hash, step);
        }
        let place = context.continuation.place();
        let now_ms = step.now_ms;
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::FlowOver);
        };
        if let Err(refusal) = person.is_open() {
            return Reply::No(refusal);
        }
        if person.sealed.attempts.advance(place, now_ms).is_err() {
            return Reply::No(Refusal::FlowOver);
        }
        self.discard_work(step);
        self.put_in_order(recovering, hash, request, step)
    }

    /// A password for an account that had none.
    fn add_password(
        &mut self,
        recovering: &Recovering,
        hash: &PasswordHash,
        step: &mut Step<'_>,
    ) -> Reply {
        let at = self.at(&recovering.0);
        let row = PasswordRow {
            phc: hash.to_string(),
            rule: PASSWORD_RULE_VERSION,
            set_at: step.now_ms,
        };
        self.added(&recovering.0.context, New::Password(row), at, step)
    }

    /// Ends what others may have, and lets the person in.
    fn put_in_order(
        &mut self,
        recovering: &Recovering,
        hash: PasswordHash,
        request: &Request,
        step: &mut Step<'_>,
    ) -> Reply {
        let context = &recovering.0.context;
        let Some(person) = self.person_of(request) else {
            return Reply::No(Refusal::FlowOver);
        };
        let Some(identifier) = &context.identifier else {
            return Reply::No(Refusal::FlowOver);
        };
        let proofs = &context.continuation.proofs;
        person.shut_others_out(identifier, proofs, EndReason::Revoked, step);
        let own = context.continuation.attempt;
        person.sealed.attempts.end(Some(own));
        person.sealed.password = Some(PasswordRow {
            phc: hash.to_string(),
            rule: PASSWORD_RULE_VERSION,
            set_at: step.now_ms,
        });
        step.event(EventKind::PasswordReplaced);
        let lane = person.sealed.lane(None);
        let lane = (lane, recovering.0.remember);
        let entering = Entering::by_flow(proofs, Entry::Recovery, lane);
        let grant = person.establish_session(&entering, step);
        self.notify(Template::PasswordChanged, identifier, step);
        Reply::Flow(FlowReply::Granted(grant))
    }
}
