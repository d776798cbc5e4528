//! The client library that gateways link: typed calls over a few long-lived
//! QUIC connections, with deadlines, reconnection and safe retries.
//!
//! A domain "no" is a value ([`Decision::No`]); an `Err` means that the answer
//! is not known. Every changing call carries an idempotency key that is the
//! same over all its retries, so a retry never does a thing twice.
//!
//! `examples/gateway.rs` is a whole gateway in a page.

mod budget;
mod call;
mod client;
mod connection;
mod credential;
mod decision;
mod flow;
mod identifier;
mod lifecycle;
mod operator;
mod options;
mod regions;
mod routes;
mod session;
mod surroundings;
mod transport;

pub use client::{Client, Ways};
pub use connection::lanes;
pub use credential::SignIn;
pub use decision::{
    CallError, Checked, Decision, Granted, Knowledge, Operated, Over, Refusal, Session,
};
pub use flow::{Begin, Flow, FlowNext, FlowSaid, Shown};
pub use identifier::{Identifier, Verify};
pub use options::{Options, SetupError, quic_config, quic_config_by};
pub use routes::{Reach, Seed};
pub use surroundings::{NoRandomness, Surroundings};
pub use tidegate_wire::v1::{Method, NextState, Purpose, RevokeScope, StatusChange, Verification};
pub use tidegate_wire::{
    BrowserToken, Close, Code, DeviceToken, IdempotencyKey, Kind, RefreshToken, SessionToken,
    TokenFault, UserId,
};
pub use transport::{Asked, Gone, Refused, Transport};
