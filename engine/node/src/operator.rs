//! Running the deployment: tenants, gateways, keys, backups. The same orders
//! come from an operator's connection to a running node and, when none runs,
//! from a command on its folder.

mod audits;
mod backup;
mod certificate;
mod cluster;
mod gateway;
mod order;
mod outbox;
mod places;
mod rotation;
mod tenant;
mod upgrade;

#[cfg(test)]
pub(crate) use cluster::NodeStatus;
pub(crate) use cluster::{Old, Status};
pub(crate) use order::{Order, OutboxList};

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;
use tidegate_runtime::Engine;
use tidegate_runtime::ports::{Clock, Entropy};
use tidegate_storage_api::{Commit, Key as RowKey, Store, StoreError, SystemPart};
use tokio::runtime::Handle;

use crate::deployment::{AuditRow, Deployment, DeploymentError, KeyFault, read, told, write};
use crate::member::Member;
use crate::service::ServerCertificate;
use order::Alone;

/// The outcome of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OrderOutcome {
    Done(Value),
    /// Nothing was changed, and why.
    No {
        code: &'static str,
        message: String,
    },
}

pub(crate) fn no(code: &'static str, message: impl Into<String>) -> OrderOutcome {
    OrderOutcome::No {
        code,
        message: message.into(),
    }
}

/// Whether an order was carried out is not known.
#[derive(Debug, Error)]
pub(crate) enum OperatorError {
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    #[error("the store did not answer: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyFault),
    #[error("a key cannot be wrapped")]
    Seal,
    #[error("a row cannot be written")]
    Row,
    #[error("{0}")]
    Backup(#[from] tidegate_storage_fjall::BackupError),
}

/// Carries out operators' orders. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Operator {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) certificate: Arc<ServerCertificate>,
    pub(crate) actors: Handle,
    /// The node's part in a cluster, where there is one.
    pub(crate) member: Option<Arc<Member>>,
    /// Orders change rows that they read before, one after the other.
    pub(crate) one_at_a_time: Arc<tokio::sync::Mutex<()>>,
    /// One copy of the store at a time, and no rotation begins meanwhile.
    copying: Arc<tokio::sync::Mutex<()>>,
    /// What the store said last of how things stand.
    last: Arc<cluster::Last>,
    pub(crate) walk: Arc<rotation::Walk>,
}

impl Operator {
    pub(crate) fn new(
        deployment: Arc<Deployment>,
        engine: Engine,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        certificate: Arc<ServerCertificate>,
        actors: Handle,
        member: Option<Arc<Member>>,
    ) -> Operator {
        Operator {
            deployment,
            engine,
            clock,
            entropy,
            certificate,
            actors,
            member,
            one_at_a_time: Arc::default(),
            copying: Arc::default(),
            last: Arc::default(),
            walk: Arc::default(),
        }
    }

    /// Carries an order out, on the word of `by`.
    pub(crate) async fn carry_out(
        &self,
        by: &str,
        order: Order,
    ) -> Result<OrderOutcome, OperatorError> {
        let (_copying, _rows) = match order.alone() {
            Alone::Nothing => (None, None),
            Alone::Rows => (None, Some(self.one_at_a_time.lock().await)),
            Alone::Copying => (Some(self.copying.lock().await), None),
            Alone::RowsAndCopying => match self.copying.try_lock() {
                Ok(copying) => (Some(copying), Some(self.one_at_a_time.lock().await)),
                // The caller would be gone long before its turn came.
                Err(_) => {
                    let message = "a backup is under way; rotate when it is finished";
                    return Ok(no("backup_under_way", message));
                }
            },
        };
        match order {
            Order::TenantAdd { name, policy } => self.tenant_add(by, name, policy).await,
            Order::TenantSet { name, policy } => self.tenant_set(by, &name, policy).await,
            Order::TenantList => self.tenant_list().await,
            Order::GatewayAdd { gateway } => self.gateway_add(by, gateway).await,
            Order::GatewayTrust { name, certificate } => {
                self.gateway_trust(by, &name, certificate).await
            }
            Order::GatewayRevoke { name } => self.gateway_revoke(by, &name).await,
            Order::GatewayList => self.gateway_list().await,
            Order::CertificateReload => self.certificate_reload(by).await,
            Order::KeysRotate { key } => self.keys_rotate(by, key).await,
            Order::KeysStatus => self.keys_status().await,
            Order::Backup { rows, keys } => self.backup(by, rows, keys).await,
            Order::Audit { limit } => self.audits(limit).await,
            Order::PersonAudit { user, limit } => self.person_audits(by, &user, limit).await,
            Order::Outbox { list, limit } => self.outbox(list, limit).await,
            Order::Status => self.status().await,
            Order::UpgradeStatus => self.upgrade_status().await,
            Order::UpgradeFinish => self.upgrade_finish(by).await,
            Order::Drain => self.drain(by).await,
        }
    }

    fn store(&self) -> &dyn Store {
        self.deployment.store()
    }

    async fn row<T: serde::de::DeserializeOwned>(
        &self,
        part: SystemPart<'_>,
        what: &str,
    ) -> Result<Option<T>, OperatorError> {
        let Some(value) = self.store().get(RowKey::system(part)).await? else {
            return Ok(None);
        };
        let row = read(&value).ok_or_else(|| DeploymentError::Row(what.to_owned()))?;
        Ok(Some(row))
    }

    /// Commits what rests on a row as it was read: another node may have changed
    /// or withdrawn it meanwhile.
    async fn commit_unless_changed(
        &self,
        commit: Commit,
    ) -> Result<Option<OrderOutcome>, OperatorError> {
        match self.store().commit(commit).await {
            Ok(_) => Ok(None),
            Err(StoreError::Conflict) => {
                let message = "it was changed on another node meanwhile; order it again";
                Ok(Some(no("changed", message)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Adds the record of an act to the commit that carries it out.
    fn audited(
        &self,
        commit: Commit,
        by: &str,
        act: &str,
        target: &str,
    ) -> Result<Commit, OperatorError> {
        let at = self.clock.unix_ms();
        let row = AuditRow {
            at,
            by: by.to_owned(),
            act: act.to_owned(),
            target: target.to_owned(),
            outcome: "done".to_owned(),
        };
        let [a, b, c, d, e, f, g, h, ..] = self.entropy.seed();
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let key = RowKey::system(SystemPart::Audit(at, number));
        tracing::info!(event = "operator.act", by, act, on = target);
        let commit = commit.put(key, write(&row).ok_or(OperatorError::Row)?);
        Ok(told(commit, number))
    }
}
