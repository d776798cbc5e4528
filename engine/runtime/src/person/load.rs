//! Reading a person: from the warm form, or from storage with one flight
//! however many wait.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_account::record::{Corrupt, View};
use tidegate_account::{Account, AgendaRow, PartId, PartKind, TenantId, UserId};
use tidegate_storage_api::{
    AgendaKey, Key as RowKey, KeyRange, PersonPart, Region, Slot, StoreError,
};

use crate::ports::{Cpu, Ports};
use crate::seal::{Field, Key, SealContext, WrappedKey};
use crate::tenants::{Tenant, Tenants};

/// What storage holds about a person.
pub(crate) struct Loaded {
    pub(crate) record: Option<Bytes>,
    pub(crate) key: Option<Bytes>,
}

/// A person opened: the account and the key of its sealed data.
pub(crate) struct Opened {
    pub(crate) account: Account,
    pub(crate) key: PersonKey,
}

/// A person's key, open and wrapped.
#[derive(Clone)]
pub(crate) struct PersonKey {
    pub(crate) open: Key,
    pub(crate) wrapped: WrappedKey,
}

/// Where a person's rows lie.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub(crate) user: UserId,
    pub(crate) region: Region,
    pub(crate) slot: Slot,
}

impl Home {
    /// `None` for an id that names no slot, which none of ours does.
    pub(crate) fn of(user: UserId) -> Option<Home> {
        Some(Home {
            user,
            region: Region::new(user.region())?,
            slot: Slot::new(user.slot())?,
        })
    }

    pub(crate) fn row(&self, part: PersonPart) -> RowKey {
        RowKey::person(self.region, self.slot, self.user.as_bytes(), part)
    }

    pub(crate) fn part_row(&self, id: PartId) -> RowKey {
        self.row(PersonPart::Cold {
            kind: id.kind.number(),
            number: id.number,
        })
    }

    pub(crate) fn parts(&self, kind: PartKind) -> KeyRange {
        let user = self.user.as_bytes();
        KeyRange::person_parts(self.region, self.slot, user, kind.number())
    }

    pub(crate) fn agenda_row(&self, row: AgendaRow) -> RowKey {
        let place = AgendaKey {
            due_ms: row.due_ms,
            user: *self.user.as_bytes(),
            what: row.what.number(),
            number: row.number,
        };
        place.key(self.region, self.slot)
    }

    pub(crate) fn key_row(&self) -> RowKey {
        RowKey::person_key(self.region, self.slot, self.user.as_bytes())
    }
}

pub(crate) async fn load(ports: &Ports, home: Home) -> Result<Loaded, StoreError> {
    let record = ports.store.get(home.row(PersonPart::Record));
    let key = ports.store.get(home.key_row());
    let (record, key) = futures_util::future::try_join(record, key).await?;
    Ok(Loaded { record, key })
}

/// Opens a person's record, which must be theirs: with another's record its key
/// could have been put here as well.
pub(crate) fn open(
    cpu: &dyn Cpu,
    tenants: &Tenants,
    user: UserId,
    record: &[u8],
    wrapped: WrappedKey,
) -> Result<Opened, Corrupt> {
    let view = view_of(user, record)?;
    let key = unwrap(cpu, tenants.get(view.tenant()), user, wrapped)?;
    open_with(cpu, view, key)
}

/// Opens the record of a decoy account, under whichever of the tenant's keys it was
/// made.
pub(crate) fn open_decoy(
    cpu: &dyn Cpu,
    tenants: &Tenants,
    user: UserId,
    record: &[u8],
) -> Result<Opened, Corrupt> {
    let view = view_of(user, record)?;
    let tenant = tenants.get(view.tenant()).ok_or(Corrupt)?;
    let keys = tenant.decoy_keys(user.as_bytes());
    let opened = keys.map(|open| {
        let wrapped = WrappedKey::NONE;
        open_with(cpu, view, PersonKey { open, wrapped })
    });
    opened.flatten().next().ok_or(Corrupt)
}

fn view_of(user: UserId, record: &[u8]) -> Result<View<'_>, Corrupt> {
    let view = View::new(record)?;
    match view.user() == user {
        true => Ok(view),
        false => Err(Corrupt),
    }
}

/// Here everything in clear is authenticated, where the format does that.
fn open_with(cpu: &dyn Cpu, view: View<'_>, key: PersonKey) -> Result<Opened, Corrupt> {
    let context = SealContext {
        tenant: view.tenant(),
        user: view.user(),
        field: Field::Record,
        revision: view.revision(),
    };
    let plain = context.open_bound(cpu, &key.open, view.bound(), view.sealed());
    let (check, sealed) = view.read(&plain.map_err(|_| Corrupt)?)?;
    Ok(Opened {
        account: Account::load(check, sealed),
        key,
    })
}

fn unwrap(
    cpu: &dyn Cpu,
    tenant: Option<Arc<Tenant>>,
    user: UserId,
    wrapped: WrappedKey,
) -> Result<PersonKey, Corrupt> {
    let tenant = tenant.ok_or(Corrupt)?;
    let context = key_context(tenant.id, user);
    // While the tenant's key rotates, either may have wrapped it.
    let opened = tenant
        .keys
        .iter()
        .map(|key| context.unwrap(cpu, key, &wrapped));
    Ok(PersonKey {
        open: opened.flatten().next().ok_or(Corrupt)?,
        wrapped,
    })
}

pub(crate) fn key_context(tenant: TenantId, user: UserId) -> SealContext {
    SealContext {
        tenant,
        user,
        field: Field::PersonKey,
        revision: 0,
    }
}
