//! The nodes: how they stand, and emptying one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_cluster::{NodeId, NodeRow, NodeState, Standing, owner_among};
use tidegate_storage_api::{Commit, Fence, Key as RowKey, KeyRange, Slot, StoreError};

use super::{Operator, OperatorError, OrderOutcome, no};
use crate::deployment::{DeploymentError, READS, ROWS_MAX};
use crate::member::{Member, node_id};

/// How long the store is waited for before the node says what it knows itself.
const STATUS_MS: u64 = 1_500;
/// How long an order to drain waits until everything is given away.
const DRAIN_MS: u64 = 20_000;
/// How often it is looked whether it is.
const LOOK_MS: u64 = 20;
/// How often is looked which regions there are.
const REGIONS_EVERY_MS: u64 = 10_000;
/// How often a node looks for what changed on another.
const NEWS_EVERY_MS: u64 = 500;

/// A cluster as one of its nodes sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Status {
    /// The node that was asked.
    pub(crate) asked: String,
    /// How long a node may be silent, in milliseconds.
    pub(crate) lease_ms: u64,
    /// The nodes, by name.
    pub(crate) nodes: Vec<NodeStatus>,
    /// Slots that no node owns, or whose owner has no row.
    pub(crate) unowned: usize,
    /// Slots whose owner is not the one who should own them.
    pub(crate) moving: usize,
    /// How long the store took to answer, or was waited for, in milliseconds.
    pub(crate) store_ms: u64,
    /// Where the store did not answer: how old this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) old: Option<Old>,
}

/// What rests on what was so earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Old {
    /// How long ago nodes and slots were so, in milliseconds; without it, only
    /// what the node knows of itself is said.
    pub(crate) as_of_ms: Option<u64>,
    /// How long ago the store took the node's last renewal, in milliseconds.
    pub(crate) heard_ms: Option<u64>,
}

/// What the store said last of how things stand, and when, in monotonic
/// milliseconds.
#[derive(Default)]
pub(super) struct Last(Mutex<Option<(u64, Status)>>);

impl Last {
    fn put(&self, now_ms: u64, status: Status) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now_ms, status));
    }

    fn get(&self) -> Option<(u64, Status)> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

/// One node.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct NodeStatus {
    pub(crate) node: String,
    /// Where gateways reach it.
    pub(crate) address: String,
    /// `alone`, `serving`, `draining`, `left`, `silent` (not yet taken for gone by all),
    /// or `expelled`.
    pub(crate) state: String,
    /// How often it was started; 0 when that is not known.
    pub(crate) life: u64,
    /// Slots that it owns.
    pub(crate) slots: usize,
    /// The lowest and the highest epoch under which it owns them.
    pub(crate) epochs: Option<(u64, u64)>,
    /// How long ago the asked node saw it renew its lease, in milliseconds.
    pub(crate) lease_age_ms: Option<u64>,
    /// The newest formats that it reads.
    pub(crate) reads: u16,
}

impl Operator {
    /// How things stand: as the store says, or, when it does not answer soon, as
    /// the node knows.
    pub(super) async fn status(&self) -> Result<OrderOutcome, OperatorError> {
        let read = tokio::select! {
            biased;
            read = self.read_status() => read,
            () = self.clock.sleep(STATUS_MS) => Err(StoreError::Unavailable.into()),
        };
        let status = match (read, &self.member) {
            (Ok(status), _) => {
                self.last.put(self.clock.monotonic_ms(), status.clone());
                status
            }
            (Err(OperatorError::Store(StoreError::Unavailable)), Some(member))
                if member.is_in() =>
            {
                self.known_status(member)
            }
            (Err(error), _) => return Err(error),
        };
        Ok(OrderOutcome::Done(json!(status)))
    }

    /// What the store said last, or else what the node knows of itself, with what
    /// it has seen of leases since.
    fn known_status(&self, member: &Member) -> Status {
        let now_ms = self.clock.monotonic_ms();
        let (as_of_ms, mut status) = match self.last.get() {
            Some((at_ms, status)) => (Some(now_ms.saturating_sub(at_ms)), status),
            None => (None, self.own_status(member)),
        };
        let ages = self.lease_ages();
        for node in &mut status.nodes {
            let age_ms = ages.get(&node_id(&node.node)).copied();
            node.lease_age_ms = age_ms.or(node.lease_age_ms);
        }
        Status {
            store_ms: STATUS_MS,
            old: Some(Old {
                as_of_ms,
                heard_ms: ages.get(&member.id()).copied(),
            }),
            ..status
        }
    }

