//! Putting a node together, without its endpoint.

use std::sync::Arc;

use tidegate_cluster::{Identity, Lease};
use tidegate_delivery::Courier;
use tidegate_runtime::ports::Clock;
use tidegate_runtime::{DegradedStates, Engine, HashingPool, OsEntropy, Ownership, Parts};
use tidegate_storage_fjall::{Absent, FjallStore, Options};
use tokio::runtime::Runtime;

use crate::backend::Backend;
use crate::config::Config;
use crate::deployment::{Deployment, READS};
use crate::folder::Folder;
use crate::member::{Member, node_id};
use crate::operator::Operator;
use crate::patience::when_free;
use crate::serve::{ServeError, system, unwritable};
use crate::service::{ServerCertificate, Service};
use crate::whereabouts::{Nowhere, Whereabouts};

/// A journal holds a row for each person who was signed out while the store was
/// away.
pub(crate) fn journal_options(absent: Absent) -> Options {
    Options {
        cache_bytes: 1024 * 1024,
        read_threads: 1,
        absent,
        ..Options::default()
    }
}

/// Where a node writes down what it decides while the store is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Journal {
    /// In its folder, which it holds from then on.
    Own,
    /// Nowhere: nothing is served, and a node that serves from the folder is
    /// not disturbed.
    None,
}

/// Opens a node's journal. What it holds was promised to people, so one that is
/// away is not begun anew where there was one: the folder says so.
fn open_journal(folder: &Folder) -> Result<FjallStore, ServeError> {
    let absent = match folder.has_journal() {
        true => Absent::Refuse,
        false => Absent::Create,
    };
    let journal = FjallStore::open(&folder.journal(), &journal_options(absent))?;
    folder
        .set_has_journal()
        .map_err(system("the folder's mark of its journal"))?;
    Ok(journal)
}

/// A node without its endpoint: its engine, and who runs it. A node of a
/// cluster owns nothing until it joins.
pub(crate) fn assemble(
    folder: &Folder,
    config: &Config,
    deployment: Deployment,
    journal: Journal,
    runtime: &Runtime,
    clock: &Arc<dyn Clock>,
) -> Result<Operator, ServeError> {
    let store = deployment.backend.store();
    let (ownership, member) = match deployment.backend {
        Backend::Embedded(_) => {
            let claimed = runtime.block_on(Ownership::claim_all(deployment.region, &*store));
            let claimed = claimed.map_err(|error| match deployment.backend.fault() {
                Some(kind) => unwritable(&folder.store(), kind),
                None => ServeError::Store(error),
            })?;
            (Arc::new(claimed), None)
        }
        #[cfg(feature = "foundationdb")]
        Backend::Foundationdb(_) => {
            let member = Arc::new(member(config, &deployment));
            (member.ownership(), Some(member))
        }
    };
    let degraded_states = match journal {
        Journal::None => DegradedStates::in_memory(),
        Journal::Own => {
            let journal = runtime.block_on(when_free(&**clock, || open_journal(folder)))?;
            let degraded_states = runtime.block_on(DegradedStates::open(Arc::new(journal)));
            degraded_states.map_err(ServeError::Journal)?
        }
    };
    let peppers = Arc::clone(&deployment.peppers);
    let cpu = HashingPool::start(config.hashing(), peppers, Arc::clone(clock))
        .map_err(system("the hashing threads"))?;
    let courier = Courier::new(&config.delivery, folder.root(), Arc::clone(clock))?;
    let border = deployment.border.as_ref();
    let parts = Parts {
        store,
        ownership,
        tenants: Arc::clone(&deployment.tenants),
        index_keys: Arc::clone(&deployment.index_keys),
        formats: Arc::clone(&deployment.formats),
        regions: border.map(|border| Arc::clone(&border.regions)),
        degraded_states,
        retention: config.retention(),
        limits: config.limits(),
        clock: Arc::clone(clock),
        entropy: Arc::new(OsEntropy),
        cpu: Arc::new(cpu),
        delivery: Arc::new(courier),
    };
    let engine = Engine::start(parts, runtime.handle().clone());
    Ok(Operator::new(
        Arc::new(deployment),
        engine,
        Arc::clone(clock),
        Arc::new(OsEntropy),
        Arc::new(ServerCertificate::read(folder)?),
        runtime.handle().clone(),
        member,
    ))
}

/// A node that has not joined. Its address is known when it listens.
#[cfg_attr(
    not(feature = "foundationdb"),
    allow(dead_code, reason = "one node on an embedded store is no cluster")
)]
fn member(config: &Config, deployment: &Deployment) -> Member {
    let identity = Identity {
        id: node_id(&config.cluster.node),
        name: config.cluster.node.clone(),
        address: String::new(),
        reads: READS,
    };
    Member::new(deployment.region, identity, Lease(deployment.lease_ms))
}

/// What the streams of a node are served by.
pub(crate) fn serving(operator: &Operator, config: &Config) -> Arc<Service> {
    let whereabouts: Arc<dyn Whereabouts> = match &operator.member {
        Some(member) => Arc::clone(member) as Arc<dyn Whereabouts>,
        None => Arc::new(Nowhere),
    };
    Arc::new(Service::new(
        operator.engine.clone(),
        Some(operator.clone()),
        Arc::clone(&operator.deployment.gateways),
        whereabouts,
        Arc::clone(&operator.clock),
        config.limits.clone(),
    ))
}
