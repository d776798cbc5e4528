//! Who owns which slots. There is no coordinator: the store is the arbiter.
//!
//! Each node renews one row of its own; each slot has a fence beside its
//! people, with the epoch under which it is owned. Who *should* own a slot is a
//! pure function of the nodes that live; who *does* is what its fence says, and
//! every commit is conditional on it.
//!
//! [`Membership`] decides and does nothing: time and the store's answers go in,
//! orders come out. [`run`] carries them out on a [`Store`](tidegate_storage_api::Store).

mod membership;
mod placement;
mod row;
mod run;

pub use membership::{Identity, Input, Lease, Membership, Order, Standing};
pub use placement::owner_among;
pub use row::{NodeId, NodeRow, NodeState};
pub use run::{Slots, Spawn, Time, Waited, run};
