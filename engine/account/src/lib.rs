//! The account core: one person's sign-in state as a pure machine.
//!
//! State, time, randomness and a command go in; changes, effects and replies
//! come out. Nothing here reads a clock, rolls dice, waits or touches storage.
//! Work that costs time (hashing a password) leaves as an [`Effect`] and comes
//! back as a [`Completion`].
//!
//! Start at [`Account::handle`].
#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;
#[cfg(any(test, tidegate_planted))]
extern crate std;

pub mod assurance;
pub mod continuation;
pub mod credential;
pub mod flow;
#[cfg(tidegate_planted)]
pub mod planted;
pub mod record;
pub mod session;

mod account;
mod agenda;
mod audit;
mod command;
mod corrupt;
mod device;
mod digest;
mod entropy;
mod erasure;
mod event;
mod fields;
mod guess;
mod id;
mod identifier;
mod message;
mod outbox;
mod outcome;
mod part;
mod password;
mod policy;
mod refresh;
mod reply;
mod secret;
mod status;
#[cfg(test)]
mod table;
mod unicode;

pub use account::family::*;
pub use account::{
    Account, AgendaChange, Authority, Changes, DegradedAccount, DegradedDecision, DegradedInput,
    DegradedOutput, DegradedReply, Ended, Fate, Held, INTERIM_GUESSES_MAX, Input, Late, Moved,
    Output, Provisional, Rekey,
};
pub use agenda::{AgendaRow, Due};
pub use audit::{Act, Audit, decode_audits, encode_audits};
pub use command::{
    Administrator, Attest, ClaimedIdentifier, Completion, DeviceProof, Effect, Idempotency, LedBy,
    PasswordCheck, PasswordWork, PendingId, Remember, Request, Reservation, RevokeScope,
    SessionProof, SignIn, SignUp, SignatureCheck, Source, Ticket,
};
pub use digest::{IndexHash, SecretHash, tagged};
pub use entropy::Entropy;
pub use erasure::{ERASURE_BYTES, Erasure};
pub use event::{EndReason, Event, EventKind, decode_event, encode_event};
pub use id::{DeviceId, SessionId, TenantId, UserId};
pub use identifier::{Identifier, IdentifierFault, IdentifierKind, NORMALISER_VERSION};
pub use message::{
    ADDRESS_MAX_BYTES, LANGUAGE_MAX_BYTES, Message, MessageFault, Template, VALUE_MAX_BYTES, Value,
    ValueKind,
};
pub use outbox::{
    BODY_MAX_BYTES, DESTINATION_MAX_BYTES, Outgoing, OutgoingFault, OutgoingKind, outgoing_id,
};
pub use part::{
    AtErasure, AtExport, AtMerge, Part, PartChange, PartForm, PartId, PartKind, PartReader,
    PartRetention, read_text,
};
pub use password::{
    MAX_PASSWORD_BYTES, PASSWORD_RULE_VERSION, Password, PasswordFault, PasswordHash, PhcFault,
};
pub use policy::{
    GuessPolicy, NoticePolicy, PasskeyPolicy, PasswordPolicy, Policy, SessionPolicy, SourcePolicy,
    UsernamePolicy,
};
pub use refresh::refresh_secret;
pub use reply::{
    CredentialInfo, CredentialList, Grant, Judged, Refusal, SessionInfo, Verification,
};
pub use secret::{SECRET_BYTES, Secret};
pub use status::{Status, StatusChange};
pub use unicode::UNICODE_VERSION;