    /// A status with this node alone, whose row was not read.
    fn own_status(&self, member: &Member) -> Status {
        let config = &self.deployment.config;
        let held = member.held();
        let node = NodeStatus {
            node: config.cluster.node.clone(),
            address: member.address(),
            state: match member.standing() {
                Standing::Member => "serving",
                Standing::Leaving => "draining",
                Standing::Outside => "expelled",
            }
            .to_owned(),
            life: 0,
            slots: held,
            epochs: member.epochs(),
            lease_age_ms: None,
            reads: READS,
        };
        Status {
            asked: config.cluster.node.clone(),
            lease_ms: self.deployment.lease_ms,
            nodes: vec![node],
            unowned: 0,
            moving: 0,
            store_ms: 0,
            old: None,
        }
    }

    async fn read_status(&self) -> Result<Status, OperatorError> {
        if self.member.is_none() {
            return self.alone().await;
        }
        let began_ms = self.clock.monotonic_ms();
        let rows = self.node_rows().await?;
        let fences = self.fences().await?;
        let store_ms = self.clock.monotonic_ms().saturating_sub(began_ms);
        let mut owned = BTreeMap::<NodeId, Vec<u64>>::new();
        for fence in fences.iter().flatten().filter(|fence| fence.owner != 0) {
            let epochs = owned.entry(NodeId(fence.owner)).or_default();
            epochs.push(fence.epoch);
        }
        let (lease_ages, silent) = (self.lease_ages(), self.silent());
        let silent = |id: &NodeId| silent.contains(id);
        let mut nodes: Vec<NodeStatus> = rows
            .iter()
            .map(|(id, row)| NodeStatus {
                node: row.name.clone(),
                address: row.address.clone(),
                state: match row.state {
                    NodeState::Expelled => "expelled",
                    NodeState::Serving if silent(id) => "silent",
                    NodeState::Serving => "serving",
                    NodeState::Draining if silent(id) => "left",
                    NodeState::Draining => "draining",
                }
                .to_owned(),
                life: row.life,
                slots: owned.get(id).map_or(0, Vec::len),
                epochs: owned.get(id).and_then(|epochs| {
                    let lowest = epochs.iter().min()?;
                    Some((*lowest, *epochs.iter().max()?))
                }),
                lease_age_ms: lease_ages.get(id).copied(),
                reads: row.reads,
            })
            .collect();
        nodes.sort_by(|a, b| a.node.cmp(&b.node));
        let serving = rows
            .iter()
            .filter(|(id, row)| row.state == NodeState::Serving && !silent(id));
        let serving: Vec<NodeId> = serving.map(|(id, _)| *id).collect();
        let owner = |fence: &Option<Fence>| fence.map(|fence| NodeId(fence.owner));
        let known = |fence: &Option<Fence>| owner(fence).filter(|id| rows.contains_key(id));
        let moving = Slot::all()
            .zip(&fences)
            .filter(|(slot, fence)| known(fence) != owner_among(*slot, &serving));
        Ok(Status {
            asked: self.deployment.config.cluster.node.clone(),
            lease_ms: self.deployment.lease_ms,
            unowned: fences.iter().filter(|fence| known(fence).is_none()).count(),
            moving: moving.count(),
            nodes,
            store_ms,
            old: None,
        })
    }

    /// The status of the one node of an embedded store.
    async fn alone(&self) -> Result<Status, OperatorError> {
        let began_ms = self.clock.monotonic_ms();
        let fences = self.fences().await?;
        let epochs = || fences.iter().flatten().map(|fence| fence.epoch);
        let config = &self.deployment.config;
        let node = NodeStatus {
            node: config.cluster.node.clone(),
            address: config.node.listen.to_string(),
            state: "alone".to_owned(),
            life: epochs().max().unwrap_or(0),
            slots: fences.iter().flatten().count(),
            epochs: epochs().min().zip(epochs().max()),
            lease_age_ms: None,
            reads: READS,
        };
        Ok(Status {
            asked: config.cluster.node.clone(),
            lease_ms: self.deployment.lease_ms,
            nodes: vec![node],
            unowned: 0,
            moving: 0,
            store_ms: self.clock.monotonic_ms().saturating_sub(began_ms),
            old: None,
        })
    }

