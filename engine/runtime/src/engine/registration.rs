//! Requests that name a person by an identifier: sign-in and sign-up.

use tidegate_account::record::IDENTIFIERS_MAX;
use tidegate_account::{
    ClaimedIdentifier, Command, Completion, Identifier, Password, Refusal, Reply, SignIn, SignUp,
    UserId,
};
use tidegate_storage_api::{Key as RowKey, Slot, StoreError};

use super::{Engine, Errand};
use crate::answer::{Answer, Failure, Responder};
use crate::identifiers::IndexRow;
use crate::ports::{HashDone, HashJob, HashWork};

impl Engine {
    pub(super) async fn sign_in(
        self,
        errand: Errand,
        identifier: Identifier,
        sign_in: SignIn,
        responder: Responder,
    ) {
        let hash = self.shared.index_key.hash(errand.tenant, &identifier);
        match self.find(&hash.0).await {
            Ok(Some(row)) => self.route(row.user, errand, Command::SignIn(sign_in), responder),
            Ok(None) => self.pretend(&errand, &hash.0, sign_in.password, responder),
            Err(failure) => responder.answer(Answer::Failed(failure), 0),
        }
    }

    /// Does the work of a sign-in for an identifier that nobody has, in the
    /// slot of its hash.
    fn pretend(&self, errand: &Errand, hash: &[u8; 32], password: Password, responder: Responder) {
        let epoch = self.shared.ownership.epoch_of_slot(Slot::of_hash(hash));
        let Some(epoch) = epoch else {
            return responder.answer(Answer::Failed(Failure::NotOwner), 0);
        };
        let Some(tenant) = self.shared.tenants.get(errand.tenant) else {
            return responder.answer(Answer::Failed(Failure::UnknownTenant), 0);
        };
        let policy = tenant.policy.password.clone();
        let done = HashDone::new(move |completion| {
            let refusal = match completion {
                Completion::Refused => Refusal::Busy,
                _ => Refusal::InvalidCredentials,
            };
            responder.answer(Answer::Reply(Reply::No(refusal)), epoch);
        });
        let job = HashJob {
            work: HashWork::Pretend { password, policy },
            deadline_ms: errand.deadline_ms,
        };
        self.shared.cpu.hash(job, done);
    }

    pub(super) async fn sign_up(
        self,
        errand: Errand,
        identifiers: Vec<Identifier>,
        password: Password,
        responder: Responder,
    ) {
        if identifiers.is_empty() || identifiers.len() > IDENTIFIERS_MAX {
            return responder.answer(Answer::Reply(Reply::No(Refusal::InvalidCredentials)), 0);
        }
        let index_key = &self.shared.index_key;
        let claims = identifiers.into_iter().map(|identifier| ClaimedIdentifier {
            hash: index_key.hash(errand.tenant, &identifier),
            key_version: index_key.version,
            identifier,
        });
        let sign_up = SignUp {
            identifiers: claims.collect(),
            password,
        };
        match self.holder(&sign_up).await {
            // Theirs to say whether this is a repeat or the identifier is taken.
            Ok(Some(user)) => self.route(user, errand, Command::SignUp(sign_up), responder),
            Ok(None) => self.register(errand, sign_up, responder),
            Err(failure) => responder.answer(Answer::Failed(failure), 0),
        }
    }

    /// Makes the account under a fresh id. When another sign-up takes an
    /// identifier meanwhile, its account decides.
    fn register(&self, errand: Errand, sign_up: SignUp, responder: Responder) {
        let Some(user) = self.fresh_id() else {
            return responder.answer(Answer::Failed(Failure::NotOwner), 0);
        };
        let engine = self.clone();
        let again = (errand.clone(), sign_up.clone());
        let lost = Responder::new(move |answer, epoch| match answer {
            Answer::Reply(Reply::No(Refusal::IdentifierTaken)) => {
                let actors = engine.actors.clone();
                actors.spawn(engine.lost_race(again.0, again.1, responder));
            }
            answer => responder.answer(answer, epoch),
        });
        self.route(user, errand, Command::SignUp(sign_up), lost);
    }

    async fn lost_race(self, errand: Errand, sign_up: SignUp, responder: Responder) {
        match self.holder(&sign_up).await {
            Ok(Some(user)) => self.route(user, errand, Command::SignUp(sign_up), responder),
            Ok(None) => responder.answer(Answer::Failed(Failure::Unknown), 0),
            Err(failure) => responder.answer(Answer::Failed(failure), 0),
        }
    }

    fn fresh_id(&self) -> Option<UserId> {
        let seed = self.shared.entropy.seed();
        let (random, rest) = seed.split_first_chunk::<16>()?;
        let pick = u64::from_le_bytes(*rest.first_chunk()?);
        let slot = self.shared.ownership.pick(pick)?;
        let region = self.shared.ownership.region().number();
        Some(UserId::new(region, slot.number(), *random))
    }

    /// Whoever has the first of these identifiers that somebody has.
    async fn holder(&self, sign_up: &SignUp) -> Result<Option<UserId>, Failure> {
        for claim in &sign_up.identifiers {
            if let Some(row) = self.find(&claim.hash.0).await? {
                return Ok(Some(row.user));
            }
        }
        Ok(None)
    }

    async fn find(&self, hash: &[u8; 32]) -> Result<Option<IndexRow>, Failure> {
        let key = RowKey::identifier(self.shared.ownership.region(), hash);
        match self.shared.store.get(key).await {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => IndexRow::decode(&bytes).map(Some).ok_or(Failure::Corrupt),
            Err(StoreError::Corrupt) => Err(Failure::Corrupt),
            Err(_) => Err(Failure::Unavailable),
        }
    }
}
