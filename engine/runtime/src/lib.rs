//! The shell around the account core.
//!
//! People are cold (in storage), warm (their stored bytes in the
//! [directory](crate::directory)) or hot (an actor runs because something is
//! changing). Checks of warm people are answered where they arrive; everything
//! else goes to the person's one actor, whose order is always commit, publish,
//! reply. Time, randomness, CPU work and storage come in through
//! [ports](crate::ports).

pub mod ports;

mod answer;
mod check;
mod directory;
mod engine;
mod hashing;
mod identifiers;
mod limits;
mod meters;
mod ownership;
mod person;
mod seal;
mod shared;
mod system;
mod tenants;
mod tending;
mod warm;

pub use answer::{Answer, Failure, Responder};
pub use check::{Ask, Checked, Outcome};
pub use engine::{Engine, Parts, Request, StartError, Task};
pub use hashing::{HashingOptions, HashingPool};
pub use identifiers::{IndexKey, IndexRow, RowState};
pub use limits::Limits;
pub use ownership::Ownership;
pub use person::profile::{Profile, read_profile};
pub use seal::{Field, Key, LocalMaster, Master, SealContext, SealFault, WrappedKey};
pub use system::{OsEntropy, SystemClock};
pub use tenants::{Tenant, Tenants};
