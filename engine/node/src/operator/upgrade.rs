//! From one version of the formats to the next. Nodes of both programs serve
//! side by side and write the *active* version; only an order raises it, when
//! every node reads the new one. Until then any node can go back.

use std::collections::BTreeMap;

use serde_json::json;
use tidegate_cluster::{NodeId, NodeRow, NodeState};
use tidegate_storage_api::{Check, Commit, Key as RowKey, Store, SystemPart};

use super::{Operator, OperatorError, OrderOutcome, no};
use crate::deployment::{READS, VersionRow, version_row, write};

/// What the nodes that are there read, by name.
type Reads = BTreeMap<String, u16>;

impl Operator {
    pub(super) async fn upgrade_status(&self) -> Result<OrderOutcome, OperatorError> {
        let row = version_row(self.store()).await?;
        let reads = self.reads().await?;
        Ok(OrderOutcome::Done(json!({
            "active": row.active,
            "raising": row.raising,
            "can_be": newest(&reads),
            "reads": reads,
        })))
    }

    pub(super) async fn upgrade_finish(&self, by: &str) -> Result<OrderOutcome, OperatorError> {
        let record = self.audited(Commit::default(), by, "upgrade.finish", "formats")?;
        let Some(raising) = announce(self.store(), &self.reads().await?).await? else {
            let message = "not every node reads a newer version than the active one";
            return Ok(no("nothing_newer", message));
        };
        let reads = self.reads().await?;
        let raised = settle(self.store(), raising, &reads, record).await?;
        Ok(match raised {
            Raised::To { active, was } => {
                // Other nodes hear of it.
                self.deployment.formats.raise(active);
                OrderOutcome::Done(json!({ "active": active, "was": was }))
            }
            Raised::Behind { node, reads } => {
                let message = format!("{node} has joined meanwhile and reads up to {reads}");
                no("node_behind", message)
            }
        })
    }

    async fn reads(&self) -> Result<Reads, OperatorError> {
        let silent = self.silent();
        let there = |(id, row): &(NodeId, NodeRow)| {
            // One that is gone is asked what it reads when it comes back.
            row.state != NodeState::Expelled && !silent.contains(id)
        };
        let rows = self.node_rows().await?.into_iter().filter(there);
        Ok(rows.map(|(_, row)| (row.name, row.reads)).collect())
    }
}

/// The outcome of raising the active version.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Raised {
    To { active: u16, was: u16 },
    Behind { node: String, reads: u16 },
}

/// A version that was announced and is not yet active.
struct Raising {
    active: u16,
    target: u16,
    stored: Vec<u8>,
}

/// Says which version is about to become active, before the nodes are looked at
/// once more: a node that joins from now on sees it, and one that joined before
/// is seen. `None` when nothing newer can be read by all.
async fn announce(store: &dyn Store, reads: &Reads) -> Result<Option<Raising>, OperatorError> {
    let stored = store.get(version_key()).await?;
    let VersionRow { active, .. } = version_row(store).await?;
    let target = newest(reads);
    if target <= active {
        return Ok(None);
    }
    let check = match stored {
        None => Check::Absent(version_key()),
        Some(stored) => Check::Value(version_key(), stored),
    };
    let row = VersionRow {
        active,
        raising: Some(target),
    };
    let stored = write(&row).ok_or(OperatorError::Row)?;
    let commit = Commit::default().check(check);
    let commit = commit.put(version_key(), stored.clone());
    store.commit(commit).await?;
    Ok(Some(Raising {
        active,
        target,
        stored,
    }))
}

/// Makes the announced version active if every node reads it, and takes the
/// announcement back otherwise. `record` goes with the former.
async fn settle(
    store: &dyn Store,
    raising: Raising,
    reads: &Reads,
    record: Commit,
) -> Result<Raised, OperatorError> {
    let Raising {
        active,
        target,
        stored,
    } = raising;
    let behind = reads.iter().find(|(_, reads)| **reads < target);
    let (active, commit, raised) = match behind {
        None => {
            let was = active;
            let raised = Raised::To {
                active: target,
                was,
            };
            (target, record, raised)
        }
        Some((node, reads)) => {
            let node = node.clone();
            let reads = *reads;
            (active, Commit::default(), Raised::Behind { node, reads })
        }
    };
    let row = VersionRow {
        active,
        raising: None,
    };
    let commit = commit
        .check(Check::Value(version_key(), stored.into()))
        .put(version_key(), write(&row).ok_or(OperatorError::Row)?);
    store.commit(commit).await?;
    Ok(raised)
}

/// The newest version that every node reads; with no nodes, this program's.
fn newest(reads: &Reads) -> u16 {
    reads.values().copied().min().unwrap_or(READS)
}

fn version_key() -> RowKey {
    RowKey::system(SystemPart::Version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::refuse_newer;
    use tidegate_storage_api::MemoryStore;

    fn reads(all: &[(&str, u16)]) -> Reads {
        let all = all.iter().map(|(name, reads)| ((*name).to_owned(), *reads));
        all.collect()
    }

    /// With what the nodes read before it is announced, and after.
    async fn raised(store: &MemoryStore, looks: [&[(&str, u16)]; 2]) -> Option<Raised> {
        let raising = announce(store, &reads(looks[0])).await.unwrap()?;
        // A node that joins now and cannot read it leaves again.
        assert!(refuse_newer(store, raising.target - 1).await.is_err());
        let after = reads(looks[1]);
        let settled = settle(store, raising, &after, Commit::default()).await;
        Some(settled.unwrap())
    }

    #[tokio::test]
    async fn the_active_version_is_raised_when_every_node_reads_the_new_one() {
        let store = MemoryStore::default();
        let old: &[_] = &[("a", 2), ("b", 1), ("c", 2)];
        assert_eq!(raised(&store, [old, old]).await, None);
        assert!(refuse_newer(&store, 1).await.is_ok());
        let new: &[_] = &[("a", 2), ("b", 2), ("c", 3)];
        let to = Raised::To { active: 2, was: 1 };
        assert_eq!(raised(&store, [new, new]).await, Some(to));
        assert!(refuse_newer(&store, 1).await.is_err());
        assert!(refuse_newer(&store, 2).await.is_ok());
        assert_eq!(raised(&store, [new, new]).await, None);
    }

    #[tokio::test]
    async fn a_node_that_joined_meanwhile_and_is_behind_keeps_the_version_down() {
        let store = MemoryStore::default();
        let joined: &[_] = &[("a", 2), ("late", 1)];
        let behind = Raised::Behind {
            node: "late".to_owned(),
            reads: 1,
        };
        assert_eq!(raised(&store, [&[("a", 2)], joined]).await, Some(behind));
        assert!(refuse_newer(&store, 1).await.is_ok());
    }

    #[tokio::test]
    async fn what_was_broken_off_half_way_can_be_finished() {
        let store = MemoryStore::default();
        let new = reads(&[("a", 2)]);
        drop(announce(&store, &new).await.unwrap());
        assert!(refuse_newer(&store, 1).await.is_err());
        let new: &[_] = &[("a", 2)];
        let to = Raised::To { active: 2, was: 1 };
        assert_eq!(raised(&store, [new, new]).await, Some(to));
    }
}
