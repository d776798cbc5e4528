//! Who may connect.

use serde_json::json;
use tidegate_storage_api::{Check, Commit, Key as RowKey, KeyRange, SystemPart};

use super::tenant::tenant_key;
use super::{Operator, OperatorError, OrderOutcome, no};
use crate::deployment::{DeploymentError, GatewayRow, ROWS_MAX, read, write};
use crate::name::{NAME_RULE, is_name};
use crate::rights::{RATE_MAX_PER_S, Right};

/// Certificates with which one gateway may come.
const CERTIFICATES_MAX: usize = 8;

impl Operator {
    pub(super) async fn gateway_add(
        &self,
        by: &str,
        gateway: GatewayRow,
    ) -> Result<OrderOutcome, OperatorError> {
        if !is_name(&gateway.name) {
            return Ok(no("invalid_name", NAME_RULE));
        }
        if gateway.rights.is_empty() || !gateway.certificates.iter().all(|one| is_hash(one)) {
            return Ok(no("invalid", "a gateway has rights and SHA-256 hashes"));
        }
        if gateway.rate_per_s > RATE_MAX_PER_S {
            let message = format!("rate_per_s must be 0 to {RATE_MAX_PER_S}");
            return Ok(no("invalid", message));
        }
        if gateway.rights.contains(&Right::Operator) && gateway.rights.len() > 1 {
            let message = "the operator plane is for operators, who have no other";
            return Ok(no("invalid", message));
        }
        for tenant in &gateway.tenants {
            if self.store().get(tenant_key(tenant)).await?.is_none() {
                return Ok(no("unknown", format!("there is no tenant {tenant}")));
            }
        }
        let key = gateway_key(&gateway.name);
        if self.store().get(key.clone()).await?.is_some() {
            let message = format!("there is a gateway {} already", gateway.name);
            return Ok(no("exists", message));
        }
        let bytes = write(&gateway).ok_or(OperatorError::Row)?;
        let commit = Commit::default().check(Check::Absent(key.clone()));
        let commit = self.audited(commit.put(key, bytes), by, "gateway.add", &gateway.name)?;
        self.store().commit(commit).await?;
        self.deployment.gateways.put(&gateway);
        Ok(OrderOutcome::Done(json!({ "gateway": gateway.name })))
    }

    pub(super) async fn gateway_trust(
        &self,
        by: &str,
        name: &str,
        certificate: String,
    ) -> Result<OrderOutcome, OperatorError> {
        if !is_hash(&certificate) {
            return Ok(no("invalid", "a certificate is named by its SHA-256"));
        }
        let key = gateway_key(name);
        let Some(stored) = self.store().get(key.clone()).await? else {
            return Ok(no("unknown", format!("there is no gateway {name}")));
        };
        let unreadable = || DeploymentError::Row(name.to_owned());
        let mut row: GatewayRow = read(&stored).ok_or_else(unreadable)?;
        if !row.certificates.contains(&certificate) {
            row.certificates.push(certificate);
        }
        // Those that were renewed longest ago have expired.
        let too_many = row.certificates.len().saturating_sub(CERTIFICATES_MAX);
        row.certificates.drain(..too_many);
        let bytes = write(&row).ok_or(OperatorError::Row)?;
        // Revoked on another node meanwhile, it must not come back.
        let commit = Commit::default().check(Check::Value(key.clone(), stored));
        let commit = self.audited(commit.put(key, bytes), by, "gateway.trust", name)?;
        if let Some(changed) = self.commit_unless_changed(commit).await? {
            return Ok(changed);
        }
        self.deployment.gateways.put(&row);
        Ok(OrderOutcome::Done(json!({ "gateway": name })))
    }

    pub(super) async fn gateway_revoke(
        &self,
        by: &str,
        name: &str,
    ) -> Result<OrderOutcome, OperatorError> {
        if name == by {
            let message = "an operator cannot take away their own rights";
            return Ok(no("own_rights", message));
        }
        let key = gateway_key(name);
        let Some(stored) = self.store().get(key.clone()).await? else {
            return Ok(no("unknown", format!("there is no gateway {name}")));
        };
        let commit = Commit::default().check(Check::Value(key.clone(), stored));
        let commit = self.audited(commit.delete(key), by, "gateway.revoke", name)?;
        if let Some(changed) = self.commit_unless_changed(commit).await? {
            return Ok(changed);
        }
        self.deployment.gateways.withdraw(name);
        Ok(OrderOutcome::Done(json!({ "gateway": name })))
    }

    pub(super) async fn gateway_list(&self) -> Result<OrderOutcome, OperatorError> {
        let rows = self.store().range(KeyRange::gateways(), ROWS_MAX).await?;
        let mut gateways = Vec::new();
        for (_, value) in rows {
            let row: GatewayRow =
                read(&value).ok_or_else(|| DeploymentError::Row("a gateway".into()))?;
            gateways.push(json!(row));
        }
        Ok(OrderOutcome::Done(json!({ "gateways": gateways })))
    }
}

fn gateway_key(name: &str) -> RowKey {
    RowKey::system(SystemPart::Gateway(name))
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
