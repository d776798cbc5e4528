//! The Tidegate server as a library: everything that the binary `tidegate`
//! puts together.

mod admin;
mod answers;
mod assembly;
mod backend;
pub mod bundle;
pub mod certificates;
pub mod cli;
pub mod config;
mod credentials;
mod demo;
mod deployment;
mod described;
mod disk;
pub mod folder;
mod hex;
pub mod init;
pub mod issuing;
mod member;
mod migration;
mod name;
mod operation;
mod operator;
mod patience;
mod process;
mod regions;
mod restored;
mod rights;
mod serve;
mod service;
mod whereabouts;

pub use backend::BackendError;
pub use member::Member;
pub use regions::RegionError;
pub use serve::{ServeError, ServeOptions, serve};
pub use service::{Answers, Brought, EndpointError, Frames, Front};
pub use whereabouts::{Nowhere, Whereabouts};
