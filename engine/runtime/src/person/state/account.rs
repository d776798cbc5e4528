//! What the account is given, and what comes of it.

use std::sync::Arc;

use tidegate_account::{
    Account, Completion, Effect, Input, Output, PasswordWork, PendingId, Policy,
};

use super::PersonState;
use super::phase::Ready;
use super::subject::Subject;
use crate::answer::Answer;
use crate::person::Message;
use crate::ports::HashWork;
use crate::tenants::{Tenant, pretend};
use crate::warm::Warm;

impl PersonState {
    /// Tells the account of the uses that were answered from memory.
    pub(super) fn touch(&mut self) {
        let Subject { shared, user, .. } = &self.subject;
        let uses = shared.memory.directory.with_warm(*user, Warm::uses);
        if let Some(uses) = uses.filter(|uses| !uses.is_empty()) {
            self.input(Input::Touched(uses));
        }
    }

    pub(super) fn input(&mut self, input: Input) {
        let Some(Ready { account, .. }) = self.phase.opened_mut() else {
            return;
        };
        let tenant = tenant_of(&self.subject, account, &input);
        let policy = tenant
            .as_ref()
            .map_or_else(Policy::default, |tenant| tenant.policy.clone());
        let entropy = self.subject.entropy();
        let now_ms = self.subject.now_ms();
        let mut output = account.handle(now_ms, entropy, &policy, input);
        let revision = account.revision();
        if let Some(changes) = output.changes.take() {
            self.commits.draft.add(changes, now_ms);
        }
        self.output(output, revision, tenant.as_deref());
    }

    fn output(&mut self, output: Output, revision: u64, tenant: Option<&Tenant>) {
        for effect in output.effects {
            self.effect(effect, tenant);
        }
        for (ticket, reply) in output.replies {
            if let Some(held) = self.requests.leave(ticket) {
                self.replies.hold(revision, held, Answer::Reply(reply));
            }
        }
        self.replies.release(self.subject.epoch);
    }

    /// Hands work to the port of its kind.
    fn effect(&mut self, effect: Effect, tenant: Option<&Tenant>) {
        match effect {
            Effect::Hash { pending, work } => self.hash_for(pending, work, tenant),
            Effect::Verify { pending, work } => {
                let check = self.subject.shared.ports.cpu.verify(&work);
                self.input(Input::Completion {
                    pending,
                    completion: Completion::Signature(check),
                });
            }
        }
    }

    fn hash_for(&mut self, pending: PendingId, work: PasswordWork, tenant: Option<&Tenant>) {
        let life = self.life;
        let deadline_ms = self.requests.deadline_ms();
        let message = move |completion| Message::Hashed {
            life,
            pending,
            completion,
        };
        self.subject
            .hash(hash_work(work, tenant), deadline_ms, message);
    }
}

/// A password's work as the pool does it.
pub(super) fn hash_work(work: PasswordWork, tenant: Option<&Tenant>) -> HashWork {
    match work {
        PasswordWork::New {
            password,
            salt,
            policy,
        } => HashWork::Hash {
            password,
            salt,
            policy,
        },
        PasswordWork::Compare {
            password,
            stored: Some(stored),
        } => {
            if let Some(tenant) = tenant {
                tenant.costs.saw(&stored);
            }
            HashWork::Verify { password, stored }
        }
        PasswordWork::Compare {
            password,
            stored: None,
        } => pretend(tenant, password),
    }
}

/// The tenant in whose name the input comes or whose person it is.
fn tenant_of(subject: &Subject, account: &Account, input: &Input) -> Option<Arc<Tenant>> {
    let tenant = match (account.tenant(), input) {
        (Some(tenant), _) => Some(tenant),
        (None, Input::Command(request, _)) => Some(request.tenant),
        (None, _) => None,
    };
    tenant.and_then(|id| subject.tenant(id))
}
