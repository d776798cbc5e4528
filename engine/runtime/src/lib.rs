//! The shell around the account core.
//!
//! People are cold (in storage), warm (their stored bytes in the
//! [directory](crate::directory)) or hot (an actor runs because something is
//! changing). Checks of warm people are answered where they arrive; everything
//! else goes to the person's one actor, whose order is always commit, publish,
//! reply. Time, randomness, CPU work and storage come in through
//! [ports](crate::ports).

pub mod ports;

mod admission;
mod agenda;
mod answer;
mod breakers;
mod check;
mod contact;
mod crowd;
mod date;
mod degraded_states;
mod directory;
mod engine;
mod formats;
mod hashing;
mod histogram;
mod identifiers;
mod job;
mod lates;
mod limits;
mod lookups;
mod maintenance;
mod memory;
mod meters;
mod outbox;
mod ownership;
mod pace;
mod people;
mod person;
mod placement;
mod queue;
mod reading;
mod regions;
mod rekeying;
mod request;
mod seal;
mod shared;
mod sources;
mod sweeping;
mod system;
mod tenants;
mod warm;

pub use admission::{Class, Limit};
pub use answer::{Answer, Failure, Responder};
pub use check::{Ask, Checked, Outcome};
pub use degraded_states::DegradedStates;
pub use engine::{Checks, Engine, Parts, Prepared, StartError};
pub use formats::Formats;
pub use hashing::{HashingLine, HashingOptions, HashingPool, Peppers};
pub use histogram::{Histogram, render as render_histograms};
pub use identifiers::{IndexKey, IndexKeys, IndexRow};
pub use limits::{Limits, Retention};
pub use outbox::{ToLeave, Undelivered, UndeliveredReason};
pub use ownership::{Lease, Ownership};
pub use regions::{DirectoryKey, Regions};
pub use rekeying::Rekeyed;
pub use request::{Answering, Beginning, Context, GatewayId, Given, Request, Task, Verification};
pub use seal::{Field, Key, LocalMaster, Master, SealContext, SealFault, WrappedKey};
pub use sources::{LOCAL_ALLOWANCE, Origin};
pub use sweeping::Swept;
pub use system::{OsEntropy, SystemClock};
pub use tenants::{Costs, Tenant, Tenants};
