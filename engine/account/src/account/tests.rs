//! The machine as a whole: an account, a clock that the test sets, and a hasher
//! that answers when the test says so.

mod decoys;
mod degraded;
mod erasing;
mod flows;
mod guessing;
mod lifecycle;
mod passkeys;
mod properties;
mod record;
mod refreshing;
mod repeats;
mod verifying;

use crate::digest::SecretHash;
use crate::reply::Grant;
use crate::{CredentialReply, SessionReply};
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::command::{
    DeviceProof, Idempotency, LedBy, PasswordCheck, PasswordWork, Remember, RevokeScope,
    SessionProof, SignIn, SignUp, SignatureCheck, Source,
};
use crate::credential::passkey::SignatureWork;
use crate::digest::IndexHash;
use crate::identifier::{Identifier, IdentifierKind};
use crate::message::Message;
use crate::part::{PartChange, PartId};
use crate::password::{Password, PasswordHash};
use crate::policy::PasswordPolicy;
use crate::record::{Format, View, assemble, write};
use crate::secret::Secret;
use crate::session::Expiry;
use crate::{CredentialCommand, LifecycleCommand, SessionCommand};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

pub(super) const TENANT: TenantId = TenantId(7);
pub(super) const PASSWORD: &str = "correct horse";

/// An account with its surroundings.
pub(super) struct World {
    pub(super) account: Account,
    pub(super) policy: Policy,
    pub(super) now: u64,
    pub(super) tenant: TenantId,
    pub(super) events: Vec<EventKind>,
    pub(super) waiting: Vec<Effect>,
    pub(super) verified: usize,
    /// What was written to people.
    pub(super) mails: Vec<Message>,
    /// What is not written yet of rows in the index.
    pub(super) draft: Changes,
    /// The rows in the index.
    pub(super) index: BTreeSet<[u8; 32]>,
    /// The parts of its passkeys.
    pub(super) parts: BTreeMap<PartId, Part>,
    drawn: u64,
}

/// What goes into the index of a step's changes.
fn rows_of(changes: &Changes) -> Changes {
    Changes {
        held: changes.held.clone(),
        released: changes.released.clone(),
        fallen: changes.fallen.clone(),
        moved: changes.moved.clone(),
        ..Changes::default()
    }
}

/// Not a hash: a substitute that keeps what the test must recognise.
fn test_hash(password: &Password, salt: [u8; 16], policy: &PasswordPolicy) -> PasswordHash {
    let mut output = [0; 48];
    for (place, byte) in output.iter_mut().zip(password.expose()) {
        *place = *byte;
    }
    PasswordHash {
        memory_kib: policy.memory_kib,
        passes: policy.passes,
        lanes: policy.lanes,
        pepper_key: policy.pepper_key,
        salt,
        output,
    }
}

/// A record whose sealed part is in clear, so that a test can read it.
pub(super) fn unsealed(format: Format, check: &CheckPart, sealed: &SealedPart) -> Vec<u8> {
    let written = write(format, check, sealed).unwrap();
    assemble(written.clear, &written.plain).unwrap()
}

impl World {
    pub(super) fn empty() -> World {
        World {
            account: Account::absent(UserId::new(1, 99, [3; 16])),
            policy: Policy::default(),
            now: 1_700_000_000_000,
            tenant: TENANT,
            events: Vec::new(),
            waiting: Vec::new(),
            verified: 0,
            mails: Vec::new(),
            draft: Changes::default(),
            index: BTreeSet::new(),
            parts: BTreeMap::new(),
            drawn: 0,
        }
    }

