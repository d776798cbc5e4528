//! Signing up and in with a password.

use bytes::BytesMut;
use tidegate_account::{
    Command, CredentialCommand, CredentialInfo, CredentialReply, DeviceId, DeviceProof, Grant,
    Identifier, Remember, UserId,
};
use tidegate_runtime::{Origin, Task};
use tidegate_wire::{Code, ReplyHead, RequestHead, SecretBytes, Text, v1};

use super::method::{of_method, to_method};
use super::text::{to_identifier, to_password};
use super::token::{proof, secret};
use super::work::{NotTaken, ToWork, Work};
use crate::answers::frame::say;
use crate::rights::Gateway;

impl ToWork for v1::ArchivedSignIn {
    fn to_work(&self, _: &RequestHead, gateway: &Gateway) -> Result<Work<'_>, NotTaken> {
        Ok(Work::Task(Task::SignIn {
            // An account of an earlier rule may have what is refused today.
            identifier: to_identifier(&self.identifier, Identifier::find)?,
            password: to_password(self.password.as_str())?,
            device: self.device.as_ref().map(|device| DeviceProof {
                id: DeviceId(device.id.to_native()),
                secret: secret(&device.secret),
            }),
            remember: match v1::Remember::from_number(self.remember)? {
                v1::Remember::Nothing => Remember::Nothing,
                v1::Remember::Device => Remember::Device,
            },
            origin: to_origin(self.source.as_ref(), gateway)?,
        }))
    }
}

impl ToWork for v1::ArchivedSignUp {
    fn to_work(&self, _: &RequestHead, gateway: &Gateway) -> Result<Work<'_>, NotTaken> {
        let identifiers = self.identifiers.iter();
        let identifiers = identifiers.map(|text| to_identifier(text, Identifier::parse));
        let identifiers = identifiers.collect::<Result<Vec<_>, _>>()?;
        if identifiers.is_empty() {
            return Err(Code::InvalidIdentifier.into());
        }
        Ok(Work::Task(Task::SignUp {
            identifiers,
            password: to_password(self.password.as_str())?,
            origin: to_origin(self.source.as_ref(), gateway)?,
        }))
    }
}

impl ToWork for v1::ArchivedCredentials {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        let by = proof(&self.by);
        Ok(of_account(self.by.user, CredentialCommand::List { by }))
    }
}

impl ToWork for v1::ArchivedRemoveCredential {
    fn to_work(&self, _: &RequestHead, _: &Gateway) -> Result<Work<'_>, NotTaken> {
        let by = proof(&self.by);
        let method = of_method(v1::Method::from_number(self.method)?);
        let number = self.number.to_native();
        let command = CredentialCommand::Remove { by, method, number };
        Ok(of_account(self.by.user, command))
    }
}

fn of_account(user: [u8; 16], command: CredentialCommand) -> Work<'static> {
    Work::Task(Task::Account {
        user: UserId::from_bytes(user),
        command: Command::Credential(command),
    })
}

/// The source that a gateway names, which some must.
pub(super) fn to_origin(
    source: Option<&v1::ArchivedSource>,
    gateway: &Gateway,
) -> Result<Option<Origin>, NotTaken> {
    let Some(source) = source else {
        return match gateway.names_sources() {
            true => Err(Code::NotPermitted.into()),
            false => Ok(None),
        };
    };
    let [a, b, c, d, e, f, g, h, ..] = source.bytes;
    Ok(Some(match v1::SourceKind::from_number(source.kind)? {
        v1::SourceKind::V4 => Origin::V4([a, b, c, d]),
        v1::SourceKind::V6 => Origin::V6([a, b, c, d, e, f, g, h]),
        v1::SourceKind::Gateway => Origin::Gateway(source.bytes),
    }))
}

/// Appends the frame of a yes.
pub(crate) fn write(out: &mut BytesMut, head: &ReplyHead, reply: &CredentialReply) {
    match reply {
        CredentialReply::SignedUp(user) => say(out, head, &signed_up(*user)),
        CredentialReply::SignedIn(grant) => say(out, head, &granted(grant)),
        CredentialReply::Listed(list) => say(
            out,
            head,
            &v1::CredentialList {
                credentials: list.credentials.iter().map(row).collect(),
                signal: Text(list.signal.clone()),
            },
        ),
        CredentialReply::Removed(removed) => {
            let removed = *removed;
            say(out, head, &v1::CredentialRemoved { removed });
        }
    }
}

fn row(info: &CredentialInfo) -> v1::CredentialRow {
    v1::CredentialRow {
        method: to_method(info.method).number(),
        number: info.number,
        backup: info.backup.map_or(v1::NO_NUMBER, |backup| backup as u8),
        remaining: info.remaining.unwrap_or(v1::NO_NUMBER),
        added_at: info.added_at,
        used_at: info.used_at,
        name: Text(info.name.expose().to_owned()),
    }
}

fn signed_up(user: UserId) -> v1::SignedUp {
    v1::SignedUp {
        user: *user.as_bytes(),
    }
}

/// What a sign-in or a refresh hands out.
pub(crate) fn granted(grant: &Grant) -> v1::Granted {
    v1::Granted {
        user: *grant.user.as_bytes(),
        session: grant.session.0,
        secret: SecretBytes(*grant.session_secret().expose()),
        family: SecretBytes(*grant.family.expose()),
        refresh: SecretBytes(*grant.refresh.expose()),
        idle_expires_at: grant.idle_expires_at,
        expires_at: grant.expires_at,
        assurance: grant.assurance,
        methods: grant.methods,
        device: grant.device.as_ref().map(|device| v1::Device {
            id: device.id.0,
            secret: SecretBytes(*device.secret.expose()),
        }),
    }
}
