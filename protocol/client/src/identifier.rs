//! Claiming identifiers, and attesting that they were shown.

use tidegate_wire::v1::{self, IdentifierKind, Verification};
use tidegate_wire::{Reply, SessionToken, Text, UserId};

use crate::client::Client;
use crate::decision::{CallError, Decision};

/// An identifier as it was entered; the node makes its normal form.
#[derive(Clone, Debug)]
pub struct Identifier(v1::Identifier);

impl Identifier {
    /// A mail address.
    #[must_use]
    pub fn email(address: &str) -> Identifier {
        Identifier(v1::Identifier::new(IdentifierKind::Email, address))
    }

    /// A phone number, in international form.
    #[must_use]
    pub fn phone(number: &str) -> Identifier {
        Identifier(v1::Identifier::new(IdentifierKind::Phone, number))
    }

    /// A user name.
    #[must_use]
    pub fn username(name: &str) -> Identifier {
        Identifier(v1::Identifier::new(IdentifierKind::Username, name))
    }

    pub(crate) fn to_message(&self) -> v1::Identifier {
        self.0.clone()
    }
}

/// An attestation: an identifier was shown to be the caller's, and what shows
/// whether the caller set the account up.
#[derive(Clone, Debug)]
pub struct Verify {
    user: UserId,
    identifier: Identifier,
    session: Option<SessionToken>,
    password: Option<Text>,
}

impl Verify {
    /// With nothing but the identifier shown: another may have set the account
    /// up, so everything that was set up is dropped.
    #[must_use]
    pub fn new(user: UserId, identifier: Identifier) -> Verify {
        Verify {
            user,
            identifier,
            session: None,
            password: None,
        }
    }

    /// From a session of the account: everything stays.
    #[must_use]
    pub fn in_session(mut self, session: SessionToken) -> Verify {
        self.session = Some(session);
        self
    }

    /// With a password: the account's own keeps everything, another becomes
    /// the account's and everything set before is dropped.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Verify {
        self.password = Some(Text(password.to_owned()));
        self
    }
}

impl Client {
    /// Claims one more identifier for an account; until when it can be
    /// verified, in Unix milliseconds, 0 when it is the account's already.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn claim(
        &self,
        by: &SessionToken,
        identifier: &Identifier,
    ) -> Result<Decision<u64>, CallError> {
        let request = v1::Claim {
            by: by.to_message(),
            identifier: identifier.0.clone(),
        };
        let read = |_: &Reply<'_>, answer: &v1::ArchivedClaimed| Ok(answer.until.to_native());
        self.ask_and(&request, read).await
    }

    /// Attests that an identifier was shown: a code sent to it was entered, a
    /// link opened (the gateway needs the admin plane).
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn verify(&self, verify: &Verify) -> Result<Decision<Verification>, CallError> {
        let request = v1::Verify {
            user: verify.user.0,
            identifier: verify.identifier.0.clone(),
            session: verify.session.as_ref().map(SessionToken::to_message),
            password: verify.password.clone(),
        };
        let read = |_: &Reply<'_>, answer: &v1::ArchivedVerified| answer.verification();
        self.ask_and(&request, read).await
    }
}
