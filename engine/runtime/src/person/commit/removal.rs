//! The commit that takes a person away.

use tidegate_account::record::Corrupt;
use tidegate_account::{Account, AtErasure, Changes, Fate as RecordFate, IndexHash, PartKind};
use tidegate_storage_api::{Check, Commit, Key as RowKey, KeyRange, PersonPart};

use super::rows::{events, leave_directory};
use super::{Entering, Prepared};
use crate::person::load::Home;
use crate::shared::Shared;

/// Takes everything of a person away. The rows of identifiers that were held
/// go one by one; then the record, the parts of each kind in the table, and the
/// key, in whose place it stands when the person was erased.
pub(super) fn removal(
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
        shared.memory.lookups.forget(&IndexHash(row.hash));
        commit = commit.delete(RowKey::identifier(home.region, &row.hash));
        commit = leave_directory(shared, home, row, commit);
    }
    for row in &changes.agenda.gone {
        commit = commit.delete(home.agenda_row(*row));
    }
    let undelivered = KeyRange::person_undelivered(home.region, home.slot, home.user.as_bytes());
    let commit = commit.clear(undelivered);
    let commit = events(&shared.ports, home, tenant, changes, commit)?;
    Ok(Prepared {
        commit,
        revision: account.revision(),
        entering: Entering::Nothing,
        due_ms: None,
        written: None,
    })
}
