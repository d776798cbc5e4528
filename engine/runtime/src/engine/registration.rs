//! Requests that name a person by an identifier: sign-in, sign-up, verifying.

use tidegate_account::record::IDENTIFIERS_MAX;
use tidegate_account::{
    Attest, ClaimedIdentifier, Command, Completion, CredentialCommand, DegradedReply, Identifier,
    IdentifierCommand, IdentifierKind, IndexHash, LedBy, Password, Refusal, Reply, SignIn, SignUp,
    Source, TenantId, UserId, tagged,
};
use tidegate_storage_api::{Key as RowKey, Slot, StoreError};

use super::Engine;
use super::charging::Charged;
use crate::answer::{Answer, Failure, Responder};
use crate::identifiers::{Hashes, IndexRow};
use crate::ports::{HashDone, HashJob};
use crate::regions::Home;
use crate::request::{Errand, Verification};
use crate::sources::Origin;
use crate::tenants::pretend;

impl Engine {
    pub(super) async fn sign_in(
        self,
        errand: Errand,
        identifier: Identifier,
        mut sign_in: SignIn,
        origin: Option<Origin>,
        responder: Responder,
    ) {
        let responder = match self.charge_guess(&errand, origin).await {
            Ok(Charged::Nothing) => responder,
            Ok(Charged::Attempt(attempt)) => self.concluding_guess(attempt, responder),
            Ok(Charged::Held(retry_after_ms)) => {
                if sign_in.device.is_none() {
                    let refusal = Refusal::Throttled { retry_after_ms };
                    return responder.answer(Answer::Reply(Reply::No(refusal)), 0);
                }
                // The account knows whether it knows the device.
                sign_in.source = Source::Held { retry_after_ms };
                responder
            }
            Err(failure) => return responder.answer(Answer::Failed(failure), 0),
        };
        let hashes = self
            .shared()
            .settings
            .index_keys
            .hashes(errand.tenant, &identifier);
        let newest = hashes.newest();
        let all = hashes.oldest_first().copied().collect();
        sign_in.led_by = LedBy::Identifier(all);
        let found = match self.shared().placement.is_cut_off() {
            true => Err(Failure::Unavailable),
            false => self.find(hashes.oldest_first()).await,
        };
        match found {
            Ok(Some(row)) => {
                self.shared().memory.lookups.remember(&newest, row.user);
                let responder = self.asking_first(errand.tenant, &identifier, responder);
                self.route(
                    row.user,
                    errand,
                    Command::Credential(CredentialCommand::SignIn(sign_in)),
                    responder,
                );
            }
            // Whoever stands in for it does the same work.
            Ok(None) => {
                self.shared().memory.lookups.forget(&newest);
                let user = self.decoy(newest);
                let home = self.home_of_stranger(errand.tenant, &identifier, user);
                let responder = match home.await {
                    Ok(Home::Here) => responder,
                    Ok(Home::Unknown) => Engine::unsure(responder),
                    Err(failure) => return responder.answer(Answer::Failed(failure), 0),
                    Ok(Home::There(region)) => {
                        let failure = Failure::WrongRegion(region);
                        return responder.answer(Answer::Failed(failure), 0);
                    }
                };
                self.route(
                    user,
                    errand,
                    Command::Credential(CredentialCommand::SignIn(sign_in)),
                    responder,
                );
            }
            Err(Failure::Unavailable) => {
                self.sign_in_from_memory(errand, &hashes, sign_in, responder);
            }
            Err(
                failure @ (Failure::Busy { .. }
                | Failure::DeadlineExceeded
                | Failure::NotOwner(_)
                | Failure::WrongRegion(_)
                | Failure::UnknownTenant
                | Failure::Corrupt
                | Failure::Unknown),
            ) => responder.answer(Answer::Failed(failure), 0),
        }
    }

