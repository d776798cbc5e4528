//! Identifiers: claimed by who says they are theirs, attested when that was
//! shown.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use super::message::{Addressed, Message};
use super::number::numbered;
use super::session::Check;
use crate::fault::limited;
use crate::secret::Text;
use crate::{Fault, MAX_IDENTIFIER_BYTES, MAX_PASSWORD_BYTES, UserId};

/// An identifier: kind 1 mail, 2 phone, 3 user name.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Identifier {
    pub kind: u8,
    pub text: Text,
}

numbered! {
    /// What an identifier is.
    IdentifierKind {
        /// A mail address.
        Email = 1,
        /// A phone number, in international form.
        Phone = 2,
        /// A user name.
        Username = 3,
    }
}

/// Claims one more identifier.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Claim {
    pub by: Check,
    pub identifier: Identifier,
}

/// Until when the identifier is claimed; 0 when it is the person's already.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Claimed {
    pub until: u64,
}

/// Attests that an identifier of this account was shown to be the caller's. A
/// session or the account's password shows that the same person claimed it; any
/// other password becomes the account's.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Verify {
    pub user: [u8; 16],
    pub identifier: Identifier,
    pub session: Option<Check>,
    pub password: Option<Text>,
}

/// The outcome of an attestation: a number of [`Verification`].
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Verified {
    pub verification: u8,
}

numbered! {
    /// Who showed an identifier.
    Verification {
        /// The person who set the account up: everything stays.
        Confirmed = 1,
        /// Another: everything that was set up before is gone.
        TakenOver = 2,
    }
}

impl Identifier {
    /// An identifier as it was entered; a node makes its normal form.
    #[must_use]
    pub fn new(kind: IdentifierKind, text: &str) -> Identifier {
        Identifier {
            kind: kind.number(),
            text: Text(text.to_owned()),
        }
    }

    pub(super) fn sample(text: &str) -> Identifier {
        Identifier::new(IdentifierKind::Email, text)
    }
}

impl ArchivedIdentifier {
    /// What it is.
    ///
    /// # Errors
    /// `Malformed`, which decoding has ruled out.
    pub fn kind(&self) -> Result<IdentifierKind, Fault> {
        IdentifierKind::from_number(self.kind)
    }

    pub(super) fn validate(&self) -> Result<(), Fault> {
        self.kind()?;
        limited(self.text.as_str().len(), MAX_IDENTIFIER_BYTES)
    }
}

impl ArchivedVerified {
    /// Who showed the identifier.
    ///
    /// # Errors
    /// `Malformed`, which decoding has ruled out.
    pub fn verification(&self) -> Result<Verification, Fault> {
        Verification::from_number(self.verification)
    }
}

impl Message for Claim {
    fn validate(archived: &ArchivedClaim) -> Result<(), Fault> {
        archived.identifier.validate()
    }

    fn sample() -> Claim {
        Claim {
            by: Check::sample(),
            identifier: Identifier::sample("ada@example.org"),
        }
    }
}

impl Message for Claimed {
    fn validate(_: &ArchivedClaimed) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Claimed {
        Claimed { until: 9 }
    }
}

impl Message for Verify {
    fn validate(archived: &ArchivedVerify) -> Result<(), Fault> {
        archived.identifier.validate()?;
        let password = archived.password.as_ref();
        let length = password.map_or(0, |password| password.as_str().len());
        limited(length, MAX_PASSWORD_BYTES)?;
        let session = archived.session.as_ref();
        match session.is_none_or(|session| session.user == archived.user) {
            true => Ok(()),
            false => Err(Fault::Malformed),
        }
    }

    fn sample() -> Verify {
        Verify {
            user: [0xA1; 16],
            identifier: Identifier::sample("ada@example.org"),
            session: Some(Check::sample()),
            password: Some(Text("correct horse".into())),
        }
    }
}

impl Message for Verified {
    fn validate(archived: &ArchivedVerified) -> Result<(), Fault> {
        archived.verification().map(|_| ())
    }

    fn sample() -> Verified {
        Verified { verification: 2 }
    }
}

impl Addressed for Claim {
    fn subject(&self) -> Option<UserId> {
        self.by.subject()
    }
}

impl Addressed for Verify {
    fn subject(&self) -> Option<UserId> {
        Some(UserId(self.user))
    }
}
