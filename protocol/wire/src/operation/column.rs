//! The columns of the table of operations.

/// Rooms of the house: the same names in the wire, the core, the node and the
/// client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Checks, refreshes, lists and ends of sessions.
    Session,
    /// What people sign up and in with.
    Credential,
    /// What they do so with step by step.
    Flow,
    /// Mail addresses, phone numbers and user names.
    Identifier,
    /// Status and erasure of accounts.
    Lifecycle,
    /// The running of nodes.
    Operator,
}

/// What is served first when not everything can be, best first. A request
/// never claims its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Makes an account safer: revocations, closing an account.
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

/// By whose authority an operation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authority {
    /// No proof is asked for, or the operation is what proves.
    Nobody,
    /// A live session's token.
    Session,
    /// A live session whose sign-in was not long ago.
    FreshSession,
    /// A gateway with the admin plane, by name.
    Administrator,
    /// An operator's certificate.
    Operator,
}

/// Whether an operation changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nature {
    /// It does not, and may be asked as often as one likes.
    Reads,
    /// It does, and carries an idempotency key.
    Changes,
}

/// What an operation answers while the store is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Away {
    /// The same as always: it needs no store, or says itself what it could not do.
    Answers,
    /// `degraded`, from memory, where the caller accepts an answer of that age.
    Degraded,
    /// `provisional`, where the caller accepts knowledge of that age.
    Provisional,
    /// `accepted_not_durable`: in effect on the node, to be repeated.
    NotDurable,
    /// `unavailable`: nothing was done.
    Unavailable,
}

/// What a repeat with the same idempotency key is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Repeat {
    /// It is carried out anew.
    Anew,
    /// The outcome of the first, for as long as outcomes are kept.
    Kept,
    /// The identical successor, whatever the key, for as long as that is allowed.
    Successor,
    /// What the erasure tombstone says, for ever.
    Tombstone,
}