    /// Signs in while the store is out of reach: whoever was looked up lately
    /// and is warm here. Everybody else meets the same work and the same answer
    /// as a wrong password does.
    fn sign_in_from_memory(
        &self,
        errand: Errand,
        hashes: &Hashes,
        sign_in: SignIn,
        responder: Responder,
    ) {
        let shared = self.shared();
        let mut all = hashes.oldest_first();
        let known = all.find_map(|hash| shared.memory.lookups.recall(hash));
        let user = known.unwrap_or_else(|| self.decoy(hashes.newest()));
        let elsewhere = shared.placement.ownership.epoch_of(user).is_none();
        let warm = || shared.memory.is_warm(user);
        if elsewhere || (known.is_some() && warm()) {
            return self.route(
                user,
                errand,
                Command::Credential(CredentialCommand::SignIn(sign_in)),
                responder,
            );
        }
        let tenant = shared.settings.tenants.get(errand.tenant);
        let work = pretend(tenant.as_deref(), sign_in.password);
        let deadline_ms = errand.deadline_ms;
        let epoch = shared.placement.ownership.epoch_of(user).unwrap_or(0);
        let done = HashDone::new(move |completion| {
            let reply = match completion {
                Completion::Refused { retry_after_ms } => {
                    DegradedReply::No(Refusal::Busy { retry_after_ms })
                }
                Completion::Verified(_) | Completion::Hashed(_) => DegradedReply::Unsaid,
            };
            responder.answer(Answer::DegradedDecision { reply, age_ms: 0 }, epoch);
        });
        shared.ports.cpu.hash(HashJob { work, deadline_ms }, done);
    }

    /// The id of whoever stands in for an identifier that nobody has, in the
    /// slot of its hash.
    fn decoy(&self, hash: IndexHash) -> UserId {
        let region = self.shared().placement.ownership.region().number();
        let slot = Slot::of_hash(&hash.0).number();
        UserId::new(region, slot, id_of("tg-stand-in-id-1", &[&hash.0]))
    }

    /// Makes an account. That a mail address or a phone number is somebody's
    /// changes nothing: both get an account that claims it, and whoever shows
    /// that it is theirs has it. So nothing is looked up, and nothing can be
    /// learnt. A user name can be taken, and says so.
    pub(super) async fn sign_up(
        self,
        errand: Errand,
        identifiers: Vec<Identifier>,
        password: Password,
        origin: Option<Origin>,
        responder: Responder,
    ) {
        if self.shared().placement.is_past_lease() {
            return responder.answer(Answer::Failed(Failure::Unavailable), 0);
        }
        if identifiers.is_empty() || identifiers.len() > IDENTIFIERS_MAX || twice(&identifiers) {
            return responder.answer(Answer::Reply(Reply::No(Refusal::LimitReached)), 0);
        }
        if let Some(home) = self.pinned_elsewhere(errand.tenant) {
            return responder.answer(Answer::Failed(Failure::WrongRegion(home)), 0);
        }
        let responder = match self.charge_sign_up(&errand, origin).await {
            Ok(Charged::Nothing) => responder,
            Ok(Charged::Attempt(attempt)) => self.concluding_sign_up(attempt, responder),
            Ok(Charged::Held(retry_after_ms)) => {
                let refusal = Refusal::Throttled { retry_after_ms };
                return responder.answer(Answer::Reply(Reply::No(refusal)), 0);
            }
            Err(failure) => return responder.answer(Answer::Failed(failure), 0),
        };
        let keys = &self.shared().settings.index_keys;
        let claims = identifiers
            .into_iter()
            .map(|identifier| keys.claimed(errand.tenant, identifier));
        let mut identifiers: Vec<_> = claims.collect();
        let user = self.new_id(&errand);
        let reserved = match self.name_taken(&identifiers, user).await {
            Err(failure) => Err(Answer::Failed(failure)),
            Ok(Name::Taken) => Err(Answer::Reply(Reply::No(Refusal::IdentifierTaken))),
            Ok(Name::Ours) => Ok(Vec::new()),
            // Asked last: what is an account's already is not judged anew.
            Ok(Name::Free) if !self.takes(errand.tenant, &identifiers) => {
                Err(Answer::Reply(Reply::No(Refusal::InvalidIdentifier)))
            }
            Ok(Name::Free) => {
                let names = identifiers.iter_mut().filter(|claimed| is_name(claimed));
                self.reserve(errand.tenant, user, names).await
            }
        };
        let reserved = match reserved {
            Ok(reserved) => reserved,
            Err(answer) => return responder.answer(answer, 0),
        };
        let responder = self.concluding(reserved, responder);
        let command = Command::Credential(CredentialCommand::SignUp(SignUp {
            identifiers,
            password,
        }));
        self.route(user, errand, command, responder);
    }

