//! What a proof leads to: the next step, or a session.

use super::next::next_step;
use crate::account::entering::Entering;
use crate::account::family::{CodeSent, FlowAnswer, FlowContext, FlowReply, Reply};
use crate::account::{Account, Person, Step};
use crate::assurance::{Entry, Level, Proof, Proofs, Shown};
use crate::command::Remember;
use crate::continuation::{Continuation, Purpose};
use crate::device::Lane;
use crate::event::{EndReason, EventKind};
use crate::flow::Stage;
use crate::id::{DeviceId, SessionId};
use crate::reply::{Grant, Refusal};
use crate::status::Status;

/// Where who answers is, and whether the device shall be remembered.
#[derive(Clone, Copy, Debug)]
pub(in crate::account) struct At {
    pub(in crate::account) lane: Lane,
    pub(in crate::account) remember: Remember,
}

impl Account {
    /// Where an answer comes from.
    pub(super) fn at(&self, answer: &FlowAnswer) -> At {
        let person = self.person.as_ref();
        At {
            lane: person.map_or(Lane::UnknownDevice, |person| {
                person.sealed.lane(answer.device.as_ref())
            }),
            remember: answer.remember,
        }
    }

    /// Something was shown, and was right. The step is taken, whatever follows.
    pub(in crate::account) fn proven(
        &mut self,
        context: &FlowContext,
        shown: Shown,
        at: At,
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(person) = &mut self.person else {
            return Reply::No(Refusal::FlowOver);
        };
        step.change();
        let place = context.continuation.place();
        let taken = person.sealed.attempts.advance(place, step.now_ms);
        let mut continuation = context.continuation.clone();
        let at_ms = step.now_ms;
        let late = continuation.expires_ms <= step.now_ms;
        if late || taken.is_err() || continuation.proofs.add(Proof { shown, at_ms }).is_err() {
            return Reply::No(Refusal::FlowOver);
        }
        if let Err(refusal) = person.is_open() {
            return Reply::No(refusal);
        }
        continuation.step = continuation.step.saturating_add(1);
        let stage = self.stage(context, &continuation.proofs, step);
        match stage {
            // What more would be wanted the account does not have.
            Stage::Prove(offered) if offered.is_empty() => Reply::No(Refusal::StaleSignIn),
            Stage::Over => self.let_in(&continuation, at, step),
            Stage::NewPassword | Stage::New(_) | Stage::Prove(_) => {
                let sent = CodeSent::NotYet { wait_ms: 0 };
                next_step(self, context, &continuation, &stage, sent, step)
            }
        }
    }

    /// The flow is over: a session, in the place of the one with which it began.
    pub(super) fn let_in(
        &mut self,
        continuation: &Continuation,
        at: At,
        step: &mut Step<'_>,
    ) -> Reply {
        let Some(person) = &mut self.person else {
            return Reply::No(Refusal::FlowOver);
        };
        let proofs = &continuation.proofs;
        let assurance = proofs.assurance(Entry::Authentication);
        if continuation.purpose == Purpose::StepUp
            && assurance.is_none_or(|assurance| assurance.level < Level::Two)
        {
            return Reply::No(Refusal::StaleSignIn);
        }
        let grant = match (person.check.status, continuation.session) {
            (Status::Decoy, _) => return Reply::Flow(FlowReply::Proven),
            (Status::Active | Status::Locked | Status::Suspended, None) => {
                let lane = (at.lane, at.remember);
                let entering = Entering::by_flow(proofs, Entry::Authentication, lane);
                person.establish_session(&entering, step)
            }
            (Status::Active | Status::Locked | Status::Suspended, Some(id)) => {
                match person.replace_session(id, proofs, step) {
                    Some(grant) => grant,
                    None => return Reply::No(Refusal::FlowOver),
                }
            }
        };
        Reply::Flow(FlowReply::Granted(grant))
    }
}

impl Person {
    /// A new session in the place of one: who knows the old one's tokens has none of
    /// what was proven since.
    fn replace_session(
        &mut self,
        id: SessionId,
        proofs: &Proofs,
        step: &mut Step<'_>,
    ) -> Option<Grant> {
        let sessions = &mut self.check.sessions;
        let place = sessions.iter().position(|session| session.id() == id)?;
        let old = sessions.remove(place);
        step.event(EventKind::SessionEnded(old.id, EndReason::Replaced));
        // A session of recovery stays one, unless more was proven than began it.
        let entry = match old.is_recovered() && old.proofs() == *proofs {
            true => Entry::Recovery,
            false => Entry::Authentication,
        };
        let lane = match old.device {
            0 => Lane::UnknownDevice,
            device => Lane::Device(DeviceId(device)),
        };
        let entering = Entering::by_flow(proofs, entry, (lane, Remember::Nothing));
        let mut grant = self.establish_session(&entering, step);
        let sessions = self.check.sessions.iter_mut();
        for session in sessions.filter(|session| session.id() == grant.session) {
            // As old as the newest of what was proven: what is added makes no session
            // young, and without a new proof none lives longer.
            session.created_at = proofs.newest_ms().unwrap_or(old.created_at);
            if old.proofs() == *proofs {
                session.expires_at = session.expires_at.min(old.expires_at);
                grant.expires_at = session.expires_at;
                grant.idle_expires_at = session.idle_expires_at(step.now_ms);
            }
        }
        Some(grant)
    }
}
