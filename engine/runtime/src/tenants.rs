//! Tenants and their keys.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tidegate_account::{Policy, TenantId};

use crate::seal::Key;

/// A tenant as the engine needs it.
pub struct Tenant {
    /// Its id, from its name.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// The key that wraps its people's keys.
    pub key: Key,
    /// Its rules.
    pub policy: Policy,
}

/// The tenants served.
#[derive(Default)]
pub struct Tenants {
    by_id: RwLock<BTreeMap<TenantId, Arc<Tenant>>>,
}

impl Tenants {
    /// Adds a tenant, or puts one in the place of its older self.
    pub fn put(&self, tenant: Tenant) {
        let mut tenants = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        tenants.insert(tenant.id, Arc::new(tenant));
    }

    /// The tenant with this id.
    #[must_use]
    pub fn get(&self, id: TenantId) -> Option<Arc<Tenant>> {
        let tenants = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        tenants.get(&id).cloned()
    }
}