    pub(super) async fn node_rows(&self) -> Result<BTreeMap<NodeId, NodeRow>, OperatorError> {
        let mut rows = BTreeMap::new();
        for (key, value) in self.store().range(KeyRange::nodes(), ROWS_MAX).await? {
            let unreadable = || DeploymentError::Row("a node".into());
            let id = key.as_bytes().last_chunk::<8>().ok_or_else(unreadable)?;
            let row = NodeRow::decode(&value).ok_or_else(unreadable)?;
            rows.insert(NodeId(u64::from_be_bytes(*id)), row);
        }
        Ok(rows)
    }

    async fn fences(&self) -> Result<Vec<Option<Fence>>, OperatorError> {
        let read = |slot| {
            self.store()
                .get(RowKey::fence(self.deployment.region, slot))
        };
        // All are under way before the first is waited for.
        let reads: Vec<_> = Slot::all().map(read).collect();
        let mut fences = Vec::with_capacity(reads.len());
        for read in reads {
            fences.push(read.await?.as_deref().and_then(Fence::decode));
        }
        Ok(fences)
    }

    /// The nodes that have not renewed for a lease's length, as far as this one
    /// knows.
    pub(super) fn silent(&self) -> BTreeSet<NodeId> {
        let ages = self.lease_ages().into_iter();
        let over = ages.filter(|(_, age_ms)| *age_ms >= self.deployment.lease_ms);
        over.map(|(id, _)| id).collect()
    }

    /// How long ago each node renewed its lease, as far as this one knows.
    fn lease_ages(&self) -> BTreeMap<NodeId, u64> {
        let Some(member) = &self.member else {
            return BTreeMap::new();
        };
        let now_ms = self.clock.monotonic_ms();
        let mut ages = member.silences(now_ms);
        if member.is_in() {
            ages.insert(member.id(), member.ownership().lease_age_ms(now_ms));
        }
        ages
    }

    pub(super) async fn drain(&self, by: &str) -> Result<OrderOutcome, OperatorError> {
        let Some(member) = self.member.as_ref().filter(|member| member.is_in()) else {
            let message = "this node is alone: end it with SIGTERM, which drains it";
            return Ok(no("not_clustered", message));
        };
        if member.is_alone() && !member.is_gone() {
            let message = "no other node serves, so none would take over: start another one \
                           first, or end this one with SIGTERM";
            return Ok(no("last_node", message));
        }
        let name = self.deployment.config.cluster.node.clone();
        let commit = self.audited(Commit::default(), by, "node.drain", &name)?;
        self.store().commit(commit).await?;
        member.leave();
        let until_ms = self.clock.monotonic_ms().saturating_add(DRAIN_MS);
        // Those who were to take over may be drained at the same time.
        while !member.is_gone() && !member.is_alone() && self.clock.monotonic_ms() < until_ms {
            self.clock.sleep(LOOK_MS).await;
        }
        Ok(OrderOutcome::Done(match member.held() {
            0 => json!({ "drained": name, "slots": 0 }),
            // It goes on giving away, as soon as another node is there.
            slots => json!({ "draining": name, "slots": slots }),
        }))
    }
}

impl Operator {
    /// Looks now and then which regions there are, for as long as the node runs.
    pub(crate) fn follow_regions(&self) {
        let operator = self.clone();
        self.actors.spawn(async move {
            while let Some(border) = &operator.deployment.border {
                operator.clock.sleep(REGIONS_EVERY_MS).await;
                if let Err(error) = border.look().await {
                    tracing::error!(event = "region.refused", %error);
                }
            }
        });
    }

    /// Takes up what changes on other nodes, for as long as the node runs.
    pub(crate) fn follow_news(&self) {
        let operator = self.clone();
        self.actors.spawn(async move {
            loop {
                operator.clock.sleep(NEWS_EVERY_MS).await;
                match operator.deployment.take_up_news().await {
                    Ok(()) => {}
                    Err(error @ DeploymentError::Newer { .. }) => {
                        tracing::error!(event = "node.outdated", %error);
                        return operator.deployment.outdated.notify_one();
                    }
                    // While the store is away, the rights that are known hold.
                    Err(error) => tracing::debug!(event = "deployment.news_unread", %error),
                }
            }
        });
    }
}
