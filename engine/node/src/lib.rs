//! The Tidegate server as a library: everything that the binary `tidegate`
//! puts together.

mod admin;
mod answers;
pub mod certificates;
pub mod cli;
pub mod config;
mod demo;
mod deployment;
pub mod folder;
pub mod init;
pub mod issuing;
mod operator;
mod rights;
mod serve;
mod service;

pub use serve::{ServeError, ServeOptions, serve};
pub use service::{Answers, Frames, Front};
