//! The table of operations: everything that is true of one stands in its row.
//!
//! A new operation is a row here, two structs in its family's file, a handler in
//! the core and two conversions in the node. `Opcode`, decoding, the golden
//! bytes, the fuzzer's corpus and the tables of `docs/protocol.md` follow from
//! the rows.

mod column;
pub(crate) mod credential;
pub(crate) mod flow;
pub(crate) mod identifier;
pub(crate) mod lifecycle;
mod message;
pub(crate) mod method;
pub(crate) mod number;
pub(crate) mod operator;
pub(crate) mod session;

pub use column::{Authority, Away, Class, Family, Nature, Plane, Repeat};
pub(crate) use message::access;
pub use message::{Addressed, InPlace, Message, Operation};

use crate::fault::Fault;
use credential::{
    CredentialList, CredentialRemoved, Credentials, Granted, RemoveCredential, SignIn, SignUp,
    SignedUp,
};
use flow::{AnswerFlow, BeginFlow, FlowStep};
use identifier::{Claim, Claimed, Verified, Verify};
use lifecycle::{Erase, Erased, SetStatus, StatusSet};
use operator::{Operate, Operated, Ping};
use session::{
    Check, Checked, DeviceList, Devices, ForgetDevice, Forgotten, Refresh, Revoke, Revoked,
    SessionList, Sessions,
};

macro_rules! operations {
    ($d:tt $(
        $(#[$doc:meta])*
        $name:ident = $number:literal, $text:literal, $family:ident, $class:ident, $plane:ident,
            $authority:ident, $nature:ident, $away:ident, $repeat:ident, $answer:ident;
    )+) => {
        /// The operations. Numbers are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Opcode {
            $($(#[$doc])* $name = $number,)+
        }

        /// What is asked, read in place.
        #[derive(Clone, Copy)]
        pub enum Requested<'a> {
            $($(#[$doc])* $name(&'a InPlace<$name>),)+
        }

        /// Does the same with whichever request it is: `each_request!(requested,
        /// body => expression)`, where the body has the type of its operation.
        #[macro_export]
        macro_rules! each_request {
            ($d requested:expr, $d body:ident => $d done:expr) => {
                match $d requested {
                    $($crate::Requested::$name($d body) => $d done,)+
                }
            };
        }

        impl Opcode {
            /// Every operation, by number.
            pub const ALL: [Opcode; [$($number),+].len()] = [$(Opcode::$name),+];

            /// The operation with this number.
            #[must_use]
            pub fn from_number(number: u16) -> Option<Opcode> {
                match number {
                    $($number => Some(Opcode::$name),)+
                    _ => None,
                }
            }

            /// Its stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Opcode::$name => $text,)+ }
            }

            /// The family it belongs to.
            #[must_use]
            pub fn family(self) -> Family {
                match self { $(Opcode::$name => Family::$family,)+ }
            }

            /// What is served first when not everything can be.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(Opcode::$name => Class::$class,)+ }
            }

            /// Which right a gateway needs for it.
            #[must_use]
            pub fn plane(self) -> Plane {
                match self { $(Opcode::$name => Plane::$plane,)+ }
            }

            /// By whose authority it is done.
            #[must_use]
            pub fn authority(self) -> Authority {
                match self { $(Opcode::$name => Authority::$authority,)+ }
            }

            /// Whether it changes something.
            #[must_use]
            pub fn nature(self) -> Nature {
                match self { $(Opcode::$name => Nature::$nature,)+ }
            }

            /// What it answers while the store is out of reach.
            #[must_use]
            pub fn away(self) -> Away {
                match self { $(Opcode::$name => Away::$away,)+ }
            }

            /// What a repeat is answered.
            #[must_use]
            pub fn repeat(self) -> Repeat {
                match self { $(Opcode::$name => Repeat::$repeat,)+ }
            }

            /// Reads a request's body in place.
            pub(crate) fn read(self, bytes: &[u8]) -> Result<Requested<'_>, Fault> {
                match self {
                    $(Opcode::$name => access::<$name>(bytes).map(Requested::$name),)+
                }
            }

            /// Whether bytes are the body of a yes to it.
            ///
            /// # Errors
            /// [`Fault`], as for every body.
            pub fn read_answer(self, bytes: &[u8]) -> Result<(), Fault> {
                match self {
                    $(Opcode::$name => access::<$answer>(bytes).map(|_| ()),)+
                }
            }

            /// Calls `visitor` with the operation's request and answer types.
            pub fn visit<V: Visitor>(self, visitor: V) -> V::Output {
                match self {
                    $(Opcode::$name => visitor.visit::<$name>(),)+
                }
            }
        }

        $(
            impl Operation for $name {
                const OPCODE: Opcode = Opcode::$name;
                type Answer = $answer;
            }
        )+
    };
}

