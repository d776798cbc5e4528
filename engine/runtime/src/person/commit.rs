//! Making changes durable: at most one commit per person is under way;
//! changes decided meanwhile go together into the next, and fall with it.

use bytes::Bytes;
use tidegate_account::record::{self, Corrupt, IdentifierRow, Unwritable};
use tidegate_account::{
    Account, AtErasure, Changes, Event, Fate as RecordFate, Held, IndexHash, Part, PartChange,
    PartKind, Status, TenantId, encode_event,
};
use tidegate_storage_api::{Check, Commit, Key as RowKey, KeyRange, PersonPart, StoreError};

use super::load::{Home, PersonKey, key_context};
use super::parts::part_context;
use crate::agenda::{AGENDA_SINCE, ROW};
use crate::identifiers::IndexRow;
use crate::outbox;
use crate::regions::{Pending, Step};
use crate::seal::{Field, Key, SealContext, WrappedKey};
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
    /// newest any more: the walk that renews everybody may have passed by.
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
    /// Somebody has one of the identifiers.
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
        // Somebody who does not exist has a key without a row.
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
    let commit = events(shared, home, tenant, &changes, commit)?;
    Ok(Prepared {
        commit,
        revision: check.revision,
        entering,
        due_ms,
        written: Some((record, key)),
    })
}

/// Takes everything of a person away. The rows of identifiers that were held
/// go one by one; then the record, the parts of each kind in the table, and the
/// key, in whose place it stands when somebody was erased.
fn removal(
    shared: &Shared,
    home: Home,
    account: &Account,
    changes: &Changes,
    mut commit: Commit,
) -> Result<Prepared, Corrupt> {
    let tenant = match &changes.fate {
        RecordFate::Kept => return Err(Corrupt),
        RecordFate::Removed(tenant) => {
            commit = commit.delete(home.key_row());
            *tenant
        }
        RecordFate::Erased(erasure) => {
            commit = commit.put(home.key_row(), erasure.encode().to_vec());
            erasure.tenant
        }
    };
    commit = commit
        .check(Check::Untouched(home.row(PersonPart::Record)))
        // Parts of a kind that only a newer program knows go as well.
        .clear(KeyRange::person(
            home.region,
            home.slot,
            home.user.as_bytes(),
        ));
    // A kind that is to stay would not compile unnoticed.
    for kind in PartKind::ALL {
        match kind.at_erasure() {
            AtErasure::Cleared => {}
        }
    }
    // What was to move in the same commit still lies where it was.
    for moved in &changes.moved {
        commit = commit.delete(RowKey::identifier(home.region, &moved.from.0));
    }
    let released = changes.released.iter().filter(|row| row.is_held());
    for row in released.chain(&changes.fallen) {
        shared.lookups.forget(&IndexHash(row.hash));
        commit = commit.delete(RowKey::identifier(home.region, &row.hash));
        commit = leave_directory(shared, home, row, commit);
    }
    for row in &changes.agenda.gone {
        commit = commit.delete(home.agenda_row(*row));
    }
    let undelivered = KeyRange::person_undelivered(home.region, home.slot, home.user.as_bytes());
    let commit = commit.clear(undelivered);
    let commit = events(shared, home, tenant, changes, commit)?;
    Ok(Prepared {
        commit,
        revision: account.revision(),
        entering: Entering::Nothing,
        due_ms: None,
        written: None,
    })
}

/// What every row of a person is written with.
struct Writing<'a> {
    shared: &'a Shared,
    home: Home,
    tenant: TenantId,
    key: &'a PersonKey,
}

impl Writing<'_> {
    fn seal(&self, context: &SealContext, plain: &[u8]) -> Result<Vec<u8>, Corrupt> {
        let shared = self.shared;
        let sealed = context.seal(&*shared.cpu, &self.key.open, nonce(shared), plain);
        sealed.map_err(|_| Corrupt)
    }

    fn context(&self, field: Field, revision: u64) -> SealContext {
        SealContext {
            tenant: self.tenant,
            user: self.home.user,
            field,
            revision,
        }
    }

    fn record(
        &self,
        check: &record::CheckPart,
        sealed: &record::SealedPart,
    ) -> Result<Vec<u8>, Unwritable> {
        let shared = self.shared;
        let written = record::write(shared.formats.record(), check, sealed)?;
        let context = self.context(Field::Record, check.revision);
        let (key, nonce) = (&self.key.open, nonce(shared));
        let bound = written.bound();
        let sealed = context.seal_bound(&*shared.cpu, key, nonce, bound, &written.plain);
        let sealed = sealed.map_err(|_| Unwritable::Corrupt)?;
        record::assemble(written.clear, &sealed)
    }

    /// The rows of identifiers in the index.
    fn identifiers(&self, changes: &Changes, mut commit: Commit) -> Result<Commit, Corrupt> {
        let Home { region, user, .. } = self.home;
        let index = |hash: &[u8; 32]| RowKey::identifier(region, hash);
        for row in &changes.released {
            if row.is_held() {
                commit = commit.delete(index(&row.hash));
                commit = leave_directory(self.shared, self.home, row, commit);
            }
        }
        for row in &changes.fallen {
            self.shared.lookups.forget(&IndexHash(row.hash));
            commit = commit.delete(index(&row.hash));
            commit = leave_directory(self.shared, self.home, row, commit);
        }
        for Held {
            hash,
            key_version,
            older,
            reservation,
        } in &changes.held
        {
            for hash in older.iter().chain([hash]) {
                commit = commit.check(Check::Absent(index(&hash.0)));
            }
            commit = commit.put(index(&hash.0), IndexRow::new(user, *key_version).encode());
            if reservation.is_none() && self.shared.regions.is_some() {
                // Another region could give it away.
                return Err(Corrupt);
            }
            if let Some(reserved) = reservation {
                let row = RowKey::pending(region, &reserved.hash);
                let intended = Pending::intended(reserved, user);
                commit = commit
                    .check(Check::Value(row.clone(), intended.encode()))
                    .put(row, intended.then(Step::Held).encode());
            }
        }
        for moved in &changes.moved {
            let row = IndexRow::new(user, moved.key_version).encode();
            commit = commit
                .check(Check::Absent(index(&moved.to.0)))
                .delete(index(&moved.from.0))
                .put(index(&moved.to.0), row);
        }
        Ok(commit)
    }

    /// The person's parts, whatever they are.
    fn parts(&self, parts: Vec<PartChange>, mut commit: Commit) -> Result<Commit, Corrupt> {
        for change in parts {
            commit = match change {
                PartChange::Dropped(id) => commit.delete(self.home.part_row(id)),
                PartChange::Written {
                    part: Part { id, plain },
                    at_ms,
                } => {
                    let context = part_context(self.tenant, self.home.user, id);
                    let sealed = self.seal(&context, &plain)?;
                    commit.put(self.home.part_row(id), id.kind.row(at_ms, &sealed))
                }
            };
        }
        Ok(commit)
    }
}

