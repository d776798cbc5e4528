//! What the engine, its actors and its background work share.

use std::sync::Arc;

use ractor::ActorRef;
use tidegate_account::{Late, SecretHash, TenantId, UserId};
use tidegate_storage_api::Store;
use tokio::sync::mpsc::Sender;

use crate::admission::{Admission, Limit};
use crate::agenda::Agenda;
use crate::answer::Failure;
use crate::check::{Ask, Outcome};
use crate::contact::Contact;
use crate::crowd::Crowds;
use crate::date::Date;
use crate::degraded_states::DegradedStates;
use crate::directory::Directory;
use crate::formats::Formats;
use crate::identifiers::IndexKeys;
use crate::lates::Lates;
use crate::limits::{Limits, Retention};
use crate::lookups::Lookups;
use crate::meters::Meters;
use crate::outbox::Outbox;
use crate::ownership::{Lease, Ownership};
use crate::pace::Pace;
use crate::person::Message;
use crate::ports::{Clock, Cpu, Delivery, Entropy};
use crate::regions::Regions;
use crate::sources::Sources;
use crate::tenants::Tenants;
use crate::warm::WriteBehind;

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ownership: Arc<Ownership>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) index_keys: Arc<IndexKeys>,
    pub(crate) formats: Arc<Formats>,
    pub(crate) regions: Option<Arc<Regions>>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) cpu: Arc<dyn Cpu>,
    pub(crate) delivery: Arc<dyn Delivery>,
    pub(crate) directory: Directory<ActorRef<Message>>,
    pub(crate) meters: Meters,
    /// People whose times of use lag too far behind.
    pub(crate) due: Sender<UserId>,
    pub(crate) admission: Admission,
    pub(crate) agenda: Agenda,
    pub(crate) outbox: Outbox,
    pub(crate) sources: Sources,
    pub(crate) crowds: Crowds,
    pub(crate) contact: Contact,
    pub(crate) lookups: Lookups,
    pub(crate) lates: Lates,
    pub(crate) pace: Pace,
    pub(crate) degraded_states: DegradedStates,
    pub(crate) retention: Retention,
    /// What the sweeper knows of the date; none before its first walk.
    pub(crate) date: tokio::sync::Mutex<Option<Date>>,
}

/// What a look-up of a session found.
pub(crate) struct Found {
    pub(crate) outcome: Outcome,
    /// Whether this node has decided it itself, whoever owns the slot by now.
    pub(crate) origin: DecidedBy,
    pub(crate) write_behind: WriteBehind,
    pub(crate) epoch: u64,
}

/// What an outcome rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecidedBy {
    /// The record.
    Record,
    /// This node, while the store was out of reach.
    Degraded,
}

/// How this node stands to the people of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It owns them, and what it knows is so.
    Owner,
    /// It owned them so long ago, when the store was last heard.
    CutOff { age_ms: u64 },
    /// It does not own them.
    NotOwner,
}

impl Shared {
    /// How this node stands to a person whom it has known since this epoch.
    pub(crate) fn standing(&self, user: UserId, epoch: u64) -> Standing {
        match self.ownership.epoch_of(user) == Some(epoch) {
            false => Standing::NotOwner,
            true => match self.ownership.leased(|| self.clock.monotonic_ms()) {
                Lease::Held => Standing::Owner,
                Lease::Over { age_ms } => Standing::CutOff { age_ms },
            },
        }
    }

    /// The same for whoever wants something changed: the store must take it.
    pub(crate) fn standing_to_change(&self, user: UserId, epoch: u64) -> Standing {
        let standing = self.standing(user, epoch);
        match (standing, self.lost_for_ms()) {
            (Standing::Owner, Some(age_ms)) => Standing::CutOff { age_ms },
            (standing, _) => standing,
        }
    }

    /// The store did not take a change.
    pub(crate) fn lost(&self) {
        if self.ownership.is_alone() {
            let first = || tracing::warn!(event = "store.lost");
            self.contact.lost(self.clock.monotonic_ms(), first);
        }
    }

    /// The store took a change.
    pub(crate) fn found(&self) {
        self.contact.found(|| tracing::info!(event = "store.found"));
    }

    /// How long ago the store was lost, unless it takes changes.
    fn lost_for_ms(&self) -> Option<u64> {
        self.contact.lost_for_ms(|| self.clock.monotonic_ms())
    }

    /// Whether it is time to try a store that was lost.
    pub(crate) fn tries(&self) -> bool {
        self.lost_for_ms().is_some() && self.contact.tries(self.clock.monotonic_ms())
    }

    /// Whether the store is out of reach for the whole node.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.is_past_lease() || self.lost_for_ms().is_some()
    }

    /// Whether other nodes may own everything by now.
    pub(crate) fn is_past_lease(&self) -> bool {
        self.ownership.leased(|| self.clock.monotonic_ms()) != Lease::Held
    }

    /// Looks a session up. What was decided of it while the store was away is
    /// looked at before the warm form: an account that takes it over publishes
    /// first, so whoever finds it gone finds the newer form.
    pub(crate) fn look_up(&self, ask: &Ask, secret: &SecretHash, now_ms: u64) -> Option<Found> {
        let degraded = self.degraded_states.check(ask, secret, now_ms);
        let (outcome, write_behind, epoch) = self.directory.check(ask, secret, now_ms)?;
        Some(Found {
            outcome: degraded.unwrap_or(outcome),
            origin: match degraded {
                Some(_) => DecidedBy::Degraded,
                None => DecidedBy::Record,
            },
            write_behind,
            epoch,
        })
    }

    /// Nobody could answer this person for a while.
    pub(crate) fn late(&self, user: UserId, late: Late) {
        self.lates.add(user, late, self.clock.monotonic_ms());
    }

    /// For how long nobody could answer this person, if that was lately.
    pub(crate) fn late_of(&self, user: UserId) -> Option<Late> {
        #[cfg(tidegate_planted)]
        if tidegate_account::planted::is(tidegate_account::planted::Bug::LateForgotten) {
            return None;
        }
        self.lates.of(user, self.clock.monotonic_ms())
    }

    /// For how long answers are given while the store is out of reach.
    pub(crate) fn grace_ms(&self, tenant: TenantId) -> u64 {
        let tenant = self.tenants.get(tenant);
        tenant.map_or(0, |tenant| tenant.policy.grace_ms)
    }

    /// Whether the person's slot is still ours under this epoch, and the lease
    /// under which we answer for it is not over.
    pub(crate) fn owns(&self, user: UserId, epoch: u64) -> bool {
        self.standing(user, epoch) == Standing::Owner
    }

    /// The answer to a request that this limit does not let in now.
    pub(crate) fn busy(&self, limit: Limit) -> Failure {
        self.meters.refused(limit);
        let retry_after_ms = self.limits.retry_after_ms;
        Failure::Busy {
            limit,
            retry_after_ms,
        }
    }

    /// Queues a person whose times of use lag too far behind. When there is no
    /// room the next check asks again: nothing that was told depends on it.
    pub(crate) fn write_behind(&self, user: UserId) {
        if self.due.try_send(user).is_err() {
            self.not_written(user);
        }
    }

    /// Lets the next check ask for the write again.
    pub(crate) fn not_written(&self, user: UserId) {
        self.directory
            .with_warm(user, crate::warm::Warm::not_written);
    }
}
