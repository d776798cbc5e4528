//! What a request asks for; its class and its plane follow from that alone.

/// The operations. Numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Opcode {
    /// Nothing: measures the way.
    Ping = 1,
    /// Is this session alive?
    Check = 2,
    /// Replace a refresh token.
    Refresh = 3,
    /// Sign in with a password.
    SignIn = 4,
    /// Make an account.
    SignUp = 5,
    /// End sessions.
    Revoke = 6,
    /// List sessions.
    Sessions = 7,
    /// Open or close an account.
    SetStatus = 8,
    /// Claim one more identifier.
    Claim = 9,
    /// Take it as shown that somebody has an identifier.
    Verify = 10,
    /// Run the node.
    Operate = 11,
    /// Erase a person.
    Erase = 12,
}

/// What is served first when not everything can be, best first. A request
/// never claims its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Makes somebody safer: revocations, closing an account.
    Protection,
    /// Session checks and lists.
    Check,
    /// Refreshes.
    Refresh,
    /// Sign-ins with a password.
    Password,
    /// New accounts.
    Registration,
}

impl Class {
    /// Every class, best first.
    pub const ALL: [Class; 5] = [
        Class::Protection,
        Class::Check,
        Class::Refresh,
        Class::Password,
        Class::Registration,
    ];
}

/// Which right a gateway needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plane {
    /// Acts for the person who is there.
    Auth,
    /// Acts on accounts.
    Admin,
    /// Acts on the deployment.
    Operator,
}

impl Opcode {
    /// Every operation.
    pub const ALL: [Opcode; 12] = [
        Opcode::Ping,
        Opcode::Check,
        Opcode::Refresh,
        Opcode::SignIn,
        Opcode::SignUp,
        Opcode::Revoke,
        Opcode::Sessions,
        Opcode::SetStatus,
        Opcode::Claim,
        Opcode::Verify,
        Opcode::Operate,
        Opcode::Erase,
    ];

    /// The operation with this number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Opcode> {
        Opcode::ALL.into_iter().find(|op| *op as u16 == number)
    }

    /// Its class.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Opcode::Revoke | Opcode::SetStatus | Opcode::Erase | Opcode::Operate => {
                Class::Protection
            }
            Opcode::Ping | Opcode::Check | Opcode::Sessions => Class::Check,
            Opcode::Refresh => Class::Refresh,
            Opcode::SignIn | Opcode::Verify => Class::Password,
            Opcode::SignUp | Opcode::Claim => Class::Registration,
        }
    }

    /// The plane it belongs to.
    #[must_use]
    pub fn plane(self) -> Plane {
        match self {
            Opcode::SetStatus | Opcode::Verify | Opcode::Erase => Plane::Admin,
            Opcode::Operate => Plane::Operator,
            _ => Plane::Auth,
        }
    }

    /// Whether it changes something, and so must carry an idempotency key.
    #[must_use]
    pub fn needs_idempotency_key(self) -> bool {
        match self {
            Opcode::Ping | Opcode::Check | Opcode::Sessions => false,
            Opcode::Refresh
            | Opcode::SignIn
            | Opcode::SignUp
            | Opcode::Revoke
            | Opcode::SetStatus
            | Opcode::Claim
            | Opcode::Verify
            | Opcode::Operate
            | Opcode::Erase => true,
        }
    }
}
