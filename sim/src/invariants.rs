//! What must hold whatever happens, looked at while the world runs: one file
//! for each. What people can tell from outside is in `visits.rs`.

mod fence;
mod revision;

use std::sync::Arc;

use bytes::Bytes;
use tidegate_storage_api::{Commit, Key};
use tidegate_storage_simulated::Witness;

use crate::agenda::Agenda;
use crate::book::Book;

/// Looks at every commit at the moment at which it is carried out.
pub(crate) struct Invariants {
    book: Arc<Book>,
    agenda: Agenda,
}

/// Rows as they were before a commit.
type Before<'a> = &'a dyn Fn(&Key) -> Option<Bytes>;

/// Says what a commit breaks, if it does.
type Invariant = fn(&Commit, Before<'_>) -> Option<String>;

const ALL: [(&str, Invariant); 2] = [
    ("fence", fence::broken_by),
    ("revision", revision::broken_by),
];

impl Invariants {
    pub(crate) fn new(book: Arc<Book>, agenda: Agenda) -> Invariants {
        Invariants { book, agenda }
    }
}

impl Witness for Invariants {
    fn sees(&self, client: u32, commit: &Commit, before: Before<'_>) {
        for (name, broken_by) in ALL {
            if let Some(what) = broken_by(commit, before) {
                let at_s = self.agenda.now_ns() as f64 / 1e9;
                self.book.wrong(format!(
                    "{at_s:.3} s, node {client}: invariant {name}: {what}"
                ));
            }
        }
    }
}
