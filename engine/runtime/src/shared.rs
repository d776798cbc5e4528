//! What the engine, its actors and its background work share.

use std::sync::Arc;

use ractor::ActorRef;
use tidegate_account::UserId;
use tidegate_storage_api::Store;
use tokio::sync::mpsc::Sender;

use crate::admission::{Admission, Limit};
use crate::answer::Failure;
use crate::date::Date;
use crate::directory::Directory;
use crate::identifiers::IndexKeys;
use crate::limits::Limits;
use crate::meters::Meters;
use crate::ownership::Ownership;
use crate::person::Message;
use crate::ports::{Clock, Cpu, Entropy};
use crate::sources::Sources;
use crate::sweeping::Retention;
use crate::tenants::Tenants;

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ownership: Arc<Ownership>,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) index_keys: Arc<IndexKeys>,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) cpu: Arc<dyn Cpu>,
    pub(crate) directory: Directory<ActorRef<Message>>,
    pub(crate) meters: Meters,
    /// People whose times of use lag too far behind.
    pub(crate) due: Sender<UserId>,
    pub(crate) admission: Admission,
    pub(crate) sources: Sources,
    pub(crate) retention: Retention,
    /// What the sweeper knows of the date; none before its first walk.
    pub(crate) date: tokio::sync::Mutex<Option<Date>>,
}

impl Shared {
    /// Whether the person's slot is still ours under this epoch, and the lease
    /// under which we answer for it is not over.
    pub(crate) fn owns(&self, user: UserId, epoch: u64) -> bool {
        let ours = self.ownership.epoch_of(user) == Some(epoch);
        ours && self.ownership.is_leased(|| self.clock.monotonic_ms())
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
