//! A store of many machines, made up: what FoundationDB promises and what it
//! does not, on virtual time and from one seed.
//!
//! Kept as it is there: read versions and conflicts by key without the name of
//! the key; indeterminate commits, some of which land later; recoveries, after
//! which every read version is too old; the window of five seconds in which a
//! transaction lives; latencies, a highest rate, and outages for all or for one
//! client. A read version is cached for a slot only as far as the slot is known
//! to be the caller's at that version, and a conflict is looked at again at a
//! fresh version before the caller is told of it.
//!
//! Made simpler: a read is taken at one moment between its beginning and its
//! end, so nothing ever reads the past; there is one shard of everything; rows
//! that come from a [`Genesis`] are found by key and not by range.

mod cluster;
mod database;
mod latency;
mod store;
mod world;

pub use cluster::{Cluster, Costs, Load, Slowness, UnknownFates, Whom, Witness};
pub use database::Genesis;
pub use latency::Latency;
pub use store::SimulatedStore;
pub use world::{Slept, World};
