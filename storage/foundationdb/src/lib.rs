//! The store of a cluster: FoundationDB 7.3.
//!
//! A commit is one transaction. Its conditions are read conflict ranges; what
//! must be read is read in it. The read version of a slot's last commit serves
//! the next one for as long as the fence is known to have been the caller's at
//! that version, so that an owner in good standing asks for none.
//!
//! Each commit also writes a marker of its own. When FoundationDB does not know
//! the outcome of one, a second transaction reads that marker and conflicts
//! with the first, so that afterwards the first has either happened or never
//! will. Nothing is guessed, and nothing that was sent is given up.
//!
//! The cargo feature `foundationdb` builds all of this. It needs libclang;
//! FoundationDB's client library is looked for when a store is opened.

#[cfg(feature = "foundationdb")]
mod attempt;
#[cfg(feature = "foundationdb")]
mod lanes;
#[cfg(feature = "foundationdb")]
mod outcome;
#[cfg(feature = "foundationdb")]
mod space;
#[cfg(feature = "foundationdb")]
mod store;
#[cfg(feature = "foundationdb")]
mod versions;

#[cfg(feature = "foundationdb")]
pub use space::Layout;
#[cfg(feature = "foundationdb")]
pub use store::{FoundationStore, OpenError, Options, Usage};
#[cfg(feature = "foundationdb")]
pub use tidegate_libfdb::{NetworkOption, stop};
