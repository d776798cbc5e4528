//! Making changes durable: at most one commit per person is under way;
//! changes decided meanwhile go together into the next, and fall with it.

mod fate;
mod removal;
mod rows;

use bytes::Bytes;
use tidegate_account::record::{Corrupt, Unwritable};
use tidegate_account::{Account, Changes, Status, TenantId};
use tidegate_storage_api::{Check, Commit, PersonPart};

use super::load::{Home, PersonKey, key_context};
use crate::seal::{Key, WrappedKey};
use crate::shared::Shared;
pub(crate) use fate::{Fate, resolve};
use removal::removal;
use rows::{Writing, agenda, events};

/// Changes that wait for the commit under way.
#[derive(Default)]
pub(crate) struct Draft {
    changes: Option<Changes>,
    /// When the first of them was decided, in Unix milliseconds.
    since_ms: Option<u64>,
    /// The person's key is to be written anew, wrapped like this.
    rewrapped: Option<WrappedKey>,
}

impl Draft {
    pub(crate) fn add(&mut self, changes: Changes, decided_ms: u64) {
        self.since_ms.get_or_insert(decided_ms);
        match &mut self.changes {
            None => self.changes = Some(changes),
            Some(earlier) => earlier.extend(changes),
        }
    }

    pub(crate) fn rewrap(&mut self, wrapped: WrappedKey) {
        self.rewrapped = Some(wrapped);
    }

    pub(crate) fn take(&mut self) -> Option<(Changes, Option<WrappedKey>)> {
        let changes = self.changes.take()?;
        self.since_ms = None;
        Some((changes, self.rewrapped.take()))
    }

    /// When the first of the changes was decided, in Unix milliseconds.
    pub(crate) fn since_ms(&self) -> Option<u64> {
        self.since_ms
    }

    /// Whether it would write rows of the index under a key that is not the
    /// newest any more: the walk that renews every person may have passed by.
    pub(crate) fn is_older_than(&self, key_version: u16) -> bool {
        let changes = self.changes.as_ref();
        let oldest = changes.and_then(Changes::oldest_key_version);
        oldest.is_some_and(|version| version < key_version)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_none()
    }
}

/// What a conflict says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entering {
    /// Another account has one of the identifiers.
    Nothing,
    /// Or a reservation was taken back.
    Reserved,
}

/// A commit ready to go, and what it will have made.
pub(crate) struct Prepared {
    pub(crate) commit: Commit,
    pub(crate) revision: u64,
    /// Whether it makes identifiers the person's that were reserved for it.
    pub(crate) entering: Entering,
    /// When the first of the rows is due that it puts on the agenda, in Unix
    /// milliseconds.
    pub(crate) due_ms: Option<u64>,
    /// The record; none when it goes.
    pub(crate) written: Option<(Vec<u8>, PersonKey)>,
}

/// Builds the commit of an account's changes. `key` is the person's, or none
/// when the account was just made.
pub(crate) fn prepare(
    shared: &Shared,
    home: Home,
    epoch: u64,
    account: &Account,
    key: Option<PersonKey>,
    (changes, rewrapped): (Changes, Option<WrappedKey>),
) -> Result<Prepared, Unwritable> {
    let fenced = Commit::default().check(Check::Fence {
        region: home.region,
        slot: home.slot,
        epoch,
    });
    let Some((check, sealed)) = account.parts() else {
        let removal = removal(shared, home, account, &changes, fenced);
        return removal.map_err(Unwritable::from);
    };
    let tenant = TenantId(check.tenant);
    let mut commit = fenced;
    let untouched = Check::Untouched(home.row(PersonPart::Record));
    let mut key = match (key, check.status) {
        (Some(key), _) => {
            commit = commit.check(untouched);
            key
        }
        // A decoy account has a key without a row.
        (None, Status::Decoy) => {
            commit = commit.check(untouched);
            decoy_key(shared, home, tenant)?
        }
        (None, _) => {
            let key = new_key(shared, home, tenant)?;
            commit = commit
                .check(Check::Absent(home.row(PersonPart::Record)))
                .put(home.key_row(), key.wrapped.0.to_vec());
            key
        }
    };
    if let Some(wrapped) = rewrapped {
        key.wrapped = wrapped;
        commit = commit.put(home.key_row(), wrapped.0.to_vec());
    }
    let writing = Writing {
        shared,
        home,
        tenant,
        key: &key,
    };
    let record = writing.record(check, sealed)?;
    commit = commit.put(
        home.row(PersonPart::Record),
        Bytes::copy_from_slice(&record),
    );
    let reserved = changes.held.iter().any(|held| held.reservation.is_some());
    let entering = match reserved {
        true => Entering::Reserved,
        false => Entering::Nothing,
    };
    commit = writing.identifiers(&changes, commit)?;
    commit = writing.parts(changes.parts(check.revision)?, commit)?;
    let (commit, due_ms) = agenda(shared, home, &changes, check.revision, commit);
    let commit = events(&shared.ports, home, tenant, &changes, commit)?;
    Ok(Prepared {
        commit,
        revision: check.revision,
        entering,
        due_ms,
        written: Some((record, key)),
    })
}

fn new_key(shared: &Shared, home: Home, tenant: TenantId) -> Result<PersonKey, Corrupt> {
    let open = Key::new(shared.ports.entropy.seed());
    let wrapped = rewrap(shared, home, tenant, &open)?;
    Ok(PersonKey { open, wrapped })
}

/// Wraps a person's key under the tenant's newest.
pub(crate) fn rewrap(
    shared: &Shared,
    home: Home,
    tenant: TenantId,
    open: &Key,
) -> Result<WrappedKey, Corrupt> {
    let tenant_row = shared.settings.tenants.get(tenant).ok_or(Corrupt)?;
    let context = key_context(tenant, home.user);
    let under = tenant_row.key().ok_or(Corrupt)?;
    let wrapped = context.wrap(&*shared.ports.cpu, under, shared.ports.random(), open);
    wrapped.map_err(|_| Corrupt)
}

fn decoy_key(shared: &Shared, home: Home, tenant: TenantId) -> Result<PersonKey, Corrupt> {
    let tenant = shared.settings.tenants.get(tenant).ok_or(Corrupt)?;
    let open = tenant.decoy_keys(home.user.as_bytes()).next();
    Ok(PersonKey {
        open: open.ok_or(Corrupt)?,
        wrapped: WrappedKey::NONE,
    })
}
