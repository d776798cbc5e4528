//! Making changes durable: at most one commit per person is under way;
//! changes decided meanwhile go together into the next, and fall with it.

use bytes::Bytes;
use tidegate_account::record::{self, Corrupt};
use tidegate_account::{Account, Changes, Event, TenantId, encode_event};
use tidegate_storage_api::{Check, Commit, Key as RowKey, PersonPart, StoreError};

use super::load::{Home, PersonKey, key_context};
use super::profile::Profile;
use crate::identifiers::IndexRow;
use crate::seal::{Field, Key, SealContext};
use crate::shared::Shared;

/// What became of a commit whose fate was unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Happened,
    DidNot,
}

/// Changes that wait for the commit under way.
#[derive(Default)]
pub(crate) struct Draft {
    changes: Option<Changes>,
}

impl Draft {
    pub(crate) fn add(&mut self, changes: Changes) {
        match &mut self.changes {
            None => self.changes = Some(changes),
            Some(earlier) => {
                earlier.claims.extend(changes.claims);
                earlier.events.extend(changes.events);
            }
        }
    }

    pub(crate) fn take(&mut self) -> Option<Changes> {
        self.changes.take()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_none()
    }
}

/// A commit ready to go, and what it will have made of the record.
pub(crate) struct Prepared {
    pub(crate) commit: Commit,
    pub(crate) record: Vec<u8>,
    pub(crate) revision: u64,
    pub(crate) key: PersonKey,
}

/// Builds the commit of an account's changes. `key` is the person's, or none
/// when the account was just made.
pub(crate) fn prepare(
    shared: &Shared,
    home: Home,
    epoch: u64,
    account: &Account,
    key: Option<PersonKey>,
    changes: Changes,
) -> Result<Prepared, Corrupt> {
    let (check, sealed) = account.parts().ok_or(Corrupt)?;
    let tenant = TenantId(check.tenant);
    let mut commit = Commit::default().check(Check::Fence {
        region: home.region,
        slot: home.slot,
        epoch,
    });
    let key = match key {
        Some(key) => key,
        None => {
            let key = new_key(shared, home, tenant)?;
            commit = claim(shared, home, tenant, &key, &changes, commit)?;
            key
        }
    };
    let context = SealContext {
        tenant,
        user: home.user,
        field: Field::Record,
        revision: check.revision,
    };
    let plain = record::sealed_plaintext(sealed)?;
    let sealed = context.seal(&*shared.cpu, &key.open, nonce(shared), &plain);
    let record = record::assemble(check, &sealed.map_err(|_| Corrupt)?)?;
    commit = commit.put(
        home.row(PersonPart::Record),
        Bytes::copy_from_slice(&record),
    );
    let at = shared.clock.unix_ms();
    for kind in changes.events {
        let event = Event {
            tenant: tenant.0,
            user: *home.user.as_bytes(),
            at,
            kind,
        };
        commit = commit.append(home.region, home.slot.partition(), encode_event(&event)?);
    }
    Ok(Prepared {
        commit,
        record,
        revision: check.revision,
        key,
    })
}

/// The rows of a new account: its key, its index rows, its profile.
fn claim(
    shared: &Shared,
    home: Home,
    tenant: TenantId,
    key: &PersonKey,
    changes: &Changes,
    mut commit: Commit,
) -> Result<Commit, Corrupt> {
    commit = commit
        .check(Check::Absent(home.row(PersonPart::Record)))
        .put(home.key_row(), key.wrapped.0.to_vec());
    for claimed in &changes.claims {
        let row = RowKey::identifier(home.region, &claimed.hash.0);
        let kind = claimed.identifier.kind();
        let value = IndexRow::claim(home.user, kind, claimed.key_version).encode();
        commit = commit.check(Check::Absent(row.clone())).put(row, value);
    }
    let context = SealContext {
        tenant,
        user: home.user,
        field: Field::Profile,
        revision: 0,
    };
    let plain = Profile::of(&changes.claims).encode()?;
    let sealed = context.seal(&*shared.cpu, &key.open, nonce(shared), &plain);
    Ok(commit.put(home.row(PersonPart::Profile), sealed.map_err(|_| Corrupt)?))
}

fn new_key(shared: &Shared, home: Home, tenant: TenantId) -> Result<PersonKey, Corrupt> {
    let open = Key::new(shared.entropy.seed());
    let tenant_key = &shared.tenants.get(tenant).ok_or(Corrupt)?.key;
    let context = key_context(tenant, home.user);
    let wrapped = context.wrap(&*shared.cpu, tenant_key, nonce(shared), &open);
    Ok(PersonKey {
        open,
        wrapped: wrapped.map_err(|_| Corrupt)?,
    })
}

fn nonce(shared: &Shared) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce.copy_from_slice(&shared.entropy.seed()[..24]);
    nonce
}

/// Finds out what became of a commit: it happened when the stored record is
/// the one it wrote.
pub(crate) async fn resolve(
    shared: &Shared,
    home: Home,
    attempted: &[u8],
) -> Result<Fate, StoreError> {
    let stored = shared.store.get(home.row(PersonPart::Record)).await?;
    Ok(match stored.as_deref() == Some(attempted) {
        true => Fate::Happened,
        false => Fate::DidNot,
    })
}
