//! What people prove themselves with: passkeys, one-time codes and links, TOTP,
//! recovery codes. Each is a pure rule with its stored form beside it.

pub mod code;
pub mod held;
pub mod passkey;
pub mod recovery;
pub mod totp;
mod typed;
