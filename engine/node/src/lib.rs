//! The Tidegate server as a library: everything that the binary `tidegate`
//! puts together.

mod admin;
mod answers;
pub mod certificates;
pub mod cli;
pub mod config;
mod demo;
pub mod folder;
pub mod init;
mod rights;
mod serve;
mod service;

pub use rights::{Gateway, GatewayRow, Planes};
pub use serve::{ServeError, ServeOptions, serve};
