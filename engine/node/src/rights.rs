//! What gateways and operators may do. The stored row says it, not the
//! certificate, so it can be changed and withdrawn while connections are open.

mod right;

pub(crate) use right::Right;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tidegate_account::{Administrator, TenantId};
use tidegate_runtime::GatewayId;
use tidegate_wire::Plane;
use tokio::sync::watch;

use crate::certificates::Role;
use crate::deployment::GatewayRow;

/// A gateway or an operator that may connect.
pub(crate) struct Gateway {
    name: String,
    id: GatewayId,
    rights: RwLock<Arc<Rights>>,
    /// Whether it still may, for its open connections.
    standing: watch::Sender<Standing>,
    connections: AtomicUsize,
}

/// What a gateway or operator may do, as its row says.
pub(crate) struct Rights {
    tenants: Vec<TenantId>,
    rights: Vec<Right>,
    certificates: Vec<String>,
    rate: Rate,
}

/// Whether a gateway or operator may still connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Withdrawn,
}

impl Gateway {
    pub(crate) fn new(row: &GatewayRow) -> Gateway {
        Gateway {
            name: row.name.clone(),
            id: GatewayId::of_name(&row.name),
            rights: RwLock::new(Arc::new(Rights::of(row))),
            standing: watch::Sender::new(Standing::Good),
            connections: AtomicUsize::new(0),
        }
    }

    /// What it may now; nothing when that was taken from it.
    pub(crate) fn rights(&self) -> Option<Arc<Rights>> {
        let good = *self.standing.borrow() == Standing::Good;
        good.then(|| self.with(Arc::clone))
    }

