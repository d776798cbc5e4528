//! Signing up and in with a password.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use super::identifier::Identifier;
use super::message::{Addressed, Message};
use super::number::numbered;
use crate::fault::limited;
use crate::secret::{SecretBytes, Text};
use crate::{Fault, MAX_IDENTIFIERS, MAX_PASSWORD_BYTES, UserId};

/// A device token.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Device {
    pub id: u64,
    pub secret: SecretBytes,
}

/// Where the person is. Kind 1: an IPv4 address in the first 4 bytes; 2: an
/// IPv6 address, of which the first 8 bytes count; 3: any 16 bytes that the
/// gateway tells sources apart by. Unused bytes are 0.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Source {
    pub kind: u8,
    pub bytes: [u8; 16],
}

numbered! {
    /// What the bytes of a source are.
    SourceKind {
        /// An IPv4 address.
        V4 = 1,
        /// The first half of an IPv6 address.
        V6 = 2,
        /// The gateway's own.
        Gateway = 3,
    }
}

/// A sign-in with a password.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct SignIn {
    pub identifier: Identifier,
    pub password: Text,
    pub device: Option<Device>,
    /// 1: make a device token when there is none.
    pub remember: u8,
    pub source: Option<Source>,
}

numbered! {
    /// Whether a device asks to be known next time.
    Remember {
        /// It does not.
        Nothing = 0,
        /// It does.
        Device = 1,
    }
}

/// What a sign-in or refresh hands out.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Granted {
    pub user: [u8; 16],
    pub session: u64,
    pub secret: SecretBytes,
    pub family: SecretBytes,
    pub refresh: SecretBytes,
    pub idle_expires_at: u64,
    pub expires_at: u64,
    pub assurance: u8,
    pub methods: u8,
    pub device: Option<Device>,
}

/// A new account.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct SignUp {
    pub identifiers: Vec<Identifier>,
    pub password: Text,
    pub source: Option<Source>,
}

/// The account was made.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct SignedUp {
    pub user: [u8; 16],
}

impl Message for SignIn {
    fn validate(archived: &ArchivedSignIn) -> Result<(), Fault> {
        archived.identifier.validate()?;
        limited(archived.password.as_str().len(), MAX_PASSWORD_BYTES)?;
        Remember::from_number(archived.remember)?;
        known(archived.source.as_ref())
    }

    fn sample() -> SignIn {
        SignIn {
            identifier: Identifier::sample("ada@example.com"),
            password: Text("correct horse".into()),
            device: Some(Device {
                id: 9,
                secret: SecretBytes([0x53; 24]),
            }),
            remember: 1,
            source: Some(Source {
                kind: 2,
                bytes: [0x20; 16],
            }),
        }
    }
}

impl Message for Granted {
    fn validate(_: &ArchivedGranted) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Granted {
        Granted {
            user: [0xA1; 16],
            session: 7,
            secret: SecretBytes([0x51; 24]),
            family: SecretBytes([0x52; 24]),
            refresh: SecretBytes([0x53; 24]),
            idle_expires_at: 1,
            expires_at: 2,
            assurance: 1,
            methods: 1,
            device: None,
        }
    }
}

impl Message for SignUp {
    fn validate(archived: &ArchivedSignUp) -> Result<(), Fault> {
        limited(archived.identifiers.len(), MAX_IDENTIFIERS)?;
        let mut identifiers = archived.identifiers.iter();
        identifiers.try_for_each(super::identifier::ArchivedIdentifier::validate)?;
        limited(archived.password.as_str().len(), MAX_PASSWORD_BYTES)?;
        known(archived.source.as_ref())
    }

    fn sample() -> SignUp {
        SignUp {
            identifiers: ["ada@example.com", "ada"].map(Identifier::sample).into(),
            password: Text("correct horse".into()),
            source: None,
        }
    }
}

impl Message for SignedUp {
    fn validate(_: &ArchivedSignedUp) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> SignedUp {
        SignedUp { user: [0xA1; 16] }
    }
}

pub(super) fn known(source: Option<&ArchivedSource>) -> Result<(), Fault> {
    source.map_or(Ok(()), |source| {
        SourceKind::from_number(source.kind).map(|_| ())
    })
}

impl Addressed for SignIn {
    fn subject(&self) -> Option<UserId> {
        None
    }
}

impl Addressed for SignUp {
    fn subject(&self) -> Option<UserId> {
        None
    }
}
