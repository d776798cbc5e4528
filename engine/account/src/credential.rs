//! What an account proves itself with: each credential is a module of its own.

pub mod passkey;
//! What an account proves itself with: one-time codes and links, TOTP, recovery
//! codes. Each is a pure rule with its stored form beside it.
pub mod code;
pub mod recovery;
pub mod totp;
mod typed;
