//! A consistent copy of the store while it serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tidegate_storage_api::Commit;
use tidegate_storage_fjall::BackupError;

use super::places::place;
use super::{Operator, OperatorError, OrderOutcome, no};
use crate::backend::Backend;

impl Operator {
    pub(super) async fn backup(
        &self,
        by: &str,
        rows: PathBuf,
        keys: PathBuf,
    ) -> Result<OrderOutcome, OperatorError> {
        if !rows.is_absolute() || !keys.is_absolute() {
            return Ok(no("invalid", "the folders of a backup are absolute paths"));
        }
        if self.rotation().await?.is_some() {
            // Half of the copy would lie under a key that goes when it is done.
            let message = "a rotation is under way; back up when it is finished";
            return Ok(no("rotation_under_way", message));
        }
        let fjall = match &self.deployment.backend {
            Backend::Embedded(fjall) => Arc::clone(fjall),
            #[cfg(feature = "foundationdb")]
            Backend::Foundationdb(_) => {
                let message = "FoundationDB is backed up with its own tools (docs/operations.md)";
                return Ok(no("not_embedded", message));
            }
        };
        let allowed = &self.deployment.config.backups.folders;
        let place = |path: &Path| place(&self.deployment.folder, allowed, path);
        let (rows, keys) = match (place(&rows), place(&keys)) {
            (Ok(rows), Ok(keys)) => (rows, keys),
            (Err(why), _) | (_, Err(why)) => return Ok(no("invalid", why)),
        };
        let started_ms = self.clock.monotonic_ms();
        let (to_rows, to_keys) = (rows.clone(), keys.clone());
        let copied = tokio::task::spawn_blocking(move || fjall.backup(&to_rows, &to_keys));
        let copied = copied.await.map_err(|_| BackupError::Broken)?;
        let count = match copied {
            Ok(count) => count,
            Err(BackupError::Exists(path)) => {
                let message = format!("{} exists already and is left as it is", path.display());
                return Ok(no("exists", message));
            }
            // Nothing was made, and it would be the same again.
            Err(
                error @ (BackupError::Io { .. } | BackupError::Folder(_) | BackupError::Nested),
            ) => {
                return Ok(no("invalid", error.to_string()));
            }
            Err(error @ (BackupError::Damaged { .. } | BackupError::Broken)) => {
                return Err(error.into());
            }
        };
        let target = rows.display().to_string();
        let commit = self.audited(Commit::default(), by, "backup", &target)?;
        self.store().commit(commit).await?;
        Ok(OrderOutcome::Done(json!({
            "rows": rows,
            "keys": keys,
            "count": count,
            "ms": self.clock.monotonic_ms().saturating_sub(started_ms),
        })))
    }
}
