//! Tenants.

use serde_json::json;
use tidegate_account::TenantId;
use tidegate_runtime::{Key, Master};
use tidegate_storage_api::{Check, Commit, Key as RowKey, KeyRange, Region, SystemPart};

use super::{Operator, OperatorError, OrderOutcome, no};
use crate::deployment::{
    DeploymentError, ROWS_MAX, TenantPolicy, TenantRow, read, store_row, tenant_context, write,
};
use crate::hex::hex;
use crate::name::{NAME_RULE, is_name};

impl Operator {
    pub(super) async fn tenant_add(
        &self,
        by: &str,
        name: String,
        policy: TenantPolicy,
    ) -> Result<OrderOutcome, OperatorError> {
        if !is_name(&name) {
            return Ok(no("invalid_name", NAME_RULE));
        }
        if let Some(fault) = self.policy_fault(&policy) {
            return Ok(fault);
        }
        let key = tenant_key(&name);
        if self.store().get(key.clone()).await?.is_some() {
            return Ok(no("exists", format!("there is a tenant {name} already")));
        }
        let row = TenantRow {
            wrapped_keys: vec![self.fresh_tenant_key(&name)?],
            name,
            policy,
        };
        let bytes = write(&row).ok_or(OperatorError::Row)?;
        let commit = Commit::default().check(Check::Absent(key.clone()));
        let commit = self.audited(commit.put(key, bytes), by, "tenant.add", &row.name)?;
        self.store().commit(commit).await?;
        self.serve_tenant(&row).await?;
        Ok(OrderOutcome::Done(json!({ "tenant": row.name })))
    }

    pub(super) async fn tenant_set(
        &self,
        by: &str,
        name: &str,
        policy: TenantPolicy,
    ) -> Result<OrderOutcome, OperatorError> {
        if let Some(fault) = self.policy_fault(&policy) {
            return Ok(fault);
        }
        let key = tenant_key(name);
        let Some(stored) = self.store().get(key.clone()).await? else {
            return Ok(no("unknown", format!("there is no tenant {name}")));
        };
        let unreadable = || DeploymentError::Row(name.to_owned());
        let mut row: TenantRow = read(&stored).ok_or_else(unreadable)?;
        row.policy = policy;
        let bytes = write(&row).ok_or(OperatorError::Row)?;
        let commit = Commit::default().check(Check::Value(key.clone(), stored));
        let commit = self.audited(commit.put(key, bytes), by, "tenant.set", name)?;
        if let Some(changed) = self.commit_unless_changed(commit).await? {
            return Ok(changed);
        }
        self.serve_tenant(&row).await?;
        Ok(OrderOutcome::Done(json!({ "tenant": name })))
    }

    pub(super) async fn tenant_list(&self) -> Result<OrderOutcome, OperatorError> {
        let rows = self.tenant_rows().await?;
        let rows = rows
            .iter()
            .map(|row| json!({ "name": row.name, "policy": row.policy }));
        Ok(OrderOutcome::Done(
            json!({ "tenants": rows.collect::<Vec<_>>() }),
        ))
    }

    pub(super) async fn tenant_rows(&self) -> Result<Vec<TenantRow>, OperatorError> {
        let rows = self.store().range(KeyRange::tenants(), ROWS_MAX).await?;
        let row = |(_, value): &(RowKey, bytes::Bytes)| {
            read(value).ok_or_else(|| DeploymentError::Row("a tenant".into()).into())
        };
        rows.iter().map(row).collect()
    }

    /// A new key of a tenant, wrapped.
    pub(super) fn fresh_tenant_key(&self, name: &str) -> Result<String, OperatorError> {
        self.wrap_tenant_key(name, &Key::new(self.entropy.seed()))
    }

    pub(super) fn wrap_tenant_key(&self, name: &str, key: &Key) -> Result<String, OperatorError> {
        let mut nonce = [0; 24];
        nonce.copy_from_slice(&self.entropy.seed()[..24]);
        let context = tenant_context(TenantId::of_name(name));
        let wrapped = self.deployment.master().wrap(&context, nonce, key);
        Ok(hex(&wrapped.map_err(|_| OperatorError::Seal)?.0))
    }

    /// Serves a tenant as its row says from now on.
    pub(super) async fn serve_tenant(&self, row: &TenantRow) -> Result<(), OperatorError> {
        let pepper = self.deployment.pepper(&store_row(self.store()).await?);
        Ok(self.deployment.serve_tenant(row, pepper)?)
    }

    fn policy_fault(&self, policy: &TenantPolicy) -> Option<OrderOutcome> {
        if policy
            .home_region
            .is_some_and(|number| Region::new(number).is_none())
        {
            return Some(no("invalid_policy", "home_region must be 1 to 254"));
        }
        let config = self.deployment.config.of_tenant(policy);
        let (key, expected) = config.fault()?;
        Some(no("invalid_policy", format!("{key} must be {expected}")))
    }
}

pub(super) fn tenant_key(name: &str) -> RowKey {
    RowKey::system(SystemPart::Tenant(TenantId::of_name(name).0))
}
