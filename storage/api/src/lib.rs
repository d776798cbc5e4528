//! What a node asks of storage, and nothing more.
//!
//! A [`Store`] offers point reads, range reads and one conditional batch, the
//! [`Commit`]. There are no interactive transactions: one owner per person
//! needs only optimistic conditions, and those map to FoundationDB, group
//! well on a disk, and are easy to simulate.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

mod agenda_key;
mod commit;
mod error;
mod event_key;
mod fence;
mod key;
mod memory;
mod store;

pub use agenda_key::AgendaKey;
pub use commit::{Append, Check, Commit, MAX_COMMIT_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, Put};
pub use error::StoreError;
pub use event_key::EventPosition;
pub use fence::Fence;
pub use key::{Key, KeyRange, PARTITIONS, Partition, PersonPart, Region, SLOTS, Slot, SystemPart};
pub use memory::MemoryStore;
pub use store::{Stamp, Store, StoreFuture};
