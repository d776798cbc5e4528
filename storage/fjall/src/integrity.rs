//! Whether the files of a store are what was acknowledged, asked before
//! anything opens them.
//!
//! fjall takes damage in its journal for a write that a crash cut short, drops
//! everything behind it, and removes folders and tables that it cannot explain.
//! So nothing is opened before these files were read: a journal may end in one
//! unfinished group, if the mark does not say that it was acknowledged;
//! anything else refuses the start, naming file and offset, and changes nothing.

pub(crate) mod journal;
mod tables;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::mark::{self, Found, Mark};

/// The keyspaces of every store: fjall's own, the rows, and what is known of them.
const KEYSPACES: [&str; 3] = ["0", "1", "2"];
const VERSION: &[u8] = b"FJL\x03";

/// What is wrong with a file, without any stored data.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(path: &Path, reason: impl Into<String>) -> Fault {
        Fault {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    fn io(path: &Path, error: &io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::NotFound => Fault::new(path, "it is missing"),
            _ => Fault::new(path, error.to_string()),
        }
    }
}

pub(crate) const EMPTY: &str = "its journal is empty";

/// What a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Commits.
    Commits,
    /// Which format it is, and nothing else: no key can be of it.
    FormatAlone,
}

/// What was found to be whole.
#[derive(Debug)]
pub(crate) struct Whole {
    /// What it holds.
    pub(crate) held: Held,
    /// How far commits were acknowledged, where that is known.
    pub(crate) mark: Option<Mark>,
    /// Whether there is a file for the mark: stores of older programs have none.
    pub(crate) marked: bool,
    /// The group before the first one in the journals, by the rows' number.
    pub(crate) before: Option<u64>,
    /// The journal that ends in an unfinished group, and where that begins.
    unfinished: Option<(PathBuf, u64)>,
}

impl Whole {
    /// Drops the unfinished group, so that fjall finds only what is whole.
    pub(crate) fn drop_unfinished(&self) -> io::Result<()> {
        let Some((path, offset)) = &self.unfinished else {
            return Ok(());
        };
        tracing::warn!(event = "store.unfinished_group_dropped", offset);
        let file = File::options().write(true).open(path)?;
        file.set_len(*offset)?;
        file.sync_all()
    }
}

/// How much is read of the tables, which can be many gigabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// All of them.
    Everything,
    /// All of them if they are smaller than this, in bytes; otherwise only
    /// that they are there.
    UpTo(u64),
}

/// Reads the rows' files.
pub(crate) fn verify(rows: &Path, mark_path: &Path, verify: Verify) -> Result<Whole, Fault> {
    let version = rows.join("version");
    let found = std::fs::read(&version).map_err(|error| Fault::io(&version, &error))?;
    if found != VERSION {
        return Err(Fault::new(&version, "it is not the mark of a store"));
    }
    let lock = rows.join("lock");
    if !lock.exists() {
        return Err(Fault::new(&lock, "it is missing"));
    }
    let found = mark::read(mark_path).map_err(|error| Fault::io(mark_path, &error))?;
    let (mark, marked) = match found {
        Found::Missing => (None, false),
        Found::Blank => (None, true),
        Found::Whole(mark) => (Some(mark), true),
        Found::Damaged => return Err(Fault::new(mark_path, "it is damaged")),
    };
    let journals = journal::read_all(rows, mark.map(|mark| mark.sequence))?;
    let keyspaces = rows.join("keyspaces");
    refuse_others(&keyspaces)?;
    let (mut read, mut tables) = (verify, 0);
    for keyspace in KEYSPACES {
        // The last one holds what is known of the rows.
        tables = tables::verify(&keyspaces.join(keyspace), &mut read)?;
    }
    let held = match (journals.sequence, tables) {
        // An older program wrote which format it is when it made the store, and a
        // commit only when there was one: journals of nodes often have none.
        (None, 0) if journals.last_seqno.is_some() && !marked => Held::FormatAlone,
        (None, 0) => return Err(Fault::new(rows, EMPTY)),
        (Some(_), _) | (None, _) => Held::Commits,
    };
    Ok(Whole {
        held,
        mark,
        marked,
        before: journals.before,
        unfinished: journals.unfinished,
    })
}

/// A keyspace that fjall cannot explain would be removed by it.
fn refuse_others(keyspaces: &Path) -> Result<(), Fault> {
    let entries = std::fs::read_dir(keyspaces).map_err(|error| Fault::io(keyspaces, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| Fault::io(keyspaces, &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| KEYSPACES.contains(&name)) {
            return Err(Fault::new(&path, "it is not of this store"));
        }
    }
    Ok(())
}