    /// Whether this certificate, in this role, is one of its own.
    pub(crate) fn has(&self, role: Role, fingerprint: &str) -> bool {
        self.with(|rights| {
            let operator = rights.rights.contains(&Right::Operator);
            let fits = operator == (role == Role::Operator);
            fits && rights.certificates.iter().any(|one| one == fingerprint)
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> GatewayId {
        self.id
    }

    /// Whether it must say where people come from.
    pub(crate) fn names_sources(&self) -> bool {
        self.with(|rights| rights.rights.contains(&Right::Sourced))
    }

    /// The name under which its acts are recorded.
    pub(crate) fn administrator(&self) -> Administrator {
        Administrator(self.name.clone())
    }

    /// Tells when it may no longer.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
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

    fn with<T>(&self, read: impl FnOnce(&Arc<Rights>) -> T) -> T {
        read(&self.rights.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Rights {
    fn of(row: &GatewayRow) -> Rights {
        let tenants = row.tenants.iter().map(|name| TenantId::of_name(name));
        Rights {
            tenants: tenants.collect(),
            rights: row.rights.clone(),
            certificates: row.certificates.clone(),
            rate: Rate::new(row.rate_per_s),
        }
    }

    /// Whether this is allowed in this tenant's name.
    pub(crate) fn may(&self, tenant: TenantId, plane: Plane) -> bool {
        let ours = plane == Plane::Operator || self.tenants.contains(&tenant);
        ours && self.rights.contains(&Right::of(plane))
    }

    /// Whether the rate allows one more request; how long to wait if not.
    pub(crate) fn take(&self, now_ms: u64) -> Result<(), u32> {
        self.rate.take(now_ms)
    }
}

/// All who may connect, by name.
#[derive(Default)]
pub(crate) struct Gateways {
    by_name: RwLock<BTreeMap<String, Arc<Gateway>>>,
}

impl Gateways {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Gateway>> {
        let gateways = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        gateways.get(name).cloned()
    }

    /// Adds a gateway or operator, or changes its rights, for its open
    /// connections too.
    pub(crate) fn put(&self, row: &GatewayRow) {
        let mut gateways = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        match gateways.get(&row.name) {
            Some(known) => {
                let mut rights = known.rights.write().unwrap_or_else(PoisonError::into_inner);
                *rights = Arc::new(Rights::of(row));
            }
            None => {
                gateways.insert(row.name.clone(), Arc::new(Gateway::new(row)));
            }
        }
    }

    /// Lets only these connect.
    pub(crate) fn replace(&self, rows: &[GatewayRow]) {
        rows.iter().for_each(|row| self.put(row));
        let gone: Vec<String> = {
            let gateways = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
            let listed = |name: &&String| !rows.iter().any(|row| row.name == **name);
            gateways.keys().filter(listed).cloned().collect()
        };
        gone.iter().for_each(|name| self.withdraw(name));
    }

    /// Withdraws all rights of a gateway or operator; its connections close.
    pub(crate) fn withdraw(&self, name: &str) {
        let mut gateways = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(gateway) = gateways.remove(name) {
            gateway.standing.send_replace(Standing::Withdrawn);
        }
    }
}

/// The highest rate that can be kept: one request a microsecond.
pub(crate) const RATE_MAX_PER_S: u64 = 1_000_000;

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

    fn may(gateway: &Gateway, tenant: TenantId, plane: Plane) -> bool {
        let rights = gateway.rights();
        rights.is_some_and(|rights| rights.may(tenant, plane))
    }

    fn take(gateway: &Gateway, now_ms: u64) -> Result<(), u32> {
        gateway.rights().unwrap().take(now_ms)
    }

    fn row(rights: &[Right], rate_per_s: u64) -> GatewayRow {
        GatewayRow {
            name: "shop".into(),
            tenants: vec!["default".into()],
            rights: rights.to_vec(),
            rate_per_s,
            certificates: vec!["ab".into()],
        }
    }

    fn ours() -> TenantId {
        TenantId::of_name("default")
    }

    #[test]
    fn somebody_may_what_their_row_says_and_planes_do_not_include_each_other() {
        let planes = [Plane::Auth, Plane::Admin, Plane::Operator];
        let planes_of = |right: Right| {
            let gateway = Gateway::new(&row(&[right], 0));
            planes.map(|plane| may(&gateway, ours(), plane))
        };
        assert_eq!(planes_of(Right::Auth), [true, false, false]);
        assert_eq!(planes_of(Right::Admin), [false, true, false]);
        assert_eq!(planes_of(Right::Operator), [false, false, true]);
        let gateway = Gateway::new(&row(&[Right::Auth, Right::Admin], 0));
        let other = TenantId::of_name("other");
        assert!(!may(&gateway, other, Plane::Auth) && !may(&gateway, other, Plane::Admin));
    }

    #[test]
    fn a_certificate_counts_only_when_it_is_listed_and_of_the_right_role() {
        let gateway = Gateway::new(&row(&[Right::Auth], 0));
        assert!(gateway.has(Role::Gateway, "ab"));
        assert!(!gateway.has(Role::Gateway, "cd") && !gateway.has(Role::Operator, "ab"));
        let operator = Gateway::new(&row(&[Right::Operator], 0));
        assert!(operator.has(Role::Operator, "ab") && !operator.has(Role::Gateway, "ab"));
    }

    #[test]
    fn changes_reach_whoever_is_connected() {
        let gateways = Gateways::default();
        gateways.put(&row(&[Right::Auth], 0));
        let connected = gateways.get("shop").unwrap();
        let mut standing = connected.standing();
        gateways.put(&row(&[Right::Admin], 0));
        assert!(!may(&connected, ours(), Plane::Auth) && may(&connected, ours(), Plane::Admin));
        assert_eq!(*standing.borrow_and_update(), Standing::Good);
        gateways.withdraw("shop");
        assert!(!may(&connected, ours(), Plane::Admin));
        assert_eq!(*standing.borrow_and_update(), Standing::Withdrawn);
        assert!(gateways.get("shop").is_none());
    }

    #[test]
    fn a_rate_allows_a_second_at_once_and_then_its_pace() {
        let gateway = Gateway::new(&row(&[Right::Auth], 100));
        let taken = (0..1_000).filter(|_| take(&gateway, 5_000).is_ok()).count();
        assert_eq!(taken, 100);
        assert_eq!(take(&gateway, 5_000), Err(1));
        let later = (0..1_000).filter(|_| take(&gateway, 5_500).is_ok()).count();
        assert_eq!(later, 50);
        let unlimited = Gateway::new(&row(&[Right::Auth], 0));
        assert!((0..10_000).all(|_| take(&unlimited, 0).is_ok()));
    }

    #[test]
    fn connections_are_counted() {
        let gateway = Gateway::new(&row(&[Right::Auth], 0));
        assert!(gateway.connect(1) && !gateway.connect(1));
        gateway.disconnect();
        assert!(gateway.connect(1));
    }
}
