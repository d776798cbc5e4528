//! What the engine, its actors and its background work share, in groups: a part
//! takes the groups that it needs.

use std::sync::Arc;

use tidegate_account::TenantId;

use crate::admission::{Admission, Limit};
use crate::agenda::Agenda;
use crate::answer::Failure;
use crate::crowd::Crowds;
use crate::date::Dates;
use crate::formats::Formats;
use crate::identifiers::IndexKeys;
use crate::limits::{Limits, Retention};
use crate::memory::Memory;
use crate::meters::Meters;
use crate::outbox::Outbox;
use crate::pace::Pace;
use crate::placement::Placement;
use crate::ports::Ports;
use crate::regions::Border;
use crate::sources::Sources;
use crate::tenants::Tenants;

pub(crate) struct Shared {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) bounds: Bounds,
    pub(crate) placement: Placement,
    pub(crate) memory: Memory,
    pub(crate) upkeep: Upkeep,
    pub(crate) meters: Meters,
}

/// What operators set, and may set anew while the engine runs.
pub(crate) struct Settings {
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) index_keys: Arc<IndexKeys>,
    pub(crate) formats: Arc<Formats>,
    pub(crate) retention: Retention,
}

/// What is counted before anything is done, and how much of it may be.
pub(crate) struct Bounds {
    pub(crate) limits: Limits,
    pub(crate) admission: Admission,
    pub(crate) sources: Sources,
    pub(crate) crowds: Crowds,
    pub(crate) pace: Pace,
}

/// What background work knows from one round to the next.
#[derive(Default)]
pub(crate) struct Upkeep {
    pub(crate) agenda: Agenda,
    pub(crate) outbox: Outbox,
    pub(crate) date: Dates,
}

impl Settings {
    /// For how long answers are given while the store is out of reach.
    pub(crate) fn grace_ms(&self, tenant: TenantId) -> u64 {
        let tenant = self.tenants.get(tenant);
        tenant.map_or(0, |tenant| tenant.policy.grace_ms)
    }
}

impl Bounds {
    pub(crate) fn new(limits: Limits) -> Bounds {
        Bounds {
            admission: Admission::default(),
            sources: Sources::new(limits.sources, limits.attempts),
            crowds: Crowds::new(limits.attempts),
            pace: Pace::default(),
            limits,
        }
    }
}

impl Shared {
    /// The answer to a request that this limit does not let in now.
    pub(crate) fn busy(&self, limit: Limit) -> Failure {
        self.meters.refused(limit);
        let retry_after_ms = self.bounds.limits.retry_after_ms;
        Failure::Busy {
            limit,
            retry_after_ms,
        }
    }

    /// The border, where there are regions.
    pub(crate) fn border(&self) -> Option<Border<'_>> {
        let regions = self.placement.regions.as_deref()?;
        Some(Border {
            regions,
            ownership: &self.placement.ownership,
            ports: &self.ports,
            index_keys: &self.settings.index_keys,
            meters: &self.meters,
        })
    }
}
