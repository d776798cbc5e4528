//! The rows of a commit, each sealed for its place.

use tidegate_account::record::{self, Corrupt, IdentifierRow, Unwritable};
use tidegate_account::{Changes, Event, Held, IndexHash, Part, PartChange, TenantId, encode_event};
use tidegate_storage_api::{Check, Commit, Key as RowKey};

use crate::agenda::{AGENDA_SINCE, ROW};
use crate::identifiers::IndexRow;
use crate::outbox::row as outbox_row;
use crate::person::load::{Home, PersonKey};
use crate::person::parts::part_context;
use crate::ports::Ports;
use crate::regions::{Pending, Step};
use crate::seal::{Field, SealContext};
use crate::shared::Shared;

/// What every row of a person is written with.
pub(super) struct Writing<'a> {
    pub(super) shared: &'a Shared,
    pub(super) home: Home,
    pub(super) tenant: TenantId,
    pub(super) key: &'a PersonKey,
}

impl Writing<'_> {
    fn seal(&self, context: &SealContext, plain: &[u8]) -> Result<Vec<u8>, Corrupt> {
        let ports = &self.shared.ports;
        let sealed = context.seal(&*ports.cpu, &self.key.open, ports.random(), plain);
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

    pub(super) fn record(
        &self,
        check: &record::CheckPart,
        sealed: &record::SealedPart,
    ) -> Result<Vec<u8>, Unwritable> {
        let shared = self.shared;
        let written = record::write(shared.settings.formats.record(), check, sealed)?;
        let context = self.context(Field::Record, check.revision);
        let (key, nonce) = (&self.key.open, shared.ports.random());
        let bound = written.bound();
        let sealed = context.seal_bound(&*shared.ports.cpu, key, nonce, bound, &written.plain);
        let sealed = sealed.map_err(|_| Unwritable::Corrupt)?;
        record::assemble(written.clear, &sealed)
    }

    /// The rows of identifiers in the index.
    pub(super) fn identifiers(
        &self,
        changes: &Changes,
        mut commit: Commit,
    ) -> Result<Commit, Corrupt> {
        let Home { region, user, .. } = self.home;
        let index = |hash: &[u8; 32]| RowKey::identifier(region, hash);
        for row in &changes.released {
            if row.is_held() {
                commit = commit.delete(index(&row.hash));
                commit = leave_directory(self.shared, self.home, row, commit);
            }
        }
        for row in &changes.fallen {
            self.shared.memory.lookups.forget(&IndexHash(row.hash));
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
            if reservation.is_none() && self.shared.placement.regions.is_some() {
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
    pub(super) fn parts(
        &self,
        parts: Vec<PartChange>,
        mut commit: Commit,
    ) -> Result<Commit, Corrupt> {
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
pub(super) fn leave_directory(
    shared: &Shared,
    home: Home,
    row: &IdentifierRow,
    commit: Commit,
) -> Commit {
    let Some(hash) = &row.directory else {
        return commit;
    };
    let released = Pending::begun(Step::Released, home.user, &shared.ports);
    commit.put(RowKey::pending(home.region, hash), released.encode())
}

/// Moves the person's rows on the agenda, from the active version on that has one.
pub(super) fn agenda(
    shared: &Shared,
    home: Home,
    changes: &Changes,
    revision: u64,
    mut commit: Commit,
) -> (Commit, Option<u64>) {
    // No other node moves these, whatever nodes of older programs do.
    let now_ms = shared.ports.clock.unix_ms();
    let deliveries = changes.deliveries(revision, now_ms);
    for row in &deliveries {
        commit = commit.put(home.agenda_row(*row), outbox_row(0));
    }
    let due = deliveries.iter().map(|row| row.due_ms).min();
    // Asked after the record was written: no record of that version is without rows.
    if shared.settings.formats.active() < AGENDA_SINCE {
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

pub(super) fn events(
    ports: &Ports,
    home: Home,
    tenant: TenantId,
    changes: &Changes,
    mut commit: Commit,
) -> Result<Commit, Corrupt> {
    let at = ports.clock.unix_ms();
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
