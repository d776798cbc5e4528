//! What must happen at a time has a row on the agenda: the commit that writes a
//! record which expires writes the row beside it, or nothing would ever drop
//! it.

use tidegate_account::record::View;
use tidegate_storage_api::{AgendaKey, Commit, PersonPart};

use super::Before;

/// From this format of the record on.
const FORMAT: u8 = 3;

pub(super) fn broken_by(commit: &Commit, before: Before<'_>) -> Option<String> {
    for put in &commit.puts {
        let Some((user, PersonPart::Record)) = PersonPart::of(&put.key) else {
            continue;
        };
        // Settling writes a record as it is.
        let as_it_was = before(&put.key).as_ref() == Some(&put.value);
        if as_it_was || put.value.first() != Some(&FORMAT) {
            continue;
        }
        let Ok(view) = View::new(&put.value) else {
            return Some("a record cannot be read".into());
        };
        let at_ms = view.abandoned_at();
        let rows = commit.puts.iter().filter_map(|put| AgendaKey::of(&put.key));
        let mut rows = rows.filter(|row| row.user == user && row.due_ms >= at_ms);
        if at_ms > 0 && rows.next().is_none() {
            return Some(format!("no agenda row for a record ending at {at_ms}"));
        }
    }
    None
}
