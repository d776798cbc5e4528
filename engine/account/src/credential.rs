//! What an account proves itself with: each credential is a module of its own.

pub mod passkey;
