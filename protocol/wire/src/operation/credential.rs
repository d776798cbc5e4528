//! Signing up and in with a password.
#![allow(missing_docs, reason = "rkyv derives undocumented archived types")]

use rkyv::{Archive, Deserialize, Serialize};

use super::identifier::Identifier;
use super::message::{Addressed, Message};
use super::method::Method;
use super::number::{NO_NUMBER, numbered};
use super::session::Check;
use crate::fault::limited;
use crate::secret::{SecretBytes, Text};
use crate::{Fault, MAX_IDENTIFIERS, MAX_LABEL_BYTES, MAX_PASSWORD_BYTES, UserId};

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

/// Lists an account's credentials.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct Credentials {
    pub by: Check,
}

/// One credential of a list. `number` names it among those of its method; times are
/// Unix milliseconds, 0 where none is kept; `backup` is of a passkey (0 it stays on
/// its device, 1 it may be copied, 2 it is; 255 for what is none), `remaining` of
/// recovery codes (255 for what is none).
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct CredentialRow {
    pub method: u8,
    pub number: u16,
    pub backup: u8,
    pub remaining: u8,
    pub added_at: u64,
    pub used_at: u64,
    pub name: Text,
}

/// An account's credentials. `signal` is what a browser is told of its passkeys
/// (`signalAllAcceptedCredentials`, WebAuthn L3 5.1.10.3) as JSON, or empty.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct CredentialList {
    pub credentials: Vec<CredentialRow>,
    pub signal: Text,
}

/// Removes a credential.
#[derive(Archive, Serialize, Deserialize, Clone, Debug)]
pub struct RemoveCredential {
    pub by: Check,
    pub method: u8,
    pub number: u16,
}

/// So many were removed: one, or none where it was not there.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct CredentialRemoved {
    pub removed: u32,
}

/// Ten passkeys and one of each other method.
const MAX_CREDENTIALS: usize = 16;

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

impl Message for Credentials {
    fn validate(_: &ArchivedCredentials) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> Credentials {
        Credentials {
            by: Check::sample(),
        }
    }
}

impl Message for CredentialList {
    fn validate(archived: &ArchivedCredentialList) -> Result<(), Fault> {
        limited(archived.credentials.len(), MAX_CREDENTIALS)?;
        for row in archived.credentials.iter() {
            Method::from_number(row.method)?;
            limited(row.name.as_str().len(), MAX_LABEL_BYTES)?;
        }
        Ok(())
    }

    fn sample() -> CredentialList {
        let row = CredentialRow {
            method: Method::Passkey.number(),
            number: 3,
            backup: 2,
            remaining: NO_NUMBER,
            added_at: 1,
            used_at: 2,
            name: Text("phone".into()),
        };
        CredentialList {
            credentials: vec![row; MAX_CREDENTIALS],
            signal: Text("{}".into()),
        }
    }
}

impl Message for RemoveCredential {
    fn validate(archived: &ArchivedRemoveCredential) -> Result<(), Fault> {
        Method::from_number(archived.method).map(|_| ())
    }

    fn sample() -> RemoveCredential {
        RemoveCredential {
            by: Check::sample(),
            method: Method::Passkey.number(),
            number: 3,
        }
    }
}

impl Message for CredentialRemoved {
    fn validate(_: &ArchivedCredentialRemoved) -> Result<(), Fault> {
        Ok(())
    }

    fn sample() -> CredentialRemoved {
        CredentialRemoved { removed: 1 }
    }
}

impl Addressed for Credentials {
    fn subject(&self) -> Option<UserId> {
        self.by.subject()
    }
}

impl Addressed for RemoveCredential {
    fn subject(&self) -> Option<UserId> {
        self.by.subject()
    }
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