/// Lets the directory of regions be told that an identifier is free.
fn leave_directory(shared: &Shared, home: Home, row: &IdentifierRow, commit: Commit) -> Commit {
    let Some(hash) = &row.directory else {
        return commit;
    };
    let released = shared.begun(Step::Released, home.user);
    commit.put(RowKey::pending(home.region, hash), released.encode())
}

/// Moves the person's rows on the agenda, from the active version on that has one.
fn agenda(
    shared: &Shared,
    home: Home,
    changes: &Changes,
    revision: u64,
    mut commit: Commit,
) -> (Commit, Option<u64>) {
    // Nobody else moves these, whatever nodes of older programs do.
    let now_ms = shared.clock.unix_ms();
    let deliveries = changes.deliveries(revision, now_ms);
    for row in &deliveries {
        commit = commit.put(home.agenda_row(*row), outbox::row(0));
    }
    let due = deliveries.iter().map(|row| row.due_ms).min();
    // Asked after the record was written: no record of that version is without rows.
    if shared.formats.active() < AGENDA_SINCE {
        return (commit, due);
    }
    for row in &changes.agenda.gone {
        commit = commit.delete(home.agenda_row(*row));
    }
    for row in &changes.agenda.kept {
        commit = commit.put(home.agenda_row(*row), ROW);
    }
    let kept = changes.agenda.kept.iter().map(|row| row.due_ms);
    (commit, kept.chain(due).min())
}

fn events(
    shared: &Shared,
    home: Home,
    tenant: TenantId,
    changes: &Changes,
    mut commit: Commit,
) -> Result<Commit, Corrupt> {
    let at = shared.clock.unix_ms();
    for kind in &changes.events {
        let event = Event {
            tenant: tenant.0,
            user: *home.user.as_bytes(),
            at,
            kind: kind.clone(),
        };
        commit = commit.append(home.region, home.slot.partition(), encode_event(&event)?);
    }
    Ok(commit)
}

fn new_key(shared: &Shared, home: Home, tenant: TenantId) -> Result<PersonKey, Corrupt> {
    let open = Key::new(shared.entropy.seed());
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
    let tenant_row = shared.tenants.get(tenant).ok_or(Corrupt)?;
    let context = key_context(tenant, home.user);
    let under = tenant_row.key().ok_or(Corrupt)?;
    let wrapped = context.wrap(&*shared.cpu, under, nonce(shared), open);
    wrapped.map_err(|_| Corrupt)
}

fn decoy_key(shared: &Shared, home: Home, tenant: TenantId) -> Result<PersonKey, Corrupt> {
    let tenant = shared.tenants.get(tenant).ok_or(Corrupt)?;
    let open = tenant.decoy_keys(home.user.as_bytes()).next();
    Ok(PersonKey {
        open: open.ok_or(Corrupt)?,
        wrapped: WrappedKey::NONE,
    })
}

fn nonce(shared: &Shared) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce.copy_from_slice(&shared.entropy.seed()[..24]);
    nonce
}

/// How often a commit of unknown fate is looked for when others get between.
const LOOKS_MAX: usize = 16;

/// Finds out what became of a commit: it happened when what is stored is what
/// it wrote. The record is written once more as it is, so that a commit that
/// is still on its way finds the record touched and cannot land any more.
pub(crate) async fn resolve(
    shared: &Shared,
    home: Home,
    epoch: u64,
    attempted: Option<&[u8]>,
) -> Result<Fate, StoreError> {
    let fence = Check::Fence {
        region: home.region,
        slot: home.slot,
        epoch,
    };
    for _ in 0..LOOKS_MAX {
        let row = home.row(PersonPart::Record);
        let stored = shared.store.get(row.clone()).await?;
        let happened = stored.as_deref() == attempted;
        let settling = Commit::default().check(fence.clone());
        let settling = match stored {
            None => settling.check(Check::Absent(row.clone())).delete(row),
            Some(stored) => settling
                .check(Check::Value(row.clone(), stored.clone()))
                .put(row, stored),
        };
        match shared.store.commit(settling).await {
            Ok(_) if happened => return Ok(Fate::Happened),
            Ok(_) => return Ok(Fate::DidNot),
            // It landed between the two, or this one's fate is unknown too.
            Err(StoreError::Conflict | StoreError::Overtaken | StoreError::CommitUnknown) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::CommitUnknown)
}
