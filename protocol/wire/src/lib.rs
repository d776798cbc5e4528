//! Frames and messages between gateways and nodes: no sockets, no clocks.
//!
//! A connection speaks one ALPN ([`ALPN`]) on long-lived bidirectional
//! streams. Requests are pipelined on a stream and answered in any order,
//! matched by correlation id. `docs/protocol.md` has the byte layout.
//!
//! Everything that arrives is validated in place: decoding neither copies nor
//! allocates, and never panics.

mod browser;
mod close;
mod code;
mod decode;
mod elsewhere;
mod encode;
mod fault;
mod frame;
mod operation;
mod secret;
mod split;
mod tenant;
mod token;

/// Version 1 of the messages. Frozen: a change of any field is a new version.
///
/// One struct per message, because an archived enum takes the size of its
/// largest variant; the opcode stands in the frame's head. Times are Unix
/// milliseconds.
pub mod v1 {
    pub use crate::elsewhere::*;
    pub use crate::operation::credential::*;
    pub use crate::operation::flow::*;
    pub use crate::operation::identifier::*;
    pub use crate::operation::lifecycle::*;
    pub use crate::operation::method::*;
    pub use crate::operation::number::NO_NUMBER;
    pub use crate::operation::operator::*;
    pub use crate::operation::session::*;
}

pub use browser::BrowserToken;
pub use close::Close;
pub use code::{Code, Kind};
pub use decode::{Reply, Request, decode_reply, decode_request};
pub use encode::{Body, encode_refusal, encode_reply, encode_request};
pub use fault::Fault;
pub use frame::{
    IdempotencyKey, REPLY_HEAD_BYTES, REQUEST_HEAD_BYTES, ReplyHead, RequestHead, correlation_of,
};
pub use operation::{
    Addressed, Authority, Away, Class, Family, InPlace, Message, Nature, Opcode, Operation, Plane,
    Repeat, Requested, Visitor,
};
pub use secret::{ArchivedSecretBytes, SECRET_BYTES, SecretBytes, Text};
pub use split::Splitter;
pub use tenant::tenant_id;
pub use token::{DeviceToken, RefreshToken, SessionToken, TokenFault, UserId};

/// The protocol's name in the TLS handshake. Another major version is another
/// name, so that the two never meet on one connection.
pub const ALPN: &[u8] = b"tidegate/1";

/// The version in which messages are written.
pub const MESSAGE_VERSION: u8 = 1;

/// The longest request frame, in bytes, its length field included.
pub const MAX_REQUEST_BYTES: usize = 8 * 1024;
/// The longest reply frame, in bytes, its length field included.
pub const MAX_REPLY_BYTES: usize = 16 * 1024;
/// The longest address of a node, in bytes.
pub const MAX_ADDRESS_BYTES: usize = 256;
/// The longest identifier, in bytes.
pub const MAX_IDENTIFIER_BYTES: usize = 320;
/// The most identifiers in one sign-up.
pub const MAX_IDENTIFIERS: usize = 8;
/// The longest password, in bytes.
pub const MAX_PASSWORD_BYTES: usize = 1024;
/// The longest continuation of a flow, in bytes.
pub const MAX_CONTINUATION_BYTES: usize = 1024;
/// The longest answer in a flow, in bytes.
pub const MAX_SHOWN_BYTES: usize = 6 * 1024;
/// The longest name of a passkey, in bytes.
pub const MAX_LABEL_BYTES: usize = 256;
/// The longest language tag, in bytes (RFC 5646, section 4.4.1).
pub const MAX_LANGUAGE_BYTES: usize = 35;
/// The most that may be shown next.
pub const MAX_NEXT: usize = 8;
/// The most sessions in one list.
pub const MAX_SESSIONS: usize = 50;
