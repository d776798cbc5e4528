//! Result codes: stable numbers and names.

/// How an answer is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Yes; a body follows.
    Yes,
    /// No: the answer is known, and asking again changes nothing by itself.
    No,
    /// Not now: nothing was done; try later.
    Later,
    /// The request itself is wrong and must not be repeated as it is.
    Fault,
    /// Whether it happened is not known: repeat with the same idempotency key.
    Unknown,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $kind:ident, $message:literal;)+) => {
        /// The result of a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code {
            $($(#[$doc])* $name = $number,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$name),+];

            /// The code's stable name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// How the answer is to be taken.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Code::$name => Kind::$kind,)+ }
            }

            /// A sentence for a person who operates or integrates.
            #[must_use]
            pub fn message(self) -> &'static str {
                match self { $(Code::$name => $message,)+ }
            }
        }
    };
}

codes! {
    /// Done, and durable where it had to be.
    Ok = 0, "ok", Yes, "Done.";
    /// Answered from knowledge that could not be brought up to date.
    Degraded = 1, "degraded", Yes, "Answered from memory while the store is out of reach.";
    /// A session that may be lost with the node.
    Provisional = 2, "provisional", Yes, "Signed in for as long as the store is out of reach.";
    /// In effect on the node, but not durable yet: repeat until `ok`.
    AcceptedNotDurable = 3, "accepted_not_durable", Yes, "In effect on the node; repeat until it is durable.";

    /// Identifier and password do not go together.
    InvalidCredentials = 100, "invalid_credentials", No, "The identifier and password do not match.";
    /// No such session, or not with this secret.
    InvalidToken = 101, "invalid_token", No, "The token is not valid.";
    /// The session has expired.
    SessionExpired = 102, "session_expired", No, "The session has expired.";
    /// An old refresh token was used again.
    RefreshReused = 103, "refresh_reused", No, "An old refresh token was used again; the session has ended.";
    /// The account is locked.
    AccountLocked = 104, "account_locked", No, "The account is locked.";
    /// The account is suspended.
    AccountSuspended = 105, "account_suspended", No, "The account is suspended.";
    /// Another account holds this identifier.
    IdentifierTaken = 106, "identifier_taken", No, "The identifier is taken.";
    /// The status does not change that way.
    StatusConflict = 107, "status_conflict", No, "The account's status does not allow this change.";
    /// There is no such account.
    UnknownAccount = 108, "unknown_account", No, "There is no such account.";
    /// The account does not claim this identifier, or no longer.
    ClaimExpired = 109, "claim_expired", No, "The account does not claim this identifier, or no longer.";
    /// The account has as many of these as it can have.
    LimitReached = 110, "limit_reached", No, "The account has as many of these as it can have.";
    /// The session's sign-in is too long ago for this.
    StaleSignIn = 111, "stale_sign_in", No, "The sign-in is too long ago for this; sign in again first.";
    /// The code is not the one that was sent.
    InvalidCode = 112, "invalid_code", No, "The code is not the one that was sent.";
    /// The flow has ended, or this step of it was taken.
    FlowOver = 113, "flow_over", No, "The flow has ended; begin another.";
    /// The passkey's answer is not one to what was asked, or is of no passkey of the
    /// account.
    InvalidPasskey = 114, "invalid_passkey", No, "The passkey's answer does not fit, or the account has no such passkey.";
    /// The password is right, and another factor is wanted beside it.
    SecondFactorNeeded = 115, "second_factor_needed", No, "The account wants a second factor; sign in by a flow.";
    /// Without this credential the account would have no way in.
    LastCredential = 116, "last_credential", No, "The account would have no way in without it; add another first.";

    /// The frame or message cannot be read.
    Malformed = 200, "malformed", Fault, "The message cannot be read.";
    /// The message's version is not spoken here.
    UnsupportedVersion = 201, "unsupported_version", Fault, "The message's version is not supported.";
    /// A length is over its limit.
    TooLarge = 202, "too_large", Fault, "A length is over its limit.";
    /// The operation is not known.
    UnknownOpcode = 203, "unknown_opcode", Fault, "The operation is not known.";
    /// The gateway may not do this, or the tenant does not exist.
    NotPermitted = 204, "not_permitted", Fault, "The gateway may not do this for this tenant.";
    /// A changing request without an idempotency key.
    IdempotencyMissing = 205, "idempotency_missing", Fault, "A changing request needs an idempotency key.";
    /// The idempotency key belongs to another request.
    IdempotencyReused = 206, "idempotency_reused", Fault, "The idempotency key was used for another request.";
    /// The identifier does not have the form of its kind.
    InvalidIdentifier = 207, "invalid_identifier", Fault, "The identifier is not well formed.";
    /// The password has characters that passwords cannot have, or none.
    InvalidPassword = 208, "invalid_password", Fault, "The password has no or forbidden characters.";
    /// The new password is too short.
    PasswordTooShort = 209, "password_too_short", Fault, "The password is too short.";

    /// A limit of the node or the gateway is reached.
    Busy = 300, "busy", Later, "The node is busy; try again later.";
    /// Too many guesses.
    Throttled = 301, "throttled", No, "Too many attempts; try again later.";
    /// The deadline passed before the work began.
    DeadlineExceeded = 302, "deadline_exceeded", Later, "The deadline passed before the work began.";
    /// The store takes no changes.
    Unavailable = 303, "unavailable", Later, "The store cannot be reached; nothing was changed.";
    /// Another node owns the slot.
    NotOwner = 304, "not_owner", Later, "Another node owns this account.";
    /// The node is going down.
    Draining = 305, "draining", Later, "The node is draining; use another connection.";
    /// Another region is the account's home.
    WrongRegion = 306, "wrong_region", Later, "Another region is this account's home; ask there.";

    /// The outcome is not known.
    Unknown = 400, "unknown", Unknown, "The outcome is not known; repeat with the same idempotency key.";
    /// What is stored about the person cannot be read.
    Corrupt = 401, "corrupt", Unknown, "What is stored about this account cannot be read.";
}

impl Code {
    /// The code with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Code> {
        Code::ALL
            .iter()
            .copied()
            .find(|code| *code as u16 == number)
    }
}