/// What is done with the types of an operation that is known by number alone.
pub trait Visitor {
    /// What comes of it.
    type Output;

    /// Does it.
    fn visit<O: Operation>(self) -> Self::Output;
}

operations! { $
    // name = number, text, family, class, plane,
    //     authority, nature, while the store is away, a repeat, answer;

    /// Measures the way there and back.
    Ping = 1, "ping", Operator, Check, Auth,
        Nobody, Reads, Answers, Anew, Ping;
    /// Is this session alive?
    Check = 2, "check", Session, Check, Auth,
        Session, Reads, Degraded, Anew, Checked;
    /// Replace a refresh token.
    Refresh = 3, "refresh", Session, Refresh, Auth,
        Session, Changes, Degraded, Successor, Granted;
    /// Sign in with a password.
    SignIn = 4, "sign_in", Credential, Password, Auth,
        Nobody, Changes, Provisional, Kept, Granted;
    /// Make an account.
    SignUp = 5, "sign_up", Credential, Registration, Auth,
        Nobody, Changes, Unavailable, Kept, SignedUp;
    /// End sessions.
    Revoke = 6, "revoke", Session, Protection, Auth,
        Session, Changes, NotDurable, Kept, Revoked;
    /// List sessions.
    Sessions = 7, "sessions", Session, Check, Auth,
        Session, Reads, Unavailable, Anew, SessionList;
    /// Open or close an account.
    SetStatus = 8, "set_status", Lifecycle, Protection, Admin,
        Administrator, Changes, Unavailable, Kept, StatusSet;
    /// Claim one more identifier.
    Claim = 9, "claim", Identifier, Registration, Auth,
        FreshSession, Changes, Unavailable, Kept, Claimed;
    /// Attest that an identifier was shown.
    Verify = 10, "verify", Identifier, Password, Admin,
        Administrator, Changes, Unavailable, Kept, Verified;
    /// Run the node.
    Operate = 11, "operate", Operator, Protection, Operator,
        Operator, Changes, Answers, Anew, Operated;
    /// Erase a person.
    Erase = 12, "erase", Lifecycle, Protection, Admin,
        Administrator, Changes, Unavailable, Tombstone, Erased;
    /// List remembered devices.
    Devices = 13, "devices", Session, Check, Auth,
        Session, Reads, Unavailable, Anew, DeviceList;
    /// Forget a remembered device, and end the sessions that it made.
    ForgetDevice = 14, "forget_device", Session, Protection, Auth,
        Session, Changes, Unavailable, Anew, Forgotten;
    /// Begin a flow: what may be shown.
    BeginFlow = 15, "begin_flow", Flow, Password, Auth,
        Nobody, Changes, Unavailable, Anew, FlowStep;
    /// Answer in a flow: what may be shown next, or a session.
    AnswerFlow = 16, "answer_flow", Flow, Password, Auth,
        Nobody, Changes, Unavailable, Kept, FlowStep;
    /// List credentials.
    Credentials = 17, "credentials", Credential, Check, Auth,
        Session, Reads, Unavailable, Anew, CredentialList;
    /// Remove a credential.
    RemoveCredential = 18, "remove_credential", Credential, Protection, Auth,
        FreshSession, Changes, Unavailable, Anew, CredentialRemoved;
}

impl Opcode {
    /// Whether it must carry an idempotency key: everything that changes
    /// something must.
    #[must_use]
    pub fn needs_idempotency_key(self) -> bool {
        match self.nature() {
            Nature::Reads => false,
            Nature::Changes => true,
        }
    }
}

/// Counters and tables are indexed by opcode, so numbers leave no gap.
const _: () = {
    let mut place = 0;
    while place < Opcode::ALL.len() {
        assert!(Opcode::ALL[place] as usize == place + 1);
        place += 1;
    }
};