    /// The id of the account that this sign-up makes: the same for a repeat,
    /// which thus finds the account that the first made, on any node and after
    /// any crash.
    fn new_id(&self, errand: &Errand) -> UserId {
        let random = match &errand.idempotency {
            Some(key) => id_of("tg-user-1", &[&errand.tenant.0.to_be_bytes(), &key.key]),
            None => id_of("tg-user-1", &[&self.shared().ports.entropy.seed()]),
        };
        // The slot follows from the key alone, whoever owns it: another node
        // would not find what this one made.
        let slot = u16::from_be_bytes([random[0], random[1]]) >> 4;
        let region = self.shared().placement.ownership.region().number();
        UserId::new(region, slot, random)
    }

    /// Whether the tenant takes these as new. Of one that is not served the
    /// account says so itself.
    fn takes(&self, tenant: TenantId, identifiers: &[ClaimedIdentifier]) -> bool {
        self.shared()
            .settings
            .tenants
            .get(tenant)
            .is_none_or(|tenant| {
                let mut all = identifiers.iter();
                all.all(|claimed| tenant.policy.usernames.takes(&claimed.identifier))
            })
    }

    /// Whether somebody else has one of the user names.
    async fn name_taken(
        &self,
        identifiers: &[ClaimedIdentifier],
        user: UserId,
    ) -> Result<Name, Failure> {
        let mut all = Name::Free;
        for claimed in identifiers.iter().filter(|claimed| is_name(claimed)) {
            let hashes = claimed.older.iter().chain([&claimed.hash]);
            match self.find(hashes).await? {
                Some(row) if row.user != user => return Ok(Name::Taken),
                Some(_) => all = Name::Ours,
                None => {}
            }
        }
        Ok(all)
    }

    /// Takes an identifier as shown. When it is another's already, that is
    /// said: whoever asks has shown that they have it.
    pub(super) async fn verify(
        self,
        user: UserId,
        errand: Errand,
        verification: Verification,
        responder: Responder,
    ) {
        if self.shared().placement.is_past_lease() {
            return responder.answer(Answer::Failed(Failure::Unavailable), 0);
        }
        let keys = &self.shared().settings.index_keys;
        let mut identifier = keys.claimed(errand.tenant, verification.identifier);
        let hashes = identifier.older.iter().chain([&identifier.hash]);
        match self.find(hashes).await {
            Err(failure) => responder.answer(Answer::Failed(failure), 0),
            Ok(Some(row)) if row.user != user => {
                let refusal = Reply::No(Refusal::IdentifierTaken);
                responder.answer(Answer::Reply(refusal), 0);
            }
            Ok(found) => {
                // What is the person's already stays so.
                let new = found.is_none().then_some(&mut identifier);
                let reserved = self.reserve(errand.tenant, user, new.into_iter()).await;
                let responder = match reserved {
                    Ok(reserved) => self.concluding(reserved, responder),
                    Err(answer) => return responder.answer(answer, 0),
                };
                let command = Command::Identifier(IdentifierCommand::Attest(Box::new(Attest {
                    identifier,
                    session: verification.session,
                    password: verification.password,
                    by: verification.by,
                })));
                self.route(user, errand, command, responder);
            }
        }
    }

    /// Looks an identifier up under every key that lives. All are looked at
    /// whatever is found, so that nothing shows in how many.
    async fn find(
        &self,
        hashes: impl Iterator<Item = &IndexHash>,
    ) -> Result<Option<IndexRow>, Failure> {
        let mut found = None;
        for hash in hashes {
            let key = RowKey::identifier(self.shared().placement.ownership.region(), &hash.0);
            match self.shared().ports.store.get(key).await {
                Ok(None) => {}
                Ok(Some(bytes)) => {
                    found = Some(IndexRow::decode(&bytes).ok_or(Failure::Corrupt)?);
                }
                Err(StoreError::Corrupt) => return Err(Failure::Corrupt),
                Err(_) => return Err(Failure::Unavailable),
            }
        }
        Ok(found)
    }
}

enum Name {
    Taken,
    Free,
    /// A repeat: this sign-up has been done.
    Ours,
}

fn is_name(claimed: &ClaimedIdentifier) -> bool {
    claimed.identifier.kind() == IdentifierKind::Username
}

fn twice(identifiers: &[Identifier]) -> bool {
    let mut places = identifiers.iter().enumerate();
    places.any(|(place, one)| identifiers[..place].contains(one))
}

fn id_of(tag: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&tagged(tag, parts)[..16]);
    id
}
