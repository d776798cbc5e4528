//! Requests by which identifiers become an account's: sign-up, verifying.

use tidegate_account::record::IDENTIFIERS_MAX;
use tidegate_account::{
    Attest, ClaimedIdentifier, Command, CredentialCommand, Identifier, IdentifierCommand,
    IdentifierKind, IndexHash, Password, Refusal, Reply, SignUp, TenantId, UserId,
};
use tidegate_storage_api::{Key as RowKey, StoreError};

use super::Engine;
use super::charging::Charged;
use super::sign_in::id_of;
use crate::answer::{Answer, Failure, Responder};
use crate::identifiers::IndexRow;
use crate::request::{Context, Verification};
use crate::sources::Origin;

impl Engine {
    /// Makes an account. That a mail address or a phone number is another
    /// account's changes nothing: both get an account that claims it, and the one whose
    /// holder shows that it is theirs has it. So nothing is looked up, and nothing can be
    /// learnt. A user name can be taken, and says so.
    pub(super) async fn sign_up(
        self,
        context: Context,
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
        if let Some(home) = self.pinned_elsewhere(context.tenant) {
            return responder.answer(Answer::Failed(Failure::WrongRegion(home)), 0);
        }
        let responder = match self.charge_sign_up(&context, origin).await {
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
            .map(|identifier| keys.claimed(context.tenant, identifier));
        let mut identifiers: Vec<_> = claims.collect();
        let user = self.new_id(&context);
        let reserved = match self.name_taken(&identifiers, user).await {
            Err(failure) => Err(Answer::Failed(failure)),
            Ok(Name::Taken) => Err(Answer::Reply(Reply::No(Refusal::IdentifierTaken))),
            Ok(Name::Ours) => Ok(Vec::new()),
            // Asked last: what is an account's already is not judged anew.
            Ok(Name::Free) if !self.takes(context.tenant, &identifiers) => {
                Err(Answer::Reply(Reply::No(Refusal::InvalidIdentifier)))
            }
            Ok(Name::Free) => {
                let names = identifiers.iter_mut().filter(|claimed| is_name(claimed));
                self.reserve(context.tenant, user, names).await
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
        self.route(user, context, command, responder);
    }

    /// The id of the account that this sign-up makes: the same for a repeat,
    /// which thus finds the account that the first made, on any node and after
    /// any crash.
    fn new_id(&self, context: &Context) -> UserId {
        let random = match &context.idempotency {
            Some(key) => id_of("tg-user-1", &[&context.tenant.0.to_be_bytes(), &key.key]),
            None => id_of("tg-user-1", &[&self.shared().ports.entropy.seed()]),
        };
        // The slot follows from the key alone, whichever node owns it: another
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

    /// Whether another account has one of the user names.
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
    /// said: the caller has shown that they have it.
    pub(super) async fn verify(
        self,
        user: UserId,
        context: Context,
        verification: Verification,
        responder: Responder,
    ) {
        if self.shared().placement.is_past_lease() {
            return responder.answer(Answer::Failed(Failure::Unavailable), 0);
        }
        let keys = &self.shared().settings.index_keys;
        let mut identifier = keys.claimed(context.tenant, verification.identifier);
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
                let reserved = self.reserve(context.tenant, user, new.into_iter()).await;
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
                self.route(user, context, command, responder);
            }
        }
    }

    /// Looks an identifier up under every key that lives. All are looked at
    /// whatever is found, so that nothing shows in how many.
    pub(super) async fn find(
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
