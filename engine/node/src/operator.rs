//! Running the deployment: tenants, gateways, keys, backups. The same orders
//! come from an operator's connection to a running node and, when none runs,
//! from a command on its folder.

mod backup;
mod certificate;
mod cluster;
mod gateway;
mod places;
mod rotation;
mod tenant;
mod upgrade;

#[cfg(test)]
pub(crate) use cluster::NodeStatus;
pub(crate) use cluster::{Old, Status};

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use tidegate_runtime::Engine;
use tidegate_runtime::ports::{Clock, Entropy};
use tidegate_storage_api::{Commit, Key as RowKey, KeyRange, Store, StoreError, SystemPart};
use tokio::runtime::Handle;

use crate::deployment::{
    AuditRow, Deployment, DeploymentError, GatewayRow, KeyFault, KeyKind, ROWS_MAX, TenantPolicy,
    read, told, write,
};
use crate::member::Member;
use crate::service::ServerCertificate;

/// What an operator can order.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    /// Make a tenant.
    TenantAdd { name: String, policy: TenantPolicy },
    /// Change what a tenant decides for itself.
    TenantSet { name: String, policy: TenantPolicy },
    /// List the tenants.
    TenantList,
    /// Let a gateway or an operator connect.
    GatewayAdd { gateway: GatewayRow },
    /// Let it come with one more certificate.
    GatewayTrust { name: String, certificate: String },
    /// Take everything from it; its connections close.
    GatewayRevoke { name: String },
    /// List who may connect.
    GatewayList,
    /// Read the node's certificate again.
    CertificateReload,
    /// Rotate a key, or go on with a rotation that could not finish.
    KeysRotate { key: KeyKind },
    /// Which keys live, and how far a rotation is.
    KeysStatus,
    /// Copy the store as it is now into two folders of the node's machine.
    Backup { rows: PathBuf, keys: PathBuf },
    /// The newest administrative acts.
    Audit { limit: usize },
    /// How the nodes stand and who owns what.
    Status,
    /// Which version is written, and which every node reads.
    UpgradeStatus,
    /// Write the newest version that every node reads.
    UpgradeFinish,
    /// Give every slot of this node away, and take none until it starts again.
    Drain,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Done(Value),
    /// Nothing was changed, and why.
    No {
        code: &'static str,
        message: String,
    },
}

pub(crate) fn no(code: &'static str, message: impl Into<String>) -> Said {
    Said::No {
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

/// Whoever carries orders out. Cheap to clone.
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
            last: Arc::default(),
            walk: Arc::default(),
        }
    }

    /// Carries an order out, on the word of `by`.
    pub(crate) async fn carry_out(&self, by: &str, order: Order) -> Result<Said, OperatorError> {
        let _alone = match order {
            // It changes nothing, and says how things stand while another order
            // waits for something.
            Order::Status => None,
            Order::TenantAdd { .. }
            | Order::TenantSet { .. }
            | Order::TenantList
            | Order::GatewayAdd { .. }
            | Order::GatewayTrust { .. }
            | Order::GatewayRevoke { .. }
            | Order::GatewayList
            | Order::CertificateReload
            | Order::KeysRotate { .. }
            | Order::KeysStatus
            | Order::Backup { .. }
            | Order::Audit { .. }
            | Order::UpgradeStatus
            | Order::UpgradeFinish
            | Order::Drain => Some(self.one_at_a_time.lock().await),
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
    async fn commit_unless_changed(&self, commit: Commit) -> Result<Option<Said>, OperatorError> {
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

    async fn audits(&self, limit: usize) -> Result<Said, OperatorError> {
        let rows = self.store().range(KeyRange::audits(u64::MAX), ROWS_MAX);
        let mut acts = Vec::new();
        for (_, value) in rows.await?.into_iter().rev().take(limit) {
            let row: AuditRow =
                read(&value).ok_or_else(|| DeploymentError::Row("an audit".into()))?;
            acts.push(json!(row));
        }
        Ok(Said::Done(json!({ "acts": acts })))
    }
}

/// Names of tenants and gateways: what is safe in a file name, a certificate
/// and a shell.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let starts = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    starts && !text.ends_with('-') && text.len() <= 63 && text.bytes().all(fits)
}

pub(crate) const NAME_RULE: &str =
    "a name has 1 to 63 characters: small letters, digits and inner hyphens";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_files_and_certificates() {
        for name in ["a", "shop-1", "a--b", "0", &"x".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "-",
            "-a",
            "a-",
            "A",
            "a/b",
            "a.b",
            "ä",
            "a b",
            &"x".repeat(64),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn orders_read_back_and_unknown_ones_are_refused() {
        let order = Order::KeysRotate {
            key: KeyKind::Index,
        };
        let text = serde_json::to_string(&order).unwrap();
        assert_eq!(text, r#"{"order":"keys_rotate","key":"index"}"#);
        assert!(serde_json::from_str::<Order>(&text).is_ok());
        assert!(serde_json::from_str::<Order>(r#"{"order":"explode"}"#).is_err());
    }
}
