//! A person's record only ever goes on: each commit that changes it has the
//! revision after the one that is stored, so none is lost or written twice.

use tidegate_account::record::View;
use tidegate_storage_api::{Commit, PersonPart};

use super::Before;

pub(super) fn broken_by(commit: &Commit, before: Before<'_>) -> Option<String> {
    for put in &commit.puts {
        let Some((_, PersonPart::Record)) = PersonPart::of(&put.key) else {
            continue;
        };
        let stored = before(&put.key);
        if stored.as_ref() == Some(&put.value) {
            // Settling writes a record as it is.
            continue;
        }
        let revision = |bytes: &[u8]| View::new(bytes).map(|view| view.revision());
        let old = stored.as_deref().map_or(Ok(0), revision);
        let new = revision(&put.value);
        match (old, new) {
            (Ok(old), Ok(new)) if new > old => {}
            (Ok(old), Ok(new)) => return Some(format!("revision {new} is written over {old}")),
            _ => return Some("a record cannot be read".into()),
        }
    }
    None
}
