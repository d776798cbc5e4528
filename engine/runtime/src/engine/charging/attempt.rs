//! An attempt between its charge and its answer.

use std::sync::Arc;

use crate::crowd::Crowd;
use crate::people::People;
use crate::sources::{Account, Concluded, Lead};
use crate::tenants::Tenant;

/// An attempt that was charged. To drop it before it is known takes it back.
pub(in crate::engine) struct Attempt {
    people: People,
    pub(super) tenant: Arc<Tenant>,
    kind: Kind,
    /// The source, by its keyed hash.
    pub(super) source: Option<[u8; 32]>,
    /// The source, where a success from there answers for it.
    pub(super) trusted: Option<[u8; 32]>,
    /// The crowds that it is one of.
    pub(super) crowds: Vec<Crowd>,
}

/// What is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Guess,
    SignUp,
    Send,
}

impl Attempt {
    /// One that is charged to nothing yet.
    pub(super) fn new(people: &People, tenant: &Arc<Tenant>, kind: Kind) -> Attempt {
        Attempt {
            people: people.clone(),
            tenant: Arc::clone(tenant),
            kind,
            source: None,
            trusted: None,
            crowds: Vec::new(),
        }
    }

    /// Says what it was, once, to its source and to its crowds.
    pub(super) fn conclude(&mut self, source: Concluded, crowd: Concluded) {
        let shared = self.people.shared();
        let policy = &self.tenant.policy;
        if let Some(hash) = &self.trusted.take() {
            // It stands in for the crowds.
            shared.bounds.sources.conclude_trusted(hash, crowd);
        }
        if let Some(hash) = &self.source.take() {
            let policy = match self.kind {
                Kind::Guess => &policy.source,
                Kind::SignUp => &policy.sign_ups,
                Kind::Send => &policy.sends,
            };
            let account = Account { hash, policy };
            let now_ms = shared.ports.clock.unix_ms();
            if let Some(lead) = shared.bounds.sources.conclude(account, now_ms, source) {
                self.give_back(lead);
            }
        }
        let crowds = std::mem::take(&mut self.crowds);
        let now_ms = shared.ports.clock.monotonic_ms();
        shared
            .bounds
            .crowds
            .conclude(&crowds, &policy.crowd, now_ms, crowd);
    }

    /// No request waits for it: what it says is on the safe side until it is done.
    fn give_back(&self, lead: Lead) {
        if self.people.shared().placement.is_cut_off() {
            return;
        }
        let shared = Arc::clone(self.people.shared());
        self.people.spawn(async move {
            lead.give_back(&*shared.ports.store, shared.placement.ownership.region())
                .await;
        });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.conclude(Concluded::Returned, Concluded::Returned);
    }
}
