//! The person of an actor, as the node owns them: what every part of the actor goes
//! by, and nothing that changes with a command.

use std::sync::Arc;

use ractor::ActorRef;
use tidegate_account::{Command, Completion, Entropy, Late, Policy, TenantId, UserId};

use super::replies::Held;
use crate::answer::{Answer, Failure};
use crate::job::{Job, What};
use crate::person::Message;
use crate::person::load::Home;
use crate::placement::Standing;
use crate::ports::{HashDone, HashJob, HashWork};
use crate::seal::WrappedKey;
use crate::shared::Shared;
use crate::tenants::Tenant;
use crate::warm::{Warm, WarmParts};

pub(super) struct Subject {
    pub(super) shared: Arc<Shared>,
    pub(super) user: UserId,
    /// Where the person's rows lie; `None` for an id that names no slot.
    pub(super) home: Option<Home>,
    /// The slot's epoch when the person was opened.
    pub(super) epoch: u64,
    myself: ActorRef<Message>,
}

impl Subject {
    pub(super) fn new(
        shared: Arc<Shared>,
        user: UserId,
        epoch: u64,
        myself: ActorRef<Message>,
    ) -> Subject {
        Subject {
            shared,
            user,
            home: Home::of(user),
            epoch,
            myself,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.shared.placement.standing(self.user, self.epoch)
    }

    pub(super) fn standing_to_change(&self) -> Standing {
        let placement = &self.shared.placement;
        placement.standing_to_change(self.user, self.epoch)
    }

    pub(super) fn not_owner(&self) -> Failure {
        Failure::NotOwner(self.user.slot())
    }

    /// Unix time.
    pub(super) fn now_ms(&self) -> u64 {
        self.shared.ports.clock.unix_ms()
    }

    /// Randomness for one input of the account.
    pub(super) fn entropy(&self) -> Entropy {
        Entropy::new(self.shared.ports.entropy.seed())
    }

    pub(super) fn tenant(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.shared.settings.tenants.get(id)
    }

    /// The rules of a tenant; those of none, where it is not served.
    pub(super) fn policy(&self, id: Option<TenantId>) -> Policy {
        let tenant = id.and_then(|id| self.tenant(id));
        tenant.map_or_else(Policy::default, |tenant| tenant.policy.clone())
    }

    /// Does work beside the actor, which is sent what comes of it.
    pub(super) fn begin(&self, work: impl Future<Output = Message> + Send + 'static) {
        let myself = self.myself.clone();
        tokio::spawn(async move {
            // An actor that ended has answered every request already.
            let _ = myself.send_message(work.await);
        });
    }

    /// Has a password's work done, and the actor sent what comes of it.
    pub(super) fn hash(
        &self,
        work: HashWork,
        deadline_ms: Option<u64>,
        message: impl FnOnce(Completion) -> Message + Send + 'static,
    ) {
        let myself = self.myself.clone();
        let done = HashDone::new(move |completion| {
            // An actor that ended has answered every request already.
            let _ = myself.send_message(message(completion));
        });
        let deadline_ms = deadline_ms.unwrap_or(u64::MAX);
        self.shared
            .ports
            .cpu
            .hash(HashJob { work, deadline_ms }, done);
    }

    /// What is asked and the request that waits for it; one whose deadline has passed
    /// is answered so.
    pub(super) fn in_time(&self, job: Job) -> Option<(What, Held)> {
        let late = self.shared.ports.clock.monotonic_ms() > job.deadline_ms;
        let (what, held) = Held::of(job);
        if late {
            held.answer(Answer::Failed(Failure::DeadlineExceeded), self.epoch);
            return None;
        }
        Some((what, held))
    }

    /// Refuses a job; work of the engine's own is begun again when there is cause.
    pub(super) fn refuse(&self, job: Job, failure: Failure) {
        match job.responder {
            Some(responder) => responder.answer(Answer::Failed(failure), self.epoch),
            None => self.not_written(),
        }
    }

    /// Lets the next check ask again for times of use to be written.
    pub(super) fn not_written(&self) {
        self.shared.memory.not_written(self.user);
    }

    /// Forgets the warm form.
    pub(super) fn forget(&self) {
        self.shared.memory.directory.forget(self.user);
    }

    /// Lets checks read this record from now on.
    pub(super) fn publish(&self, record: Vec<u8>, key: WrappedKey) {
        // Past its lease a node still serves the people that it knows.
        if self.standing() == Standing::NotOwner {
            return self.forget();
        }
        let now_ms = self.now_ms();
        let parts = WarmParts {
            record,
            key,
            epoch: self.epoch,
        };
        #[cfg(tidegate_planted)]
        if tidegate_account::planted::is(tidegate_account::planted::Bug::PublishedLate) {
            return self.publish_late(parts);
        }
        match Warm::new(parts, now_ms) {
            Ok(warm) => self.shared.memory.directory.publish(self.user, warm),
            Err(_) => self.forget(),
        }
    }

    #[cfg(tidegate_planted)]
    fn publish_late(&self, parts: WarmParts) {
        let (shared, user) = (Arc::clone(&self.shared), self.user);
        tokio::spawn(async move {
            shared.ports.clock.sleep(100).await;
            if let Ok(warm) = Warm::new(parts, shared.ports.clock.unix_ms()) {
                shared.memory.directory.publish(user, warm);
            }
        });
    }

    /// Remembers a wait, of which the account is told whenever it is opened.
    pub(super) fn late(&self, late: Late) {
        self.shared.memory.late(self.user, late);
    }

    pub(super) fn late_of(&self) -> Option<Late> {
        self.shared.memory.late_of(self.user)
    }

    /// A refresh that came in time and is not answered may come again.
    pub(super) fn not_told(&self, command: &Command) {
        if command.refreshes().is_some() && self.shared.memory.is_warm(self.user) {
            let now_ms = self.now_ms();
            self.late(Late {
                since: now_ms,
                landed: now_ms,
            });
        }
    }
}