    /// Writes what was decided since the last time, as one commit: what must not
    /// be there is looked for first, and deletes come before puts.
    pub(super) fn commit(&mut self) {
        let draft = core::mem::take(&mut self.draft);
        for held in &draft.held {
            let mut hashes = held.older.iter().chain([&held.hash]);
            assert!(
                hashes.all(|hash| !self.index.contains(&hash.0)),
                "{draft:?}"
            );
        }
        let released = draft.released.iter().filter(|row| row.is_held());
        let rows = released.chain(&draft.fallen).map(|row| row.hash);
        for hash in rows.chain(draft.moved.iter().map(|moved| moved.from.0)) {
            // Whose row would that be?
            assert!(self.index.remove(&hash), "{draft:?}");
        }
        let moved = draft.moved.iter().map(|moved| moved.to.0);
        for hash in moved.chain(draft.held.iter().map(|held| held.hash.0)) {
            assert!(self.index.insert(hash), "{draft:?}");
        }
        let held: BTreeSet<[u8; 32]> = self.account.held().map(|hash| hash.0).collect();
        assert_eq!(self.index, held, "{draft:?}");
    }

    pub(super) fn signed_up() -> World {
        let mut world = World::empty();
        let replies = world.ask(Command::Credential(CredentialCommand::SignUp(sign_up(
            PASSWORD,
        ))));
        assert!(matches!(
            replies,
            Reply::Credential(CredentialReply::SignedUp(_))
        ));
        world
    }

    pub(super) fn signed_in() -> (World, Grant) {
        let mut world = World::signed_up();
        let grant = world.sign_in(PASSWORD).granted();
        (world, grant)
    }

    pub(super) fn input(&mut self, input: Input) -> Output {
        self.drawn += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.drawn.to_le_bytes());
        let entropy = Entropy::new(seed);
        let before = self.account.revision();
        let output = self.account.handle(self.now, entropy, &self.policy, input);
        let changed = u64::from(output.changes.is_some());
        assert_eq!(self.account.revision(), before + changed);
        let changes = output.changes.iter();
        self.events
            .extend(changes.flat_map(|changes| changes.events.iter().cloned()));
        let outbox = output.changes.iter().flat_map(|changes| &changes.outbox);
        let mails = outbox.map(|outgoing| Message::decode(outgoing.body()).unwrap());
        self.mails.extend(mails);
        for change in output
            .changes
            .iter()
            .flat_map(|changes| changes.parts(1).unwrap())
        {
            match change {
                PartChange::Written { part, .. } if part.id.kind == PartKind::Passkey => {
                    self.parts.insert(part.id, part);
                }
                PartChange::Written { .. } => {}
                PartChange::Dropped(id) => {
                    self.parts.remove(&id);
                }
            }
        }
        if let Some(changes) = &output.changes {
            self.draft.extend(rows_of(changes));
        }
        output
    }

    /// Sends a command; its effects wait until [`World::work`].
    pub(super) fn send(&mut self, key: Option<u8>, command: Command) -> Output {
        let idempotency = key.map(|key| Idempotency {
            key: [key; 16],
            request: [0; 32],
        });
        self.send_with(idempotency, command)
    }

    pub(super) fn send_with(
        &mut self,
        idempotency: Option<Idempotency>,
        command: Command,
    ) -> Output {
        let request = Request {
            ticket: Ticket(self.drawn),
            tenant: self.tenant,
            idempotency,
        };
        if let Some(kind) = self.account.wants(&command) {
            let parts = self.parts.values().cloned().collect();
            self.input(Input::Parts(kind, parts));
        }
        let mut output = self.input(Input::Command(request, command));
        self.waiting.append(&mut output.effects);
        output
    }

    /// Does the oldest work that waits.
    pub(super) fn work(&mut self) -> Output {
        let effect = self.waiting.remove(0);
        let pending = effect.pending();
        let work = match effect {
            Effect::Hash { work, .. } => work,
            Effect::Verify { work, .. } => return self.signature(pending, &work),
        };
        let completion = match work {
            PasswordWork::New {
                password,
                salt,
                policy,
            } => Completion::Hashed(test_hash(&password, salt, &policy)),
            PasswordWork::Compare { password, stored } => {
                self.verified += 1;
                let same = |stored: PasswordHash| {
                    let again = test_hash(&password, stored.salt, &self.policy.password);
                    again.output == stored.output
                };
                Completion::Verified(match stored.is_some_and(same) {
                    true => PasswordCheck::Match,
                    false => PasswordCheck::Mismatch,
                })
            }
        };
        self.completed(pending, completion)
    }

    fn completed(&mut self, pending: PendingId, completion: Completion) -> Output {
        let mut output = self.input(Input::Completion {
            pending,
            completion,
        });
        self.waiting.append(&mut output.effects);
        output
    }

    fn signature(&mut self, pending: PendingId, work: &SignatureWork) -> Output {
        let key = UnparsedPublicKey::new(&ED25519, work.public_key.raw_key());
        let check = match key.verify(&work.message, &work.signature) {
            Ok(()) => SignatureCheck::Valid,
            Err(_) => SignatureCheck::Invalid,
        };
        self.completed(pending, Completion::Signature(check))
    }

    /// Sends a command and does its work; its one reply.
    pub(super) fn ask(&mut self, command: Command) -> Reply {
        self.ask_with(None, command)
    }

    /// All that is told until no work is left is this one reply: a later one,
    /// or one to another command, is a fault.
    pub(super) fn ask_with(&mut self, key: Option<u8>, command: Command) -> Reply {
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
        let ticket = Ticket(self.drawn);
        let mut replies = self.send(key, command).replies;
        while !self.waiting.is_empty() {
            replies.append(&mut self.work().replies);
        }
        assert!(!self.account.is_waiting());
        let [(told, reply)] = <[(Ticket, Reply); 1]>::try_from(replies).unwrap();
        assert_eq!(told, ticket);
        reply
    }

    pub(super) fn sign_in(&mut self, password: &str) -> Reply {
        self.ask(sign_in(password, None, Remember::Nothing))
    }

    pub(super) fn refresh(&mut self, grant: &Grant) -> Reply {
        self.ask(refresh(grant))
    }

    /// Writes what there is and reads it again, as a crash would.
    pub(super) fn crash(&mut self) {
        let account = &self.account;
        self.account = match (account.parts(), &account.erased) {
            (Some((check, sealed)), _) => {
                let bytes = unsealed(Format::NEWEST, check, sealed);
                let view = View::new(&bytes).unwrap();
                let (check, sealed) = view.read(view.sealed()).unwrap();
                Account::load(check, sealed)
            }
            (None, Some(erasure)) => Account::erased(account.user, erasure.clone()),
            (None, None) => Account::absent(account.user),
        };
        self.waiting.clear();
    }

    pub(super) fn sessions(&self) -> usize {
        self.account.parts().unwrap().0.sessions.len()
    }
}

