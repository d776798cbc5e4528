//! Tenants, their keys and their rules.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tidegate_account::{
    FlowKeys, Password, PasswordHash, PasswordPolicy, Policy, Secret, TenantId, tagged,
};
use tidegate_storage_api::Region;

use crate::ports::HashWork;
use crate::seal::Key;

/// How many different costs of passwords are told apart.
const COSTS_MAX: usize = 8;

/// A tenant as the engine needs it.
pub struct Tenant {
    /// Its id, from its name.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// The keys that wrap its people's keys, the newest first.
    pub keys: Vec<Key>,
    /// Its rules.
    pub policy: Policy,
    /// The region where its people are registered; none: wherever they are.
    pub home: Option<Region>,
    /// What its people's passwords cost.
    pub costs: Costs,
}

impl Tenant {
    /// The key under which people's keys are wrapped from now on.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.keys.first()
    }

    /// The keys of flows, the newest first: what a flow began with answers it, also
    /// when the tenant's key rotates meanwhile.
    pub(crate) fn flow_keys(&self) -> impl Iterator<Item = FlowKeys> + '_ {
        let derive = |tag, key: &Key| Secret::new(tagged(tag, &[key.expose()]));
        self.keys.iter().map(move |key| FlowKeys {
            seal: derive("tg-flow-seal-1", key),
            codes: derive("tg-flow-codes-1", key),
        })
    }

    /// The keys of a decoy account, the newest first. They need no row, because a row
    /// would tell an account from a decoy.
    pub(crate) fn decoy_keys(&self, user: &[u8; 16]) -> impl Iterator<Item = Key> + '_ {
        let user = *user;
        let derive = move |key: &Key| Key::new(tagged("tg-stand-in-1", &[key.expose(), &user]));
        self.keys.iter().map(derive)
    }
}

/// How often each cost of a password was met lately.
#[derive(Default)]
pub struct Costs(Mutex<Vec<(Cost, u32)>>);

type Cost = (u32, u32, u32);

impl Costs {
    pub(crate) fn saw(&self, hash: &PasswordHash) {
        let cost = (hash.memory_kib, hash.passes, hash.lanes);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.iter().position(|(known, _)| *known == cost);
        match known {
            Some(place) => seen[place].1 += 1,
            None if seen.len() < COSTS_MAX => seen.push((cost, 1)),
            None => {}
        }
        if seen.iter().any(|(_, count)| *count > 1_000_000) {
            // What was common long ago counts less and less.
            seen.iter_mut().for_each(|(_, count)| *count /= 2);
        }
    }

    /// The policy with the cost that most passwords have: what comparing for a
    /// decoy account must cost.
    pub(crate) fn commonest(&self, policy: &PasswordPolicy) -> PasswordPolicy {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = seen.iter().max_by_key(|(_, count)| *count);
        let Some(((memory_kib, passes, lanes), _)) = most else {
            return policy.clone();
        };
        PasswordPolicy {
            memory_kib: *memory_kib,
            passes: *passes,
            lanes: *lanes,
            ..policy.clone()
        }
    }
}

/// The work of comparing a password for a decoy account.
pub(crate) fn pretend(tenant: Option<&Tenant>, password: Password) -> HashWork {
    let policy = tenant.map_or_else(
        || Policy::default().password,
        |tenant| tenant.costs.commonest(&tenant.policy.password),
    );
    HashWork::Pretend { password, policy }
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

    /// Every tenant.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Tenant>> {
        let tenants = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        tenants.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_password_costs_what_most_passwords_cost() {
        let (costs, policy) = (Costs::default(), Policy::default().password);
        assert_eq!(costs.commonest(&policy), policy);
        let hash = |memory_kib| PasswordHash {
            memory_kib,
            passes: 3,
            lanes: 1,
            pepper_key: 1,
            salt: [0; 16],
            output: [0; 48],
        };
        costs.saw(&hash(65_536));
        costs.saw(&hash(32_768));
        costs.saw(&hash(32_768));
        let commonest = costs.commonest(&policy);
        assert_eq!((commonest.memory_kib, commonest.passes), (32_768, 3));
    }
}
