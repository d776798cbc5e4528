//! Signing up and in with a password.

use std::net::IpAddr;

use tidegate_wire::v1::{self, IdentifierKind, Remember, SourceKind};
use tidegate_wire::{
    ArchivedSecretBytes, DeviceToken, Fault, RefreshToken, Reply, SecretBytes, SessionToken, Text,
    UserId,
};

use crate::client::Client;
use crate::decision::{CallError, Decision, Granted, Knowledge};

/// Who signs in.
#[derive(Clone, Debug)]
pub struct SignIn {
    identifier: v1::Identifier,
    password: Text,
    device: Option<DeviceToken>,
    remember: u8,
    source: Option<v1::Source>,
}

impl SignIn {
    /// With a mail address.
    #[must_use]
    pub fn email(address: &str, password: &str) -> SignIn {
        SignIn::with(
            v1::Identifier::new(IdentifierKind::Email, address),
            password,
        )
    }

    /// With a phone number, in international form.
    #[must_use]
    pub fn phone(number: &str, password: &str) -> SignIn {
        SignIn::with(v1::Identifier::new(IdentifierKind::Phone, number), password)
    }

    /// With a user name.
    #[must_use]
    pub fn username(name: &str, password: &str) -> SignIn {
        SignIn::with(
            v1::Identifier::new(IdentifierKind::Username, name),
            password,
        )
    }

    fn with(identifier: v1::Identifier, password: &str) -> SignIn {
        SignIn {
            identifier,
            password: Text(password.to_owned()),
            device: None,
            remember: Remember::Nothing.number(),
            source: None,
        }
    }

    /// From a device that was remembered before.
    #[must_use]
    pub fn from_device(mut self, device: DeviceToken) -> SignIn {
        self.device = Some(device);
        self
    }

    /// Says where the person is, as the gateway sees it: attempts from unknown
    /// devices are bounded per source.
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> SignIn {
        self.source = Some(source_of(address));
        self
    }

    /// Says where the person is by bytes that the gateway tells sources apart by.
    #[must_use]
    pub fn from_source(mut self, id: [u8; 16]) -> SignIn {
        let kind = SourceKind::Gateway.number();
        self.source = Some(v1::Source { kind, bytes: id });
        self
    }

    /// Asks to remember the device.
    #[must_use]
    pub fn remember_device(mut self) -> SignIn {
        self.remember = Remember::Device.number();
        self
    }
}

/// A person's address, as a source of attempts.
pub(crate) fn source_of(address: IpAddr) -> v1::Source {
    let mut bytes = [0; 16];
    // An IPv4 address that came over IPv6 is the same subscriber.
    let kind = match address.to_canonical() {
        IpAddr::V4(address) => {
            bytes[..4].copy_from_slice(&address.octets());
            SourceKind::V4
        }
        IpAddr::V6(address) => {
            bytes[..8].copy_from_slice(&address.octets()[..8]);
            SourceKind::V6
        }
    };
    let kind = kind.number();
    v1::Source { kind, bytes }
}

impl Client {
    /// Makes an account with the identifier and password of `person`.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn sign_up(&self, person: &SignIn) -> Result<Decision<UserId>, CallError> {
        let request = v1::SignUp {
            identifiers: vec![person.identifier.clone()],
            password: person.password.clone(),
            source: person.source.clone(),
        };
        let read = |_: &Reply<'_>, answer: &v1::ArchivedSignedUp| Ok(UserId(answer.user));
        self.ask_and(&request, read).await
    }

    /// Signs a person in.
    ///
    /// # Errors
    /// [`CallError`] when no answer is known.
    pub async fn sign_in(&self, person: &SignIn) -> Result<Decision<Granted>, CallError> {
        let device = person.device.as_ref().map(|device| v1::Device {
            id: device.device,
            secret: device.secret.clone(),
        });
        let request = v1::SignIn {
            identifier: person.identifier.clone(),
            password: person.password.clone(),
            device,
            remember: person.remember,
            source: person.source.clone(),
        };
        self.ask_and(&request, granted).await
    }
}

/// What a sign-in or a refresh handed out.
pub(crate) fn granted(reply: &Reply<'_>, granted: &v1::ArchivedGranted) -> Result<Granted, Fault> {
    let user = UserId(granted.user);
    let session = granted.session.to_native();
    let secret = |secret: &ArchivedSecretBytes| SecretBytes(secret.0);
    Ok(Granted {
        user,
        session: SessionToken {
            user,
            session,
            secret: secret(&granted.secret),
        },
        refresh: RefreshToken {
            user,
            session,
            family: secret(&granted.family),
            secret: secret(&granted.refresh),
        },
        device: granted.device.as_ref().map(|device| DeviceToken {
            user,
            device: device.id.to_native(),
            secret: secret(&device.secret),
        }),
        idle_expires_at: granted.idle_expires_at.to_native(),
        expires_at: granted.expires_at.to_native(),
        assurance: granted.assurance,
        knowledge: Knowledge::of(reply),
    })
}
