//! What changed about the deployment on another node: who may connect, what a
//! tenant decides. Every change bumps a row; every node looks at that row.

use tidegate_storage_api::{Commit, Key as RowKey, Store, SystemPart};

use super::{Deployment, DeploymentError, READS, refuse_newer, store_row};

/// The newest change that a node has taken up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(Option<bytes::Bytes>);

impl Deployment {
    /// Takes up what changed since it was looked at last.
    ///
    /// `Newer` when this program cannot read any more what the others write: the
    /// node must end.
    pub(crate) async fn take_up_news(&self) -> Result<(), DeploymentError> {
        let mut seen = self.seen.lock().await;
        let now = newest(&*self.store).await?;
        if now != *seen {
            refuse_newer(&*self.store, READS).await?;
            let row = store_row(&*self.store).await?;
            self.serve_rows(&row).await?;
            tracing::info!(event = "deployment.changed");
            *seen = now;
        }
        Ok(())
    }
}

/// The newest change. To be asked before the rows are read.
pub(super) async fn newest(store: &dyn Store) -> Result<Seen, DeploymentError> {
    Ok(Seen(store.get(news_key()).await?))
}

/// Tells the other nodes, with a number that no other change has.
pub(crate) fn told(commit: Commit, number: u64) -> Commit {
    commit.put(news_key(), number.to_be_bytes().to_vec())
}

fn news_key() -> RowKey {
    RowKey::system(SystemPart::News)
}
