//! A request as it travels: who asks for what, and until when.

use std::fmt;

use tidegate_account::continuation::Purpose;
use tidegate_account::credential::code::Code;
use tidegate_account::credential::held::PasskeyName;
use tidegate_account::credential::passkey::{AuthenticationResponse, RegistrationResponse};
use tidegate_account::credential::recovery::RecoveryCode;
use tidegate_account::{
    Administrator, Command, DeviceProof, Idempotency, Identifier, Password, Remember, Secret,
    SessionProof, TenantId, UserId,
};
use zeroize::Zeroizing;

use crate::admission::Class;
use crate::check::Ask;
use crate::sources::Origin;

/// Everything but a warm check.
#[derive(Debug)]
pub struct Request {
    /// In whose name it comes, and how long its answer is worth something.
    pub context: Context,
    /// What is asked.
    pub task: Task,
}

/// The surroundings of a request, which go with it to the person's actor.
#[derive(Clone, Debug)]
pub struct Context {
    /// The tenant in whose name it comes.
    pub tenant: TenantId,
    /// The gateway that it comes through.
    pub gateway: GatewayId,
    /// How it stands to others when not everything can be served.
    pub class: Class,
    /// What tells a repeat.
    pub idempotency: Option<Idempotency>,
    /// When its answer is worth nothing any more
    /// ([`Clock::monotonic_ms`](crate::ports::Clock::monotonic_ms)).
    pub deadline_ms: u64,
    /// Knowledge that cannot be brought up to date is accepted when it is younger
    /// than this, in milliseconds.
    pub max_age_ms: u32,
    /// The highest epoch that the caller knows for the person's slot; 0: none.
    pub known_epoch: u64,
}

/// What is asked.
#[derive(Debug)]
pub enum Task {
    /// Make an account.
    SignUp {
        /// Its identifiers.
        identifiers: Vec<Identifier>,
        /// Its password.
        password: Password,
        /// Where it comes from.
        origin: Option<Origin>,
    },
    /// Sign in.
    SignIn {
        /// Who.
        identifier: Identifier,
        /// The password.
        password: Password,
        /// The device token.
        device: Option<DeviceProof>,
        /// Whether to make one.
        remember: Remember,
        /// Where it comes from.
        origin: Option<Origin>,
    },
    /// Begin a flow.
    BeginFlow(Box<Beginning>),
    /// Answer in a flow.
    AnswerFlow(Box<Answering>),
    /// Claim one more identifier.
    Claim {
        /// Whose account.
        user: UserId,
        /// Who asks.
        by: SessionProof,
        /// The identifier.
        identifier: Identifier,
    },
    /// Take an identifier as shown.
    Attest {
        /// Whose account.
        user: UserId,
        /// What was shown, and by whom.
        verification: Verification,
    },
    /// A command to an account that names itself.
    Account {
        /// Which.
        user: UserId,
        /// The command.
        command: Command,
    },
    /// A check that [`Engine::check`] could not answer.
    Check(Ask),
}

/// The beginning of a flow.
#[derive(Debug)]
pub struct Beginning {
    /// What for.
    pub purpose: Purpose,
    /// Who; none where a passkey is to say it, or a session does.
    pub identifier: Option<Identifier>,
    /// The session that it is about, and whose it is.
    pub by: Option<(UserId, SessionProof)>,
    /// The secret of the browser that it is bound to.
    pub browser: Secret,
    /// The language of what is sent: a tag (RFC 5646), or empty.
    pub language: String,
    /// Where it comes from.
    pub origin: Option<Origin>,
}

/// An answer in a flow.
pub struct Answering {
    /// The flow's sealed state.
    pub continuation: Zeroizing<String>,
    /// The secret of the browser.
    pub browser: Secret,
    /// What is answered.
    pub given: Given,
    /// The language of what is sent: a tag (RFC 5646), or empty.
    pub language: String,
    /// The device token.
    pub device: Option<DeviceProof>,
    /// Whether to make one.
    pub remember: Remember,
    /// Where it comes from.
    pub origin: Option<Origin>,
}

/// The continuation is a token.
impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answering({:?})", self.given)
    }
}

/// What is answered.
#[derive(Debug)]
pub enum Given {
    /// A password.
    Password(Password),
    /// A code that was sent by mail.
    EmailCode(Code),
    /// Send a code by mail, or another.
    SendEmailCode,
    /// A passkey, shown.
    Passkey(Box<AuthenticationResponse>),
    /// A passkey, made.
    NewPasskey {
        /// What its authenticator says.
        response: Box<RegistrationResponse>,
        /// What its person calls it.
        name: PasskeyName,
    },
    /// The code of an authenticator app.
    Totp(Code),
    /// A recovery code.
    RecoveryCode(RecoveryCode),
}

/// A verification, before its identifier is hashed.
#[derive(Debug)]
pub struct Verification {
    /// The identifier.
    pub identifier: Identifier,
    /// A session of the account, when the caller has one.
    pub session: Option<SessionProof>,
    /// The account's password, or its next.
    pub password: Option<Password>,
    /// On whose word the identifier was shown.
    pub by: Administrator,
}

/// A gateway, by a hash of its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayId(pub u64);

impl GatewayId {
    /// The id of a gateway's name.
    #[must_use]
    pub fn of_name(name: &str) -> GatewayId {
        let hash = tidegate_account::tagged("tg-gateway-1", &[name.as_bytes()]);
        let mut id = [0; 8];
        id.copy_from_slice(&hash[..8]);
        GatewayId(u64::from_be_bytes(id))
    }
}
