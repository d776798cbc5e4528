//! Reading a person: from the warm form, or from storage with one flight
//! however many wait.

use bytes::Bytes;
use tidegate_account::record::{self, Corrupt, View};
use tidegate_account::{Account, TenantId, UserId};
use tidegate_storage_api::{Key as RowKey, PersonPart, Region, Slot, StoreError};

use crate::seal::{Field, Key, SealContext, WrappedKey};
use crate::shared::Shared;

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

    pub(crate) fn key_row(&self) -> RowKey {
        RowKey::person_key(self.region, self.slot, self.user.as_bytes())
    }
}

pub(crate) async fn load(shared: &Shared, home: Home) -> Result<Loaded, StoreError> {
    let record = shared.store.get(home.row(PersonPart::Record));
    let key = shared.store.get(home.key_row());
    let (record, key) = futures_util::future::try_join(record, key).await?;
    Ok(Loaded { record, key })
}

/// Opens the sealed part of a person's record.
pub(crate) fn open(shared: &Shared, record: &[u8], wrapped: WrappedKey) -> Result<Opened, Corrupt> {
    let view = View::new(record)?;
    let (tenant, user) = (view.tenant(), view.user());
    let key = unwrap(shared, tenant, user, wrapped)?;
    let context = SealContext {
        tenant,
        user,
        field: Field::Record,
        revision: view.revision(),
    };
    let sealed = context.open(&*shared.cpu, &key.open, view.sealed());
    let sealed = record::read_sealed(&sealed.map_err(|_| Corrupt)?)?;
    Ok(Opened {
        account: Account::load(view.to_check_part()?, sealed),
        key,
    })
}

fn unwrap(
    shared: &Shared,
    tenant: TenantId,
    user: UserId,
    wrapped: WrappedKey,
) -> Result<PersonKey, Corrupt> {
    let tenant_key = &shared.tenants.get(tenant).ok_or(Corrupt)?.key;
    let context = key_context(tenant, user);
    let open = context.unwrap(&*shared.cpu, tenant_key, &wrapped);
    Ok(PersonKey {
        open: open.map_err(|_| Corrupt)?,
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
