//! The embedded store: one machine, on disk.
//!
//! Reads run on a small pool of threads. Every commit goes through one writer
//! thread, which gathers all that wait and makes them durable with a single
//! sync: the group commit. A commit is acknowledged only after that sync.
//! After an I/O error the store takes no more writes and says so; reads go on.
//!
//! Wrapped person keys do not enter the log-structured files, where a deleted
//! value lives on until a compaction. They lie in a file of their own with a
//! fixed place each, and destroying one overwrites its place.
//!
//! A folder is not trusted: before anything is opened, changed or destroyed,
//! journals, tables, keys and the mark of what was acknowledged are held
//! against each other, and whatever does not fit refuses the opening.

mod backup;
#[cfg(test)]
mod crash_tests;
mod group;
mod integrity;
mod key_file;
mod mark;
mod reader;
mod rows;
mod store;
mod writer;

pub use backup::{BackupError, restore};
pub use integrity::Verify;
pub use rows::Absent;
pub use store::{FjallStore, OpenError, Options};
pub use writer::Health;
