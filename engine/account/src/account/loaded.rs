//! What of an account lies in parts: loaded when a command first wants it, and at
//! hand from then on.

use alloc::vec::Vec;

use super::Account;
use super::family::{Command, CredentialCommand, FlowCommand, PartsWanted};
use crate::credential::held::{HeldPasskey, PasskeyPart};
use crate::credential::passkey::CredentialId;
use crate::part::{Part, PartKind, read_passkey};
use crate::status::Status;

impl Account {
    /// The kind of part that must be loaded before a command, all of that kind. For a
    /// decoy the same is asked as for an account.
    #[must_use]
    pub fn wants(&self, command: &Command) -> Option<PartKind> {
        let wanted = match command {
            Command::Flow(FlowCommand::Begin(begin)) => begin.context.parts,
            Command::Flow(FlowCommand::Answer(answer)) => answer.context.parts,
            Command::Credential(CredentialCommand::List { .. }) => PartsWanted::Passkeys,
            Command::Flow(FlowCommand::Join(_))
            | Command::Credential(
                CredentialCommand::SignUp(_)
                | CredentialCommand::SignIn(_)
                | CredentialCommand::Remove { .. },
            )
            | Command::Identifier(_)
            | Command::Lifecycle(_)
            | Command::Session(_) => PartsWanted::Nothing,
        };
        match (wanted, &self.passkeys) {
            (PartsWanted::Passkeys, None) => Some(PartKind::Passkey),
            (PartsWanted::Passkeys, Some(_)) | (PartsWanted::Nothing, _) => None,
        }
    }

    pub(super) fn loaded(&mut self, kind: PartKind, parts: &[Part]) {
        match kind {
            PartKind::Passkey => self.passkeys = Some(parts.iter().filter_map(passkey).collect()),
            // Nothing of the account asks for these.
            PartKind::IdentifierText | PartKind::Audits | PartKind::Outbox => {}
        }
    }

    /// The passkeys of an account, as far as they were loaded.
    pub(super) fn passkeys(&self) -> Vec<HeldPasskey<'_>> {
        let person = self.person.as_ref();
        let somebody = person.filter(|person| person.check.status != Status::Decoy);
        let heads = somebody.map_or(&[][..], |person| &person.sealed.factors.passkeys);
        let parts = self.passkeys.as_deref().unwrap_or_default();
        let held = heads.iter().filter_map(|head| {
            let part = parts.iter().find(|(number, _)| *number == head.number);
            part.map(|(_, part)| HeldPasskey { head, part })
        });
        held.collect()
    }

    /// The passkey with this id.
    pub(super) fn passkey(&self, id: &CredentialId) -> Option<HeldPasskey<'_>> {
        let mut passkeys = self.passkeys().into_iter();
        passkeys.find(|passkey| passkey.part.id == *id)
    }
}

/// One that cannot be read is of a newer program, and opens nothing here.
fn passkey(part: &Part) -> Option<(u16, PasskeyPart)> {
    let number = u16::try_from(part.id.number).ok()?;
    Some((number, read_passkey(&part.plain).ok()?))
}
