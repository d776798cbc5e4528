//! FoundationDB's client library, `libfdb_c`, loaded when it is asked for.
//!
//! A program that is linked against the library does not start where it is not
//! installed. One released program is to serve the embedded store as well, and
//! to say what to install. So this crate offers the library's symbols itself,
//! by their C names, each of which hands the call on to the library that
//! [`start`] found. The crate `foundationdb` on top of them needs no change.
//!
//! Besides `tidegate-prefetch` this is the only crate of the workspace with
//! `unsafe` code. It is sound as long as three things hold:
//!
//! - The signatures are those of `fdb_c.h`, API version 730. The library is
//!   asked for that version before anything else is called, and refuses what
//!   it does not know.
//! - Nothing is called before the library is loaded. [`start`] is the only way
//!   to begin and loads it first; a call without it ends the process.
//! - The network thread has ended when the library's destructors run, at the
//!   exit: a program calls [`stop`] before it returns from `main`. An exit hook
//!   would come too late, after destructors that the library adds as it runs.
//!
//! The library is never unloaded.

mod network;
mod symbols;

pub use network::{NetworkError, NetworkOption, start, stop};
pub use symbols::LoadError;
