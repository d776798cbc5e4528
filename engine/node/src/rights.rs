//! The rows of the deployment: what gateways may do (stored by name, not
//! written into their certificates), tenants, and which keys are this store's.
//!
//! All have format 1 and are JSON, because they are few, and people read them
//! when something is wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use tidegate_account::{TenantId, tagged};
use tidegate_runtime::Key;
use tidegate_wire::Plane;

/// The format of the rows here.
pub(crate) const ROW_VERSION: u8 = 1;

/// The stored rights of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayRow {
    /// The row's format.
    pub version: u8,
    /// The gateway's name, as in its certificate.
    pub name: String,
    /// The names of the tenants in whose name it may come.
    pub tenants: Vec<String>,
    /// What it may do.
    pub planes: Planes,
    /// Requests per second; 0 for no limit.
    pub rate_per_s: u64,
}

/// Which planes a gateway may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Planes {
    /// For the person who is there.
    Auth,
    /// For the person who is there, and on accounts.
    AuthAndAdmin,
}

/// The stored form of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantRow {
    pub(crate) version: u8,
    pub(crate) name: String,
    /// The tenant's key, wrapped by the deployment's; hexadecimal.
    pub(crate) wrapped_key: String,
}

/// What tells whether key files belong to this store: a wrong index key would
/// make everybody unknown, a wrong pepper every password wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreRow {
    pub(crate) version: u8,
    /// Of index key 1 and pepper key 1, as [`key_check`] gives them.
    pub(crate) index: String,
    pub(crate) pepper: String,
}

/// 64 bits of a hash of a key, hexadecimal: enough to tell keys apart, nothing
/// to find one by.
pub(crate) fn key_check(key: &Key) -> String {
    let hash = tagged("tg-key-check-1", &[key.expose()]);
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A gateway that may connect.
pub struct Gateway {
    tenants: Vec<TenantId>,
    planes: Planes,
    rate: Rate,
    connections: AtomicUsize,
}

impl Gateway {
    /// Takes a stored row.
    #[must_use]
    pub fn new(row: &GatewayRow) -> Gateway {
        Gateway {
            tenants: row
                .tenants
                .iter()
                .map(|name| TenantId::of_name(name))
                .collect(),
            planes: row.planes,
            rate: Rate::new(row.rate_per_s),
            connections: AtomicUsize::new(0),
        }
    }

    /// Whether it may do this in this tenant's name.
    #[must_use]
    pub fn may(&self, tenant: TenantId, plane: Plane) -> bool {
        let plane = match plane {
            Plane::Auth => true,
            Plane::Admin => self.planes == Planes::AuthAndAdmin,
        };
        plane && self.tenants.contains(&tenant)
    }

    /// Whether its rate allows one more request; how long to wait if not.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub fn take(&self, now_ms: u64) -> Result<(), u32> {
        self.rate.take(now_ms)
    }

    /// Counts a connection, unless it has `max` already.
    pub(crate) fn connect(&self, max: usize) -> bool {
        let more = |count: usize| (count < max).then_some(count + 1);
        self.connections
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .is_ok()
    }

    pub(crate) fn disconnect(&self) {
        self.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The gateways of a deployment, by name.
pub(crate) type Gateways = BTreeMap<String, std::sync::Arc<Gateway>>;

/// A rate with a burst of one second: the generic cell rate algorithm
/// (ITU-T I.371) in one word.
struct Rate {
    per_s: u64,
    /// When the next request is due, in microseconds.
    due_us: AtomicU64,
}

const BURST_US: u64 = 1_000_000;

impl Rate {
    fn new(per_s: u64) -> Rate {
        Rate {
            per_s,
            due_us: AtomicU64::new(0),
        }
    }

    fn take(&self, now_ms: u64) -> Result<(), u32> {
        let Some(step_us) = 1_000_000u64.checked_div(self.per_s) else {
            return Ok(());
        };
        let now_us = now_ms.saturating_mul(1000);
        let next = |due_us: u64| {
            let due_us = due_us.max(now_us);
            (due_us - now_us < BURST_US).then(|| due_us + step_us.max(1))
        };
        let taken = self
            .due_us
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        taken.map(|_| ()).map_err(|due_us| {
            let over_us = due_us.saturating_sub(now_us + BURST_US);
            u32::try_from(over_us / 1000 + 1).unwrap_or(u32::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(planes: Planes, rate_per_s: u64) -> GatewayRow {
        GatewayRow {
            version: 1,
            name: "shop".into(),
            tenants: vec!["default".into()],
            planes,
            rate_per_s,
        }
    }

    #[test]
    fn a_gateway_may_what_its_row_says() {
        let ours = TenantId::of_name("default");
        let other = TenantId::of_name("other");
        let auth = Gateway::new(&row(Planes::Auth, 0));
        let admin = Gateway::new(&row(Planes::AuthAndAdmin, 0));
        assert!(auth.may(ours, Plane::Auth) && admin.may(ours, Plane::Admin));
        assert!(!auth.may(ours, Plane::Admin));
        assert!(!admin.may(other, Plane::Auth) && !admin.may(other, Plane::Admin));
    }

    #[test]
    fn a_rate_allows_a_second_at_once_and_then_its_pace() {
        let gateway = Gateway::new(&row(Planes::Auth, 100));
        let taken = (0..1_000).filter(|_| gateway.take(5_000).is_ok()).count();
        assert_eq!(taken, 100);
        assert_eq!(gateway.take(5_000), Err(1));
        let later = (0..1_000).filter(|_| gateway.take(5_500).is_ok()).count();
        assert_eq!(later, 50);
        let unlimited = Gateway::new(&row(Planes::Auth, 0));
        assert!((0..10_000).all(|_| unlimited.take(0).is_ok()));
    }

    #[test]
    fn connections_are_counted() {
        let gateway = Gateway::new(&row(Planes::Auth, 0));
        assert!(gateway.connect(1) && !gateway.connect(1));
        gateway.disconnect();
        assert!(gateway.connect(1));
    }
}