impl Reply {
    pub(super) fn granted(self) -> Grant {
        match self {
            Reply::Credential(CredentialReply::SignedIn(grant))
            | Reply::Flow(FlowReply::Granted(grant))
            | Reply::Session(SessionReply::Refreshed(grant)) => grant,
            other => panic!("no grant: {other:?}"),
        }
    }

    pub(super) fn refused(self) -> Refusal {
        match self {
            Reply::No(refusal) => refusal,
            other => panic!("no refusal: {other:?}"),
        }
    }
}

pub(super) fn sign_up(password: &str) -> SignUp {
    let identifier = Identifier::parse(IdentifierKind::Username, "ada").unwrap();
    SignUp {
        identifiers: [ClaimedIdentifier {
            identifier,
            hash: IndexHash([8; 32]),
            key_version: 1,
            older: Vec::new(),
            reservation: None,
        }]
        .into(),
        password: Password::parse(password).unwrap(),
    }
}

pub(super) fn sign_in(password: &str, device: Option<DeviceProof>, remember: Remember) -> Command {
    Command::Credential(CredentialCommand::SignIn(SignIn {
        password: Password::parse(password).unwrap(),
        device,
        remember,
        source: Source::Clear,
        led_by: LedBy::Id,
    }))
}

pub(super) fn refresh(grant: &Grant) -> Command {
    Command::Session(SessionCommand::Refresh {
        session: grant.session,
        family: grant.family.clone(),
        token: grant.refresh.clone(),
    })
}

pub(super) fn proof(grant: &Grant) -> SessionProof {
    SessionProof {
        session: grant.session,
        secret: grant.session_secret(),
    }
}

pub(super) fn set_status(change: StatusChange) -> Command {
    let by = Administrator("desk".into());
    Command::Lifecycle(LifecycleCommand::SetStatus { change, by })
}
