//! What must hold whatever happens, looked at while the world runs: one file
//! for each. What people can tell from outside is in `visits.rs`.

mod agenda;
mod fence;
mod revision;

use std::sync::Arc;

use bytes::Bytes;
use tidegate_account::record::View;
use tidegate_storage_api::{Commit, Key, PersonPart};
use tidegate_storage_simulated::Witness;

use crate::agenda::Agenda;
use crate::book::Book;
use crate::diary::Who;
use crate::people::People;

/// Looks at every commit at the moment at which it is carried out.
pub(crate) struct Invariants {
    book: Arc<Book>,
    agenda: Agenda,
    people: Arc<People>,
}

/// Rows as they were before a commit.
type Before<'a> = &'a dyn Fn(&Key) -> Option<Bytes>;

/// Says what a commit breaks, if it does.
type Invariant = fn(&Commit, Before<'_>) -> Option<String>;

const ALL: [(&str, Invariant); 3] = [
    ("agenda", agenda::broken_by),
    ("fence", fence::broken_by),
    ("revision", revision::broken_by),
];

impl Invariants {
    pub(crate) fn new(book: Arc<Book>, agenda: Agenda, people: Arc<People>) -> Invariants {
        Invariants {
            book,
            agenda,
            people,
        }
    }

    /// Whose record a commit writes, and which revision of it.
    fn writes(&self, commit: &Commit) -> Option<(Who, u64)> {
        commit.puts.iter().find_map(|put| {
            let (user, part) = PersonPart::of(&put.key)?;
            let record = (part == PersonPart::Record).then_some(&put.value)?;
            let revision = View::new(record).ok()?.revision();
            Some((Who::Person(self.people.number_of(user)?), revision))
        })
    }
}

impl Witness for Invariants {
    fn sees(&self, client: u32, commit: &Commit, before: Before<'_>) {
        let now_ns = self.agenda.now_ns();
        let written = match self.book.diary.is_kept() {
            true => self.writes(commit),
            false => None,
        };
        if let Some((who, revision)) = written {
            let words = || format!("node {client} writes revision {revision}");
            self.book.diary.note(who, now_ns, words);
        }
        for (name, broken_by) in ALL {
            if let Some(what) = broken_by(commit, before) {
                let at_s = now_ns as f64 / 1e9;
                let what = format!("{at_s:.3} s, node {client}: invariant {name}: {what}");
                match written {
                    Some((who, _)) => self.book.wrong_about(who, &what),
                    None => self.book.wrong(what),
                }
            }
        }
    }
}
